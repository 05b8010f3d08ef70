//! `/teams`: which users have access to which channels. Source: seed 003, /teams.

use std::{collections::BTreeSet, sync::Arc};

use axum::{extract::State, http::StatusCode, response::IntoResponse};
use chrono::{DateTime, Utc};
use futures::{FutureExt, future::BoxFuture};
use palaver_commands::{
    CommandError, Outcome,
    identity::{Members, TeamAnswer, TeamMembers, TeamPatch},
};
use palaver_domain::{AccountId, ChannelId, TEAM_LEAVING_MAX, TeamId, UserId};
use palaver_projections::{engine::Waited, teams, times};
use serde::{Deserialize, Serialize};

use super::{
    Socialhub, SocialhubState,
    context::{Asked, gone, written},
};
use crate::{
    auth::Caller,
    http::{ApiError, ErrorBody, Json, PathId, PathIds, ReadAfter, Written},
};

/// The read models that tell of a team and its members.
const MODELS: [&str; 3] = ["teams", "users", "channels"];

/// A team, and who and what is in it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Team)]
pub(super) struct Shown {
    #[serde(rename = "_id")]
    #[schema(value_type = String)]
    id: TeamId,
    #[schema(value_type = String)]
    account_id: AccountId,
    name: String,
    #[schema(value_type = Vec<String>)]
    users: BTreeSet<UserId>,
    #[schema(value_type = Vec<String>)]
    channels: BTreeSet<ChannelId>,
    /// Users who say who and what is in the team.
    #[schema(value_type = Vec<String>)]
    admins: Vec<UserId>,
    #[serde(serialize_with = "times::serialize")]
    created_time: DateTime<Utc>,
}

/// A team in short.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TeamSummary)]
pub(super) struct Summary {
    #[serde(rename = "_id")]
    #[schema(value_type = String)]
    id: TeamId,
    name: String,
}

impl Socialhub {
    /// A team as a command has left it. The command says what it has changed, the read models whatever else is in it.
    async fn shown(
        &self,
        outcome: &Outcome<TeamAnswer>,
        change: impl FnOnce(&mut Shown),
    ) -> Result<(Written, Json<Shown>), ApiError> {
        let TeamAnswer { team, created_at } = outcome.value.clone();
        // What was asked for is done, so late read models are no reason to say otherwise.
        self.projections.wait_for(&MODELS, outcome.position, self.read_wait).await;
        let members = teams::members(&self.pool, team.account_id, team.id, teams::TEAMS_LISTED_MAX).await?;
        let mut shown = Shown {
            id: team.id,
            account_id: team.account_id,
            name: team.name,
            users: members.users.into_iter().collect(),
            channels: members.channels.into_iter().collect(),
            admins: team.admins,
            created_time: created_at,
        };
        change(&mut shown);
        Ok((written(outcome), Json(shown)))
    }
}

/// Members by the read models, once these have come as far as the log.
struct MembersRead(SocialhubState);

impl TeamMembers for MembersRead {
    fn of(&self, tenant: AccountId, team: TeamId) -> BoxFuture<'_, Result<Members, CommandError>> {
        let state = &self.0;
        async move {
            let head = state.commander.log().head().await?;
            if let Waited::Behind { .. } = state.projections.wait_for(&MODELS, head, state.read_wait).await {
                return Err(CommandError::Behind);
            }
            // One more than may leave tells that they are too many.
            let count = i64::try_from(TEAM_LEAVING_MAX).unwrap_or(i64::MAX).saturating_add(1);
            let teams::Members { users, channels } = teams::members(&state.pool, tenant, team, count).await?;
            Ok(Members { users, channels })
        }
        .boxed()
    }
}

/// List all teams of the account.
#[utoipa::path(get, path = "/api2/teams", tag = "teams", operation_id = "listTeams",
    responses((status = 200, description = "The teams, in the order they were created; at most 10,000.", body = Vec<Shown>)))]
