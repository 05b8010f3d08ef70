//! The port to whatever takes mail: what Palaver asks of it.

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

use super::template::Content;

/// A mail on its way out.
#[derive(Clone)]
pub struct Outgoing {
    /// With its angle brackets; the same for every call for one mail, and for no other.
    pub message_id: String,
    pub recipient: String,
    pub date: DateTime<Utc>,
    pub content: Content,
}

/// What became of a call that did not end with the mail taken. The texts are as the server gave them, and may quote
/// what was sent: they are not to be logged as they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailerError {
    /// This mail was looked at and not taken. Sending it again would get the same answer.
    #[error("refused: {0}")]
    Refused(String),
    /// It was certainly not taken, and may be later.
    #[error("not taken: {0}")]
    Unavailable(String),
    /// It may have been taken.
    #[error("no answer: {0}")]
    Unanswered(String),
}

/// What takes mail.
pub trait Mailer: Send + Sync {
    /// What the `Message-ID` of mail from here ends with.
    fn domain(&self) -> &str;

    /// Hands one mail over. It was taken for good when this is `Ok`.
    fn send<'a>(&'a self, mail: &'a Outgoing) -> BoxFuture<'a, Result<(), MailerError>>;
}
