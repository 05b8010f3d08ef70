//! The sandbox network: it keeps what it is given, and can be told to misbehave.
//!
//! It plays the part of a machine elsewhere, so it commits on its own: what it has accepted stays accepted whatever
//! becomes of the caller.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use palaver_domain::{AccountId, ChannelId, posts::FailureReason};
use palaver_eventstore::{Database, clock::Clock};
use serde_json::Value;
use tokio::time::sleep;

use super::network::{Accepted, Lookup, Network, NetworkError, Submission};

/// How a channel of the sandbox answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    #[default]
    Accept,
    /// Says no.
    Refuse,
    /// Is not there.
    Unavailable,
    /// Accepts, and drops the connection before it answers.
    DropAfterAccept,
    /// Drops the connection before it accepts.
    DropBeforeAccept,
    /// Accepts, and can not be asked about it later.
    Forgetful,
}

impl Behaviour {
    pub const ALL: [Self; 6] =
        [Self::Accept, Self::Refuse, Self::Unavailable, Self::DropAfterAccept, Self::DropBeforeAccept, Self::Forgetful];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Refuse => "refuse",
            Self::Unavailable => "unavailable",
            Self::DropAfterAccept => "dropAfterAccept",
            Self::DropBeforeAccept => "dropBeforeAccept",
            Self::Forgetful => "forgetful",
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a behaviour of the sandbox")]
pub struct UnknownBehaviour;

impl FromStr for Behaviour {
    type Err = UnknownBehaviour;

