//! Use cases of identity: registering an account, adding its users, and the credentials they come with.
//!
//! A token or password is kept as a hash, outside the log. It is shown once, by whoever makes it.

use chrono::{DateTime, Utc};
use futures::FutureExt;
use palaver_domain::{
    AccountId, TeamId, UserId,
    identity::{Account, AccountCommand, Role, User, UserCommand},
};
use sha2::{Digest, Sha256};

use crate::{CommandContext, CommandError, Commander, Outcome};

/// What a new user is to be.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub user_name: String,
    pub role: Role,
    pub team_ids: Vec<TeamId>,
}

/// The hash under which a token is known. A token has 256 random bits, so nothing slower is needed.
pub fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

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

    /// Adds a user to the context's account.
    ///
    /// # Errors
    /// When the name is empty, or it can not be written.
    pub async fn create_user(&self, context: &CommandContext, new: NewUser) -> Result<Outcome<UserId>, CommandError> {
        let (id, account_id) = (UserId::from_bytes(self.ids().object_id()), context.tenant);
        self.run(context, move |work| {
            let NewUser { user_name, role, team_ids } = new.clone();
            async move {
                work.handle::<User>(id, UserCommand::Create { id, account_id, user_name, role, team_ids }).await?;
                Ok(id)
            }
            .boxed()
        })
        .await
    }

    /// Makes a token known. The token itself is not kept.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn grant_token(
        &self,
        tenant: AccountId,
        user: UserId,
        token: &str,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<(), CommandError> {
        sqlx::query!(
            "INSERT INTO access_tokens (token_hash, tenant_id, user_id, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5)",
            &token_hash(token)[..],
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
