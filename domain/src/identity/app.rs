//! The application: what calls in the name of an account when no person does, such as a bot. It has keys and one
//! secret; here is which there are, and since when. What they say is kept as hashes, outside the log.

use chrono::{DateTime, Utc};
use cqrs_es::{Aggregate, event_sink::EventSink};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Permission::*, Permissions};
use crate::{
    AccountId, AppId, Circumstances, ENDED_KEYS_PER_APP_MAX, Failure, FailureKind, FieldErrors,
    IDENTITY_NAME_CHARS_MAX, KEYS_PER_APP_MAX, KeyId, event_types::event_types, findings::Findings,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all_fields = "camelCase")]
pub enum AppEvent {
    /// An application came into the account, without keys.
    Registered { id: AppId, account_id: AccountId, name: String },
    /// The application may present another key.
    KeyIssued {
        key_id: KeyId,
        label: String,
        /// How the key begins; no part of what is secret.
        prefix: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    },
    /// The key is refused from now on.
    KeyRevoked { key_id: KeyId, at: DateTime<Utc> },
    /// The application has this secret now, and no other.
    SecretRotated { secret_id: KeyId, at: DateTime<Utc> },
    /// The application is gone, and all its keys are refused.
    Deleted,
}

event_types!(AppEvent {
    Registered => "AppRegistered",
    KeyIssued => "AppKeyIssued",
    KeyRevoked => "AppKeyRevoked",
    SecretRotated => "AppSecretRotated",
    Deleted => "AppDeleted",
});

#[derive(Clone, Debug)]
pub enum AppCommand {
    Register {
        id: AppId,
        account_id: AccountId,
        name: String,
    },
    IssueKey {
        key_id: KeyId,
        label: String,
        prefix: String,
        expires_at: Option<DateTime<Utc>>,
    },
    /// Nothing happens when it is revoked already.
    RevokeKey {
        key_id: KeyId,
    },
    RotateSecret {
        secret_id: KeyId,
    },
    Delete,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppError {
    #[error("there is no such app")]
    NotFound,
    #[error("the app has no such key")]
    KeyNotFound,
    #[error("the app already exists")]
    AlreadyExists,
    #[error("an app has at most {KEYS_PER_APP_MAX} keys at once; revoke one first")]
    TooManyKeys,
    #[error("the app is not valid; errors names each field and what is wrong with it")]
    Invalid(FieldErrors),
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        let message = error.to_string();
        match error {
            AppError::NotFound | AppError::KeyNotFound => Self::new(FailureKind::NotFound, "NotFoundError", message),
            AppError::AlreadyExists | AppError::TooManyKeys => {
                Self::new(FailureKind::Conflict, "ConflictError", message)
            }
            AppError::Invalid(fields) => {
                Self::new(FailureKind::Invalid, "ValidationError", message).with_fields(fields)
            }
        }
    }
}

/// A key as its owner sees it after it was issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppKey {
    pub id: KeyId,
    pub label: String,
    pub prefix: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

impl AppKey {
    /// Whether it opens anything at that moment.
    pub fn is_in_force(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppState {
    pub id: AppId,
    pub account_id: AccountId,
    pub name: String,
    /// In the order they were issued. Of those that are revoked or expired, the last few.
    pub keys: Vec<AppKey>,
    pub secret_id: Option<KeyId>,
    pub secret_created_at: Option<DateTime<Utc>>,
}

impl AppState {
    /// What an application may do where its credentials are taken: work with bots and those they talk to. Nothing of
    /// it is for running the account.
    pub const PERMISSIONS: Permissions = Permissions::of(&[
        ViewChannels,
        EditChannels,
        ViewPosts,
        EditPosts,
        PublishPosts,
        ViewTickets,
        ViewHistory,
        ReplyTicket,
        ViewContacts,
        EditContacts,
        ViewAnalytics,
        UploadMedia,
    ]);

    /// How a key with this id begins: enough to tell it from the others, and no part of what is secret.
    pub fn key_prefix(id: KeyId) -> String {
        let mut digits = id.uuid().simple().to_string();
        digits.truncate(KEY_PREFIX_DIGITS);
        format!("pak_{digits}")
    }

    fn forget_ended_keys(&mut self, now: DateTime<Utc>) {
        let ended = self.keys.iter().filter(|key| !key.is_in_force(now)).count();
        let mut surplus = ended.saturating_sub(ENDED_KEYS_PER_APP_MAX);
        self.keys.retain(|key| {
            let goes = surplus > 0 && !key.is_in_force(now);
            surplus -= usize::from(goes);
            !goes
        });
    }
}

const KEY_PREFIX_DIGITS: usize = 8;

/// The aggregate. Empty until `Registered`, and again from `Deleted` on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct App {
    pub state: Option<AppState>,
    pub deleted: bool,
}

impl App {
    /// # Errors
    /// [`AppError::NotFound`] before it is registered, and after it was deleted.
    pub fn existing(&self) -> Result<&AppState, AppError> {
        self.state.as_ref().ok_or(AppError::NotFound)
    }

