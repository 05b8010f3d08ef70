//! Use cases of applications: registering one, its keys and its secret.
//!
//! The log says which keys there are; what they say is told once and kept as hashes in `app_credentials`. What is given
//! is written to the log first, and what is taken is taken from the credentials first: when something breaks in between,
//! a key is shown that opens nothing, and never one that opens something and is not shown.

use chrono::{DateTime, Utc};
use futures::FutureExt;
use palaver_domain::{
    AccountId, AppId, KeyId,
    identity::{App, AppCommand, AppError, AppKey, AppState},
};
use palaver_eventstore::Loaded;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::app_credentials::{AppSecret, NewCredential};
use crate::{CommandContext, CommandError, Commander, Outcome};

/// An application after a command, with its times.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppAnswer {
    pub app: AppState,
    pub created_at: DateTime<Utc>,
}

/// What a new key is to be.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub label: String,
    pub expires_at: Option<DateTime<Utc>>,
}

/// What a command came to that makes a secret.
#[derive(Debug)]
pub struct Told<T> {
    pub outcome: Outcome<T>,
    /// `None` when the command had been carried out before: it was told then, and is not known any more.
    pub secret: Option<AppSecret>,
}

impl Commander {
    /// Registers an application of the context's account under a new id.
    ///
    /// # Errors
    /// When the name is empty, or it can not be written.
    pub async fn register_app(
        &self,
        context: &CommandContext,
        name: String,
    ) -> Result<Outcome<AppAnswer>, CommandError> {
        let (id, account_id) = (AppId::from_uuid(self.ids().uuid()), context.tenant);
        let outcome = self
            .run(context, move |work| {
                let name = name.clone();
                async move {
                    let command = AppCommand::Register { id, account_id, name };
                    work.handle::<App>(id, command).await.and_then(|loaded| answer(&loaded))
                }
                .boxed()
            })
            .await?;
        let mut db = self.log().database().pool().acquire().await?;
        let opened = outcome.value.app.id;
        self.open_access(&mut db, context.tenant, opened).await?;
        Ok(outcome)
    }

    /// The application as it is now.
    ///
    /// # Errors
    /// `NotFound` when the account has none with this id.
    pub async fn app(&self, context: &CommandContext, id: AppId) -> Result<AppAnswer, CommandError> {
        self.look(context, move |work| {
            async move { work.get::<App>(id).await.and_then(|loaded| answer(&loaded)) }.boxed()
        })
        .await
    }

    /// Issues a key.
    ///
    /// # Errors
    /// When there is no such application, the key is not valid, there are too many, or it can not be written.
    pub async fn issue_app_key(
        &self,
        context: &CommandContext,
        app: AppId,
        new: NewKey,
    ) -> Result<Told<AppKey>, CommandError> {
        let key_id = KeyId::from_uuid(self.ids().uuid());
        let prefix = AppState::key_prefix(key_id);
        let outcome = self
            .run(context, move |work| {
                let (NewKey { label, expires_at }, prefix) = (new.clone(), prefix.clone());
                async move {
                    let command = AppCommand::IssueKey { key_id, label, prefix, expires_at };
                    let loaded = work.handle::<App>(app, command).await?;
                    let keys = &loaded.aggregate.existing().map_err(refuse)?.keys;
                    keys.iter().find(|key| key.id == key_id).cloned().ok_or_else(|| refuse(AppError::KeyNotFound))
                }
                .boxed()
            })
            .await?;
        if outcome.replayed {
            return Ok(Told { outcome, secret: None });
        }
        let secret = self.grant_app_key(context.tenant, app, key_id, outcome.value.expires_at).await?;
        Ok(Told { outcome, secret: Some(secret) })
    }

    /// Draws the key that the log tells of under this id, and makes it known by its hash.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn grant_app_key(
        &self,
        tenant: AccountId,
        app: AppId,
        key_id: KeyId,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<AppSecret, CommandError> {
        let key = AppSecret::draw(&format!("{}_", AppState::key_prefix(key_id)), self.ids());
        let mut transaction = self.log().database().pool().begin().await?;
        self.open_access(&mut transaction, tenant, app).await?;
        let new = NewCredential { tenant, app, kind: "api_key", key_id, expires_at };
        self.keep_credential(&mut transaction, &new, &key).await?;
        transaction.commit().await?;
        Ok(key)
    }

