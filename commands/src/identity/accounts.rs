//! Use cases of accounts: how one comes to be, what is changed about it, and what is asked for it. The context's tenant is
//! the account itself, whoever acts: an operator's command on another account is written there, in the operator's name.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use palaver_domain::{
    AccountId, ChannelId, Failure,
    channels::Channel,
    identity::{Account, AccountChanges, AccountCommand, AccountError, AccountState, AiThreshold, ClaimKind, Feature},
};
use palaver_eventstore::{
    Loaded, Sequence,
    vault::{SecretRef, Vault, VaultError},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{CommandContext, CommandError, Commander, Outcome, Work};

/// An account after a command, with its times.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountAnswer {
    pub account: AccountState,
    pub created_at: DateTime<Utc>,
    /// Of the account's stream, after the command.
    pub sequence: Sequence,
}

/// What an identity provider gave for this account, and where to put it.
#[derive(Clone, Copy, Debug)]
pub struct NewSecret<'a> {
    pub vault: &'a Vault,
    pub secret: &'a [u8],
}

fn refuse(error: AccountError) -> CommandError {
    CommandError::Refused(error.into())
}

fn answer(loaded: &Loaded<Account>) -> Result<AccountAnswer, CommandError> {
    let account = loaded.aggregate.existing().map_err(refuse)?.clone();
    Ok(AccountAnswer { account, created_at: loaded.created_at, sequence: loaded.sequence })
}

/// Registers an account with what differs from [`AccountState`]'s beginnings.
pub(super) async fn register(
    work: &mut Work,
    id: AccountId,
    new: AccountChanges,
) -> Result<AccountAnswer, CommandError> {
    let name = new.name.clone().unwrap_or_default();
    work.handle::<Account>(id, AccountCommand::Register { id, name }).await?;
    let command = AccountCommand::Change { changes: Box::new(new), sales: true };
    work.handle::<Account>(id, command).await.and_then(|loaded| answer(&loaded))
}

/// A realm lets in the users of one account, lest one account's realm vouch for the users of another.
async fn claim_realm(work: &mut Work, before: &AccountState, after: &AccountState) -> Result<(), CommandError> {
    // Whoever changes something else is not troubled by a realm from before realms were claimed.
    if before.keycloak == after.keycloak {
        return Ok(());
    }
    let (old, new) = (realm(before), realm(after));
    // Let go of first: texts that differ may be claimed as one.
    if let Some(old) = old.filter(|old| Some(*old) != new) {
        work.release(ClaimKind::KeycloakRealm, old, after.id).await?;
    }
    match new {
        Some(new) => work.claim(ClaimKind::KeycloakRealm, new, after.id).await,
        None => Ok(()),
    }
}

