//! One run of the relay: from where the stream ends, until something goes wrong or it is told to stop.
//!
//! No event is taken when one before it was lost, whoever sends it: a message that was held up somewhere, or that a
//! process sends which leads no longer, does not fit any more. Sequences alone would not do: a message of somebody else
//! takes the place of one event, and the next one would fit behind it. See [`Chain`].

use std::sync::Arc;

use async_nats::{
    HeaderValue, Message, StatusCode, Subscriber,
    header::{NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL, NATS_BATCH_ID, NATS_BATCH_SEQUENCE},
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
    message::{Chain, Encoder, Outgoing},
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
            chain: stream::chain(info)?,
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
            let room = flow.has_room();
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
                self.progress.published(flow.waiting_up_to(position));
            }
        }
        if !flow.confirmed(position) {
            return Err(RelayError::Answer(format!("position {position} was confirmed, which was not sent")));
        }
        flow.heard_at = Instant::now();
        Ok(())
    }
}

impl Flow {
    fn has_room(&self) -> bool {
        match self.encoder.chain {
            Chain::Ids => {
                self.window.events() + CHUNK_EVENTS_MAX <= WINDOW_EVENTS_MAX && self.window.bytes() < WINDOW_BYTES_MAX
            }
            Chain::Batches => self.window.events() == 0,
        }
    }

    /// Whether what is confirmed was on its way: one event, or the batch that ends with it.
    fn confirmed(&mut self, position: Position) -> bool {
        match self.encoder.chain {
            Chain::Ids => self.window.confirm(position),
            Chain::Batches => {
                let batch = self.window.confirmed() + 1..=position;
                !batch.is_empty() && batch.into_iter().all(|position| self.window.confirm(position))
            }
        }
    }

    /// How many events a confirmation of this position is for.
    fn waiting_up_to(&self, position: Position) -> u64 {
        match self.encoder.chain {
            Chain::Ids => 1,
            Chain::Batches => u64::try_from(position - self.window.confirmed()).unwrap_or_default(),
        }
    }

    async fn publish(&mut self, mut chunk: Vec<Outgoing>) -> Result<(), RelayError> {
        if self.window.events() == 0 {
            self.heard_at = Instant::now();
        }
        let Some(last) = chunk.last().map(|message| message.position) else { return Ok(()) };
        if self.encoder.chain == Chain::Batches {
            self.make_batch(&mut chunk);
        }
        let Self { connection: Connection { client, .. }, window, inbox, encoder, .. } = self;
        let publishing = async {
            for Outgoing { position, subject, headers, payload } in chunk {
                window.sent(payload.len());
                let sent = if encoder.chain == Chain::Ids || position == last {
                    let reply = format!("{inbox}.{position}");
                    client.publish_with_reply_and_headers(subject, reply, headers, payload.into()).await
                } else {
                    client.publish_with_headers(subject, headers, payload.into()).await
                };
                sent.map_err(|error| RelayError::jetstream("take an event", error))?;
            }
            Ok(())
        };
        // The client takes no more when the server does not read.
        timeout(CONFIRM_WAIT_MAX, publishing).await.map_err(|_| RelayError::TimedOut)?
    }

    /// One message needs no batch, only its place.
    fn make_batch(&self, chunk: &mut [Outgoing]) {
        if let Some(first) = chunk.first_mut() {
            self.encoder.expect_place(&mut first.headers, first.position);
        }
        if chunk.len() < 2 {
            return;
        }
        let id = self.connection.client.new_inbox();
        for (message, number) in chunk.iter_mut().zip(1_usize..) {
            message.headers.insert(NATS_BATCH_ID, id.as_str());
            message.headers.insert(NATS_BATCH_SEQUENCE, HeaderValue::from(number));
        }
        if let Some(last) = chunk.last_mut() {
            last.headers.insert(NATS_BATCH_COMMIT, NATS_BATCH_COMMIT_FINAL);
        }
    }
}
