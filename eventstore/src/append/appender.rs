//! The one task of a process that writes to the log. While a batch commits, the next one gathers; nothing waits
//! for company. A batch costs one round trip, so the price of durability is shared by whoever arrived together.

use std::sync::Arc;

use sqlx::{Connection, PgConnection};
use tokio::{
    sync::{
        OwnedSemaphorePermit, Semaphore, mpsc,
        oneshot::{self, Sender},
    },
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Append, AppendError, Appended,
    batch::{Batch, Verdict},
    queue::Queue,
    statement,
};
use crate::{
    APPEND_EVENTS_MAX, APPEND_KIB_MAX, BATCH_RETRY_DELAY, BATCH_TRIES_MAX, BATCH_WAIT_MAX, QUEUE_KIB_MAX, clock::Clock,
    database::Database, head::Head,
};

pub(super) type Answer = Result<Appended, AppendError>;

/// An append on its way, with whoever waits for it. The permits are its place and the memory it takes.
#[derive(Debug)]
pub(super) struct Request {
    pub append: Append,
    pub answer: Sender<Answer>,
    pub _place: OwnedSemaphorePermit,
    pub _memory: OwnedSemaphorePermit,
}

/// The callers' end: bounded in number and in memory, and never blocking when full.
#[derive(Clone, Debug)]
pub(crate) struct AppenderHandle {
    requests: mpsc::Sender<Request>,
    /// One for each append that is not answered yet, wherever it is.
    places: Arc<Semaphore>,
    memory_kib: Arc<Semaphore>,
}

impl AppenderHandle {
    pub async fn append(&self, append: Append) -> Answer {
        if append.events() > APPEND_EVENTS_MAX {
            return Err(AppendError::TooLarge { limit: APPEND_EVENTS_MAX, unit: "events" });
        }
        let kib = append.kib();
        if kib > APPEND_KIB_MAX {
            return Err(AppendError::TooLarge { limit: APPEND_KIB_MAX, unit: "KiB" });
        }
        let place = self.places.clone().try_acquire_owned().map_err(|_| AppendError::Overloaded)?;
        let permits = u32::try_from(kib).unwrap_or(u32::MAX);
        let memory = self.memory_kib.clone().try_acquire_many_owned(permits).map_err(|_| AppendError::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        let request = Request { append, answer, _place: place, _memory: memory };
        self.requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AppendError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => AppendError::Closed,
        })?;
        // Accepted, and nobody is left to say what became of it: it may well be in the log.
        answered.await.unwrap_or(Err(AppendError::OutcomeUnknown(sqlx::Error::WorkerCrashed)))
    }
}

pub(crate) struct Appender {
    database: Database,
    clock: Arc<dyn Clock>,
    head: Head,
    queue: Queue,
    connection: Option<PgConnection>,
    /// In the log, but not answered yet: that is done while the database works on the next batch.
    written: Option<(Batch, Verdict)>,
}

impl Appender {
    /// Starts the task. After `closing` it takes nothing new, writes what it has accepted, and ends.
    pub fn start(
        database: Database,
        clock: Arc<dyn Clock>,
        head: Head,
        queue_appends_max: usize,
        closing: CancellationToken,
    ) -> (AppenderHandle, JoinHandle<()>) {
        let (sender, requests) = mpsc::channel(queue_appends_max);
        let handle = AppenderHandle {
            requests: sender,
            places: Arc::new(Semaphore::new(queue_appends_max)),
            memory_kib: Arc::new(Semaphore::new(QUEUE_KIB_MAX)),
        };
        let appender =
            Self { database, clock, head, queue: Queue::new(requests, closing), connection: None, written: None };
        (handle, tokio::spawn(appender.run()))
    }

    async fn run(mut self) {
        while let Some(batch) = self.next_batch().await {
            let started = Instant::now();
            metrics::histogram!("palaver_append_batch_events").record(batch.events() as f64);
            self.write(batch, false).await;
            metrics::histogram!("palaver_append_batch_seconds").record(started.elapsed().as_secs_f64());
        }
        if let Some(connection) = self.connection.take() {
            // Everything is written; a connection that does not say goodbye loses nothing.
            let _ = connection.close().await;
        }
    }

    /// What waits already goes first, so that the database has work; else whoever was written is answered at once.
    async fn next_batch(&mut self) -> Option<Batch> {
        if let Some(batch) = self.queue.take() {
            return Some(batch);
        }
        self.answer_written();
        self.queue.wait().await
    }

    fn answer_written(&mut self) {
        if let Some((batch, verdict)) = self.written.take() {
            self.queue.refuse_stale(&batch.streams_after(&verdict));
            batch.answer(verdict, &self.head);
        }
    }

