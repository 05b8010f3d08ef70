//! One run of the relay: from where the stream ends, until something goes wrong or it is told to stop.
//!
//! Every event names the sequence that the stream must end with for it to be taken (`Nats-Expected-Last-Sequence`). So
//! thousands can be on their way at once, and still none is taken when one before it was lost; a message that was held up
//! somewhere, or that a process sends which leads no longer, finds its place taken. The sequence rather than the id of the
//! event before: JetStream compares sequences before it replicates a message, and ids only after, where a mismatch stops
//! the whole stream of a cluster.

use std::{sync::Arc, time::Duration};

use async_nats::{
    Message, StatusCode, Subscriber,
    jetstream::{publish::PublishAck, response::Response},
};
use futures::StreamExt;
use sqlx::PgConnection;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    CHECKPOINT_INTERVAL, CHECKPOINT_WAIT_MAX, CHUNK_EVENTS_MAX, CONFIRM_WAIT_MAX, LEASE_CHECK_INTERVAL,
    MESSAGE_BYTES_DEFAULT, Progress, RelayError, RelayOptions, WINDOW_BYTES_MAX, WINDOW_EVENTS_MAX,
    checkpoint::{self, Checkpoint},
    connection::{self, Connection},
    feed::Feed,
    message::{Encoder, Outgoing},
    stream,
    window::Window,
};
use crate::{EventLog, Position, clock::Clock};

pub(super) struct Run<'a> {
    pub log: &'a EventLog,
    pub clock: &'a Arc<dyn Clock>,
    pub options: &'a RelayOptions,
    pub progress: &'a Progress,
}

/// What a run works with once it knows where it begins.
struct Flow {
    connection: Connection,
    encoder: Encoder,
    created: chrono::DateTime<chrono::Utc>,
    feed: Feed,
    confirmations: Subscriber,
    /// What confirmations are sent to, before the position.
    inbox: String,
    window: Window,
    /// When the stream last confirmed something, or had nothing to confirm.
    heard_at: Instant,
    /// What the checkpoint says.
    kept: Position,
    kept_at: Instant,
}

