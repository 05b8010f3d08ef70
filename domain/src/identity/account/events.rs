//! What happens to an account.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use super::{AiThreshold, Feature, Keycloak, Limits, Package, Privacy, Products, Shortener, Support};
use crate::{AccountId, ChannelId, Locale};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum AccountEvent {
    Registered {
        id: AccountId,
        name: String,
    },
    Renamed {
        name: String,
    },
    LocaleChanged {
        locale: Locale,
    },
    PackageChanged {
        package: Package,
    },
    ProductsChanged {
        products: Products,
    },
    LimitsChanged {
        limits: Limits,
    },
    ExpirationSet {
        expiration_time: Option<DateTime<Utc>>,
    },
    TagsChanged {
        tags: Vec<String>,
    },
    CustomTagsChanged {
        custom_tags: Vec<String>,
    },
    SalesforceIdSet {
        salesforce_id: Option<String>,
    },
    /// Those that were switched, and whether they are on now.
    FeaturesChanged {
        features: BTreeMap<Feature, bool>,
    },
    /// Those whose availability was changed, and whether the account may switch them on now.
    AvailableFeaturesChanged {
        features: BTreeMap<Feature, bool>,
    },
    FeatureRequested {
        feature: Feature,
    },
    LinkedAccountsChanged {
        linked_accounts: Vec<AccountId>,
    },
    /// `None`: nobody logs in by an identity provider any more.
    KeycloakSet {
        keycloak: Option<Keycloak>,
    },
    SupportAccessChanged {
        support: Support,
    },
    PrivacyChanged {
        privacy: Privacy,
    },
    ShortenerChanged {
        shortener: Shortener,
    },
    AiThresholdChanged {
        threshold: AiThreshold,
        value: f64,
    },
    /// An expired account may work again, without an end.
    Reactivated,
    /// Tickets that came before `until` are done with: those of one channel, or of all.
    TicketsArchived {
        channel_id: Option<ChannelId>,
        until: DateTime<Utc>,
    },
}

impl DomainEvent for AccountEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Registered { .. } => "AccountRegistered",
            Self::Renamed { .. } => "AccountRenamed",
            Self::LocaleChanged { .. } => "AccountLocaleChanged",
            Self::PackageChanged { .. } => "AccountPackageChanged",
            Self::ProductsChanged { .. } => "AccountProductsChanged",
            Self::LimitsChanged { .. } => "AccountLimitsChanged",
            Self::ExpirationSet { .. } => "AccountExpirationSet",
            Self::TagsChanged { .. } => "AccountTagsChanged",
            Self::CustomTagsChanged { .. } => "AccountCustomTagsChanged",
            Self::SalesforceIdSet { .. } => "AccountSalesforceIdSet",
            Self::FeaturesChanged { .. } => "AccountFeaturesChanged",
            Self::AvailableFeaturesChanged { .. } => "AccountAvailableFeaturesChanged",
            Self::FeatureRequested { .. } => "AccountFeatureRequested",
            Self::LinkedAccountsChanged { .. } => "AccountLinkedAccountsChanged",
            Self::KeycloakSet { .. } => "AccountKeycloakSet",
            Self::SupportAccessChanged { .. } => "AccountSupportAccessChanged",
            Self::PrivacyChanged { .. } => "AccountPrivacyChanged",
            Self::ShortenerChanged { .. } => "AccountShortenerChanged",
            Self::AiThresholdChanged { .. } => "AccountAiThresholdChanged",
            Self::Reactivated => "AccountReactivated",
            Self::TicketsArchived { .. } => "AccountTicketsArchived",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
