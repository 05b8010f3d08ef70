//! The head of the log as this process knows it: its own appends at once, those of others by `NOTIFY`, and by
//! asking now and then in case a notification was lost.

use sqlx::{PgExecutor, postgres::PgListener};
use tokio::{sync::watch, task::JoinHandle, time::sleep};

use crate::{HEAD_POLL_INTERVAL, NOTIFY_INTERVAL, Position, database::Database};

const CHANNEL: &str = "palaver_log";

/// The newest known position; it never goes back.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    known: watch::Sender<Position>,
    /// What this process has written, and others should hear of.
    written: watch::Sender<Position>,
}

impl Head {
    pub fn new(position: Position) -> Self {
        Self { known: watch::Sender::new(position), written: watch::Sender::new(position) }
    }

    pub fn watch(&self) -> watch::Receiver<Position> {
        self.known.subscribe()
    }

    /// An append of this process has reached `position`.
    pub fn reached(&self, position: Position) {
        self.heard_of(position);
        raise(&self.written, position);
    }

    fn heard_of(&self, position: Position) {
        raise(&self.known, position);
    }

    /// Tells other processes of this one's appends, and hears of theirs, until aborted.
    pub fn exchange(&self, database: Database) -> [JoinHandle<()>; 2] {
        let (teller, hearer) = (self.clone(), self.clone());
        let tell_with = database.clone();
        [
            tokio::spawn(async move { teller.tell(tell_with).await }),
            tokio::spawn(async move { hearer.hear(database).await }),
        ]
    }

    /// One notification for however many appends there were since the last; a lost one is made up for by polling.
    async fn tell(&self, database: Database) {
        let mut written = self.written.subscribe();
        while written.changed().await.is_ok() {
            written.mark_unchanged();
            if let Err(error) = notify(database.pool()).await {
                tracing::warn!(%error, "other processes were not told of an append; they will find it by polling");
            }
            sleep(NOTIFY_INTERVAL).await;
        }
    }

    async fn hear(&self, database: Database) {
        loop {
            if let Err(error) = self.listen(&database).await {
                tracing::warn!(%error, "not hearing of other processes' appends; trying again");
            }
            sleep(HEAD_POLL_INTERVAL).await;
        }
    }

    async fn listen(&self, database: &Database) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(database.pool()).await?;
        listener.listen(CHANNEL).await?;
        loop {
            // What a notification says is not believed: anybody may send one. It is a reason to look.
            self.heard_of(sqlx::query_scalar!("SELECT position FROM log_head").fetch_one(database.pool()).await?);
            if let Ok(notification) = tokio::time::timeout(HEAD_POLL_INTERVAL, listener.recv()).await {
                notification?;
            }
        }
    }
}

/// Gives other processes a reason to look; within a transaction, when it commits.
pub(crate) async fn notify(db: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT pg_notify($1, '')", CHANNEL).fetch_one(db).await.map(drop)
}

fn raise(sender: &watch::Sender<Position>, position: Position) {
    sender.send_if_modified(|known| {
        let newer = position > *known;
        if newer {
            *known = position;
        }
        newer
    });
}