    fn issue(&self, key: &AppKey, now: DateTime<Utc>) -> Result<(), AppError> {
        let app = self.existing()?;
        let mut findings = Findings::default();
        findings.required_text("label", &key.label, IDENTITY_NAME_CHARS_MAX);
        findings.check(key.expires_at.is_none_or(|end| now < end), "expirationTime", "expirationTimeNotInFuture");
        findings.refuse(AppError::Invalid)?;
        if app.keys.iter().filter(|key| key.is_in_force(now)).count() >= KEYS_PER_APP_MAX {
            return Err(AppError::TooManyKeys);
        }
        Ok(())
    }
}

impl Aggregate for App {
    const TYPE: &'static str = "app";
    type Command = AppCommand;
    type Event = AppEvent;
    type Error = AppError;
    type Services = Circumstances;

    async fn handle(
        &mut self,
        command: AppCommand,
        circumstances: &Circumstances,
        sink: &EventSink<Self>,
    ) -> Result<(), AppError> {
        let at = circumstances.now;
        match command {
            AppCommand::Register { id, account_id, name } => {
                if self.state.is_some() || self.deleted {
                    return Err(AppError::AlreadyExists);
                }
                let mut findings = Findings::default();
                findings.required_text("name", &name, IDENTITY_NAME_CHARS_MAX);
                findings.refuse(AppError::Invalid)?;
                sink.write(AppEvent::Registered { id, account_id, name }, self).await;
            }
            AppCommand::IssueKey { key_id, label, prefix, expires_at } => {
                let key = AppKey { id: key_id, label, prefix, created_at: at, expires_at, revoked_at: None };
                self.issue(&key, at)?;
                let AppKey { label, prefix, .. } = key;
                sink.write(AppEvent::KeyIssued { key_id, label, prefix, expires_at, at }, self).await;
            }
            AppCommand::RevokeKey { key_id } => {
                let key = self.existing()?.keys.iter().find(|key| key.id == key_id).ok_or(AppError::KeyNotFound)?;
                if key.revoked_at.is_none() {
                    sink.write(AppEvent::KeyRevoked { key_id, at }, self).await;
                }
            }
            AppCommand::RotateSecret { secret_id } => {
                self.existing()?;
                sink.write(AppEvent::SecretRotated { secret_id, at }, self).await;
            }
            AppCommand::Delete => {
                self.existing()?;
                sink.write(AppEvent::Deleted, self).await;
            }
        }
        Ok(())
    }

    fn apply(&mut self, event: AppEvent) {
        match (event, &mut self.state) {
            (AppEvent::Registered { id, account_id, name }, _) => {
                let keys = Vec::new();
                self.state = Some(AppState { id, account_id, name, keys, secret_id: None, secret_created_at: None });
            }
            (AppEvent::KeyIssued { key_id, label, prefix, expires_at, at }, Some(app)) => {
                let key = AppKey { id: key_id, label, prefix, created_at: at, expires_at, revoked_at: None };
                app.keys.push(key);
                app.forget_ended_keys(at);
            }
            (AppEvent::KeyRevoked { key_id, at }, Some(app)) => {
                if let Some(key) = app.keys.iter_mut().find(|key| key.id == key_id) {
                    key.revoked_at = Some(at);
                }
                app.forget_ended_keys(at);
            }
            (AppEvent::SecretRotated { secret_id, at }, Some(app)) => {
                app.secret_id = Some(secret_id);
                app.secret_created_at = Some(at);
            }
            (AppEvent::Deleted, _) => *self = Self { state: None, deleted: true },
            // Nothing that the log could hold: only an app that is there decides these.
            (AppEvent::KeyIssued { .. } | AppEvent::KeyRevoked { .. } | AppEvent::SecretRotated { .. }, None) => {}
        }
    }
}
