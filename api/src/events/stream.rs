//! One open stream: what it sends, and how it comes to its end. A client takes what it is sent at its own pace, within
//! bounds: what waits for it is bounded, and so is the time that nothing of it is taken.

use std::{collections::VecDeque, convert::Infallible, pin::pin, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Uri},
};
use futures::{StreamExt, stream};
use metrics::counter;
use palaver_domain::AccountId;
use palaver_eventstore::Position;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    feed::{Batch, Feed},
    places::Place,
};
use crate::{
    http::{HangUp, Shell, readmit},
    permissions::Route,
};

/// Bytes that are handed to the connection at once; a single event may be more.
const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// Chunks that wait for the connection to take them.
const CHUNKS_MAX: usize = 4;
/// A client that takes nothing for as long as this, though there is something, is let go.
const STALL_MAX: Duration = Duration::from_secs(10);
/// How often to see whether the client may still be told anything.
const RECHECK_EVERY: Duration = Duration::from_secs(3);
/// For how long that may fail to be found out.
const UNCHECKED_MAX: Duration = Duration::from_secs(30);
/// Time for the last words to be taken, before the connection is closed without them.
const LAST_WORDS_WAIT: Duration = Duration::from_secs(2);
/// When a client is to come back, in milliseconds.
const RETRY_MS: u32 = 1_000;

/// Who is at the other end, and how they got in.
pub(super) struct Admitted {
    pub shell: Arc<Shell>,
    pub route: Route,
    pub tenant: AccountId,
    pub headers: HeaderMap,
    pub uri: Uri,
}

/// A stream that is not yet open.
pub(super) struct EventStream {
    pub feed: Feed,
    pub start: Position,
    pub admitted: Admitted,
    pub place: Place,
    pub heartbeat: Duration,
    pub stop: CancellationToken,
    /// Absent where there is no socket.
    pub hang_up: Option<HangUp>,
}

/// Why a stream has ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// The client has hung up.
    Gone,
    Stopping,
    /// The client may not be told more, for this reason.
    Refused(String),
    Slow,
}

impl Ended {
    const fn label(&self) -> &'static str {
        match self {
            Self::Gone => "client",
            Self::Stopping => "shutdown",
            Self::Refused(_) => "refused",
            Self::Slow => "slow",
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Gone => String::new(),
            Self::Stopping => "this process stops; come back with Last-Event-ID".to_owned(),
            Self::Refused(reason) => reason.clone(),
            Self::Slow => "you take events too slowly; come back with Last-Event-ID".to_owned(),
        }
    }
}

/// Whether a client may still be told of events.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Good,
    Lost(String),
    /// It can not be found out now.
    Unknown,
}

impl Admitted {
    /// Asks what the guard asked when the stream began. A token may have been revoked since, a permission lost, an account
    /// ended.
    async fn recheck(&self) -> Standing {
        match readmit(&self.shell, &self.route, &self.headers, &self.uri).await {
            Ok(principal) if principal.tenant() == self.tenant => Standing::Good,
            Ok(_) => Standing::Lost("the token is of another account".to_owned()),
            Err(error) if error.code.status().is_server_error() => Standing::Unknown,
            Err(error) => Standing::Lost(error.message),
        }
    }
}

/// Some blocks, and how many events are in them.
#[derive(Debug, Default)]
struct Chunk {
    bytes: Bytes,
    events: u64,
}

impl Chunk {
    fn words(text: String) -> Self {
        Self { bytes: text.into(), events: 0 }
    }
}

impl EventStream {
    /// Starts to send, and returns what it sends.
    pub fn open(self) -> Body {
        let (chunks, taken) = mpsc::channel(CHUNKS_MAX);
        tokio::spawn(self.run(chunks));
        let body = stream::unfold(taken, |mut taken| async move {
            let bytes: Bytes = taken.recv().await?;
            Some((Ok::<_, Infallible>(bytes), taken))
        });
        Body::from_stream(body)
    }

    async fn run(self, chunks: mpsc::Sender<Bytes>) {
        let Self { feed, start, admitted, place, heartbeat, stop, hang_up } = self;
        let mut sending = Sending { position: start, pending: VecDeque::new(), admitted, heartbeat, stop };
        let ended = sending.run(feed, &chunks).await;
        counter!("palaver_event_streams_ended_total", "why" => ended.label()).increment(1);
        drop(place);
        if ended == Ended::Gone {
            return;
        }
        tracing::debug!(why = ended.label(), "an event stream is ended");
        let words = format!("{}: {}\n\n", sending.progress(), ended.words().replace(['\r', '\n'], " "));
        let told = async {
            // A client that has hung up needs no telling.
            let _ = chunks.send(words.into()).await;
            drop(chunks);
            std::future::pending::<()>().await;
        };
        // The connection is closed when the last words are taken. If they are not, it is closed without them: nobody
        // else would ever do it.
        let _ = tokio::time::timeout(LAST_WORDS_WAIT, told).await;
        if let Some(HangUp(connection)) = hang_up {
            connection.cancel();
        }
    }
}

