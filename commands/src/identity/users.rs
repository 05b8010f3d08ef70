//! Use cases of users: what somebody who runs an account does to those who work in it, and everybody to themselves.
//!
//! A password is checked and kept aside of the log. The event comes first; should the process end before the password is
//! kept, the same request with the same idempotency key completes it.

mod credentials;
mod invitation;
mod surroundings;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use palaver_domain::{
    ChannelId, Failure, FailureKind, Locale, TeamId, UserId,
    channels::ChannelState,
    identity::{
        ClaimKind, Details, Editor, MobileDevice, Permissions, Role, User, UserCommand, UserCreated, UserError,
        UserState, UserUpdate,
    },
};
use palaver_eventstore::Loaded;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::invitation::InvitationError;
use self::surroundings::{account, admit, change_teams, facts_for, keep_administrator, look_at_channels};
use super::Password;
use crate::{CommandContext, CommandError, Commander, Outcome, Work};

/// What a new user is to be.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// White space around it is dropped.
    pub user_name: String,
    pub role: Role,
    /// For the role `CUSTOM` alone.
    pub permissions: Option<Permissions>,
    pub team_ids: Vec<TeamId>,
    pub email: Option<String>,
    pub first_name: String,
    pub last_name: String,
    pub phone: Option<String>,
    pub locale: Locale,
    /// Whether it is certain already that whoever logs in owns the mail address.
    pub verified: bool,
}

impl NewUser {
    /// Somebody of whom nothing else is known, and who counts as verified.
    pub fn named(user_name: impl Into<String>, role: Role) -> Self {
        Self {
            user_name: user_name.into(),
            role,
            permissions: None,
            team_ids: Vec::new(),
            email: None,
            first_name: String::new(),
            last_name: String::new(),
            phone: None,
            locale: Locale::default(),
            verified: true,
        }
    }

    pub(super) fn created(self, id: UserId, context: &CommandContext) -> UserCreated {
        UserCreated {
            id,
            account_id: context.tenant,
            user_name: self.user_name.trim().to_owned(),
            email: self.email,
            first_name: self.first_name,
            last_name: self.last_name,
            phone: self.phone,
            locale: self.locale,
            role: self.role,
            permissions: self.permissions,
            team_ids: self.team_ids,
            verified: self.verified,
        }
    }
}

/// Who changes users, as a request has it.
#[derive(Clone, Debug)]
pub struct UserEditor {
    pub editor: Editor,
    pub team_ids: Vec<TeamId>,
    pub read_only_channel_ids: Vec<ChannelId>,
    /// What the editor's own session is kept as; it outlives a change of their password.
    pub session: [u8; 32],
}

impl UserEditor {
    fn may_write_on(&self, channel: &ChannelState) -> bool {
        channel.visible_to(self.editor.role, &self.team_ids) && !self.read_only_channel_ids.contains(&channel.id)
    }
}

/// What is to change of a user; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct UserChanges {
    pub details: Details,
    pub settings: Option<Map<String, Value>>,
    pub role: Option<Role>,
    pub read_only_channel_ids: Option<Vec<ChannelId>>,
    pub team_ids: Option<Vec<TeamId>>,
    pub password: Option<NewPassword>,
    pub mobile_device: Option<MobileDevice>,
}

/// A password to be, as it was typed.
#[derive(Clone)]
pub struct NewPassword {
    pub password: String,
    pub old_password: Option<String>,
}

impl std::fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewPassword(..)")
    }
}

