//! The log as others see it: a cheap handle to append, read and follow.

use std::sync::Arc;

use futures::Stream;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Append, AppendError, Appended, Database, EventFilter, Fork, LogError, Page, Position, RecordedEvent, Sequence,
    StreamId, Subscription,
    append::{Appender, AppenderHandle},
    cache::AggregateCache,
    clock::Clock,
    head::Head,
    read,
};

/// A handle to the log. Cloning shares the appender, the cache and what is known of the head.
#[derive(Clone, Debug)]
pub struct EventLog {
    database: Database,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) cache: AggregateCache,
    appender: AppenderHandle,
    head: Head,
    fork: Option<Arc<Fork>>,
}

/// The tasks behind an [`EventLog`]; ended by [`LogTasks::drain`].
#[derive(Debug)]
pub struct LogTasks {
    closing: CancellationToken,
    appender: JoinHandle<()>,
    appender_ended: CancellationToken,
    exchange: [JoinHandle<()>; 2],
}

impl EventLog {
    /// Opens the log of a migrated database and starts its tasks.
    ///
    /// # Errors
    /// When the log can not be read.
    pub async fn open(
        database: Database,
        clock: Arc<dyn Clock>,
        queue_appends_max: usize,
    ) -> Result<(Self, LogTasks), LogError> {
        let fork = Fork::of(database.pool()).await?.map(Arc::new);
        let head = Head::new(read::head(database.pool()).await?);
        let closing = CancellationToken::new();
        let (handle, appender) =
            Appender::start(database.clone(), clock.clone(), head.clone(), queue_appends_max, closing.clone());
        let appender_ended = CancellationToken::new();
        let appender = tokio::spawn(told(appender, appender_ended.clone()));
        let exchange = head.exchange(database.clone());
        let log = Self { database, clock, cache: AggregateCache::new(), appender: handle, head, fork };
        Ok((log, LogTasks { closing, appender, appender_ended, exchange }))
    }

    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Writes all of it or nothing, after whatever is being written now.
    ///
    /// # Errors
    /// See [`AppendError`]. Only `OutcomeUnknown` leaves open whether it was written.
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        if self.fork.is_some() {
            return Err(AppendError::Fork);
        }
        self.appender.append(append).await
    }

    /// What this log is a fork of, when it is one.
    pub fn fork(&self) -> Option<&Fork> {
        self.fork.as_deref()
    }

    /// The position of the last event, 0 when there is none.
    ///
    /// # Errors
    /// When the database can not be asked.
    pub async fn head(&self) -> Result<Position, LogError> {
        read::head(self.database.pool()).await
    }

    /// The newest position this process knows of.
    pub fn watch(&self) -> watch::Receiver<Position> {
        self.head.watch()
    }

    /// The id of the event at `position`, if there is one.
    ///
    /// # Errors
    /// When the log can not be read.
    pub async fn event_id(&self, position: Position) -> Result<Option<Uuid>, LogError> {
        read::event_id(self.database.pool(), position).await
    }

    /// Events with `after < position <= to` that match, in order. The range bounds the work.
    ///
    /// # Errors
    /// When the log can not be read.
    pub async fn read_range(
        &self,
        after: Position,
        to: Position,
        filter: &EventFilter,
    ) -> Result<Vec<RecordedEvent>, LogError> {
        read::range(self.database.pool(), after, to, filter).await
    }

    /// At most `limit` events after `after` that match, and the cursor for the next page.
    ///
    /// # Errors
    /// When the log can not be read.
    pub async fn read_page(&self, after: Position, filter: &EventFilter, limit: i64) -> Result<Page, LogError> {
        read::page(self.database.pool(), after, filter, limit).await
    }

    /// As [`EventLog::read_page`], searching no further than the next `positions_max` positions: whatever the filter, the
    /// work is bounded, and the page's cursor comes forward.
    ///
    /// # Errors
    /// When the log can not be read.
    pub async fn read_window(
        &self,
        after: Position,
        filter: &EventFilter,
        limit: i64,
        positions_max: i64,
    ) -> Result<Page, LogError> {
        read::window(self.database.pool(), after, filter, limit, positions_max).await
    }

    /// At most `limit` events of one stream after sequence `after`, in order.
    ///
    /// # Errors
    /// When the log can not be read.
    pub async fn read_stream(
        &self,
        stream: &StreamId,
        after: Sequence,
        limit: i64,
    ) -> Result<Vec<RecordedEvent>, LogError> {
        read::stream(self.database.pool(), stream, after, limit).await
    }

    /// Every matching event after `after` up to the head, a page in memory at a time.
    pub fn read_all(
        &self,
        after: Position,
        filter: EventFilter,
    ) -> impl Stream<Item = Result<Vec<RecordedEvent>, LogError>> + use<> {
        read::pages(self.database.pool().clone(), after, filter)
    }

    /// Follows the log from after `after`: what there is, then what comes.
    pub fn subscribe(&self, after: Position, filter: EventFilter) -> Subscription {
        Subscription::new(self.clone(), after, filter)
    }
}

/// Waits for the appender, and lets everybody know that it has ended, however it did.
async fn told(appender: JoinHandle<()>, ended: CancellationToken) {
    let _told_at_the_end = ended.drop_guard();
    if let Err(error) = appender.await {
        tracing::error!(%error, "the appender ended badly");
    }
}

impl LogTasks {
    /// Completes when the appender has ended: before [`LogTasks::drain`], that is a fault, after which nothing can be
    /// written any more.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        self.appender_ended.clone().cancelled_owned()
    }

    /// Takes no more appends, and returns when everything accepted is written.
    pub async fn drain(self) {
        self.closing.cancel();
        for task in self.exchange {
            task.abort();
        }
        if let Err(error) = self.appender.await {
            tracing::error!(%error, "nobody knows how the appender ended");
        }
    }
}
