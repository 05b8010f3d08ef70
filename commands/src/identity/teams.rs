//! Use cases of teams. Source: seed 003, /teams.
//!
//! Members tell themselves which teams they are in. Whoever joins is also told to the team, by `TeamCommand::Admit`, so
//! that a team is never deleted while somebody comes in. All of one request is one append.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::{FutureExt, future::BoxFuture};
use palaver_domain::{
    AccountId, ChannelId, Failure, FailureKind, FieldErrors, TEAM_JOINING_MAX, TEAM_LEAVING_MAX, TeamId, UserId,
    channels::{Channel, ChannelCommand, ChannelState},
    identity::{ClaimKind, Permission, Role, Team, TeamCommand, TeamError, TeamState, User, UserCommand, UserState},
};
use palaver_eventstore::Loaded;
use serde::{Deserialize, Serialize};

use crate::{CommandContext, CommandError, Commander, Outcome, Work, posts::Planner};

/// Members that an error names, at most.
const NAMED_MAX: usize = 10;

/// A team after a command, with the time it was created. Who is in it is for the read model to say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TeamAnswer {
    pub team: TeamState,
    pub created_at: DateTime<Utc>,
}

/// What to change of a team.
#[derive(Clone, Debug, Default)]
pub struct TeamPatch {
    pub name: Option<String>,
    pub admins: Option<Vec<UserId>>,
}

/// Users and channels of one team.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    pub users: Vec<UserId>,
    pub channels: Vec<ChannelId>,
}

/// Where the members of a team are looked up.
pub trait TeamMembers: Send + Sync + 'static {
    /// Everybody who was in the team when this was called, and perhaps some who were not.
    ///
    /// # Errors
    /// [`CommandError::Behind`] when the answer would be older than the question.
    fn of(&self, tenant: AccountId, team: TeamId) -> BoxFuture<'_, Result<Members, CommandError>>;
}

impl Commander {
    /// Creates a team, which has no members yet.
    ///
    /// # Errors
    /// `Conflict` when another team of the account is called that; `Invalid` when the name is none.
    pub async fn create_team(
        &self,
        context: &CommandContext,
        by: &Planner,
        name: String,
    ) -> Result<Outcome<TeamAnswer>, CommandError> {
        let (id, account_id, role) = (TeamId::from_bytes(self.ids().object_id()), context.tenant, by.role);
        self.run(context, move |work| {
            let name = name.clone();
            async move {
                more_than_looks(role)?;
                let command = TeamCommand::Create { id, account_id, name: name.clone() };
                let team = work.handle::<Team>(id, command).await?;
                claim_name(work, &name, id).await?;
                answer(&team)
            }
            .boxed()
        })
        .await
    }

    /// Renames a team, or tells who looks after it.
    ///
    /// # Errors
    /// `NotFound` when there is no such team; `Conflict` when another one is called that; `Invalid` when the name is
    /// none, or an admin is no user of the account.
    pub async fn change_team(
        &self,
        context: &CommandContext,
        by: &Planner,
        id: TeamId,
        patch: TeamPatch,
    ) -> Result<Outcome<TeamAnswer>, CommandError> {
        let role = by.role;
        self.run(context, move |work| {
            let TeamPatch { name, admins } = patch.clone();
            async move {
                more_than_looks(role)?;
                let before = existing(work, id).await?;
                if let Some(name) = name {
                    work.handle::<Team>(id, TeamCommand::Rename { name: name.clone() }).await?;
                    // In this order: both names may be one, but for their case.
                    work.release(ClaimKind::TeamName, &before.name, id).await?;
                    claim_name(work, &name, id).await?;
                }
                if let Some(admins) = admins {
                    work.handle::<Team>(id, TeamCommand::ChangeAdmins { admins: admins.clone() }).await?;
                    for (place, admin) in admins.into_iter().enumerate() {
                        user(work, &format!("admins.{place}"), admin).await?;
                    }
                }
                work.get::<Team>(id).await.and_then(|team| answer(&team))
            }
            .boxed()
        })
        .await
    }

