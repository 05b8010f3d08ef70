//! How answers look, for the OpenAPI document. What the read models keep ready to send is described here and passed
//! through as it is.

#![allow(dead_code, reason = "these types describe documents that the projections render")]

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use utoipa::ToSchema;

/// A page of documents, and how many there are in all.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    pub count: i64,
    pub data: Vec<Box<RawValue>>,
}

#[derive(ToSchema)]
pub(super) struct PostGroup {
    #[schema(rename = "_id")]
    id: String,
    #[schema(rename = "accountId")]
    account_id: String,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct PostChannel {
    id: String,
    unique_name: String,
    social_network: String,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct PostFlags {
    needs_attention: bool,
    imported: bool,
    promoted: bool,
    darkpost: bool,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Post {
    #[schema(rename = "_id")]
    id: String,
    account_id: String,
    post_group_id: String,
    channel: PostChannel,
    /// `preDraft`, `draft`, `needsApproval`, `scheduled`, `publishing`, `published` or `failedToPublish`.
    status: String,
    flags: PostFlags,
    tags: Vec<String>,
    categories: Vec<String>,
    author: String,
    suggestion_author: Option<String>,
    assignee: Option<String>,
    /// Text, media, links and what one network alone knows.
    content: BTreeMap<String, Value>,
    created_time: DateTime<Utc>,
    updated_time: DateTime<Utc>,
    publish_time: Option<DateTime<Utc>>,
    publish_time_zone: Option<String>,
    network_url: Option<String>,
    story_workaround: Option<StoryWorkaround>,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct StoryWorkaround {
    publisher: String,
    reminder_time: Option<DateTime<Utc>>,
}

/// Some of a post. What only the service sets is ignored.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct PostPatch {
    content: Option<BTreeMap<String, Value>>,
    /// With an offset, which names the zone when `publishTimeZone` does not.
    publish_time: Option<DateTime<Utc>>,
    publish_time_zone: Option<String>,
    tags: Option<Vec<String>>,
    categories: Option<Vec<String>>,
    assignee: Option<String>,
    story_workaround: Option<StoryWorkaround>,
    /// Only `needsAttention: false` does something.
    flags: Option<BTreeMap<String, bool>>,
}

#[derive(ToSchema)]
pub(super) struct PostList {
    count: i64,
    data: Vec<Post>,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct PostCounts {
    draft: i64,
    needs_approval: i64,
    scheduled: i64,
    publishing: i64,
    published: i64,
    failed_to_publish: i64,
    needs_attention: i64,
}

/// A local day. `data` has a number for each network that has posts, such as `facebook`.
#[derive(ToSchema)]
pub(super) struct PostAggregate {
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    data: BTreeMap<String, i64>,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct FeedItem {
    #[schema(rename = "_id")]
    id: String,
    account_id: String,
    channel_id: String,
    post_id: String,
    /// `COMMENT`, `HISTORY` or `SYSTEMMESSAGE`.
    #[schema(rename = "type")]
    kind: String,
    message: Option<String>,
    user_id: Option<String>,
    key: Option<String>,
    created_time: DateTime<Utc>,
    data: Option<BTreeMap<String, Value>>,
}

#[derive(ToSchema)]
pub(super) struct Feed {
    count: i64,
    data: Vec<FeedItem>,
}

#[derive(ToSchema)]
pub(super) struct Products {
    cp: bool,
    inbox: bool,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Channel {
    #[schema(rename = "_id")]
    id: String,
    name: String,
    unique_name: String,
    social_network: String,
    image_url: Option<String>,
    products: Products,
}

#[derive(ToSchema)]
pub(super) struct ChannelList {
    count: i64,
    data: Vec<Channel>,
}

/// What a sandbox channel has accepted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SandboxItem {
    /// The idempotency key it was sent under.
    pub key: String,
    pub item_id: String,
    pub url: String,
    #[schema(value_type = Object)]
    pub content: Value,
    /// How often it was sent. More than once would be a fault.
    pub submissions: i32,
    #[serde(serialize_with = "palaver_projections::times::serialize")]
    pub accepted_time: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SandboxItems {
    pub count: i64,
    pub data: Vec<SandboxItem>,
}

/// All of an account but its secrets. What is not set is left out.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Account {
    #[schema(rename = "_id")]
    id: String,
    name: String,
    created_time: DateTime<Utc>,
    /// From then on, its users can not log in.
    expiration_time: Option<DateTime<Utc>>,
    /// `en`, `de` or `fr`.
    locale: String,
    /// `TRIAL`, `AWESOME`, `PROFESSIONAL` or `ENTERPRISE`.
    package: String,
    products: AccountProducts,
    channel_limit: Option<u32>,
    user_limit: Option<u32>,
    monitoring_result_limit: Option<u32>,
    /// Every feature, and whether it is on.
    features: BTreeMap<String, bool>,
    /// Every feature, and whether the account may switch it on by itself.
    available_features: BTreeMap<String, bool>,
    tags: Vec<String>,
    custom_tags: Vec<String>,
    salesforce_id: Option<String>,
    linked_accounts: Vec<String>,
    manifest_ids: Vec<String>,
    shortener: AccountShortener,
    privacy: AccountPrivacy,
    support: AccountSupport,
    keycloak: Option<AccountKeycloak>,
}

#[derive(ToSchema)]
pub(super) struct AccountProducts {
    inbox: AccountProduct,
    cp: AccountProduct,
    ml: AccountMediaLibrary,
}

#[derive(ToSchema)]
pub(super) struct AccountProduct {
    enabled: bool,
}

#[derive(ToSchema)]
pub(super) struct AccountMediaLibrary {
    enabled: bool,
    storage: AccountStorage,
}

#[derive(ToSchema)]
pub(super) struct AccountStorage {
    /// Bytes.
    limit: u64,
}

#[derive(ToSchema)]
pub(super) struct AccountShortener {
    /// `OFF`, `GENERIC` or `OWN`.
    mode: String,
    url: Option<String>,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct AccountPrivacy {
    enabled: bool,
    day_range: u16,
    /// `createdTime` or `lastInteractionTime`.
    delete_by: String,
    report: bool,
    report_recipients: Vec<String>,
    delete_own: bool,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct AccountSupport {
    /// `never`, `temporary` or `permanent`.
    access_status: String,
    access_until: Option<DateTime<Utc>>,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct AccountKeycloak {
    realm: String,
    pub_key: Option<String>,
}
