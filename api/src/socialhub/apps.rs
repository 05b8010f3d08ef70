//! `/apps`: the applications of an account, with their keys and their secret. An extension of the published API: the
//! bots' APIs need credentials, and this is where they come from. A key or a secret is told once, by the answer that
//! makes it.

use axum::{extract::State, http::StatusCode, response::IntoResponse};
use chrono::{DateTime, Utc};
use palaver_commands::identity::{AppAnswer, AppSecret, NewKey};
use palaver_domain::{AppId, KeyId};
use palaver_projections::apps::{self, APPS_PAGE_MAX};
use serde::Deserialize;
use serde_json::Value;

use super::{
    SocialhubState,
    context::{Asked, gone, written},
    schemas,
};
use crate::{
    auth::Caller,
    http::{ApiError, ErrorBody, Json, Paging, PathId, PathIds, ReadAfter},
};

const _: () = assert!(crate::http::COUNT_MAX <= APPS_PAGE_MAX);

/// What the credentials of an application look like in answers, for the document.
#[allow(dead_code, reason = "these types describe documents that the projections render")]
mod shown {
    use chrono::{DateTime, Utc};
    use utoipa::ToSchema;

    #[derive(ToSchema)]
    #[schema(as = AppKey, rename_all = "camelCase")]
    pub struct Key {
        #[schema(rename = "_id")]
        id: String,
        label: String,
        /// How the key begins.
        prefix: String,
        created_time: DateTime<Utc>,
        /// When it ends by itself.
        expiration_time: Option<DateTime<Utc>>,
        /// When somebody ended it.
        revoked_time: Option<DateTime<Utc>>,
    }

    #[derive(ToSchema)]
    #[schema(as = IssuedAppKey, rename_all = "camelCase")]
    pub struct IssuedKey {
        #[serde(flatten)]
        key: Key,
        /// The key itself, for the header `x-api-key`. Told here and never again; missing when the request repeats one
        /// that was carried out before.
        secret: Option<String>,
    }

    #[derive(ToSchema)]
    #[schema(rename_all = "camelCase")]
    pub struct App {
        /// A UUID: the `appId` of the bots' APIs.
        #[schema(rename = "_id")]
        id: String,
        name: String,
        created_time: DateTime<Utc>,
        /// When its secret was made; missing when it has none.
        secret_created_time: Option<DateTime<Utc>>,
        /// Those in force, and the last fifty that have ended.
        keys: Vec<Key>,
    }

    #[derive(ToSchema)]
    #[schema(as = AppWithSecret, rename_all = "camelCase")]
    pub struct WithSecret {
        #[serde(flatten)]
        app: App,
        /// The secret itself. Told here and never again; missing when the request repeats one that was carried out
        /// before.
        secret: Option<String>,
    }

    #[derive(ToSchema)]
    #[schema(as = AppList)]
    pub struct List {
        /// How many there are in all.
        count: i64,
        data: Vec<App>,
    }
}

fn shown(answer: &AppAnswer) -> Value {
    apps::render(&answer.app, answer.created_at)
}

/// The document with the secret that it tells of.
fn with_secret(mut document: Value, secret: Option<&AppSecret>) -> Value {
    if let (Some(fields), Some(secret)) = (document.as_object_mut(), secret) {
        fields.insert("secret".to_owned(), secret.expose().into());
    }
    document
}

/// List the account's applications, in the order they were registered.
#[utoipa::path(get, path = "/api2/apps", tag = "apps", operation_id = "listApps",
    params(("offset" = Option<i64>, Query, description = "Applications to skip, at most 100,000."),
        ("count" = Option<i64>, Query, description = "Applications to return, 0 to 500; 50 when left out.")),
    responses((status = 200, description = "A page of applications, and how many there are in all.", body = shown::List),
        (status = 400, description = "The page is not understood.", body = ErrorBody)))]
pub(super) async fn list(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
    paging: Paging,
) -> Result<impl IntoResponse, ApiError> {
    state.caught_up(&["apps"], after).await?;
    let found = apps::list(&state.pool, caller.tenant, (paging.offset, paging.count)).await?;
    Ok(Json(schemas::Listed { count: found.count, data: found.data }))
}

/// A new application.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = NewApp)]
pub(super) struct NewApp {
    #[schema(max_length = 254)]
    name: String,
}