/// A stream while it sends.
struct Sending {
    /// Every matching event up to here was handed over, or is pending.
    position: Position,
    /// What the connection has not taken yet.
    pending: VecDeque<Chunk>,
    admitted: Admitted,
    heartbeat: Duration,
    stop: CancellationToken,
}

impl Sending {
    async fn run(&mut self, feed: Feed, chunks: &mpsc::Sender<Bytes>) -> Ended {
        let mut batches = pin!(feed.batches());
        let mut heartbeats = interval_at(Instant::now() + self.heartbeat, self.heartbeat);
        let mut rechecks = interval_at(Instant::now() + RECHECK_EVERY, RECHECK_EVERY);
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        rechecks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stalled = pin!(sleep(STALL_MAX));
        let mut checked = Instant::now();
        let stop = self.stop.clone();
        // The position that comes with it is where to go on if nothing else ever comes.
        let opening = Chunk::words(format!("retry: {RETRY_MS}\nid: {}\n\n", self.position));
        self.pending.push_back(opening);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ended::Stopping,
                () = chunks.closed() => return Ended::Gone,
                _ = rechecks.tick() => match stop.run_until_cancelled(self.admitted.recheck()).await {
                    None => return Ended::Stopping,
                    Some(Standing::Good) => checked = Instant::now(),
                    Some(Standing::Unknown) if checked.elapsed() < UNCHECKED_MAX => {}
                    Some(Standing::Unknown) => return Ended::Refused("your token can not be checked now".to_owned()),
                    Some(Standing::Lost(reason)) => return Ended::Refused(reason),
                },
                _ = heartbeats.tick(), if self.pending.is_empty() => {
                    self.pending.push_back(Chunk::words(format!(": heartbeat\n{}", self.progress())));
                    stalled.as_mut().reset(Instant::now() + STALL_MAX);
                }
                room = chunks.reserve(), if !self.pending.is_empty() => {
                    let (Ok(room), Some(chunk)) = (room, self.pending.pop_front()) else { return Ended::Gone };
                    room.send(chunk.bytes);
                    counter!("palaver_event_stream_events_total", "format" => "sse").increment(chunk.events);
                    stalled.as_mut().reset(Instant::now() + STALL_MAX);
                }
                () = &mut stalled, if !self.pending.is_empty() => return Ended::Slow,
                Some(batch) = batches.next(), if self.pending.is_empty() => {
                    self.position = batch.position;
                    self.pending = chunked(batch);
                    stalled.as_mut().reset(Instant::now() + STALL_MAX);
                }
            }
        }
    }

    /// A block that moves a client's `Last-Event-ID` on and is no event to it; nothing while something before that
    /// position is not yet handed over.
    fn progress(&self) -> String {
        if self.pending.is_empty() { format!("id: {}\n\n", self.position) } else { String::new() }
    }
}

/// The blocks of a batch, put together to chunks.
fn chunked(batch: Batch) -> VecDeque<Chunk> {
    let mut chunks = VecDeque::new();
    let (mut bytes, mut events) = (Vec::new(), 0);
    for block in batch.blocks {
        if !bytes.is_empty() && bytes.len() + block.len() > CHUNK_BYTES_MAX {
            chunks.push_back(Chunk { bytes: std::mem::take(&mut bytes).into(), events });
            events = 0;
        }
        bytes.extend_from_slice(&block);
        events += 1;
    }
    if !bytes.is_empty() {
        chunks.push_back(Chunk { bytes: bytes.into(), events });
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_put_together_in_order_and_none_is_cut() {
        let sizes = [10, CHUNK_BYTES_MAX - 10, 1, 3 * CHUNK_BYTES_MAX, 5, 5];
        let blocks: Vec<Bytes> = sizes.iter().zip(0_u8..).map(|(size, fill)| vec![fill; *size].into()).collect();
        let whole = blocks.concat();
        let chunks = chunked(Batch { blocks, position: 9 });
        let told: Vec<_> = chunks.iter().map(|chunk| (chunk.bytes.len(), chunk.events)).collect();
        assert_eq!(told, [(CHUNK_BYTES_MAX, 2), (1, 1), (3 * CHUNK_BYTES_MAX, 1), (10, 2)]);
        assert_eq!(chunks.iter().map(|chunk| chunk.bytes.clone()).collect::<Vec<_>>().concat(), whole);
        assert!(chunked(Batch { blocks: Vec::new(), position: 9 }).is_empty());
    }
}
