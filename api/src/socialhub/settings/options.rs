//! `GET /settings`: roles, permissions, networks, and the languages and countries that a search knows.

use axum::{extract::State, response::IntoResponse};
use palaver_domain::{
    channels::Network,
    identity::{Customizable, CustomizableKind, Permission, Permissions, Role},
};
use palaver_projections::{accounts, users};
use serde::{Deserialize, Serialize};

use super::{iso, words::Words};
use crate::{
    auth::Caller,
    http::{ApiError, Json, Query, ReadAfter},
    socialhub::SocialhubState,
};

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::socialhub) struct Settings {
    searches: Searches,
    roles: Roles,
    networks: Vec<OfferedNetwork>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Searches {
    /// ISO 639-1.
    #[schema(value_type = Vec<String>)]
    language_values: &'static [&'static str],
    /// ISO 3166-1 alpha-2.
    #[schema(value_type = Vec<String>)]
    country_values: &'static [&'static str],
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Roles {
    /// Those that the caller may give somebody.
    roles: Vec<OfferedRole>,
    /// Those that may be chosen one by one, and that the account has what they are about.
    permissions: Vec<OfferedPermission>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct OfferedRole {
    #[schema(value_type = String)]
    key: Role,
    title: &'static str,
    #[schema(value_type = Vec<String>)]
    permissions: Permissions,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct OfferedPermission {
    #[schema(value_type = String)]
    key: Permission,
    title: &'static str,
    description: &'static str,
    /// `general`, `inbox` or `cp`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: CustomizableKind,
    type_title: &'static str,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct OfferedNetwork {
    network: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    description: String,
    add_button_label: &'static str,
}

fn roles(words: &Words, operator: bool) -> Vec<OfferedRole> {
    let offered = Role::ALL.into_iter().filter(|role| operator || !role.is_operator());
    offered.map(|key| OfferedRole { key, title: words.role(key), permissions: key.permissions() }).collect()
}

fn networks(words: &Words) -> Vec<OfferedNetwork> {
    let all = Network::ALL.into_iter().map(|network| {
        let (title, description) = words.network(network);
        OfferedNetwork {
            network: network.as_str(),
            kind: "default",
            title,
            description,
            add_button_label: words.add_channel,
        }
    });
    all.collect()
}

/// Tell what can be chosen from, in the caller's language.
#[utoipa::path(get, path = "/api2/settings", tag = "settings", operation_id = "getSettings",
    responses((status = 200, description = "Roles, permissions, networks, languages and countries.", body = Settings)))]
pub(in crate::socialhub) async fn get(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
) -> Result<impl IntoResponse, ApiError> {
    state.caught_up(&["accounts", "users"], after).await?;
    let account = accounts::find(&state.pool, caller.tenant).await?;
    let account = account.ok_or_else(|| ApiError::not_found("there is no such account"))?;
    let words = Words::of(users::locale(&state.pool, caller.tenant, caller.user).await?);
    let permissions = Customizable::ALL.iter().filter(|one| one.is_met_by(&account)).map(|one| {
        let (title, description) = words.permission(one.permission);
        OfferedPermission { key: one.permission, title, description, kind: one.kind, type_title: words.kind(one.kind) }
    });
    Ok(Json(Settings {
        searches: Searches { language_values: &iso::LANGUAGES, country_values: &iso::COUNTRIES },
        roles: Roles { roles: roles(words, caller.role.is_operator()), permissions: permissions.collect() },
        networks: networks(words),
    }))
}

#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::socialhub) struct WhichManifests {
    /// Those of every account. For super administrators; nobody else gets more by it.
    all: bool,
}

/// List the manifests of custom channels.
///
/// No route registers a manifest yet, so there are none, whoever asks.
#[utoipa::path(get, path = "/api2/settings/manifests", tag = "settings", operation_id = "listManifests",
    params(WhichManifests),
    responses((status = 200, description = "No manifest yet.", body = Vec<Object>)))]
pub(in crate::socialhub) async fn manifests(
    Query(WhichManifests { all: _ }): Query<WhichManifests>,
) -> impl IntoResponse {
    Json::<[(); 0]>([])
}
