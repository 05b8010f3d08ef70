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

/// An append on its way, with whoever waits for it. The permit is the memory it takes.
#[derive(Debug)]
pub(super) struct Request {
    pub append: Append,
    pub answer: Sender<Answer>,
    pub _memory: OwnedSemaphorePermit,
}

/// The callers' end: bounded in number and in memory, and never blocking when full.
#[derive(Clone, Debug)]
pub(crate) struct AppenderHandle {
    requests: mpsc::Sender<Request>,
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
        let permits = u32::try_from(kib).unwrap_or(u32::MAX);
        let memory = self.memory_kib.clone().try_acquire_many_owned(permits).map_err(|_| AppendError::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        self.requests.try_send(Request { append, answer, _memory: memory }).map_err(|error| match error {
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
        let handle = AppenderHandle { requests: sender, memory_kib: Arc::new(Semaphore::new(QUEUE_KIB_MAX)) };
        let appender =
            Self { database, clock, head, queue: Queue::new(requests, closing), connection: None, written: None };
        (handle, tokio::spawn(appender.run()))
    }

    async fn run(mut self) {
        while let Some(batch) = self.next_batch().await {
            let started = Instant::now();
            metrics::histogram!("palaver_append_batch_events").record(batch.events() as f64);
            self.write(batch).await;
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
            batch.answer(verdict, &self.head);
        }
    }

    /// Writes the batch, over as many tries as it takes. Everybody in it has an answer then, or is in `written`.
    async fn write(&mut self, mut batch: Batch) {
        let mut delay = BATCH_RETRY_DELAY;
        for attempt in 1..=BATCH_TRIES_MAX {
            match self.try_write(&mut batch, attempt > 1).await {
                Ok(verdict) => return self.written = Some((batch, verdict)),
                Err(error) if !went_away(&error) => return self.write_one_by_one(batch, error).await,
                Err(error) => {
                    tracing::warn!(%error, attempt, "the database went away during an append");
                    self.connection = None;
                    if attempt == BATCH_TRIES_MAX {
                        return batch.outcome_unknown(error);
                    }
                    tokio::time::sleep(delay).await;
                    delay *= 2;
                }
            }
        }
    }

    /// Meanwhile the batch before is answered, and the next one gathers.
    async fn try_write(&mut self, batch: &mut Batch, may_be_written: bool) -> Result<Verdict, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                self.answer_written();
                self.connection.insert(statement::connect(&self.database).await?)
            }
        };
        if may_be_written {
            let landed = statement::landed(connection, batch).await?;
            batch.answer_landed(landed, &self.head);
        }
        let meanwhile = async {
            if let Some((batch, verdict)) = self.written.take() {
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
        verdict
    }

    /// The database refused the batch as a whole, so one append in it is to blame; the others must not pay for it.
    async fn write_one_by_one(&mut self, batch: Batch, error: sqlx::Error) {
        if batch.appends() == 1 {
            tracing::error!(%error, "the database refused an append");
            return batch.refused(error);
        }
        for mut single in batch.split() {
            match self.try_write(&mut single, false).await {
                Ok(verdict) => single.answer(verdict, &self.head),
                Err(error) if went_away(&error) => {
                    self.connection = None;
                    single.outcome_unknown(error);
                }
                Err(error) => {
                    tracing::error!(%error, "the database refused an append");
                    single.refused(error);
                }
            }
        }
    }
}

/// Whether the connection, not the statement, is what failed.
fn went_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => true,
        // Class 08: connection; 57P0x: the server is stopping, has crashed, or is starting; 53300: it is full;
        // 25006: it is read-only, as a former primary is; 40001 and 40P01: try again.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("08") || code.starts_with("57P") || ["53300", "25006", "40001", "40P01"].contains(&&*code)
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use palaver_domain::AccountId;

    use super::*;

    #[tokio::test]
    async fn an_accepted_append_without_an_answer_may_have_been_written_and_a_refused_one_was_not() {
        let (requests, mut taken) = mpsc::channel(1);
        let handle = AppenderHandle { requests, memory_kib: Arc::new(Semaphore::new(QUEUE_KIB_MAX)) };
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
