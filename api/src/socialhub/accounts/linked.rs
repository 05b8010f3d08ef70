//! The accounts that tickets can be handed to: those that are linked with one's own, each by its own word.

use axum::{extract::State, response::IntoResponse};
use palaver_projections::accounts::{self, LinkedAccount};
use serde::Serialize;
use serde_json::Value;

use crate::{
    auth::Caller,
    http::{ApiError, Json, ReadAfter},
    socialhub::SocialhubState,
};

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::socialhub) struct Linked {
    #[serde(rename = "_id")]
    id: String,
    name: String,
    channels: Vec<LinkedChannel>,
}

/// As much of a channel as it takes to hand something to it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct LinkedChannel {
    #[serde(rename = "_id")]
    #[schema(value_type = String)]
    id: Value,
    #[schema(value_type = String)]
    name: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    #[schema(value_type = Option<String>)]
    image_url: Value,
    #[schema(value_type = String)]
    social_network: Value,
}

impl From<LinkedAccount> for Linked {
    fn from(account: LinkedAccount) -> Self {
        let channels = account.channels.into_iter().map(|mut channel| {
            let mut take = |name| channel.get_mut(name).map(Value::take).unwrap_or_default();
            LinkedChannel {
                id: take("_id"),
                name: take("name"),
                image_url: take("imageUrl"),
                social_network: take("socialNetwork"),
            }
        });
        Self { channels: channels.collect(), id: account.id, name: account.name }
    }
}

/// List the accounts that are linked with the caller's, and their active channels.
///
/// A link holds when both accounts name each other in `linkedAccounts`. An account that has ended is left out.
#[utoipa::path(get, path = "/api2/accounts/linked", tag = "accounts", operation_id = "listLinkedAccounts",
    responses((status = 200, description = "The accounts, with at most 10,000 channels in all.", body = Vec<Linked>)))]
pub(in crate::socialhub) async fn linked(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
) -> Result<impl IntoResponse, ApiError> {
    state.caught_up(&["accounts", "channels"], after).await?;
    let linked = accounts::linked(&state.pool, caller.tenant, state.commander.clock().now()).await?;
    Ok(Json(linked.into_iter().map(Linked::from).collect::<Vec<_>>()))
}
