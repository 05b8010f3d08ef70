//! The outbox as those see it who put mail in and who look after it: queue, list, show, send again.

use std::{fmt, str::FromStr, sync::Arc};

use chrono::{DateTime, Utc};
use lettre::Address;
use palaver_domain::{AccountId, Failure, FailureKind};
use palaver_eventstore::{
    clock::Clock,
    ids::Ids,
    vault::{MasterKey, Seal, Sealed, SecretRef, VaultError},
};
use sqlx::{PgExecutor, PgPool};

use super::{
    message::{MailId, NewMail},
    template::{self, Content},
};
use crate::CommandError;

/// Calls of a mail server for one mail that all end with nothing taken; with the delays between them, over an hour.
pub(super) const ATTEMPTS_MAX: i32 = 8;
/// Mails of one list.
pub const LISTED_MAX: i64 = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// Not even told which, for it may be anything.
    #[error("the recipient is not a mail address")]
    Recipient,
    #[error("mail is sealed under the master key, and this process has none; give PALAVER_MASTER_KEY")]
    NoKey,
    #[error("the mail's content can not be sealed or opened: {0}")]
    Sealed(#[from] VaultError),
    #[error("the mail's template is broken: {0}")]
    Template(String),
    #[error("the mail's content is not what this version writes")]
    Content(#[source] serde_json::Error),
    #[error("there is no mail {0}")]
    NotFound(MailId),
    #[error("the content of mail {0} was wiped; what it said must be asked for anew")]
    Wiped(MailId),
    #[error("mail {0} is {1} already")]
    OnItsWay(MailId, MailState),
    #[error("the outbox can not be reached")]
    Database(#[from] sqlx::Error),
}

impl From<MailError> for CommandError {
    fn from(error: MailError) -> Self {
        match error {
            MailError::Recipient => {
                Failure::new(FailureKind::Invalid, "ValidationError", MailError::Recipient.to_string()).into()
            }
            MailError::Database(error) => error.into(),
            error => Self::Unwritable(Box::new(error)),
        }
    }
}

/// Where a mail stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// Waits for its time, and for a worker.
    Queued,
    /// A mail server is being called.
    Sending,
    /// A mail server has taken it.
    Sent,
    /// It was refused, or not taken in any of its calls.
    Failed,
    /// A mail server may have taken it or not; a person decides.
    Unknown,
    /// No mail server is configured; it is kept to be read here.
    Kept,
}

impl MailState {
    pub const ALL: [Self; 6] = [Self::Queued, Self::Sending, Self::Sent, Self::Failed, Self::Unknown, Self::Kept];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Kept => "kept",
        }
    }
}

impl fmt::Display for MailState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a state of a mail")]
pub struct UnknownState;

impl FromStr for MailState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(UnknownState)
    }
}

/// A mail as it is listed: all but what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedMail {
    pub id: MailId,
    pub tenant: String,
    pub kind: String,
    pub recipient: String,
    pub locale: String,
    pub state: String,
    pub attempts: i32,
    pub message_id: Option<String>,
    pub last_error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
}

