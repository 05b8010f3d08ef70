//! From a forgotten password to a new one, by a token that a mail brings; and from an invitation to a user who counts as
//! verified.

use chrono::TimeDelta;
use palaver_domain::{
    AccountId, Failure, FailureKind, UserId,
    identity::{UserCommand, UserState},
};

use super::{Password, Purpose, logins::may_log_in, sessions::close_all};
use crate::{
    CommandContext, CommandError, CommandKey, Commander,
    mail::{MailError, MailMessage, NewMail, Outbox},
};

/// How long a mail's link to a new password is good.
const RESET_HOURS: u32 = 2;
/// Mails with such a link that one user gets in an hour.
const RESETS_PER_HOUR_MAX: i64 = 3;

/// What can go wrong behind a request that is always answered alike.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Mail(#[from] MailError),
}

impl From<sqlx::Error> for ResetError {
    fn from(error: sqlx::Error) -> Self {
        Self::Command(error.into())
    }
}

impl Commander {
    /// Sends whoever has this name a mail with a link to choose a new password, if anybody has it, can log in and has an
    /// address, and has not been sent enough of them already. `link` puts the token into an address.
    ///
    /// # Errors
    /// When something can not be read, or the mail can not be queued.
    pub async fn mail_password_reset(
        &self,
        outbox: &Outbox,
        user_name: &str,
        link: impl Fn(&str) -> String + Send,
    ) -> Result<(), ResetError> {
        let sessions = self.sessions();
        let Some(user) = sessions.user_named(user_name).await?.filter(may_log_in) else { return Ok(()) };
        let Some(recipient) = address(&user) else {
            tracing::info!(user = %user.id, "a password reset was asked for, and there is no address to send it to");
            return Ok(());
        };
        let mut transaction = self.log().database().pool().begin().await?;
        let tokens = self.one_time_tokens();
        let lifetime = TimeDelta::hours(i64::from(RESET_HOURS));
        let enough = (RESETS_PER_HOUR_MAX, self.clock().now() - TimeDelta::hours(1));
        let whose = (user.account_id, user.id);
        let token = tokens.issue_at_most(&mut transaction, whose, Purpose::SetPassword, lifetime, enough).await?;
        let Some(token) = token else { return Ok(()) };
        let message = MailMessage::PasswordReset {
            user_name: user.user_name.clone(),
            link: link(&token),
            valid_for_hours: RESET_HOURS,
        };
        let mail = NewMail { tenant: user.account_id, recipient, locale: user.locale, message };
        outbox.queue(&mut *transaction, mail).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Sets the password of the token's user, and ends all sessions of theirs. A password that is refused leaves the
    /// token as good as it was.
    ///
    /// # Errors
    /// `TokenExpired`, `PasswordCriteriaMismatch`, `PasswordIdentical`; or when it can not be written.
    pub async fn choose_password(
        &self,
        token: &str,
        password: &str,
        request_id: Option<String>,
    ) -> Result<(), CommandError> {
        let tokens = self.one_time_tokens();
        let (tenant, id) = tokens.bearer(token, Purpose::SetPassword).await?;
        let user = self.sessions().user(id).await?.filter(|user| user.account_id == tenant);
        let user = user.ok_or_else(super::one_time::expired)?;
        let chosen = Password::new(password, &user.user_name).map_err(Failure::from)?;
        if self.password_matches(tenant, id, password).await? {
            let message = "this is the password that the user has; choose another one";
            return Err(Failure::new(FailureKind::Invalid, "PasswordIdentical", message).into());
        }
        let kept = self.hash_password(&chosen).await?;
        // Told first, and once for the token however often it is tried: what follows can fail and be tried again, and
        // no password ever changes without a trace.
        let context = by_token(tokens.command_key(token), tenant, id, request_id);
        self.user_command(&context, id, UserCommand::ChangePassword).await?;
        let mut transaction = self.log().database().pool().begin().await?;
        tokens.redeem_in(&mut transaction, token, Purpose::SetPassword).await?;
        self.keep_password(&mut *transaction, tenant, id, &kept).await?;
        close_all(&mut *transaction, tenant, id, self.clock().now()).await?;
        transaction.commit().await?;
        self.sessions().logged_in(&user.user_name).await
    }

    /// Lets the token show that its user reads their mail. `user_name` must be theirs.
    ///
    /// # Errors
    /// `TokenExpired`, also when the token is another user's; or when it can not be written.
    pub async fn verify_by_token(
        &self,
        user_name: &str,
        token: &str,
        request_id: Option<String>,
    ) -> Result<UserState, CommandError> {
        let tokens = self.one_time_tokens();
        let (tenant, id) = tokens.bearer(token, Purpose::VerifyAccount).await?;
        let named = self.sessions().user_named(user_name).await?;
        let user = named.filter(|user| (user.account_id, user.id) == (tenant, id) && !user.deleted);
        let user = user.ok_or_else(super::one_time::expired)?;
        // A mail is one factor; whoever has set up another one is not let in by that alone.
        if user.totp.is_some() {
            let message = "the user has a second factor; log in with it";
            return Err(Failure::new(FailureKind::Forbidden, "AccessDenied", message).into());
        }
        let context = by_token(tokens.command_key(token), tenant, id, request_id);
        self.user_command(&context, id, UserCommand::Verify).await?;
        tokens.redeem(token, Purpose::VerifyAccount).await?;
        Ok(UserState { verified: true, ..user })
    }
}

/// What a token's bearer does is done by the token's user.
fn by_token(key: CommandKey, tenant: AccountId, user: UserId, request_id: Option<String>) -> CommandContext {
    CommandContext {
        actor: palaver_domain::Actor::User(user),
        key: Some(key),
        request_id,
        ..CommandContext::system(tenant, "token")
    }
}

/// Where a user is written to.
fn address(user: &UserState) -> Option<String> {
    let named = user.user_name.contains('@').then(|| user.user_name.clone());
    user.email.clone().or(named)
}