    /// Deletes a team; its members leave it.
    ///
    /// # Errors
    /// `NotFound` when there is no such team. `Conflict` when it is the only one of a channel, which would then be open
    /// to all, or of somebody who sees no channel but those of their teams; or when it has too many members to leave at
    /// once.
    pub async fn delete_team(
        &self,
        context: &CommandContext,
        by: &Planner,
        id: TeamId,
        members: Arc<dyn TeamMembers>,
    ) -> Result<Outcome<()>, CommandError> {
        let (tenant, role) = (context.tenant, by.role);
        self.run(context, move |work| {
            let members = members.clone();
            async move {
                more_than_looks(role)?;
                // First the team, then its members: who joins after this changes the team, and it is decided anew.
                let team = existing(work, id).await?;
                let members = members.of(tenant, id).await?;
                if members.users.len() + members.channels.len() > TEAM_LEAVING_MAX {
                    let message = format!("a team with more than {TEAM_LEAVING_MAX} members is not deleted at once");
                    return Err(conflict(message));
                }
                leave_all(work, id, members).await?;
                work.handle::<Team>(id, TeamCommand::Delete).await?;
                work.release(ClaimKind::TeamName, &team.name, id).await
            }
            .boxed()
        })
        .await
    }

    /// Puts users into a team; those who are in it already stay there.
    ///
    /// # Errors
    /// `NotFound` when there is no such team; `Forbidden` without `EditUsers`, unless by an admin of the team;
    /// `Invalid` when one is no user of the account.
    pub async fn add_users_to_team(
        &self,
        context: &CommandContext,
        by: &Planner,
        id: TeamId,
        users: Vec<UserId>,
    ) -> Result<Outcome<TeamAnswer>, CommandError> {
        let (by, users) = (by.clone(), distinct("userIds", users)?);
        self.run(context, move |work| {
            let (by, users) = (by.clone(), users.clone());
            async move {
                may_keep(work, &by, id, Permission::EditUsers).await?;
                let mut come = Vec::new();
                for (place, member) in users {
                    let mut team_ids = user(work, &format!("userIds.{place}"), member).await?.team_ids;
                    if !team_ids.contains(&id) {
                        team_ids.push(id);
                        work.handle::<User>(member, UserCommand::ChangeTeams { team_ids }).await?;
                        come.push(member);
                    }
                }
                let command = TeamCommand::Admit { users: come, channels: Vec::new() };
                work.handle::<Team>(id, command).await.and_then(|team| answer(&team))
            }
            .boxed()
        })
        .await
    }

    /// Takes a user out of a team.
    ///
    /// # Errors
    /// `NotFound` when there is no such team, or the user is not in it; `Forbidden` without `EditUsers`, unless by an
    /// admin of the team; `Conflict` when the user would then be in none and see no channel by role.
    pub async fn remove_user_from_team(
        &self,
        context: &CommandContext,
        by: &Planner,
        id: TeamId,
        user: UserId,
    ) -> Result<Outcome<TeamAnswer>, CommandError> {
        let by = by.clone();
        self.run(context, move |work| {
            let by = by.clone();
            async move {
                let team = may_keep(work, &by, id, Permission::EditUsers).await?;
                let member = known_user(work, user).await?.filter(|user| user.team_ids.contains(&id));
                let member = member.ok_or_else(|| not_found("the team has no such user"))?;
                let rest = without(&member.team_ids, id);
                if rest.is_empty() && !member.role.sees_all_channels() {
                    return Err(conflict(format!("user {user} is in no other team; put them into another one first")));
                }
                work.handle::<User>(user, UserCommand::ChangeTeams { team_ids: rest }).await?;
                // Nobody looks after a team from outside, or they could let themselves in again.
                let admins = team.admins.into_iter().filter(|admin| *admin != user).collect();
                work.handle::<Team>(id, TeamCommand::ChangeAdmins { admins }).await.and_then(|team| answer(&team))
            }
            .boxed()
        })
        .await
    }

