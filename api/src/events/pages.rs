//! One page of events, a line for each, for those who come by from time to time.

use std::time::Duration;

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use metrics::counter;
use palaver_eventstore::{LogError, Position};
use tokio::time::Instant;

use super::{asked::NDJSON, frame::line, reader::Reader};
use crate::http::{ApiError, PALAVER_HEAD, PALAVER_NEXT};

/// A page ends when it is as long as this, or took as long as this to find: the cursor says where to go on.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
const PAGE_TIME_MAX: Duration = Duration::from_secs(2);

/// The next `limit` events of a reader, or as many as there are or a page takes.
pub(super) async fn page(reader: &mut Reader, limit: i64, schemas_url: &str) -> Result<Response, ApiError> {
    let began = Instant::now();
    let (mut body, mut events) = (Vec::new(), 0);
    let mut next;
    let mut head;
    loop {
        let page = reader.read(limit - events).await.map_err(|LogError::Database(error)| ApiError::from(error))?;
        (next, head) = (page.scanned_to, page.head);
        for event in &page.events {
            body.extend(line(event, schemas_url).map_err(|error| ApiError::internal(&error))?);
            events += 1;
            if body.len() >= PAGE_BYTES_MAX {
                next = event.position;
                break;
            }
        }
        let full = events >= limit || body.len() >= PAGE_BYTES_MAX;
        if full || next >= head || began.elapsed() > PAGE_TIME_MAX {
            break;
        }
    }
    counter!("palaver_event_stream_events_total", "format" => "ndjson").increment(events.unsigned_abs());
    let position = |position: Position| HeaderValue::from(position);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(NDJSON)),
        (PALAVER_NEXT, position(next)),
        (PALAVER_HEAD, position(head)),
    ];
    Ok((headers, body).into_response())
}