impl Run<'_> {
    /// Relays until `stop`, and then until all that is on its way is confirmed.
    pub async fn relay(&self, db: &mut PgConnection, stop: &CancellationToken) -> Result<(), RelayError> {
        let mut flow = self.begin(db).await?;
        let relayed = self.flow(&mut flow, db, stop).await;
        // What was confirmed is kept, however the run ended; when that fails, the stream knows it all the same.
        let kept = self.keep_checkpoint(&mut flow, db).await;
        relayed.and(kept)
    }

    async fn begin(&self, db: &mut PgConnection) -> Result<Flow, RelayError> {
        let stream = &self.options.stream;
        let connection = connection::connect(self.options).await?;
        let kept = stream::keep(&connection.jetstream, self.options).await?;
        let info = kept.cached_info();
        let created = stream::created(info);
        let checkpoint = checkpoint::read(db, stream).await?;
        let place = stream::place(&kept, checkpoint.as_ref(), self.log).await?;
        let taken = usize::try_from(info.config.max_message_size).ok().filter(|&bytes| bytes > 0);
        let allowed = Some(connection.client.max_payload()).filter(|&bytes| bytes > 0);
        let encoder = Encoder {
            stream: stream.clone(),
            schemas_url: self.options.schemas_url.clone(),
            message_bytes_max: taken.into_iter().chain(allowed).min().unwrap_or(MESSAGE_BYTES_DEFAULT),
            position: place.position,
            sequence: place.sequence,
        };
        let inbox = connection.client.new_inbox();
        let confirmations = connection.client.subscribe(format!("{inbox}.*")).await;
        let confirmations = confirmations.map_err(|error| RelayError::jetstream("confirm", error))?;
        checkpoint::forget_error(db, stream).await?;
        self.progress.connected(true);
        self.progress.reached(place.position, self.head());
        tracing::info!(stream, position = place.position, sequence = place.sequence, "relaying the log");
        let feed = Feed::start(self.log.clone(), encoder.clone());
        let window = Window::new(place.position);
        let now = Instant::now();
        let kept = checkpoint.map_or(-1, |checkpoint| checkpoint.position);
        let mut flow = Flow {
            connection,
            encoder,
            created,
            feed,
            confirmations,
            inbox,
            window,
            heard_at: now,
            kept,
            kept_at: now,
        };
        self.keep_checkpoint(&mut flow, db).await?;
        Ok(flow)
    }

    async fn flow(&self, flow: &mut Flow, db: &mut PgConnection, stop: &CancellationToken) -> Result<(), RelayError> {
        let mut ticks = interval(CHECKPOINT_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let lost = flow.connection.lost.clone();
        loop {
            let stopping = stop.is_cancelled();
            if stopping && flow.window.events() == 0 {
                return Ok(());
            }
            let room =
                flow.window.events() + CHUNK_EVENTS_MAX <= WINDOW_EVENTS_MAX && flow.window.bytes() < WINDOW_BYTES_MAX;
            tokio::select! {
                biased;
                () = lost.cancelled() => return Err(RelayError::Disconnected),
                _ = ticks.tick() => self.tick(flow, db).await?,
                confirmation = flow.confirmations.next() => {
                    let confirmation = confirmation.ok_or(RelayError::Disconnected)?;
                    self.confirm(flow, &confirmation)?;
                }
                chunk = flow.feed.next(), if room && !stopping => flow.publish(chunk?).await?,
                () = stop.cancelled(), if !stopping => {}
            }
        }
    }

    fn head(&self) -> Position {
        *self.log.watch().borrow()
    }

    /// The checkpoint, the lease, and the patience with the stream.
    async fn tick(&self, flow: &mut Flow, db: &mut PgConnection) -> Result<(), RelayError> {
        if flow.window.events() > 0 && flow.heard_at.elapsed() > CONFIRM_WAIT_MAX {
            return Err(RelayError::TimedOut);
        }
        self.progress.reached(flow.window.confirmed(), self.head());
        let due = flow.window.confirmed() != flow.kept || flow.kept_at.elapsed() >= LEASE_CHECK_INTERVAL;
        if due { self.keep_checkpoint(flow, db).await } else { Ok(()) }
    }

    /// Written on the connection that holds the lease: whoever has lost that, can not write.
    async fn keep_checkpoint(&self, flow: &mut Flow, db: &mut PgConnection) -> Result<(), RelayError> {
        let position = flow.window.confirmed();
        let sequence = flow.encoder.expected_last_sequence(position + 1);
        let checkpoint = Checkpoint {
            position,
            stream_sequence: i64::try_from(sequence).unwrap_or(i64::MAX),
            stream_created: flow.created,
            updated_at: self.clock.now(),
        };
        let written = timeout(CHECKPOINT_WAIT_MAX, checkpoint::write(db, &self.options.stream, &checkpoint)).await;
        written.map_err(|_| sqlx::Error::PoolTimedOut)??;
        (flow.kept, flow.kept_at) = (position, Instant::now());
        self.progress.reached(position, self.head());
        Ok(())
    }

    fn confirm(&self, flow: &mut Flow, message: &Message) -> Result<(), RelayError> {
        let stream = || self.options.stream.clone();
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            return Err(RelayError::NoStream(stream()));
        }
        let position = message.subject.rsplit('.').next().and_then(|position| position.parse().ok());
        let position: Position = position.ok_or_else(|| RelayError::Answer(message.subject.to_string()))?;
        let answer = serde_json::from_slice(&message.payload);
        match answer.map_err(|error| RelayError::Answer(error.to_string()))? {
            Response::Err { error: cause } => return Err(RelayError::Refused { stream: stream(), position, cause }),
            // Stored earlier, and only its confirmation was lost: in its place, or it would not have been taken.
            Response::Ok(PublishAck { duplicate: true, .. }) => self.progress.duplicate(),
            Response::Ok(PublishAck { sequence: found, .. }) => {
                let expected = flow.encoder.expected_last_sequence(position + 1);
                if found != expected {
                    return Err(RelayError::Misplaced { stream: stream(), position, expected, found });
                }
                self.progress.published();
            }
        }
        if !flow.window.confirm(position) {
            return Err(RelayError::Answer(format!("position {position} was confirmed, which was not sent")));
        }
        flow.heard_at = Instant::now();
        Ok(())
    }
}

impl Flow {
    async fn publish(&mut self, chunk: Vec<Outgoing>) -> Result<(), RelayError> {
        if self.window.events() == 0 {
            self.heard_at = Instant::now();
        }
        let Self { connection, window, inbox, .. } = self;
        let publishing = async {
            for message in chunk {
                let Outgoing { position, subject, headers, payload } = message;
                window.sent(payload.len());
                let reply = format!("{inbox}.{position}");
                let sent =
                    connection.client.publish_with_reply_and_headers(subject, reply, headers, payload.into()).await;
                sent.map_err(|error| RelayError::jetstream("take an event", error))?;
            }
            Ok(())
        };
        // The client takes no more when the server does not read.
        let patience: Duration = CONFIRM_WAIT_MAX;
        timeout(patience, publishing).await.map_err(|_| RelayError::TimedOut)?
    }
}
