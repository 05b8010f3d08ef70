//! Lists of an account's users: those of one's teams, those in no team, and oneself; administrators see all.

use axum::{extract::State, response::IntoResponse};
use palaver_domain::TeamId;
use palaver_projections::users::{self, UserFilter};
use serde::Deserialize;

use super::schemas;
use crate::{
    auth::Caller,
    http::{ApiError, ErrorBody, Json, Query, ReadAfter},
    socialhub::SocialhubState,
};

/// What the caller may see of the account's users.
fn visible(caller: &Caller) -> UserFilter {
    UserFilter {
        teams: (!caller.role.sees_all_channels()).then(|| caller.team_ids.clone()),
        myself: Some(caller.user),
        ..UserFilter::default()
    }
}

/// All users at once, as a client wants them when it starts.
#[utoipa::path(get, path = "/api2/users/summary", tag = "users", operation_id = "summarizeUsers",
    responses((status = 200, description = "Every user that the caller may see; of more than 10,000, the first created.", body = Vec<schemas::UserSummary>)))]
pub(in super::super) async fn summary(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
) -> Result<impl IntoResponse, ApiError> {
    state.caught_up(&["users"], after).await?;
    let users = users::summary(&state.pool, caller.tenant, &visible(&caller)).await?.into_iter();
    let users =
        users.map(|user| schemas::UserSummary { id: user.id, first_name: user.first_name, last_name: user.last_name });
    Ok(Json(users.collect::<Vec<_>>()))
}

/// Which users.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", default)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct Asking {
    /// Those with a mobile device, or those without.
    has_mobile_device: Option<bool>,
    /// Those of one team; together with `hasMobileDevice` only.
    #[param(value_type = Option<String>)]
    team_id: Option<TeamId>,
}

/// List users.
#[utoipa::path(get, path = "/api2/users", tag = "users", operation_id = "listUsers", params(Asking),
    responses((status = 200, description = "Every user that matches and that the caller may see; of more than 10,000, the first created.", body = Vec<schemas::User>),
        (status = 400, description = "A filter is not understood.", body = ErrorBody)))]
pub(in super::super) async fn list(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
    Query(asking): Query<Asking>,
) -> Result<impl IntoResponse, ApiError> {
    if asking.team_id.is_some() && asking.has_mobile_device.is_none() {
        return Err(ApiError::bad_request("`teamId` is for use together with `hasMobileDevice`"));
    }
    let filter = UserFilter { has_mobile_device: asking.has_mobile_device, team: asking.team_id, ..visible(&caller) };
    state.caught_up(&["users"], after).await?;
    Ok(Json(users::list(&state.pool, caller.tenant, &filter).await?))
}
