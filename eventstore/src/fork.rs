//! Whether a log is a fork: a copy of another one up to a position, to be looked at. A fork takes no events, so nothing
//! that was planned there is done a second time.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgPool};

use crate::{Database, LogError, Position};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// What it is a fork of, for people.
    pub source: String,
    /// The last position that it holds.
    pub until: Position,
    pub forked_at: DateTime<Utc>,
}

impl Fork {
    pub(crate) async fn of(pool: &PgPool) -> Result<Option<Self>, LogError> {
        let fork = sqlx::query_as!(Self, "SELECT source, until, forked_at FROM log_fork");
        Ok(fork.fetch_optional(pool).await?)
    }

    /// The database as a process should use it: when its log is a fork, by a pool that changes nothing.
    ///
    /// # Errors
    /// When the database can not be asked.
    pub async fn guard(database: Database) -> Result<Database, LogError> {
        match Self::of(database.pool()).await? {
            Some(_) => Ok(database.read_only().await?),
            None => Ok(database),
        }
    }

    /// Makes the log a fork for good. From then on the database itself refuses events, whoever writes them and however
    /// old the program is.
    ///
    /// # Errors
    /// When it is a fork already, or the database refuses.
    pub async fn mark(&self, database: &Database) -> Result<(), LogError> {
        let mut db = database.dedicated("palaver-fork").await?;
        let mut tx = db.begin().await?;
        let mark = sqlx::query!(
            "INSERT INTO log_fork (source, until, forked_at) VALUES ($1, $2, $3)",
            self.source,
            self.until,
            self.forked_at
        );
        mark.execute(&mut *tx).await?;
        sqlx::query(
            "CREATE TRIGGER a_fork_takes_no_events BEFORE INSERT ON events
             FOR EACH STATEMENT EXECUTE FUNCTION log_is_a_fork()",
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(db.close().await?)
    }
}
