//! Logins: whose name and password these are, how many wrong ones a name takes, and the sessions that follow. How a
//! session's token travels is decided by the surface; here it is handed out once, and kept as its SHA-256.

use chrono::{DateTime, TimeDelta, Utc};
use palaver_domain::{
    AccountId, UserId,
    identity::{Claim, ClaimKind, User, UserState},
};
use palaver_eventstore::StreamId;
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use super::{logins::may_log_in, passwords};
use crate::{CommandError, Commander, work::claim_stream};

/// Failed logins of one name after which it is locked.
pub const LOGIN_FAILURES_MAX: usize = 5;
/// Within how long these failures count.
pub const LOGIN_FAILURES_MINUTES: i64 = 15;
/// How long a name stays locked.
pub const LOGIN_LOCKED_MINUTES: i64 = 15;

/// What a session is used by. Source: seed 003, `type` of /users/login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Client {
    #[default]
    Default,
    Mobile,
    StoryPublisher,
    /// The API of seed 002.
    MktX,
}

impl Client {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Mobile => "mobile",
            Self::StoryPublisher => "storyPublisher",
            Self::MktX => "mktX",
        }
    }

    /// The client of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Default, Self::Mobile, Self::StoryPublisher].into_iter().find(|client| client.as_str() == name)
    }

    /// How long a session of it lasts: a browser's for a day's work, a telephone's until it is put away, a
    /// program's for as long as it may go without a password.
    pub const fn lifetime(self) -> TimeDelta {
        match self {
            Self::Default => TimeDelta::hours(12),
            Self::Mobile | Self::StoryPublisher => TimeDelta::days(90),
            Self::MktX => TimeDelta::days(30),
        }
    }
}

/// What a new session is to be.
#[derive(Clone, Debug)]
pub struct NewSession {
    pub tenant: AccountId,
    pub user: UserId,
    pub client: Client,
    pub device_id: Option<String>,
    pub lifetime: TimeDelta,
    /// The operator who acts as the user.
    pub masked_by: Option<UserId>,
}

/// What comes of a name and a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordCheck {
    Right {
        tenant: AccountId,
        user: UserId,
    },
    /// The name, or the password. Nobody is told which.
    Wrong,
    /// Too many failures, whether somebody has the name or not.
    Locked {
        until: DateTime<Utc>,
    },
}

/// Whether one more attempt may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Made at this time. It counts as failed until something else is said.
    Open(DateTime<Utc>),
    Locked {
        until: DateTime<Utc>,
    },
}

/// Logins on one log. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sessions {
    commander: Commander,
}

impl Commander {
    pub fn sessions(&self) -> Sessions {
        Sessions { commander: self.clone() }
    }
}

impl Sessions {
    pub(super) fn commander(&self) -> &Commander {
        &self.commander
    }

    pub(super) fn pool(&self) -> &PgPool {
        self.commander.log().database().pool()
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.commander.clock().now()
    }

    /// The user who has this name now, in whatever account.
    ///
    /// # Errors
    /// When the log can not be read.
    pub async fn user_named(&self, user_name: &str) -> Result<Option<UserState>, CommandError> {
        let log = self.commander.log();
        let claim = log.load::<Claim>(&claim_stream(ClaimKind::UserName, "", user_name)).await?;
        let Some(claim) = &claim.aggregate.0 else { return Ok(None) };
        let user = log.load::<User>(&StreamId::of::<User>(&claim.holder)).await?;
        Ok(user.aggregate.0.clone())
    }

    /// Compares a password with that of whoever has the name. A name that nobody has takes the same work and gets the
    /// same answer.
    ///
    /// A right password does not make up for earlier failures, since another factor may be missing: say
    /// [`Sessions::logged_in`] when it is done.
    ///
    /// # Errors
    /// `Busy` when too many passwords wait to be compared, or when the database can not be asked.
    pub async fn check_password(&self, user_name: &str, password: &str) -> Result<PasswordCheck, CommandError> {
        let made = match self.attempt(user_name).await? {
            Attempt::Open(made) => made,
            Attempt::Locked { until } => return Ok(PasswordCheck::Locked { until }),
        };
        let checked = self.compare(user_name, password).await;
        match checked {
            // Nothing was found out.
            Err(_) => self.take_back(user_name, made).await?,
            Ok(PasswordCheck::Right { .. }) => self.take_back(user_name, made).await?,
            Ok(_) => metrics::counter!("palaver_logins_failed_total").increment(1),
        }
        checked
    }

    async fn compare(&self, user_name: &str, password: &str) -> Result<PasswordCheck, CommandError> {
        let user = self.user_named(user_name).await?.filter(may_log_in);
        let hash = match &user {
            Some(user) => self.commander.password_of(user.account_id, user.id).await?,
            None => None,
        };
        let right = passwords::matches(hash, password).await?;
        Ok(match user {
            Some(user) if right => PasswordCheck::Right { tenant: user.account_id, user: user.id },
            _ => PasswordCheck::Wrong,
        })
    }

