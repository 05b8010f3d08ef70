//! Use cases of identity: registering an account, adding its users, and the credentials they come with.
//!
//! A token or password is kept as a hash, outside the log. It is shown once, by whoever makes it.

mod app_credentials;
mod apps;
mod one_time;
mod passwords;
mod sessions;
mod users;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use palaver_domain::{
    AccountId, Failure, FailureKind, UserId,
    identity::{Account, AccountCommand},
};

pub use app_credentials::{APP_TOKEN_HOURS, AppSecret, AppToken, SecretExchange};
pub use apps::{AppAnswer, NewKey, Told};
pub use one_time::{OneTimeTokens, Purpose};
pub use passwords::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, Password, PasswordKept, PasswordRefused};
pub use sessions::{
    Attempt, Client, LOGIN_FAILURES_MAX, LOGIN_FAILURES_MINUTES, LOGIN_LOCKED_MINUTES, NewSession, PasswordCheck,
    Sessions,
};
pub use users::{NewPassword, NewUser, UserAnswer, UserChanges, UserEditor};

use crate::{CommandContext, CommandError, Commander, Outcome};

impl Commander {
    /// Registers an account under a new id.
    ///
    /// # Errors
    /// When the name is empty, or it can not be written.
    pub async fn register_account(&self, name: String) -> Result<Outcome<AccountId>, CommandError> {
        let id = AccountId::from_bytes(self.ids().object_id());
        let context = CommandContext::system(id, "setup");
        self.run(&context, move |work| {
            let name = name.clone();
            async move {
                work.handle::<Account>(id, AccountCommand::Register { id, name }).await?;
                Ok(id)
            }
            .boxed()
        })
        .await
    }

    /// What the account is called.
    ///
    /// # Errors
    /// `NotFound` when there is no such account.
    pub async fn account(&self, id: AccountId) -> Result<String, CommandError> {
        self.look(&CommandContext::system(id, "setup"), move |work| {
            async move {
                let account = work.get::<Account>(id).await?;
                let known = account.aggregate.0.as_ref().map(|account| account.name.clone());
                known.ok_or_else(|| {
                    Failure::new(FailureKind::NotFound, "NotFoundError", "there is no such account").into()
                })
            }
            .boxed()
        })
        .await
    }

    /// Makes a token known by its SHA-256. The token itself does not come here.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn grant_token(
        &self,
        tenant: AccountId,
        user: UserId,
        token_hash: &[u8; 32],
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<(), CommandError> {
        sqlx::query!(
            "INSERT INTO access_tokens (token_hash, tenant_id, user_id, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5)",
            &token_hash[..],
            tenant.to_string(),
            user.to_string(),
            self.clock().now(),
            expires_at,
        )
        .execute(self.log().database().pool())
        .await?;
        Ok(())
    }
}
