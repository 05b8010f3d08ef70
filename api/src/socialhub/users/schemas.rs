//! How users look, for the OpenAPI document.

#![allow(dead_code, reason = "these types describe documents that the projections render")]

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct User {
    #[schema(rename = "_id")]
    id: String,
    account_id: String,
    user_name: String,
    email: Option<String>,
    first_name: String,
    last_name: String,
    phone: Option<String>,
    /// `en`, `de` or `fr`.
    locale: String,
    role: String,
    /// What the role grants, or what was chosen for a `CUSTOM` user.
    permissions: Vec<String>,
    teams: Vec<String>,
    /// Channels that the user may look at and not change.
    read_only_channel_ids: Vec<String>,
    /// The client's own.
    settings: BTreeMap<String, Value>,
    created_time: DateTime<Utc>,
    updated_time: DateTime<Utc>,
    /// Whether somebody vouches for the user, or a mail has reached them. Nobody else logs in.
    verified: bool,
    /// Whether a login takes a second factor.
    two_factor: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserSummary {
    #[serde(rename = "_id")]
    pub id: String,
    pub first_name: String,
    pub last_name: String,
}

/// What is refused by `InvalidUserUpdate`.
#[derive(ToSchema)]
pub(super) struct InvalidUserUpdate {
    /// `InvalidUserUpdate`, or `ConflictError`, which has no data.
    code: String,
    message: String,
    data: Option<FailedUpdates>,
}

#[derive(ToSchema)]
pub(super) struct FailedUpdates {
    failed: Vec<FailedUpdate>,
}

#[derive(ToSchema)]
pub(super) struct FailedUpdate {
    /// The attribute.
    key: String,
    /// Such as `updatingOwnRole` or `incorrectPassword`.
    reason: String,
}
