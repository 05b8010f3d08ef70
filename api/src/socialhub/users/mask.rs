//! `/api2/users/{userId}/mask`: an operator acts as a user.

use axum::{extract::State, response::IntoResponse};
use palaver_domain::UserId;

use crate::{
    auth::Caller,
    http::{ApiError, ErrorBody, ErrorCode, PathId},
    socialhub::{SocialhubState, context::Asked},
};

/// Act as a user of any account, for an hour.
///
/// The user's history tells of it, and every event of the session names the operator.
#[utoipa::path(post, path = "/api2/users/{userId}/mask", tag = "users", operation_id = "maskAsUser",
    params(("userId" = String, Path, description = "The id of the user to act as.")),
    responses((status = 204, description = "The session's token is in the header `accesstoken`, and in the cookie of that name."),
        (status = 403, description = "The caller is no super administrator, or acts as somebody else already; or the user is one who runs the service, too.", body = ErrorBody),
        (status = 404, description = "There is no such user.", body = ErrorBody)))]
pub(in crate::socialhub) async fn mask(
    State(state): State<SocialhubState>,
    caller: Caller,
    asked: Asked,
    PathId(id): PathId<UserId>,
) -> Result<impl IntoResponse, ApiError> {
    let denied = |message: &str| Err(ApiError::new(ErrorCode::AccessDenied, message));
    if caller.masked_by.is_some() {
        return denied("whoever acts as somebody else can not act as yet another; log out first");
    }
    let sessions = state.commander.sessions();
    // Of whatever account: the route's permission is for all of them.
    let Some(user) = sessions.user(id).await? else { return Err(ApiError::not_found("there is no such user")) };
    if user.role.is_operator() {
        return denied("nobody acts as one who runs the service");
    }
    let opened = sessions.mask(&asked.context, &user, caller.user).await?;
    state.let_in(&opened).await
}