    /// Puts channels into a team; those that are in it already stay there. Nobody gives what they do not see.
    ///
    /// # Errors
    /// `NotFound` when there is no such team; `Forbidden` without `EditTeamChannels`, unless by an admin of the team;
    /// `Invalid` when one is no channel that the caller may see.
    pub async fn add_channels_to_team(
        &self,
        context: &CommandContext,
        by: &Planner,
        id: TeamId,
        channels: Vec<ChannelId>,
    ) -> Result<Outcome<TeamAnswer>, CommandError> {
        let (by, channels) = (by.clone(), distinct("channelIds", channels)?);
        self.run(context, move |work| {
            let (by, channels) = (by.clone(), channels.clone());
            async move {
                may_keep(work, &by, id, Permission::EditTeamChannels).await?;
                let reach = by.reach(work).await?;
                let mut come = Vec::new();
                for (place, channel_id) in channels {
                    let channel = known_channel(work, channel_id).await?.filter(|channel| reach.sees(channel));
                    let Some(ChannelState { mut team_ids, .. }) = channel else {
                        return Err(unknown(&format!("channelIds.{place}"), "unknownChannel", "channel", channel_id));
                    };
                    if !team_ids.contains(&id) {
                        team_ids.push(id);
                        work.handle::<Channel>(channel_id, ChannelCommand::ChangeTeams { team_ids }).await?;
                        come.push(channel_id);
                    }
                }
                let command = TeamCommand::Admit { users: Vec::new(), channels: come };
                work.handle::<Team>(id, command).await.and_then(|team| answer(&team))
            }
            .boxed()
        })
        .await
    }

    /// Takes a channel out of a team.
    ///
    /// # Errors
    /// `NotFound` when there is no such team, or the channel is not in it; `Forbidden` unless by an administrator of
    /// the account or an admin of the team; `Conflict` when the channel would then be in none, and open to all.
    pub async fn remove_channel_from_team(
        &self,
        context: &CommandContext,
        by: &Planner,
        id: TeamId,
        channel: ChannelId,
    ) -> Result<Outcome<()>, CommandError> {
        let by = by.clone();
        self.run(context, move |work| {
            let by = by.clone();
            async move {
                let team = existing(work, id).await?;
                more_than_looks(by.role)?;
                if !by.role.sees_all_channels() && !team.admins.contains(&by.user) {
                    return Err(denied("only an administrator, or an admin of the team, takes its channels away"));
                }
                let member = known_channel(work, channel).await?.filter(|channel| channel.team_ids.contains(&id));
                let member = member.ok_or_else(|| not_found("the team has no such channel"))?;
                let rest = without(&member.team_ids, id);
                if rest.is_empty() {
                    let message = format!("channel {channel} is in no other team, and would be open to all");
                    return Err(conflict(message));
                }
                work.handle::<Channel>(channel, ChannelCommand::ChangeTeams { team_ids: rest }).await.map(drop)
            }
            .boxed()
        })
        .await
    }
}

/// Tells teams that these have come, or are being made as members. `field` is what the caller named the teams in.
///
/// # Errors
/// `Invalid` when one is no team of the account.
pub(crate) async fn join(work: &mut Work, field: &str, teams: &[TeamId], members: Members) -> Result<(), CommandError> {
    match admit(work, teams, members).await?.first() {
        Some(team) => Err(unknown(field, "unknownTeam", "team", team)),
        None => Ok(()),
    }
}

/// Tells teams that somebody comes, so that none of them is deleted meanwhile. Returns those that are not there.
pub(super) async fn admit(
    work: &mut Work,
    teams: &[TeamId],
    Members { users, channels }: Members,
) -> Result<Vec<TeamId>, CommandError> {
    let mut unknown = Vec::new();
    for &team in teams {
        let command = TeamCommand::Admit { users: users.clone(), channels: channels.clone() };
        match work.handle::<Team>(team, command).await {
            Ok(_) => {}
            Err(CommandError::Refused(failure)) if failure.kind == FailureKind::NotFound => unknown.push(team),
            Err(error) => return Err(error),
        }
    }
    Ok(unknown)
}