fn realm(account: &AccountState) -> Option<&str> {
    account.keycloak.as_ref().map(|keycloak| keycloak.realm.as_str())
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

    /// Registers an account for somebody else, with all that was agreed. `context` is the operator's.
    ///
    /// # Errors
    /// When something of it is not valid, or it can not be written.
    pub async fn create_account(
        &self,
        context: &CommandContext,
        new: AccountChanges,
    ) -> Result<Outcome<AccountAnswer>, CommandError> {
        let id = self.new_account_id(context);
        let context = CommandContext { tenant: id, ..context.clone() };
        self.run(&context, move |work| {
            let new = new.clone();
            async move { register(work, id, new).await }.boxed()
        })
        .await
    }

    /// A receipt lies with the account that the command made. So a command that carries a key always makes the same
    /// one, and finds its receipt again.
    fn new_account_id(&self, context: &CommandContext) -> AccountId {
        let Some(key) = &context.key else { return AccountId::from_bytes(self.ids().object_id()) };
        let digest = Sha256::digest(format!("account\n{}\n{}\n{}", context.tenant, context.actor, key.key));
        let mut bytes = [0; 12];
        bytes.iter_mut().zip(digest).for_each(|(byte, digested)| *byte = digested);
        AccountId::from_bytes(bytes)
    }

    /// The account as it is now.
    ///
    /// # Errors
    /// `NotFound` when there is no such account.
    pub async fn account(&self, id: AccountId) -> Result<AccountAnswer, CommandError> {
        self.look(&CommandContext::system(id, "setup"), move |work| {
            async move { work.get::<Account>(id).await.and_then(|loaded| answer(&loaded)) }.boxed()
        })
        .await
    }

    /// Changes the context's account. `changes` says what is wanted, of the account as it is and of where the new
    /// secret lies, and may be asked several times. `sales`: whether the actor may change what the account has bought.
    ///
    /// # Errors
    /// When there is no such account, something is not valid or not allowed, its realm is another account's, or it can not
    /// be written.
    pub async fn change_account<F>(
        &self,
        context: &CommandContext,
        sales: bool,
        secret: Option<NewSecret<'_>>,
        changes: F,
    ) -> Result<Outcome<AccountAnswer>, CommandError>
    where
        F: Fn(&AccountState, Option<String>) -> AccountChanges + Send + Sync + 'static,
    {
        let put = match secret {
            Some(NewSecret { vault, secret }) => {
                // Nobody can make a tenant of the vault by naming one.
                self.account(context.tenant).await?;
                Some((vault, vault.put(context.tenant, secret).await.map_err(sealing)?))
            }
            None => None,
        };
        let (id, changes) = (context.tenant, Arc::new(changes));
        let reference = put.map(|(_, reference)| reference.to_string());
        let result = self
            .run(context, move |work| {
                let (changes, reference) = (changes.clone(), reference.clone());
                async move {
                    let loaded = work.get::<Account>(id).await?;
                    let before = loaded.aggregate.existing().map_err(refuse)?;
                    let old = before.keycloak.as_ref().and_then(|keycloak| keycloak.secret_ref.clone());
                    let command = AccountCommand::Change { changes: Box::new(changes(before, reference)), sales };
                    let after = work.handle::<Account>(id, command).await.and_then(|loaded| answer(&loaded))?;
                    claim_realm(work, before, &after.account).await?;
                    Ok((after, old))
                }
                .boxed()
            })
            .await;
        if let Some((vault, new)) = put {
            self.clear_vault(context.tenant, vault, new, &result).await;
        }
        let Outcome { value, position, replayed } = result?;
        Ok(Outcome { value: value.0, position, replayed })
    }

    /// Forgets the secret that nothing names any more: the new one when it came to nothing, else the one before. What
    /// can not be deleted now stays sealed, and only costs its place.
    async fn clear_vault(
        &self,
        tenant: AccountId,
        vault: &Vault,
        new: SecretRef,
        result: &Result<Outcome<(AccountAnswer, Option<String>)>, CommandError>,
    ) {
        let idle = match result {
            Ok(Outcome { value: (after, old), replayed: false, .. }) => {
                let named = after.account.keycloak.as_ref().and_then(|keycloak| keycloak.secret_ref.clone());
                if named == Some(new.to_string()) { old.as_ref().and_then(|old| old.parse().ok()) } else { Some(new) }
            }
            Ok(_) => Some(new),
            // It may have been written after all.
            Err(CommandError::OutcomeUnknown(_)) => None,
            Err(_) => Some(new),
        };
        if let Some(idle) = idle
            && let Err(error) = vault.delete(tenant, idle).await
        {
            tracing::warn!(%tenant, %error, "a secret that nothing names stays in the vault");
        }
    }

    /// Sets how sure a prediction must be.
    ///
    /// # Errors
    /// When the value is out of range, or the feature is not active.
    pub async fn set_ai_threshold(
        &self,
        context: &CommandContext,
        threshold: AiThreshold,
        value: f64,
    ) -> Result<Outcome<AccountAnswer>, CommandError> {
        self.command_account(context, AccountCommand::SetAiThreshold { threshold, value }).await
    }

    /// Notes that somebody asks for a feature.
    ///
    /// # Errors
    /// When it is active or asked for already.
    pub async fn request_feature(
        &self,
        context: &CommandContext,
        feature: Feature,
    ) -> Result<Outcome<AccountAnswer>, CommandError> {
        self.command_account(context, AccountCommand::RequestFeature { feature }).await
    }

    /// Opens an expired account again.
    ///
    /// # Errors
    /// When there is no such account, or it has not expired.
    pub async fn reactivate_account(&self, context: &CommandContext) -> Result<Outcome<AccountAnswer>, CommandError> {
        self.command_account(context, AccountCommand::Reactivate).await
    }

    /// Says of all tickets of the account, or of one of its channels, that they are done with: those that came before
    /// `until`, or before now.
    ///
    /// # Errors
    /// When there is no such account or channel, or the time is in the future.
    pub async fn archive_tickets(
        &self,
        context: &CommandContext,
        channel_id: Option<ChannelId>,
        until: Option<DateTime<Utc>>,
    ) -> Result<Outcome<()>, CommandError> {
        let id = context.tenant;
        self.run(context, move |work| {
            async move {
                if let Some(channel) = channel_id {
                    let loaded = work.get::<Channel>(channel).await?;
                    loaded.aggregate.existing().map_err(Failure::from)?;
                }
                work.handle::<Account>(id, AccountCommand::ArchiveTickets { channel_id, until }).await.map(drop)
            }
            .boxed()
        })
        .await
    }

    async fn command_account(
        &self,
        context: &CommandContext,
        command: AccountCommand,
    ) -> Result<Outcome<AccountAnswer>, CommandError> {
        let id = context.tenant;
        self.run(context, move |work| {
            let command = command.clone();
            async move { work.handle::<Account>(id, command).await.and_then(|loaded| answer(&loaded)) }.boxed()
        })
        .await
    }
}

fn sealing(error: VaultError) -> CommandError {
    match error {
        VaultError::Database(error) => error.into(),
        error => CommandError::Unwritable(Box::new(error)),
    }
}
