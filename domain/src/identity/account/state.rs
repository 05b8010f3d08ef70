//! What is known of an account, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AiThreshold, Bundle, Feature};
use crate::{AccountId, Locale};

/// Bytes of the media library that a new account may fill. Source: seed 003, `POST /accounts`, `mlStorageLimit`.
pub const ML_STORAGE_BYTES_DEFAULT: u64 = 1_073_741_824;

/// What the customer pays for. Source: seed 003, `GET /`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Package {
    Trial,
    Awesome,
    Professional,
    Enterprise,
}

impl Package {
    pub const ALL: [Self; 4] = [Self::Trial, Self::Awesome, Self::Professional, Self::Enterprise];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trial => "TRIAL",
            Self::Awesome => "AWESOME",
            Self::Professional => "PROFESSIONAL",
            Self::Enterprise => "ENTERPRISE",
        }
    }
}

/// A part of Palaver that an account works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Product {
    Inbox,
    /// The content planner.
    Cp,
    /// The media library.
    Ml,
}

/// Which parts of Palaver an account works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Products {
    pub inbox: bool,
    pub cp: bool,
    pub ml: bool,
    pub ml_storage_limit_bytes: u64,
}

impl Products {
    pub const ALL: Self = Self { inbox: true, cp: true, ml: true, ml_storage_limit_bytes: ML_STORAGE_BYTES_DEFAULT };

    pub const fn has(&self, product: Product) -> bool {
        match product {
            Product::Inbox => self.inbox,
            Product::Cp => self.cp,
            Product::Ml => self.ml,
        }
    }
}

/// How much of something an account may have; as much as it likes of what has no number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    pub channels: Option<u32>,
    pub users: Option<u32>,
    /// Results of all searches a month.
    pub monitoring_results: Option<u32>,
}

/// Where an account's users log in by their own identity provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Keycloak {
    pub realm: String,
    /// Names the client's secret in the vault.
    pub secret_ref: Option<String>,
    pub pub_key: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SupportAccess {
    #[default]
    Never,
    Temporary,
    Permanent,
}

/// Whether those who run the service may look into the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Support {
    pub access_status: SupportAccess,
    /// Of temporary access alone.
    pub access_until: Option<DateTime<Utc>>,
}

impl Support {
    pub fn is_open_at(&self, now: DateTime<Utc>) -> bool {
        match self.access_status {
            SupportAccess::Never => false,
            SupportAccess::Temporary => self.access_until.is_some_and(|until| now < until),
            SupportAccess::Permanent => true,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DeleteBy {
    #[default]
    CreatedTime,
    LastInteractionTime,
}

/// After how long what customers wrote is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Privacy {
    pub enabled: bool,
    pub day_range: u16,
    pub delete_by: DeleteBy,
    pub report: bool,
    pub report_recipients: Vec<String>,
    pub delete_own: bool,
}

impl Default for Privacy {
    fn default() -> Self {
        Self {
            enabled: false,
            day_range: 365,
            delete_by: DeleteBy::default(),
            report: false,
            report_recipients: Vec::new(),
            delete_own: false,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ShortenerMode {
    #[default]
    Off,
    /// By Palaver's own address.
    Generic,
    /// By an address of the account's.
    Own,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Shortener {
    pub mode: ShortenerMode,
    pub url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountState {
    pub id: AccountId,
    pub name: String,
    pub locale: Locale,
    pub package: Package,
    pub products: Products,
    /// What was switched on or off, whatever the package says.
    pub switched_features: BTreeMap<Feature, bool>,
    /// What was put within, or out of, the account's reach, whatever the package says.
    pub available_features: BTreeMap<Feature, bool>,
    pub requested_features: BTreeSet<Feature>,
    pub limits: Limits,
    pub expiration_time: Option<DateTime<Utc>>,
    pub tags: Vec<String>,
    pub custom_tags: Vec<String>,
    pub salesforce_id: Option<String>,
    /// The other side has to name this account, too: see [`AccountState::links`].
    pub linked_accounts: Vec<AccountId>,
    pub keycloak: Option<Keycloak>,
    pub support: Support,
    pub privacy: Privacy,
    pub shortener: Shortener,
    pub ai_thresholds: BTreeMap<AiThreshold, f64>,
}

impl AccountState {
    /// As registered: everything of the greatest package, without limits or end. Whoever sells narrows it.
    pub(super) fn registered(id: AccountId, name: String) -> Self {
        Self {
            id,
            name,
            locale: Locale::default(),
            package: Package::Enterprise,
            products: Products::ALL,
            switched_features: BTreeMap::new(),
            available_features: BTreeMap::new(),
            requested_features: BTreeSet::new(),
            limits: Limits::default(),
            expiration_time: None,
            tags: Vec::new(),
            custom_tags: Vec::new(),
            salesforce_id: None,
            linked_accounts: Vec::new(),
            keycloak: None,
            support: Support::default(),
            privacy: Privacy::default(),
            shortener: Shortener::default(),
            ai_thresholds: BTreeMap::new(),
        }
    }

    /// Whether the feature is on.
    pub fn has(&self, feature: Feature) -> bool {
        let switched = self.switched_features.get(&feature).copied();
        switched.unwrap_or_else(|| feature.bundle(self.package) == Bundle::Included)
    }

    /// Whether the account may switch the feature on by itself.
    pub fn may_use(&self, feature: Feature) -> bool {
        let available = self.available_features.get(&feature).copied();
        available.unwrap_or_else(|| feature.bundle(self.package) != Bundle::OnRequest)
    }

    /// The features that are on.
    pub fn features(&self) -> impl Iterator<Item = Feature> + '_ {
        Feature::ALL.iter().copied().filter(|feature| self.has(*feature))
    }

    /// Whether its users may work. Those who run the service may, whatever this says.
    pub fn is_open_at(&self, now: DateTime<Utc>) -> bool {
        self.expiration_time.is_none_or(|end| now < end)
    }

    /// Whether this account lets another one see its channels. A link holds when both sides say so.
    pub fn links(&self, other: AccountId) -> bool {
        self.linked_accounts.contains(&other)
    }

    pub fn ai_threshold(&self, threshold: AiThreshold) -> f64 {
        self.ai_thresholds.get(&threshold).copied().unwrap_or(threshold.default_value())
    }
}
