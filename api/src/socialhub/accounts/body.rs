//! Accounts as clients send them. What a part of a body leaves out stays as it is, at every depth.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use palaver_domain::{
    AccountId, Locale,
    identity::{
        AccountChanges, AccountState, DeleteBy, Feature, Keycloak, Limits, ML_STORAGE_BYTES_DEFAULT, Package, Privacy,
        Products, SalesChanges, Shortener, ShortenerMode, Support, SupportAccess,
    },
};
use serde::Deserialize;

use crate::{http::given, settings::Secret};

/// A new account. Source: seed 003, `POST /accounts`.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewAccount)]
pub(in crate::socialhub) struct New {
    #[schema(max_length = 254)]
    name: String,
    /// `TRIAL`, `AWESOME`, `PROFESSIONAL` or `ENTERPRISE`.
    #[schema(value_type = String)]
    package: Package,
    /// `en`, `de` or `fr`.
    #[schema(value_type = String)]
    locale: Locale,
    channel_limit: Option<u32>,
    user_limit: Option<u32>,
    monitoring_result_limit: u32,
    products: NewProducts,
    expiration_time: Option<DateTime<Utc>>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewAccountProducts)]
struct NewProducts {
    /// Yes, when left out; as the other two.
    inbox: Option<bool>,
    cp: Option<bool>,
    ml: Option<bool>,
    /// Bytes; 1 GiB when left out.
    ml_storage_limit: Option<u64>,
}

impl NewProducts {
    fn products(&self) -> Products {
        Products {
            inbox: self.inbox.unwrap_or(true),
            cp: self.cp.unwrap_or(true),
            ml: self.ml.unwrap_or(true),
            ml_storage_limit_bytes: self.ml_storage_limit.unwrap_or(ML_STORAGE_BYTES_DEFAULT),
        }
    }
}

impl New {
    pub fn changes(self) -> AccountChanges {
        AccountChanges {
            name: Some(self.name),
            locale: Some(self.locale),
            sales: SalesChanges {
                package: Some(self.package),
                products: Some(self.products.products()),
                limits: Some(Limits {
                    channels: self.channel_limit,
                    users: self.user_limit,
                    monitoring_results: Some(self.monitoring_result_limit),
                }),
                expiration_time: Some(self.expiration_time),
                ..SalesChanges::default()
            },
            ..AccountChanges::default()
        }
    }
}

/// Some of an account. Fields that only the service sets are ignored, so an answer can be sent back as it came.
#[derive(Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccountPatch)]
pub(in crate::socialhub) struct Patch {
    #[schema(max_length = 254)]
    name: Option<String>,
    /// `en`, `de` or `fr`.
    #[schema(value_type = Option<String>)]
    locale: Option<Locale>,
    /// Each feature that is to be on, or off.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, bool>)]
    features: BTreeMap<Feature, bool>,
    /// Both accounts have to name each other.
    #[schema(value_type = Option<Vec<String>>)]
    linked_accounts: Option<Vec<AccountId>>,
    shortener: Option<PatchedShortener>,
    privacy: Option<PatchedPrivacy>,
    support: Option<PatchedSupport>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<PatchedKeycloak>)]
    keycloak: Option<Option<PatchedKeycloak>>,
    /// This and all that follows needs `EditAccountSalesSettings`.
    #[schema(value_type = Option<String>)]
    package: Option<Package>,
    products: Option<PatchedProducts>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    channel_limit: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    user_limit: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    monitoring_result_limit: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    expiration_time: Option<Option<DateTime<Utc>>>,
    tags: Option<Vec<String>>,
    custom_tags: Option<Vec<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    salesforce_id: Option<Option<String>>,
    /// Each feature that the account may switch on by itself, or may not.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, bool>)]
    available_features: BTreeMap<Feature, bool>,
}

#[derive(Clone, Default, Deserialize, utoipa::ToSchema)]
#[schema(as = AccountPatchShortener)]
struct PatchedShortener {
    /// `OFF`, `GENERIC` or `OWN`.
    #[schema(value_type = Option<String>)]
    mode: Option<ShortenerMode>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    url: Option<Option<String>>,
}

impl PatchedShortener {
    fn onto(self, now: &Shortener) -> Shortener {
        Shortener { mode: self.mode.unwrap_or(now.mode), url: self.url.unwrap_or_else(|| now.url.clone()) }
    }
}

#[derive(Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccountPatchPrivacy)]
struct PatchedPrivacy {
    enabled: Option<bool>,
    #[schema(minimum = 14, maximum = 5000)]
    day_range: Option<u16>,
    /// `createdTime` or `lastInteractionTime`.
    #[schema(value_type = Option<String>)]
    delete_by: Option<DeleteBy>,
    report: Option<bool>,
    report_recipients: Option<Vec<String>>,
    delete_own: Option<bool>,
}