/// Everybody leaves, or nobody: somebody who has nowhere else to go keeps the team alive.
async fn leave_all(work: &mut Work, id: TeamId, members: Members) -> Result<(), CommandError> {
    let mut stranded = Vec::new();
    for channel in members.channels {
        let Some(state) = known_channel(work, channel).await?.filter(|state| state.team_ids.contains(&id)) else {
            continue;
        };
        let rest = without(&state.team_ids, id);
        if rest.is_empty() {
            stranded.push(format!("channel {channel}"));
        } else {
            work.handle::<Channel>(channel, ChannelCommand::ChangeTeams { team_ids: rest }).await?;
        }
    }
    for user in members.users {
        let Some(state) = known_user(work, user).await?.filter(|state| state.team_ids.contains(&id)) else { continue };
        let rest = without(&state.team_ids, id);
        if rest.is_empty() && !state.role.sees_all_channels() {
            stranded.push(format!("user {user}"));
        } else {
            work.handle::<User>(user, UserCommand::ChangeTeams { team_ids: rest }).await?;
        }
    }
    if stranded.is_empty() {
        return Ok(());
    }
    let more = stranded.len().saturating_sub(NAMED_MAX);
    stranded.truncate(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(conflict(format!("the team is the only one of {}{more}; put them into another one first", stranded.join(", "))))
}

/// Whether somebody may say who and what is in the team. The team itself has to exist, for whoever asks.
async fn may_keep(work: &mut Work, by: &Planner, id: TeamId, needed: Permission) -> Result<TeamState, CommandError> {
    let team = existing(work, id).await?;
    if by.permissions.contains(needed) || team.admins.contains(&by.user) {
        return Ok(team);
    }
    let message = format!("this needs the permission {needed}, or somebody who is an admin of the team");
    Err(Failure::new(FailureKind::Forbidden, "InsufficientPermissions", message).into())
}

/// The permissions that seed 003 asks for here are held by those, too, who may look at everything and change nothing.
fn more_than_looks(role: Role) -> Result<(), CommandError> {
    if role == Role::SuperAdminViewer {
        return Err(denied("your role looks, and changes nothing"));
    }
    Ok(())
}

async fn existing(work: &mut Work, id: TeamId) -> Result<TeamState, CommandError> {
    Ok(work.get::<Team>(id).await?.aggregate.existing().map_err(refuse)?.clone())
}

async fn claim_name(work: &mut Work, name: &str, id: TeamId) -> Result<(), CommandError> {
    match work.claim(ClaimKind::TeamName, name, id).await {
        Err(CommandError::Refused(_)) => Err(conflict("another team of the account is called that".to_owned())),
        claimed => claimed,
    }
}

/// A user of this account who is not deleted; another account's is none.
async fn known_user(work: &mut Work, id: UserId) -> Result<Option<UserState>, CommandError> {
    match work.get::<User>(id).await {
        Ok(loaded) => Ok(loaded.aggregate.existing().ok().cloned()),
        Err(CommandError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn user(work: &mut Work, field: &str, id: UserId) -> Result<UserState, CommandError> {
    known_user(work, id).await?.ok_or_else(|| unknown(field, "unknownUser", "user", id))
}

async fn known_channel(work: &mut Work, id: ChannelId) -> Result<Option<ChannelState>, CommandError> {
    match work.get::<Channel>(id).await {
        Ok(loaded) => Ok(loaded.aggregate.existing().ok().cloned()),
        Err(CommandError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Each once, with its first place in what was asked; so many as one request may bring.
fn distinct<T: Ord + Copy>(field: &str, ids: Vec<T>) -> Result<Vec<(usize, T)>, CommandError> {
    if ids.len() > TEAM_JOINING_MAX {
        let fields = FieldErrors::from([(field.to_owned(), vec!["tooMany".to_owned()])]);
        let message = format!("one request puts at most {TEAM_JOINING_MAX} into a team");
        return Err(Failure::new(FailureKind::Invalid, "ValidationError", message).with_fields(fields).into());
    }
    let mut places: Vec<(usize, T)> = ids.into_iter().enumerate().collect();
    places.sort_by_key(|(_, id)| *id);
    places.dedup_by_key(|(_, id)| *id);
    places.sort_by_key(|(place, _)| *place);
    Ok(places)
}

fn without(teams: &[TeamId], gone: TeamId) -> Vec<TeamId> {
    teams.iter().filter(|team| **team != gone).copied().collect()
}

fn unknown(field: &str, code: &str, what: &str, id: impl std::fmt::Display) -> CommandError {
    let fields = FieldErrors::from([(field.to_owned(), vec![code.to_owned()])]);
    Failure::new(FailureKind::Invalid, "ValidationError", format!("there is no {what} {id}")).with_fields(fields).into()
}

fn not_found(message: &str) -> CommandError {
    Failure::new(FailureKind::NotFound, "NotFoundError", message).into()
}

fn conflict(message: String) -> CommandError {
    Failure::new(FailureKind::Conflict, "ConflictError", message).into()
}

fn denied(message: &str) -> CommandError {
    Failure::new(FailureKind::Forbidden, "AccessDenied", message).into()
}

fn refuse(error: TeamError) -> CommandError {
    CommandError::Refused(error.into())
}

fn answer(loaded: &Loaded<Team>) -> Result<TeamAnswer, CommandError> {
    let team = loaded.aggregate.existing().map_err(refuse)?.clone();
    Ok(TeamAnswer { team, created_at: loaded.created_at })
}