    /// Counts an attempt to log in under this name as failed before it is made: of any number that are made at once, in
    /// whatever processes, no more are let through than may fail.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn attempt(&self, user_name: &str) -> Result<Attempt, CommandError> {
        let (name, now) = (name_hash(user_name), self.now());
        let counted = sqlx::query!(
            "INSERT INTO login_attempts AS a (name_hash, failures, updated_at) VALUES ($1, ARRAY[$2::timestamptz], $2)
             ON CONFLICT (name_hash) DO UPDATE SET
                 failures = ARRAY(SELECT f FROM unnest(a.failures) AS f WHERE f > $3) || $2::timestamptz,
                 locked_until = CASE WHEN (SELECT count(*) FROM unnest(a.failures) AS f WHERE f > $3) + 1 >= $4
                                     THEN $5::timestamptz END,
                 updated_at = $2
             WHERE a.locked_until IS NULL OR a.locked_until <= $2",
            &name[..],
            now,
            now - TimeDelta::minutes(LOGIN_FAILURES_MINUTES),
            LOGIN_FAILURES_MAX as i64,
            now + TimeDelta::minutes(LOGIN_LOCKED_MINUTES),
        );
        if counted.execute(self.pool()).await?.rows_affected() > 0 {
            return Ok(Attempt::Open(now));
        }
        let locked = sqlx::query_scalar!("SELECT locked_until FROM login_attempts WHERE name_hash = $1", &name[..]);
        // Unlocked in this moment: whoever asks again is let through.
        let until = locked.fetch_optional(self.pool()).await?.flatten().unwrap_or(now);
        Ok(Attempt::Locked { until })
    }

    /// Takes an attempt that was made back out of the count: it has not failed.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn take_back(&self, user_name: &str, made: DateTime<Utc>) -> Result<(), CommandError> {
        sqlx::query!(
            "UPDATE login_attempts AS a SET
                 failures = ARRAY(SELECT f FROM unnest(a.failures) WITH ORDINALITY AS u (f, n)
                                  WHERE n IS DISTINCT FROM array_position(a.failures, $2)),
                 locked_until = CASE WHEN array_position(a.failures, $2) IS NULL
                                          OR cardinality(a.failures) > $3 THEN a.locked_until END
             WHERE name_hash = $1",
            &name_hash(user_name)[..],
            made,
            LOGIN_FAILURES_MAX as i32,
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Forgets a name's failures: its owner has logged in.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn logged_in(&self, user_name: &str) -> Result<(), CommandError> {
        sqlx::query!("DELETE FROM login_attempts WHERE name_hash = $1", &name_hash(user_name)[..])
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// Opens a session, and tells its token, which nobody can tell again.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn open(&self, new: NewSession) -> Result<String, CommandError> {
        let (token, now) = (self.commander.ids().secret(), self.now());
        sqlx::query!(
            "INSERT INTO access_tokens
                 (token_hash, tenant_id, user_id, created_at, expires_at, client, device_id, masked_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &hash_of(&token)[..],
            new.tenant.to_string(),
            new.user.to_string(),
            now,
            now + new.lifetime,
            new.client.as_str(),
            new.device_id,
            new.masked_by.map(|operator| operator.to_string()),
        )
        .execute(self.pool())
        .await?;
        Ok(token)
    }

    /// Ends the session of this token; from now on it is worth nothing, in any process.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn close(&self, token_hash: &[u8; 32]) -> Result<(), CommandError> {
        sqlx::query!(
            "UPDATE access_tokens SET revoked_at = $2 WHERE token_hash = $1 AND revoked_at IS NULL",
            &token_hash[..],
            self.now(),
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Ends a user's sessions on one device.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn close_device(&self, tenant: AccountId, user: UserId, device_id: &str) -> Result<(), CommandError> {
        sqlx::query!(
            "UPDATE access_tokens SET revoked_at = $4
             WHERE tenant_id = $1 AND user_id = $2 AND device_id = $3 AND revoked_at IS NULL",
            tenant.to_string(),
            user.to_string(),
            device_id,
            self.now(),
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Ends all of a user's sessions, and whatever tokens else were granted.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn close_all(&self, tenant: AccountId, user: UserId) -> Result<(), CommandError> {
        close_all(self.pool(), tenant, user, self.now()).await
    }
}

pub(super) async fn close_all<'c>(
    executor: impl sqlx::PgExecutor<'c>,
    tenant: AccountId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(), CommandError> {
    sqlx::query!(
        "UPDATE access_tokens SET revoked_at = $3 WHERE tenant_id = $1 AND user_id = $2 AND revoked_at IS NULL",
        tenant.to_string(),
        user.to_string(),
        now,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// What a random token is kept as.
pub(super) fn hash_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Names that are one when claimed are one when counted.
fn name_hash(user_name: &str) -> [u8; 32] {
    hash_of(&user_name.trim().to_lowercase())
}