/// Register an application. It has no key and no secret yet.
#[utoipa::path(post, path = "/api2/apps", tag = "apps", operation_id = "registerApp", request_body = NewApp,
    responses((status = 201, description = "The application.", body = shown::App),
        (status = 400, description = "The name is not valid.", body = ErrorBody)))]
pub(super) async fn register(
    State(state): State<SocialhubState>,
    asked: Asked,
    Json(body): Json<NewApp>,
) -> Result<impl IntoResponse, ApiError> {
    let outcome = state.commander.register_app(&asked.context, body.name).await?;
    Ok((StatusCode::CREATED, written(&outcome), Json(shown(&outcome.value))))
}

/// Read an application.
#[utoipa::path(get, path = "/api2/apps/{id}", tag = "apps", operation_id = "getApp",
    params(("id" = String, Path, description = "The application's id.")),
    responses((status = 200, description = "The application.", body = shown::App),
        (status = 404, description = "There is no such application.", body = ErrorBody)))]
pub(super) async fn get(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<AppId>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(Json(shown(&state.commander.app(&asked.context, id).await?)))
}

/// Delete an application. None of its credentials opens anything from now on.
#[utoipa::path(delete, path = "/api2/apps/{id}", tag = "apps", operation_id = "deleteApp",
    params(("id" = String, Path, description = "The application's id.")),
    responses((status = 204, description = "It is gone."),
        (status = 404, description = "There is no such application.", body = ErrorBody)))]
pub(super) async fn delete(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<AppId>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(gone(&state.commander.delete_app(&asked.context, id).await?))
}

/// A new key.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewAppKey)]
pub(super) struct AskedKey {
    /// What it is for.
    #[schema(max_length = 254)]
    label: String,
    /// When it ends by itself; never, when left out.
    expiration_time: Option<DateTime<Utc>>,
}

/// Issue a key. The answer is the only one that tells it.
#[utoipa::path(post, path = "/api2/apps/{id}/keys", tag = "apps", operation_id = "issueAppKey",
    params(("id" = String, Path, description = "The application's id.")), request_body = AskedKey,
    responses((status = 201, description = "The key.", body = shown::IssuedKey),
        (status = 400, description = "The label or the time is not valid.", body = ErrorBody),
        (status = 404, description = "There is no such application.", body = ErrorBody),
        (status = 409, description = "The application has twenty keys in force.", body = ErrorBody)))]
pub(super) async fn issue_key(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<AppId>,
    Json(body): Json<AskedKey>,
) -> Result<impl IntoResponse, ApiError> {
    let new = NewKey { label: body.label, expires_at: body.expiration_time };
    let told = state.commander.issue_app_key(&asked.context, id, new).await?;
    let key = with_secret(apps::render_key(&told.outcome.value), told.secret.as_ref());
    Ok((StatusCode::CREATED, written(&told.outcome), Json(key)))
}

/// Revoke a key. It opens nothing from now on.
#[utoipa::path(delete, path = "/api2/apps/{id}/keys/{keyId}", tag = "apps", operation_id = "revokeAppKey",
    params(("id" = String, Path, description = "The application's id."),
        ("keyId" = String, Path, description = "The key's id; not the key.")),
    responses((status = 204, description = "It is revoked."),
        (status = 404, description = "There is no such application, or it has no such key.", body = ErrorBody)))]
pub(super) async fn revoke_key(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathIds(id, key): PathIds<AppId, KeyId>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(gone(&state.commander.revoke_app_key(&asked.context, id, key).await?))
}

/// Give the application a new secret. The one before, and every token that was got with it, ends at once.
#[utoipa::path(post, path = "/api2/apps/{id}/secret", tag = "apps", operation_id = "rotateAppSecret",
    params(("id" = String, Path, description = "The application's id.")),
    responses((status = 200, description = "The application, with its secret.", body = shown::WithSecret),
        (status = 404, description = "There is no such application.", body = ErrorBody)))]
pub(super) async fn rotate_secret(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<AppId>,
) -> Result<impl IntoResponse, ApiError> {
    let told = state.commander.rotate_app_secret(&asked.context, id).await?;
    let app = with_secret(shown(&told.outcome.value), told.secret.as_ref());
    Ok((written(&told.outcome), Json(app)))
}
