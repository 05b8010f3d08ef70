//! A reader of Server-Sent Events that goes by the book: what a browser's `EventSource` would dispatch, and what it would
//! send as `Last-Event-ID`. Source: the HTML standard, 9.2.6, "Interpreting an event stream".

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;

use crate::{Answer, Client};

/// Much longer than a heartbeat, so that a busy machine fails no test.
const PATIENCE: Duration = Duration::from_secs(60);

/// An event that was dispatched.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    pub id: i64,
    pub event: String,
    pub data: Value,
}

/// A stream that was opened. Dropping it hangs up.
#[derive(Debug)]
pub struct EventSource {
    response: Response,
    bytes: Vec<u8>,
    /// What a reconnect would send.
    pub last_event_id: String,
    /// Milliseconds after which a reconnect would come.
    pub retry: Option<u64>,
    /// What was said and is no event.
    pub comments: Vec<String>,
    id: String,
    event: String,
    data: String,
}

impl Client {
    /// Opens `/events` with this query, after `last_event_id` if there is one.
    pub async fn events(&self, query: &str, last_event_id: Option<&str>) -> EventSource {
        let opened = self.try_events(query, last_event_id).await.expect("a connection");
        opened.unwrap_or_else(|answer| panic!("no stream: {} {}", answer.status, answer.body))
    }

    /// The same, when it may be refused; or when there may be nobody to answer.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn try_events(
        &self,
        query: &str,
        last_event_id: Option<&str>,
    ) -> Result<Result<EventSource, Answer>, reqwest::Error> {
        let mut request = self.streaming(&format!("/events?{query}")).header("accept", "text/event-stream");
        if let Some(id) = last_event_id.filter(|id| !id.is_empty()) {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        if status != 200 {
            let text = response.text().await?;
            let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
            return Ok(Err(Answer { status, headers, body }));
        }
        assert_eq!(headers["content-type"], "text/event-stream");
        let last_event_id = last_event_id.unwrap_or_default().to_owned();
        Ok(Ok(EventSource {
            response,
            bytes: Vec::new(),
            id: last_event_id.clone(),
            last_event_id,
            retry: None,
            comments: Vec::new(),
            event: String::new(),
            data: String::new(),
        }))
    }
}

impl EventSource {
    /// The next event; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Received> {
        loop {
            while let Some(line) = self.line() {
                if let Some(event) = self.interpret(&line) {
                    return Some(event);
                }
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// This many events.
    pub async fn take(&mut self, count: usize) -> Vec<Received> {
        let mut events = Vec::with_capacity(count);
        while events.len() < count {
            events.push(self.next().await.unwrap_or_else(|| panic!("it ended early: {:?}", self.comments)));
        }
        events
    }

    /// All events until the stream would go on after `position`.
    pub async fn until(&mut self, position: i64) -> Vec<Received> {
        let mut events = Vec::new();
        while self.position() < position {
            while let Some(line) = self.line() {
                events.extend(self.interpret(&line));
            }
            assert!(self.position() >= position || self.more().await, "it ended early: {:?}", self.comments);
        }
        events
    }

    /// Waits for its end, which must come before another event. Returns the last comment.
    pub async fn end(&mut self) -> String {
        let event = self.next().await;
        assert_eq!(event, None, "it was to end");
        self.comments.last().cloned().unwrap_or_default()
    }

    /// Where it stands.
    pub fn position(&self) -> i64 {
        if self.last_event_id.is_empty() { 0 } else { self.last_event_id.parse().unwrap() }
    }

    /// Reads on; no more when the answer is over, whether in good order or cut off.
    async fn more(&mut self) -> bool {
        let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
        match chunk.expect("heartbeats come more often") {
            Ok(Some(chunk)) => {
                self.bytes.extend_from_slice(&chunk);
                true
            }
            Ok(None) | Err(_) => false,
        }
    }

    fn line(&mut self) -> Option<String> {
        let end = self.bytes.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.bytes.drain(..=end).collect();
        Some(String::from_utf8(line[..end].to_vec()).expect("UTF-8"))
    }

    fn interpret(&mut self, line: &str) -> Option<Received> {
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => self.comments.push(value.to_owned()),
            "id" => value.clone_into(&mut self.id),
            "event" => value.clone_into(&mut self.event),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "retry" => self.retry = Some(value.parse().unwrap()),
            other => panic!("the field {other:?}"),
        }
        None
    }

    /// A block without data moves the id on, and is no event.
    fn dispatch(&mut self) -> Option<Received> {
        self.id.clone_into(&mut self.last_event_id);
        let (event, data) = (std::mem::take(&mut self.event), std::mem::take(&mut self.data));
        if data.is_empty() {
            return None;
        }
        let data = serde_json::from_str(data.trim_end_matches('\n')).expect("JSON");
        Some(Received { id: self.position(), event, data })
    }
}
