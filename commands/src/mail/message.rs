//! What can be written to people, and in which languages. The words are in `templates`.

use std::{fmt, str::FromStr};

use palaver_domain::{AccountId, Locale};
use serde::Serialize;
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct MailId(pub(super) Uuid);

impl fmt::Display for MailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for MailId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// What a mail says. Links may open an account, so nothing of this is ever printed.
#[derive(Clone, PartialEq, Eq)]
pub enum MailMessage {
    /// To a user who asked to choose a new password.
    PasswordReset { user_name: String, link: String, valid_for_hours: u32 },
    /// To somebody for whom a user was made in an account.
    Invitation { user_name: String, account_name: String, link: String, valid_for_hours: u32 },
    /// To the first user of a new account.
    AccountVerification { user_name: String, account_name: String, link: String, valid_for_hours: u32 },
    /// To whoever runs this: an account wants a feature that it does not have.
    FeatureRequest { account_name: String, account_id: AccountId, user_name: String, feature: String },
}

impl MailMessage {
    pub const fn kind(&self) -> MailKind {
        match self {
            Self::PasswordReset { .. } => MailKind::PasswordReset,
            Self::Invitation { .. } => MailKind::Invitation,
            Self::AccountVerification { .. } => MailKind::AccountVerification,
            Self::FeatureRequest { .. } => MailKind::FeatureRequest,
        }
    }
}

impl fmt::Debug for MailMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailMessage({}, redacted)", self.kind().as_str())
    }
}

/// What a mail is about, as it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailKind {
    PasswordReset,
    Invitation,
    AccountVerification,
    FeatureRequest,
}

impl MailKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "passwordReset",
            Self::Invitation => "invitation",
            Self::AccountVerification => "accountVerification",
            Self::FeatureRequest => "featureRequest",
        }
    }
}

/// A mail to be queued.
#[derive(Clone, Debug)]
pub struct NewMail {
    pub tenant: AccountId,
    /// An address alone, such as `ada@example.com`.
    pub recipient: String,
    pub locale: Locale,
    pub message: MailMessage,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_mail_says_is_not_printed() {
        let message = MailMessage::PasswordReset {
            user_name: "ada@example.com".to_owned(),
            link: "https://palaver.example/canary".to_owned(),
            valid_for_hours: 2,
        };
        let mail = NewMail {
            tenant: AccountId::from_bytes([1; 12]),
            recipient: "ada@example.com".to_owned(),
            locale: Locale::En,
            message,
        };
        let printed = format!("{mail:?}");
        assert!(printed.contains("passwordReset") && !printed.contains("canary"), "{printed}");
    }
}
