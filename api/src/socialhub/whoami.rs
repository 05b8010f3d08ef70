//! `GET /`: who asks, what they may do and see, and what their account has.

use std::collections::BTreeMap;

use axum::{extract::State, response::IntoResponse};
use chrono::{DateTime, Utc};
use palaver_domain::{
    AccountId, ChannelId, Locale, UserId,
    identity::{Feature, Package, Permissions, Products, Role},
};
use palaver_projections::{accounts, channels, times, users};
use serde::{Serialize, Serializer};

use super::{SocialhubState, context::teams_of};
use crate::{
    auth::Caller,
    http::{ApiError, Json, ReadAfter},
};

/// The caller, their account, and the channels that their teams open to them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WhoAmI {
    #[schema(value_type = String)]
    account_id: AccountId,
    account_name: String,
    #[schema(value_type = String)]
    user_id: UserId,
    user_name: String,
    /// `en`, `de` or `fr`.
    #[schema(value_type = String)]
    locale: Locale,
    /// What somebody may do is told by `permissions`.
    #[schema(value_type = String)]
    role: Role,
    #[schema(value_type = Vec<String>)]
    permissions: Permissions,
    #[schema(value_type = Vec<String>)]
    active_channel_ids: Vec<ChannelId>,
    /// Those that are not active, too.
    #[schema(value_type = Vec<String>)]
    channel_ids: Vec<ChannelId>,
    #[schema(value_type = Vec<String>)]
    read_only_channel_ids: Vec<ChannelId>,
    /// Every feature, and whether it is on.
    features: BTreeMap<&'static str, bool>,
    products: OpenProducts,
    /// `TRIAL`, `AWESOME`, `PROFESSIONAL` or `ENTERPRISE`.
    #[schema(value_type = String)]
    package: Package,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shown")]
    expiration_time: Option<DateTime<Utc>>,
    /// As far as a token of that login is still kept.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shown")]
    last_login_time: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct OpenProducts {
    inbox: bool,
    cp: bool,
    ml: bool,
}

fn shown<S: Serializer>(time: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => times::serialize(time, serializer),
        None => serializer.serialize_none(),
    }
}

/// Tell who asks.
#[utoipa::path(get, path = "/api2/", tag = "general", operation_id = "whoAmI",
    responses((status = 200, description = "The caller, and what they have to do with.", body = WhoAmI)))]
pub(super) async fn whoami(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
) -> Result<impl IntoResponse, ApiError> {
    state.caught_up(&["accounts", "channels", "users"], after).await?;
    let account = accounts::find(&state.pool, caller.tenant).await?;
    let account = account.ok_or_else(|| ApiError::not_found("there is no such account"))?;
    let visible = channels::visible(&state.pool, caller.tenant, &teams_of(&caller)).await?;
    let locale = users::locale(&state.pool, caller.tenant, caller.user).await?;
    let Products { inbox, cp, ml, .. } = account.products;
    Ok(Json(WhoAmI {
        account_id: caller.tenant,
        user_id: caller.user,
        locale,
        role: caller.role,
        permissions: caller.permissions,
        active_channel_ids: visible.iter().filter(|(_, active)| *active).map(|(id, _)| *id).collect(),
        channel_ids: visible.into_iter().map(|(id, _)| id).collect(),
        features: Feature::ALL.iter().map(|feature| (feature.as_str(), account.has(*feature))).collect(),
        products: OpenProducts { inbox, cp, ml },
        package: account.package,
        expiration_time: account.expiration_time,
        last_login_time: state.commander.last_login(caller.tenant, caller.user).await?,
        account_name: account.name,
        user_name: caller.user_name,
        read_only_channel_ids: caller.read_only_channel_ids,
    }))
}
