//! Invitations: a mail to a new user who was given no password, with a link to choose one.

use chrono::TimeDelta;
use futures::FutureExt;

use super::{UserAnswer, account};
use crate::{
    CommandContext, CommandError, Commander,
    identity::Purpose,
    mail::{MailError, MailMessage, NewMail, Outbox},
};

/// How long the link is good; after that a forgotten password is asked for.
const INVITATION_HOURS: u32 = 7 * 24;

/// Why somebody was not invited.
#[derive(Debug, thiserror::Error)]
pub enum InvitationError {
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Mail(#[from] MailError),
}

impl From<sqlx::Error> for InvitationError {
    fn from(error: sqlx::Error) -> Self {
        Self::Command(error.into())
    }
}

impl Commander {
    /// Invites a user who was just created, once, however often this is asked. `link` puts a token into an address.
    /// Somebody without an address is not invited.
    ///
    /// # Errors
    /// When the mail can not be queued.
    pub async fn invite_user(
        &self,
        outbox: &Outbox,
        invited: &UserAnswer,
        link: impl Fn(&str) -> String + Send,
    ) -> Result<(), InvitationError> {
        let user = &invited.user;
        let Some(recipient) = user.email.clone() else { return Ok(()) };
        let context = CommandContext::system(user.account_id, "invitation");
        let account_name = self.look(&context, |work| async move { Ok(account(work).await?.name) }.boxed()).await?;
        let mut transaction = self.log().database().pool().begin().await?;
        let lifetime = TimeDelta::hours(i64::from(INVITATION_HOURS));
        let tokens = self.one_time_tokens();
        let issued = tokens.issue_at_most(
            &mut transaction,
            (user.account_id, user.id),
            Purpose::SetPassword,
            lifetime,
            (1, invited.created_at - TimeDelta::seconds(1)),
        );
        let Some(token) = issued.await? else { return Ok(()) };
        let message = MailMessage::Invitation {
            user_name: user.user_name.clone(),
            account_name,
            link: link(&token),
            valid_for_hours: INVITATION_HOURS,
        };
        let mail = NewMail { tenant: user.account_id, recipient, locale: user.locale, message };
        outbox.queue(&mut *transaction, mail).await?;
        transaction.commit().await?;
        Ok(())
    }
}
