//! Accounts one by one, and the list of those that the caller may see.

use axum::{extract::State, http::StatusCode, response::IntoResponse};
use palaver_commands::identity::NewSecret;
use palaver_domain::{
    AccountId, Failure, FailureKind, FieldErrors,
    identity::{Account, AiThreshold, Permission},
};
use palaver_eventstore::{StreamId, vault::SECRET_BYTES_MAX};
use palaver_projections::accounts;
use serde::Deserialize;

use super::{answer, body::Patch, within};
use crate::{
    auth::Caller,
    http::{ApiError, EntityTag, ErrorBody, IfMatch, Json, Paging, PathId, ReadAfter},
    settings::Secret,
    socialhub::{
        SocialhubState,
        context::{Asked, written},
        schemas,
    },
};

/// List accounts.
///
/// Who may see all accounts gets them page by page, the oldest first; anybody else gets their own.
#[utoipa::path(get, path = "/api2/accounts", tag = "accounts", operation_id = "listAccounts",
    params(("offset" = Option<i64>, Query, description = "Accounts to skip, at most 100,000."),
        ("count" = Option<i64>, Query, description = "Accounts to return, 0 to 500; 50 when left out.")),
    responses((status = 200, description = "The accounts.", body = Vec<schemas::Account>),
        (status = 400, description = "A bound is not understood.", body = ErrorBody)))]
pub(in crate::socialhub) async fn list(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
    paging: Paging,
) -> Result<impl IntoResponse, ApiError> {
    state.caught_up(&["accounts"], after).await?;
    if caller.permissions.contains(Permission::ViewAllAccounts) {
        return Ok(Json(accounts::list(&state.pool, (paging.offset, paging.count)).await?));
    }
    let own = accounts::document(&state.pool, caller.tenant).await?;
    Ok(Json(vec![own.ok_or_else(|| ApiError::not_found("there is no such account"))?]))
}

/// Read an account: one's own, or any for those who may see all.
#[utoipa::path(get, path = "/api2/accounts/{id}", tag = "accounts", operation_id = "getAccount",
    params(("id" = String, Path, description = "The account's id.")),
    responses((status = 200, description = "The account.", body = schemas::Account),
        (status = 404, description = "There is no such account, or not for the caller.", body = ErrorBody)))]
pub(in crate::socialhub) async fn get(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<AccountId>,
) -> Result<impl IntoResponse, ApiError> {
    let context = within(&asked, id, Permission::EditAccount, Permission::ViewAllAccounts)?;
    let found = state.commander.account(context.tenant).await?;
    Ok((EntityTag(found.sequence), Json(accounts::render(&found.account, found.created_at))))
}

/// A secret that is worth keeping, as the vault takes it.
fn check_secret(secret: &Secret) -> Result<&[u8], ApiError> {
    let code = match secret.expose().len() {
        0 => "required",
        bytes if bytes > SECRET_BYTES_MAX => "tooLong",
        _ => return Ok(secret.expose().as_bytes()),
    };
    let errors = FieldErrors::from([("keycloak.secret".to_owned(), vec![code.to_owned()])]);
    Err(Failure::new(FailureKind::Invalid, "ValidationError", "the secret can not be kept").with_fields(errors).into())
}

/// Change some of an account.
///
/// What it has bought (package, products, limits, end, tags, available features) changes with
/// `EditAccountSalesSettings` alone; without it, these may be sent as they are. Features that are available can be
/// switched on and off by the account. An account is linked with another when each names the other.
#[utoipa::path(patch, path = "/api2/accounts/{id}", tag = "accounts", operation_id = "updateAccount",
    params(("id" = String, Path, description = "The account's id."), IfMatch), request_body = Patch,
    responses((status = 200, description = "The account.", body = schemas::Account),
        (status = 400, description = "A value is not valid.", body = ErrorBody),
        (status = 403, description = "What the account has bought is not the caller's to change.", body = ErrorBody),
        (status = 404, description = "There is no such account, or not for the caller.", body = ErrorBody),
        (status = 409, description = "The Keycloak realm is another account's.", body = ErrorBody)))]
pub(in crate::socialhub) async fn patch(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<AccountId>,
    Json(patch): Json<Patch>,
) -> Result<impl IntoResponse, ApiError> {
    let asked = asked.only_if_unchanged(StreamId::of::<Account>(id));
    let context = within(&asked, id, Permission::EditAccount, Permission::EditAllAccounts)?;
    let sales = asked.planner.permissions.contains(Permission::EditAccountSalesSettings);
    let secret = match patch.secret() {
        Some(secret) => Some(NewSecret { vault: &state.secrets.vault, secret: check_secret(secret)? }),
        None => None,
    };
    let wanted = patch.clone();
    let changes = move |now: &_, secret_ref| wanted.clone().onto(now, secret_ref);
    Ok(answer(&state.commander.change_account(&context, sales, secret, changes).await?))
}

/// A threshold, and what it is to be.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = NewThreshold)]
pub(in crate::socialhub) struct NewThreshold {
    /// The `updateField` of a setting in `GET /settings/aiConfigPanel`.
    #[schema(min_length = 1, max_length = 512)]
    field: String,
    #[schema(minimum = 0.15, maximum = 0.99)]
    value: f64,
}

/// Set how sure a prediction must be before something is done on it.
#[utoipa::path(post, path = "/api2/accounts/updateAiThresholds", tag = "accounts", operation_id = "updateAiThresholds",
    request_body = NewThreshold,
    responses((status = 204, description = "It is set."),
        (status = 400, description = "The value is out of range.", body = ErrorBody),
        (status = 404, description = "The panel has no such field.", body = ErrorBody),
        (status = 409, description = "The feature that acts on it is not active.", body = ErrorBody)))]
pub(in crate::socialhub) async fn thresholds(
    State(state): State<SocialhubState>,
    asked: Asked,
    Json(body): Json<NewThreshold>,
) -> Result<impl IntoResponse, ApiError> {
    let threshold: AiThreshold =
        body.field.parse().map_err(|_| ApiError::not_found("the panel has no such field; see its `updateField`s"))?;
    let outcome = state.commander.set_ai_threshold(&asked.context, threshold, body.value).await?;
    Ok((StatusCode::NO_CONTENT, written(&outcome), ()))
}