/// Where mail is put to be sent. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbox {
    pool: PgPool,
    seal: Option<Arc<Seal>>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl Outbox {
    /// Without a key, mail can be listed, but neither queued nor read.
    pub fn new(pool: PgPool, key: Option<&MasterKey>, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self { pool, seal: key.map(|key| Arc::new(Seal::new(key, Sealed::Mail))), clock, ids }
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Puts a mail in, to be sent as soon as possible. In a transaction, it is sent if and when that commits: best the
    /// one that keeps the hash of what the link carries. The log is written by a connection of its own, so a mail that
    /// follows from an event is queued after it.
    ///
    /// # Errors
    /// `Recipient` when it is not an address, `NoKey` when this process can not seal, `Sealed` when it says too much.
    pub async fn queue<'c>(&self, executor: impl PgExecutor<'c>, mail: NewMail) -> Result<MailId, MailError> {
        let recipient: Address = mail.recipient.parse().map_err(|_| MailError::Recipient)?;
        let seal = self.seal.as_ref().ok_or(MailError::NoKey)?;
        let content =
            template::render(&mail.message, mail.locale).map_err(|error| MailError::Template(error.to_string()))?;
        let content = serde_json::to_vec(&content).map_err(MailError::Content)?;
        let id = self.ids.uuid();
        let sealed = seal.close(&*self.ids, mail.tenant, SecretRef::from(id), &content)?;
        sqlx::query!(
            "INSERT INTO mail_outbox (id, tenant_id, kind, recipient, locale, key_id, sealed, attempts_max,
                                      created_at, due_at, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $9)",
            id,
            mail.tenant.to_string(),
            mail.message.kind().as_str(),
            recipient.to_string(),
            mail.locale.as_str(),
            seal.key_id(),
            sealed,
            ATTEMPTS_MAX,
            self.clock.now(),
        )
        .execute(executor)
        .await?;
        Ok(MailId(id))
    }

    /// Finds out whether this key is the one that mail still to be sent was sealed under.
    ///
    /// # Errors
    /// `Sealed` when it is not.
    pub async fn verify(&self) -> Result<(), MailError> {
        let Some(seal) = &self.seal else { return Ok(()) };
        let other = sqlx::query!(
            r#"SELECT id, key_id AS "key_id!" FROM mail_outbox
               WHERE state IN ('queued', 'sending') AND key_id <> $1 LIMIT 1"#,
            seal.key_id(),
        );
        match other.fetch_optional(&self.pool).await? {
            None => Ok(()),
            Some(row) => Err(VaultError::WrongKey {
                reference: SecretRef::from(row.id),
                sealed_under: row.key_id,
                present: seal.key_id().to_owned(),
            }
            .into()),
        }
    }

    /// The newest mails first, of every account: for operators alone.
    ///
    /// # Errors
    /// When the database can not be asked.
    pub async fn list(&self, state: Option<MailState>, limit: i64) -> Result<Vec<ListedMail>, MailError> {
        let mails = sqlx::query_as!(
            ListedMail,
            r#"SELECT id AS "id: MailId", tenant_id AS tenant, kind, recipient, locale, state, attempts, message_id,
                      last_error, created_at, due_at, changed_at, sent_at
               FROM mail_outbox WHERE $1::text IS NULL OR state = $1
               ORDER BY created_at DESC, id DESC LIMIT $2"#,
            state.map(MailState::as_str),
            limit.clamp(0, LISTED_MAX),
        );
        Ok(mails.fetch_all(&self.pool).await?)
    }

    /// One mail, and what it says. Whoever reads this can use its links.
    ///
    /// # Errors
    /// `NotFound`, `Wiped`, `NoKey`, or `Sealed` when it does not open.
    pub async fn show(&self, id: MailId) -> Result<(ListedMail, Content), MailError> {
        let mail = sqlx::query_as!(
            ListedMail,
            r#"SELECT id AS "id: MailId", tenant_id AS tenant, kind, recipient, locale, state, attempts, message_id,
                      last_error, created_at, due_at, changed_at, sent_at
               FROM mail_outbox WHERE id = $1"#,
            id.0,
        );
        let mail = mail.fetch_optional(&self.pool).await?.ok_or(MailError::NotFound(id))?;
        let row = sqlx::query!("SELECT key_id, sealed FROM mail_outbox WHERE id = $1", id.0);
        let row = row.fetch_optional(&self.pool).await?.ok_or(MailError::NotFound(id))?;
        let (Some(key_id), Some(sealed)) = (row.key_id, row.sealed) else { return Err(MailError::Wiped(id)) };
        let content = self.open(&mail.tenant, id, &key_id, &sealed)?;
        Ok((mail, content))
    }

    /// Puts a mail in again on a person's word, whatever became of it: it is sent once more, under the same
    /// `Message-ID`.
    ///
    /// # Errors
    /// `NotFound`, `Wiped` when there is nothing left to send, `OnItsWay` when it is being sent as it is.
    pub async fn resend(&self, id: MailId) -> Result<(), MailError> {
        let queued = sqlx::query!(
            "UPDATE mail_outbox SET state = 'queued', attempts_max = attempts + $2, due_at = $3, changed_at = $3
             WHERE id = $1 AND state IN ('sent', 'failed', 'unknown', 'kept') AND sealed IS NOT NULL",
            id.0,
            ATTEMPTS_MAX,
            self.clock.now(),
        );
        if queued.execute(&self.pool).await?.rows_affected() > 0 {
            return Ok(());
        }
        let row = sqlx::query!(r#"SELECT state, sealed IS NULL AS "wiped!" FROM mail_outbox WHERE id = $1"#, id.0);
        let row = row.fetch_optional(&self.pool).await?.ok_or(MailError::NotFound(id))?;
        match row.state.parse() {
            Ok(state) if !row.wiped => Err(MailError::OnItsWay(id, state)),
            _ => Err(MailError::Wiped(id)),
        }
    }

    /// What a row says.
    pub(super) fn open(&self, tenant: &str, id: MailId, key_id: &str, sealed: &[u8]) -> Result<Content, MailError> {
        let seal = self.seal.as_ref().ok_or(MailError::NoKey)?;
        let reference = SecretRef::from(id.0);
        // A tenant that is none was altered, and would not open.
        let tenant: AccountId = tenant.parse().map_err(|_| VaultError::Tampered(reference))?;
        let opened = seal.open(tenant, reference, key_id, sealed)?;
        serde_json::from_slice(opened.expose()).map_err(MailError::Content)
    }
}