    fn from_str(text: &str) -> Result<Self, UnknownBehaviour> {
        Self::ALL.into_iter().find(|behaviour| behaviour.as_str() == text).ok_or(UnknownBehaviour)
    }
}

/// What the sandbox has accepted.
#[derive(Clone, Debug)]
pub struct SandboxItem {
    pub key: String,
    pub item_id: String,
    pub url: String,
    pub content: Value,
    /// How often it was sent; more than once is somebody's mistake.
    pub submissions: i32,
    pub accepted_at: DateTime<Utc>,
}

#[derive(Clone, Debug)]
pub struct SandboxNetwork {
    database: Database,
    clock: Arc<dyn Clock>,
}

impl SandboxNetwork {
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock }
    }

    /// Tells a channel how to answer from now on, and how long to take once it has made up its mind.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn behave(
        &self,
        tenant: AccountId,
        channel: ChannelId,
        behaviour: Behaviour,
        delay_ms: u32,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "INSERT INTO sandbox.behaviours (tenant_id, channel_id, behaviour, delay_ms) VALUES ($1, $2, $3, $4)
             ON CONFLICT (tenant_id, channel_id) DO UPDATE
             SET behaviour = excluded.behaviour, delay_ms = excluded.delay_ms",
            tenant.to_string(),
            channel.to_string(),
            behaviour.as_str(),
            i32::try_from(delay_ms).unwrap_or(i32::MAX),
        )
        .execute(self.database.pool())
        .await?;
        Ok(())
    }

    /// What a channel has accepted, newest first, and how much that is in all.
    ///
    /// # Errors
    /// When the database can not be asked.
    pub async fn items(
        &self,
        tenant: AccountId,
        channel: ChannelId,
        offset: i64,
        limit: i64,
    ) -> Result<(i64, Vec<SandboxItem>), sqlx::Error> {
        let (tenant, channel) = (tenant.to_string(), channel.to_string());
        let count = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM sandbox.items WHERE tenant_id = $1 AND channel_id = $2"#,
            tenant,
            channel,
        );
        let count = count.fetch_one(self.database.pool()).await?;
        let items = sqlx::query_as!(
            SandboxItem,
            "SELECT key, item_id, url, content, submissions, accepted_at FROM sandbox.items
             WHERE tenant_id = $1 AND channel_id = $2 ORDER BY accepted_at DESC, key LIMIT $3 OFFSET $4",
            tenant,
            channel,
            limit,
            offset,
        );
        Ok((count, items.fetch_all(self.database.pool()).await?))
    }

    async fn behaviour(&self, submission: &Submission) -> Result<(Behaviour, Duration), sqlx::Error> {
        let told = sqlx::query!(
            "SELECT behaviour, delay_ms FROM sandbox.behaviours WHERE tenant_id = $1 AND channel_id = $2",
            submission.tenant.to_string(),
            submission.channel.to_string(),
        )
        .fetch_optional(self.database.pool())
        .await?;
        Ok(told.map_or((Behaviour::Accept, Duration::ZERO), |told| {
            let delay = Duration::from_millis(u64::try_from(told.delay_ms).unwrap_or_default());
            (told.behaviour.parse().unwrap_or_default(), delay)
        }))
    }

    async fn accept(&self, submission: &Submission) -> Result<Accepted, sqlx::Error> {
        let item_id = format!("sandbox-{}", submission.key);
        let url = format!("https://sandbox.invalid/{}/{item_id}", submission.network.as_str().to_ascii_lowercase());
        let content = serde_json::to_value(&submission.content).map_err(|error| sqlx::Error::Encode(error.into()))?;
        sqlx::query!(
            "INSERT INTO sandbox.items AS known
                 (key, tenant_id, channel_id, network, item_id, url, content, accepted_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (key) DO UPDATE SET submissions = known.submissions + 1",
            submission.key,
            submission.tenant.to_string(),
            submission.channel.to_string(),
            submission.network.as_str(),
            item_id,
            url,
            content,
            self.clock.now(),
        )
        .execute(self.database.pool())
        .await?;
        Ok(Accepted { item_id: Some(item_id), url: Some(url) })
    }

    async fn answer(&self, submission: &Submission) -> Result<Accepted, NetworkError> {
        let (behaviour, delay) = self.behaviour(submission).await.map_err(not_reached)?;
        match behaviour {
            Behaviour::Accept | Behaviour::Forgetful | Behaviour::DropAfterAccept => {
                let accepted = self.accept(submission).await.map_err(|error| unanswered(&error))?;
                sleep(delay).await;
                if behaviour == Behaviour::Accept {
                    return Ok(accepted);
                }
                Err(NetworkError::Unanswered("the sandbox dropped the connection".to_owned()))
            }
            Behaviour::Refuse => {
                sleep(delay).await;
                let message = "the sandbox was told to refuse".to_owned();
                Err(NetworkError::Refused { reason: FailureReason::NetworkError, message })
            }
            Behaviour::Unavailable => {
                sleep(delay).await;
                Err(NetworkError::Unavailable("the sandbox was told to be away".to_owned()))
            }
            Behaviour::DropBeforeAccept => {
                sleep(delay).await;
                Err(NetworkError::Unanswered("the sandbox dropped the connection".to_owned()))
            }
        }
    }

    async fn find(&self, submission: &Submission) -> Result<Lookup, NetworkError> {
        let (behaviour, _) = self.behaviour(submission).await.map_err(not_reached)?;
        match behaviour {
            Behaviour::Forgetful => return Ok(Lookup::CannotTell),
            Behaviour::Unavailable => {
                return Err(NetworkError::Unavailable("the sandbox was told to be away".to_owned()));
            }
            _ => {}
        }
        let item = sqlx::query!("SELECT item_id, url FROM sandbox.items WHERE key = $1", submission.key)
            .fetch_optional(self.database.pool())
            .await
            .map_err(not_reached)?;
        Ok(item.map_or(Lookup::Absent, |item| {
            Lookup::Accepted(Accepted { item_id: Some(item.item_id), url: Some(item.url) })
        }))
    }
}

fn not_reached(error: sqlx::Error) -> NetworkError {
    NetworkError::Unavailable(error.to_string())
}

fn unanswered(error: &sqlx::Error) -> NetworkError {
    NetworkError::Unanswered(error.to_string())
}

impl Network for SandboxNetwork {
    fn publish<'a>(&'a self, submission: &'a Submission) -> BoxFuture<'a, Result<Accepted, NetworkError>> {
        Box::pin(self.answer(submission))
    }

    fn lookup<'a>(&'a self, submission: &'a Submission) -> BoxFuture<'a, Result<Lookup, NetworkError>> {
        Box::pin(self.find(submission))
    }
}
