//! What one client is to be sent next: from the tail that all share, or, when it stands further back, from the log.

use std::time::Duration;

use axum::body::Bytes;
use futures::{Stream, stream};
use palaver_eventstore::{LogError, Position};

use super::{
    frame::block,
    reader::{PAGE_EVENTS_MAX, Reader},
    ring::Found,
    tail::Following,
};

/// A turn ends when it has as much as this for the client.
const BATCH_BYTES_MAX: usize = 256 * 1024;
/// Pause after the log could not be read.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What is to be sent, and how far the log was searched for it. There may be nothing to send.
#[derive(Debug)]
pub(super) struct Batch {
    pub blocks: Vec<Bytes>,
    pub position: Position,
}

#[derive(Debug)]
pub(super) struct Feed {
    following: Following,
    reader: Reader,
    schemas_url: String,
}

impl Feed {
    pub fn new(following: Following, reader: Reader, schemas_url: String) -> Self {
        Self { following, reader, schemas_url }
    }

    /// One batch after the other, without end. It may be dropped between two of them, and polled while other things are
    /// waited for.
    pub fn batches(self) -> impl Stream<Item = Batch> {
        stream::unfold(self, |mut feed| async move {
            loop {
                match feed.next().await {
                    Ok(batch) => return Some((batch, feed)),
                    Err(error) => {
                        tracing::warn!(%error, "an event stream can not go on; trying again");
                        tokio::time::sleep(RETRY_PAUSE).await;
                    }
                }
            }
        })
    }

    async fn next(&mut self) -> Result<Batch, LogError> {
        loop {
            let position = self.reader.position;
            match self.following.after(position, &self.reader.filter, BATCH_BYTES_MAX) {
                Found::Behind => {
                    let page = self.reader.read(PAGE_EVENTS_MAX).await?;
                    let blocks = page.events.iter().map(|event| block(event, &self.schemas_url)).collect();
                    return Ok(Batch { blocks, position: page.scanned_to });
                }
                Found::Reached { position: reached, .. } if reached == position => self.following.past(position).await,
                Found::Reached { blocks, position } => {
                    self.reader.position = position;
                    return Ok(Batch { blocks, position });
                }
            }
        }
    }
}
