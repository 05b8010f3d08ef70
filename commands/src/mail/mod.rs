//! Mail: an outbox, and the process manager that brings what is in it to a mail server, each once.
//!
//! Whoever wants a mail sent queues it, best in the transaction that gives the reason. A row's state is the intent
//! (`sending`), written before the server is called, and the outcome, written after. What a crash leaves between the
//! two becomes `unknown`, and is sent again on a person's word alone: mail servers can not be asked what they took.

mod calls;
mod mailer;
mod message;
mod outbox;
mod redact;
mod retention;
mod smtp;
mod template;
mod worker;

pub use mailer::{Mailer, MailerError, Outgoing};
pub use message::{MailId, MailKind, MailMessage, NewMail};
pub use outbox::{LISTED_MAX, ListedMail, MailError, MailState, Outbox, UnknownState};
pub use retention::{CONTENT_KEPT_DAYS, MAILS_KEPT_DAYS};
pub use smtp::{SmtpMailer, SmtpMailerError, SmtpUrl, SmtpUrlError, is_address, is_sender};
pub use template::Content;
pub use worker::{MailWorker, MailWorkerSettings};