pub(super) async fn list(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
) -> Result<impl IntoResponse, ApiError> {
    state.caught_up(&MODELS, after).await?;
    let teams = teams::list(&state.pool, caller.tenant).await?;
    let shown = teams.into_iter().map(|team| Shown {
        id: team.id,
        account_id: caller.tenant,
        name: team.name,
        users: team.members.users.into_iter().collect(),
        channels: team.members.channels.into_iter().collect(),
        admins: team.admins,
        created_time: team.created,
    });
    Ok(Json(shown.collect::<Vec<_>>()))
}

/// The caller's own teams; all teams for those who see all channels.
#[utoipa::path(get, path = "/api2/teams/summary", tag = "teams", operation_id = "summarizeTeams",
    responses((status = 200, description = "Ids and names, by name; at most 10,000.", body = Vec<Summary>)))]
pub(super) async fn summary(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
) -> Result<impl IntoResponse, ApiError> {
    state.caught_up(&["teams", "users"], after).await?;
    let of_user = (!caller.role.sees_all_channels()).then_some(caller.user);
    let teams = teams::summary(&state.pool, caller.tenant, of_user).await?;
    Ok(Json(teams.into_iter().map(|(id, name)| Summary { id, name }).collect::<Vec<_>>()))
}

/// A team to be.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = NewTeam)]
pub(super) struct New {
    /// No other team of the account is called that.
    #[schema(min_length = 1, max_length = 254)]
    name: String,
}

/// Create a team, without members.
#[utoipa::path(post, path = "/api2/teams", tag = "teams", operation_id = "createTeam", request_body = New,
    responses((status = 200, description = "The team.", body = Shown),
        (status = 400, description = "The name is none.", body = ErrorBody),
        (status = 409, description = "Another team is called that.", body = ErrorBody)))]
pub(super) async fn create(
    State(state): State<SocialhubState>,
    asked: Asked,
    Json(new): Json<New>,
) -> Result<impl IntoResponse, ApiError> {
    let outcome = state.commander.create_team(&asked.context, &asked.planner, new.name).await?;
    state.shown(&outcome, |_| {}).await
}

/// Some of a team.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = TeamPatch)]
pub(super) struct Patch {
    #[schema(min_length = 1, max_length = 254)]
    name: Option<String>,
    /// Users of the account, in place of those there are.
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    admins: Option<Vec<UserId>>,
}

/// Rename a team, or say who looks after it.
#[utoipa::path(patch, path = "/api2/teams/{id}", tag = "teams", operation_id = "editTeam",
    params(("id" = String, Path, description = "The team's id.")), request_body = Patch,
    responses((status = 200, description = "The team.", body = Shown),
        (status = 400, description = "The name is none, or an admin is no user of the account.", body = ErrorBody),
        (status = 404, description = "There is no such team.", body = ErrorBody),
        (status = 409, description = "Another team is called that.", body = ErrorBody)))]
pub(super) async fn patch(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<TeamId>,
    Json(patch): Json<Patch>,
) -> Result<impl IntoResponse, ApiError> {
    let patch = TeamPatch { name: patch.name, admins: patch.admins };
    let outcome = state.commander.change_team(&asked.context, &asked.planner, id, patch).await?;
    state.shown(&outcome, |_| {}).await
}

/// Delete a team; its members leave it.
#[utoipa::path(delete, path = "/api2/teams/{id}", tag = "teams", operation_id = "deleteTeam",
    params(("id" = String, Path, description = "The team's id.")),
    responses((status = 204, description = "It is gone."),
        (status = 404, description = "There is no such team.", body = ErrorBody),
        (status = 409, description = "It is the only team of a channel, which would then be open to all, or of a user who is no administrator; or it has more than 900 members.", body = ErrorBody)))]
pub(super) async fn delete(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<TeamId>,
) -> Result<impl IntoResponse, ApiError> {
    let members = Arc::new(MembersRead(state.clone()));
    Ok(gone(&state.commander.delete_team(&asked.context, &asked.planner, id, members).await?))
}

/// Who is to join.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JoiningUsers)]
pub(super) struct JoiningUsers {
    #[schema(value_type = Vec<String>, max_items = 500)]
    user_ids: Vec<UserId>,
}

