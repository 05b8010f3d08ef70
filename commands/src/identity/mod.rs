//! Use cases of identity: registering an account, adding its users, and the credentials they come with.
//!
//! A token or password is kept as a hash, outside the log. It is shown once, by whoever makes it.

mod accounts;
mod app_credentials;
mod apps;
mod contacts;
mod forgetting;
mod last_login;
mod logins;
mod new_passwords;
mod one_time;
mod passwords;
mod refresh;
mod registration;
mod second_factor;
mod sessions;
mod teams;
mod users;

use chrono::{DateTime, Utc};
use palaver_domain::{AccountId, UserId};

pub use accounts::{AccountAnswer, NewSecret};
pub use app_credentials::{APP_TOKEN_HOURS, AppSecret, AppToken, SecretExchange};
pub use apps::{AppAnswer, NewKey, Told};
pub use logins::{Device, LoggedIn, Opened};
pub use new_passwords::ResetError;
pub use one_time::{OneTimeTokens, Purpose};
pub use passwords::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, Password, PasswordKept, PasswordRefused};
pub use refresh::Refreshed;
pub use registration::{Registered, Registration};
pub use second_factor::{CodeCheck, PROPOSAL_LIFETIME, Proposal, SecondFactors};
pub use sessions::{
    Attempt, Client, LOGIN_FAILURES_MAX, LOGIN_FAILURES_MINUTES, LOGIN_LOCKED_MINUTES, NewSession, PasswordCheck,
    Sessions,
};
pub(crate) use teams::join;
pub use teams::{Members, TeamAnswer, TeamMembers, TeamPatch};
pub use users::{InvitationError, NewPassword, NewUser, UserAnswer, UserChanges, UserEditor};

use crate::{CommandError, Commander};

impl Commander {
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