impl PatchedPrivacy {
    fn onto(self, now: &Privacy) -> Privacy {
        Privacy {
            enabled: self.enabled.unwrap_or(now.enabled),
            day_range: self.day_range.unwrap_or(now.day_range),
            delete_by: self.delete_by.unwrap_or(now.delete_by),
            report: self.report.unwrap_or(now.report),
            report_recipients: self.report_recipients.unwrap_or_else(|| now.report_recipients.clone()),
            delete_own: self.delete_own.unwrap_or(now.delete_own),
        }
    }
}

#[derive(Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccountPatchSupport)]
struct PatchedSupport {
    /// `never`, `temporary` or `permanent`.
    #[schema(value_type = Option<String>)]
    access_status: Option<SupportAccess>,
    /// Of `temporary` alone.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    access_until: Option<Option<DateTime<Utc>>>,
}

impl PatchedSupport {
    /// An end that was set before goes with the status that it belonged to.
    fn onto(self, now: Support) -> Support {
        let access_status = self.access_status.unwrap_or(now.access_status);
        let kept = now.access_until.filter(|_| access_status == SupportAccess::Temporary);
        Support { access_status, access_until: self.access_until.unwrap_or(kept) }
    }
}

#[derive(Clone, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccountPatchKeycloak)]
struct PatchedKeycloak {
    /// Required the first time.
    realm: Option<String>,
    /// Kept in the vault, and never answered.
    #[schema(value_type = Option<String>, write_only)]
    secret: Option<Secret>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub_key: Option<Option<String>>,
}

impl PatchedKeycloak {
    fn onto(self, now: Option<&Keycloak>, secret_ref: Option<String>) -> Keycloak {
        Keycloak {
            realm: self.realm.or_else(|| now.map(|now| now.realm.clone())).unwrap_or_default(),
            secret_ref: secret_ref.or_else(|| now.and_then(|now| now.secret_ref.clone())),
            pub_key: self.pub_key.unwrap_or_else(|| now.and_then(|now| now.pub_key.clone())),
        }
    }
}

#[derive(Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[schema(as = AccountPatchProducts)]
struct PatchedProducts {
    inbox: Option<PatchedProduct>,
    cp: Option<PatchedProduct>,
    ml: Option<PatchedMediaLibrary>,
}

#[derive(Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[schema(as = AccountPatchProduct)]
struct PatchedProduct {
    enabled: Option<bool>,
}

#[derive(Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[schema(as = AccountPatchMediaLibrary)]
struct PatchedMediaLibrary {
    enabled: Option<bool>,
    storage: Option<PatchedStorage>,
}

#[derive(Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[schema(as = AccountPatchStorage)]
struct PatchedStorage {
    /// Bytes.
    limit: Option<u64>,
}

impl PatchedProducts {
    fn onto(self, now: Products) -> Products {
        let enabled = |product: Option<PatchedProduct>, now| product.and_then(|product| product.enabled).unwrap_or(now);
        let ml = self.ml.unwrap_or_default();
        let limit = ml.storage.and_then(|storage| storage.limit);
        Products {
            inbox: enabled(self.inbox, now.inbox),
            cp: enabled(self.cp, now.cp),
            ml: ml.enabled.unwrap_or(now.ml),
            ml_storage_limit_bytes: limit.unwrap_or(now.ml_storage_limit_bytes),
        }
    }
}

impl Patch {
    /// The secret that is to go into the vault.
    pub fn secret(&self) -> Option<&Secret> {
        self.keycloak.as_ref()?.as_ref()?.secret.as_ref()
    }

    /// What is wanted of the account as it is, with a new secret lying where `secret_ref` says.
    pub fn onto(self, now: &AccountState, secret_ref: Option<String>) -> AccountChanges {
        let limits = Limits {
            channels: self.channel_limit.unwrap_or(now.limits.channels),
            users: self.user_limit.unwrap_or(now.limits.users),
            monitoring_results: self.monitoring_result_limit.unwrap_or(now.limits.monitoring_results),
        };
        AccountChanges {
            name: self.name,
            locale: self.locale,
            features: self.features,
            linked_accounts: self.linked_accounts,
            keycloak: self.keycloak.map(|given| given.map(|given| given.onto(now.keycloak.as_ref(), secret_ref))),
            support: self.support.map(|given| given.onto(now.support)),
            privacy: self.privacy.map(|given| given.onto(&now.privacy)),
            shortener: self.shortener.map(|given| given.onto(&now.shortener)),
            sales: SalesChanges {
                package: self.package,
                products: self.products.map(|given| given.onto(now.products)),
                limits: Some(limits),
                expiration_time: self.expiration_time,
                tags: self.tags,
                custom_tags: self.custom_tags,
                salesforce_id: self.salesforce_id,
                available_features: self.available_features,
            },
        }
    }
}