    /// Writes the batch, over as many tries as it takes. Everybody in it has an answer then, or is in `written`.
    async fn write(&mut self, mut batch: Batch, mut may_be_written: bool) {
        let mut delay = BATCH_RETRY_DELAY;
        for attempt in 1..=BATCH_TRIES_MAX {
            match self.try_write(&mut batch, &mut may_be_written).await {
                Ok(verdict) => return self.written = Some((batch, verdict)),
                // One append in the batch is to blame; the others must not pay for it.
                Err(Failed::Refused(_)) if batch.appends() > 1 => {
                    for single in batch.split() {
                        Box::pin(self.write(single, may_be_written)).await;
                        self.answer_written();
                    }
                    return;
                }
                Err(Failed::Refused(error)) => {
                    tracing::error!(%error, "the database refused an append");
                    return batch.refused(error);
                }
                Err(Failed::Interrupted(error)) => {
                    tracing::warn!(%error, attempt, "the database did not answer an append");
                    self.connection = None;
                    if attempt == BATCH_TRIES_MAX {
                        return if may_be_written { batch.outcome_unknown(error) } else { batch.unavailable(error) };
                    }
                    tokio::time::sleep(delay).await;
                    delay *= 2;
                }
            }
        }
    }

    /// Meanwhile the batch before is answered, and the next one gathers. `may_be_written` says whether an earlier try
    /// was sent, and afterwards whether this one was.
    async fn try_write(&mut self, batch: &mut Batch, may_be_written: &mut bool) -> Result<Verdict, Failed> {
        if self.connection.is_none() {
            self.answer_written();
            self.connection = Some(statement::connect(&self.database).await.map_err(Failed::Interrupted)?);
        }
        let Some(connection) = &mut self.connection else {
            return Err(Failed::Interrupted(sqlx::Error::WorkerCrashed));
        };
        if *may_be_written {
            let landed = timeout(BATCH_WAIT_MAX, statement::landed(connection, batch)).await;
            // Not to be told is no refusal, whatever the reason: it is asked again.
            let landed = landed.unwrap_or_else(|silence| Err(sqlx::Error::Io(silence.into())));
            batch.answer_landed(landed.map_err(Failed::Interrupted)?, &self.head);
        }
        *may_be_written = true;
        let meanwhile = async {
            if let Some((batch, verdict)) = self.written.take() {
                self.queue.refuse_stale(&batch.streams_after(&verdict));
                batch.answer(verdict, &self.head);
            }
            self.queue.gather().await
        };
        let verdict = tokio::select! {
            biased;
            verdict = timeout(BATCH_WAIT_MAX, statement::execute(connection, batch, self.clock.now())) =>
                verdict.unwrap_or_else(|silence| Err(sqlx::Error::Io(silence.into()))),
            never = meanwhile => match never {},
        };
        // Had the database been too quick for it.
        self.answer_written();
        verdict.map_err(Failed::of)
    }
}

/// Why a batch was not written.
enum Failed {
    /// By what is in it: tried again, it would fail again. Nothing of it was written.
    Refused(sqlx::Error),
    /// By anything else, from a full disk to a cut cable; whether it was written is to be found out.
    Interrupted(sqlx::Error),
}

impl Failed {
    /// SQLSTATE classes 22 (data), 23 (constraints), 42 (no such function, no such right), 54 (too large) and P0
    /// (raised by the function), and what can not be sent at all.
    fn of(error: sqlx::Error) -> Self {
        let refused = match &error {
            sqlx::Error::Database(error) => error
                .code()
                .is_some_and(|code| ["22", "23", "42", "54", "P0"].iter().any(|class| code.starts_with(class))),
            sqlx::Error::Encode(_) => true,
            _ => false,
        };
        if refused { Self::Refused(error) } else { Self::Interrupted(error) }
    }
}

#[cfg(test)]
mod tests {
    use palaver_domain::AccountId;

    use super::*;

    #[tokio::test]
    async fn an_accepted_append_without_an_answer_may_have_been_written_and_a_refused_one_was_not() {
        let (requests, mut taken) = mpsc::channel(1);
        let places = Arc::new(Semaphore::new(2));
        let handle = AppenderHandle { requests, places, memory_kib: Arc::new(Semaphore::new(QUEUE_KIB_MAX)) };
        let append = Append { tenant: AccountId::default(), streams: Vec::new(), receipt: None };
        let (answer, ()) = tokio::join!(handle.append(append.clone()), async {
            // As when the task dies over a batch.
            drop(taken.recv().await);
        });
        assert!(matches!(answer, Err(AppendError::OutcomeUnknown(_))), "{answer:?}");
        drop(taken);
        assert!(matches!(handle.append(append).await, Err(AppendError::Closed)));
    }
}