    /// Draws the secret that the log tells of under this id, and makes it known by its hash, in place of the one before
    /// and of what was got with it.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn grant_app_secret(
        &self,
        tenant: AccountId,
        app: AppId,
        key_id: KeyId,
    ) -> Result<AppSecret, CommandError> {
        let secret = AppSecret::draw("pas_", self.ids());
        let mut transaction = self.log().database().pool().begin().await?;
        self.open_access(&mut transaction, tenant, app).await?;
        // Two who rotate at once take turns, so that one secret is left.
        sqlx::query!("SELECT app_id FROM app_access WHERE app_id = $1 FOR UPDATE", app.uuid())
            .fetch_one(&mut *transaction)
            .await?;
        sqlx::query!(
            "UPDATE app_credentials SET revoked_at = $3
             WHERE app_id = $1 AND tenant_id = $2 AND kind IN ('app_secret', 'app_token') AND revoked_at IS NULL",
            app.uuid(),
            tenant.to_string(),
            self.clock().now(),
        )
        .execute(&mut *transaction)
        .await?;
        let new = NewCredential { tenant, app, kind: "app_secret", key_id, expires_at: None };
        self.keep_credential(&mut transaction, &new, &secret).await?;
        transaction.commit().await?;
        Ok(secret)
    }

    /// Revokes a key: it opens nothing from now on.
    ///
    /// # Errors
    /// When there is no such key, or it can not be written.
    pub async fn revoke_app_key(
        &self,
        context: &CommandContext,
        app: AppId,
        key_id: KeyId,
    ) -> Result<Outcome<AppAnswer>, CommandError> {
        sqlx::query!(
            "UPDATE app_credentials SET revoked_at = $4
             WHERE app_id = $1 AND tenant_id = $2 AND kind = 'api_key' AND key_id = $3 AND revoked_at IS NULL",
            app.uuid(),
            context.tenant.to_string(),
            key_id.uuid(),
            self.clock().now(),
        )
        .execute(self.log().database().pool())
        .await?;
        self.run(context, move |work| {
            async move {
                let command = AppCommand::RevokeKey { key_id };
                work.handle::<App>(app, command).await.and_then(|loaded| answer(&loaded))
            }
            .boxed()
        })
        .await
    }

    /// Gives the application a secret, instead of the one it may have. What was got with that one is no longer valid.
    ///
    /// # Errors
    /// When there is no such application, or it can not be written.
    pub async fn rotate_app_secret(
        &self,
        context: &CommandContext,
        app: AppId,
    ) -> Result<Told<AppAnswer>, CommandError> {
        let secret_id = KeyId::from_uuid(self.ids().uuid());
        let outcome = self
            .run(context, move |work| {
                async move {
                    let command = AppCommand::RotateSecret { secret_id };
                    work.handle::<App>(app, command).await.and_then(|loaded| answer(&loaded))
                }
                .boxed()
            })
            .await?;
        if outcome.replayed {
            return Ok(Told { outcome, secret: None });
        }
        let secret = self.grant_app_secret(context.tenant, app, secret_id).await?;
        Ok(Told { outcome, secret: Some(secret) })
    }

    /// Deletes an application; nothing opens with any of its credentials from now on.
    ///
    /// # Errors
    /// When there is no such application, or it can not be written.
    pub async fn delete_app(&self, context: &CommandContext, app: AppId) -> Result<Outcome<()>, CommandError> {
        match self.app(context, app).await {
            Ok(_) => self.close_access(context, app).await?,
            // It is gone, or never was: whether this is a repetition is told below.
            Err(CommandError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
        self.run(context, move |work| {
            async move { work.handle::<App>(app, AppCommand::Delete).await.map(drop) }.boxed()
        })
        .await
    }

    async fn close_access(&self, context: &CommandContext, app: AppId) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "INSERT INTO app_access (app_id, tenant_id, closed_at) VALUES ($1, $2, $3)
             ON CONFLICT (app_id) DO UPDATE SET closed_at = excluded.closed_at
             WHERE app_access.tenant_id = excluded.tenant_id AND app_access.closed_at IS NULL",
            app.uuid(),
            context.tenant.to_string(),
            self.clock().now(),
        )
        .execute(self.log().database().pool())
        .await
        .map(drop)
    }

    /// Makes sure of the row that an application's credentials hang on; a closed one stays closed.
    async fn open_access(&self, db: &mut PgConnection, tenant: AccountId, app: AppId) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "INSERT INTO app_access (app_id, tenant_id) VALUES ($1, $2) ON CONFLICT (app_id) DO NOTHING",
            app.uuid(),
            tenant.to_string(),
        )
        .execute(db)
        .await
        .map(drop)
    }
}

fn refuse(error: AppError) -> CommandError {
    CommandError::Refused(error.into())
}

fn answer(loaded: &Loaded<App>) -> Result<AppAnswer, CommandError> {
    let app = loaded.aggregate.existing().map_err(refuse)?.clone();
    Ok(AppAnswer { app, created_at: loaded.created_at })
}