/// Put users into a team. Needs `EditUsers`, or an admin of the team.
#[utoipa::path(post, path = "/api2/teams/{id}/users", tag = "teams", operation_id = "addUsersToTeam",
    params(("id" = String, Path, description = "The team's id.")), request_body = JoiningUsers,
    responses((status = 200, description = "The team.", body = Shown),
        (status = 400, description = "One is no user of the account.", body = ErrorBody),
        (status = 403, description = "The caller may not.", body = ErrorBody),
        (status = 404, description = "There is no such team.", body = ErrorBody)))]
pub(super) async fn add_users(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<TeamId>,
    Json(JoiningUsers { user_ids }): Json<JoiningUsers>,
) -> Result<impl IntoResponse, ApiError> {
    let outcome = state.commander.add_users_to_team(&asked.context, &asked.planner, id, user_ids.clone()).await?;
    state.shown(&outcome, |team| team.users.extend(user_ids)).await
}

/// Take a user out of a team. Needs `EditUsers`, or an admin of the team.
#[utoipa::path(delete, path = "/api2/teams/{id}/users/{userId}", tag = "teams", operation_id = "removeUserFromTeam",
    params(("id" = String, Path, description = "The team's id."), ("userId" = String, Path, description = "The user's id.")),
    responses((status = 200, description = "The team.", body = Shown),
        (status = 403, description = "The caller may not.", body = ErrorBody),
        (status = 404, description = "There is no such team, or the user is not in it.", body = ErrorBody),
        (status = 409, description = "The user, who is no administrator, would be in no team.", body = ErrorBody)))]
pub(super) async fn remove_user(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathIds(id, user): PathIds<TeamId, UserId>,
) -> Result<impl IntoResponse, ApiError> {
    let outcome = state.commander.remove_user_from_team(&asked.context, &asked.planner, id, user).await?;
    state.shown(&outcome, |team| team.users.retain(|one| *one != user)).await
}

/// What is to join.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JoiningChannels)]
pub(super) struct JoiningChannels {
    #[schema(value_type = Vec<String>, max_items = 500)]
    channel_ids: Vec<ChannelId>,
}

/// Put channels that the caller sees into a team. Needs `EditTeamChannels`, or an admin of the team.
#[utoipa::path(post, path = "/api2/teams/{id}/channels", tag = "teams", operation_id = "addChannelsToTeam",
    params(("id" = String, Path, description = "The team's id.")), request_body = JoiningChannels,
    responses((status = 200, description = "The team.", body = Shown),
        (status = 400, description = "One is no channel that the caller sees.", body = ErrorBody),
        (status = 403, description = "The caller may not.", body = ErrorBody),
        (status = 404, description = "There is no such team.", body = ErrorBody)))]
pub(super) async fn add_channels(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<TeamId>,
    Json(JoiningChannels { channel_ids }): Json<JoiningChannels>,
) -> Result<impl IntoResponse, ApiError> {
    let outcome = state.commander.add_channels_to_team(&asked.context, &asked.planner, id, channel_ids.clone()).await?;
    state.shown(&outcome, |team| team.channels.extend(channel_ids)).await
}

/// Take a channel out of a team. Only for administrators of the account and admins of the team.
#[utoipa::path(delete, path = "/api2/teams/{id}/channel/{channelId}", tag = "teams", operation_id = "removeChannelFromTeam",
    params(("id" = String, Path, description = "The team's id."), ("channelId" = String, Path, description = "The channel's id.")),
    responses((status = 200, description = "It is not in the team any more."),
        (status = 403, description = "The caller may not.", body = ErrorBody),
        (status = 404, description = "There is no such team, or the channel is not in it.", body = ErrorBody),
        (status = 409, description = "The channel would be in no team, and open to all.", body = ErrorBody)))]
pub(super) async fn remove_channel(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathIds(id, channel): PathIds<TeamId, ChannelId>,
) -> Result<impl IntoResponse, ApiError> {
    let outcome = state.commander.remove_channel_from_team(&asked.context, &asked.planner, id, channel).await?;
    Ok((StatusCode::OK, written(&outcome), ()))
}