/// A user after a command, with their times.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UserAnswer {
    pub user: UserState,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Commander {
    /// Adds a user to the context's account. Whether the actor may is not asked, nor whether the teams are there.
    ///
    /// # Errors
    /// When something of it is not valid, the name is taken, or it can not be written.
    pub async fn create_user(&self, context: &CommandContext, new: NewUser) -> Result<Outcome<UserId>, CommandError> {
        let id = UserId::from_bytes(self.ids().object_id());
        self.run(context, move |work| {
            let created = new.clone().created(id, context);
            async move { create(work, created).await.map(|answer| answer.user.id) }.boxed()
        })
        .await
    }

    /// Adds a user to the context's account, as `by` asks; `users` is how many it has. Source: seed 003, POST /users.
    ///
    /// # Errors
    /// When something of it is not valid, the role is not theirs to grant, a team is not there, the account is full, the
    /// name is taken, or it can not be written.
    pub async fn add_user(
        &self,
        context: &CommandContext,
        by: &UserEditor,
        new: NewUser,
        password: Option<&Password>,
        users: u64,
    ) -> Result<Outcome<UserAnswer>, CommandError> {
        let id = UserId::from_bytes(self.ids().object_id());
        let outcome = self.run(context, move |work| {
            let (created, editor) = (new.clone().created(id, context), by.editor.clone());
            async move {
                editor.may_create(created.role, &account(work).await?, users).map_err(refuse)?;
                if !admit(work, id, &created.team_ids).await?.is_empty() {
                    return Err(refuse(UserError::unknown_team()));
                }
                create(work, created).await
            }
            .boxed()
        });
        let outcome = outcome.await?;
        if let Some(password) = password {
            self.settle_password(&outcome, password, None).await?;
        }
        Ok(outcome)
    }

    /// The user as they are now.
    ///
    /// # Errors
    /// `NotFound` when the account has none with this id.
    pub async fn user(&self, context: &CommandContext, id: UserId) -> Result<UserAnswer, CommandError> {
        self.look(context, move |work| {
            async move { work.get::<User>(id).await.and_then(|loaded| answer(&loaded)) }.boxed()
        })
        .await
    }

    /// Changes a user as `by` asks, all of it or nothing. `administrators` are those of the account who are known.
    /// Source: seed 003, PATCH /users/{userId}.
    ///
    /// # Errors
    /// When there is no such user, `by` may not, or something speaks against it: then the refusal tells all that does.
    pub async fn update_user(
        &self,
        context: &CommandContext,
        by: &UserEditor,
        id: UserId,
        changes: UserChanges,
        administrators: &[UserId],
    ) -> Result<Outcome<UserAnswer>, CommandError> {
        let (new_password, facts) = match &changes.password {
            Some(new) => self.judge_password(context, by, id, new).await?,
            None => (None, None),
        };
        let outcome = self.run(context, move |work| {
            let (changes, by, administrators) = (changes.clone(), by.clone(), administrators.to_vec());
            async move {
                let before = existing(work, id).await?;
                let mut known = facts_for(work, &by).await?;
                if let Some(team_ids) = &changes.team_ids {
                    known.unknown_teams = change_teams(work, &before, team_ids).await?;
                }
                if let Some(channel_ids) = &changes.read_only_channel_ids {
                    look_at_channels(work, &by, &before, channel_ids, &mut known).await?;
                }
                let update = UserUpdate {
                    details: changes.details,
                    settings: changes.settings,
                    role: changes.role,
                    read_only_channel_ids: changes.read_only_channel_ids,
                    team_ids: changes.team_ids,
                    password: facts,
                    mobile_device: changes.mobile_device,
                };
                let command = UserCommand::Update { update: Box::new(update), facts: Box::new(known) };
                let loaded = work.handle::<User>(id, command).await?;
                keep_administrator(work, &before, &loaded, &administrators).await?;
                answer(&loaded)
            }
            .boxed()
        });
        let outcome = outcome.await?;
        if let Some(password) = &new_password {
            self.settle_password(&outcome, password, (by.editor.id == id).then_some(&by.session)).await?;
        }
        Ok(outcome)
    }

    /// Chooses a user's permissions one by one, which makes them `CUSTOM`. Source: seed 003, PATCH
    /// /users/{userId}/permissions.
    ///
    /// # Errors
    /// When there is no such user, a permission can not be chosen, `by` may not grant it, or the account lacks what it is
    /// about.
    pub async fn choose_permissions(
        &self,
        context: &CommandContext,
        by: &UserEditor,
        id: UserId,
        (permissions, team_ids): (Permissions, Option<Vec<TeamId>>),
        administrators: &[UserId],
    ) -> Result<Outcome<UserAnswer>, CommandError> {
        self.run(context, move |work| {
            let (team_ids, by, administrators) = (team_ids.clone(), by.clone(), administrators.to_vec());
            async move {
                let before = existing(work, id).await?;
                let mut facts = facts_for(work, &by).await?;
                if let Some(team_ids) = &team_ids {
                    facts.unknown_teams = change_teams(work, &before, team_ids).await?;
                }
                let command = UserCommand::Grant { permissions, team_ids, facts: Box::new(facts) };
                let loaded = work.handle::<User>(id, command).await?;
                keep_administrator(work, &before, &loaded, &administrators).await?;
                answer(&loaded)
            }
            .boxed()
        })
        .await
    }

    /// Deletes a user. Their name is free again, and nothing that they logged in with is worth anything.
    ///
    /// # Errors
    /// When there is no such user, or it is `by`, somebody who may do more, or the last administrator.
    pub async fn delete_user(
        &self,
        context: &CommandContext,
        by: &UserEditor,
        id: UserId,
        administrators: &[UserId],
    ) -> Result<Outcome<UserAnswer>, CommandError> {
        let outcome = self.run(context, move |work| {
            let (by, administrators) = (by.clone(), administrators.to_vec());
            async move {
                let before = existing(work, id).await?;
                by.editor.may_delete(&before).map_err(refuse)?;
                change_teams(work, &before, &[]).await?;
                let loaded = work.handle::<User>(id, UserCommand::Delete).await?;
                keep_administrator(work, &before, &loaded, &administrators).await?;
                work.release(ClaimKind::UserName, &before.user_name, id).await?;
                Ok(UserAnswer { user: before, created_at: loaded.created_at, updated_at: loaded.updated_at })
            }
            .boxed()
        });
        let outcome = outcome.await?;
        let user = &outcome.value.user;
        let mut transaction = self.log().database().pool().begin().await?;
        self.end_access(&mut transaction, user, None).await?;
        let (tenant, id) = (user.account_id.to_string(), user.id.to_string());
        sqlx::query!("DELETE FROM passwords WHERE tenant_id = $1 AND user_id = $2", tenant, id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(outcome)
    }
}

/// The user and their claim on the name, in one piece.
pub(super) async fn create(work: &mut Work, created: UserCreated) -> Result<UserAnswer, CommandError> {
    let (id, user_name) = (created.id, created.user_name.clone());
    let loaded = work.handle::<User>(id, UserCommand::Create(Box::new(created))).await?;
    match work.claim(ClaimKind::UserName, &user_name, id).await {
        Err(CommandError::Refused(failure)) if failure.kind == FailureKind::Conflict => {
            let message = "another user has this userName; choose another";
            Err(Failure::new(FailureKind::Conflict, "ConflictError", message).into())
        }
        claimed => claimed,
    }?;
    answer(&loaded)
}

async fn existing(work: &mut Work, id: UserId) -> Result<UserState, CommandError> {
    Ok(work.get::<User>(id).await?.aggregate.existing().map_err(refuse)?.clone())
}

fn refuse(error: UserError) -> CommandError {
    CommandError::Refused(error.into())
}

fn answer(loaded: &Loaded<User>) -> Result<UserAnswer, CommandError> {
    let user = loaded.aggregate.existing().map_err(refuse)?.clone();
    Ok(UserAnswer { user, created_at: loaded.created_at, updated_at: loaded.updated_at })
}
