//! What happens to an account.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{AiThreshold, Feature, Keycloak, Limits, Package, Privacy, Products, Shortener, Support};
use crate::{AccountId, ChannelId, Locale, event_types::event_types};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all_fields = "camelCase")]
pub enum AccountEvent {
    /// An account began: with all of the greatest package, without limits or an end.
    Registered { id: AccountId, name: String },
    /// The account has another name.
    Renamed { name: String },
    /// The account has another language.
    LocaleChanged { locale: Locale },
    /// The account has bought another package.
    PackageChanged { package: Package },
    /// The account works with these parts of Palaver now.
    ProductsChanged { products: Products },
    /// How much the account may have was changed.
    LimitsChanged { limits: Limits },
    /// The account ends at another time, or never.
    ExpirationSet { expiration_time: Option<DateTime<Utc>> },
    /// The account has these tags now, and no others.
    TagsChanged { tags: Vec<String> },
    /// The account has these tags of its own now, and no others.
    CustomTagsChanged { custom_tags: Vec<String> },
    /// Under which id the account is known to those who sell.
    SalesforceIdSet { salesforce_id: Option<String> },
    /// Features were switched; these are on, or off, now.
    FeaturesChanged {
        #[schemars(schema_with = "switches")]
        features: BTreeMap<Feature, bool>,
    },
    /// Features came within, or out of, the account's reach; these it may, or may not, switch on by itself now.
    AvailableFeaturesChanged {
        #[schemars(schema_with = "switches")]
        features: BTreeMap<Feature, bool>,
    },
    /// Somebody of the account asked for a feature that it can not switch on by itself.
    FeatureRequested { feature: Feature },
    /// The account names these accounts as linked now. A link holds when the other names this one, too.
    LinkedAccountsChanged { linked_accounts: Vec<AccountId> },
    /// The users log in by this identity provider; or by none any more.
    KeycloakSet { keycloak: Option<Keycloak> },
    /// Whether those who run the service may look into the account.
    SupportAccessChanged { support: Support },
    /// After how long what customers wrote is deleted was changed.
    PrivacyChanged { privacy: Privacy },
    /// Links in posts are shortened in another way.
    ShortenerChanged { shortener: Shortener },
    /// How sure a prediction must be before something is done on it.
    AiThresholdChanged {
        threshold: AiThreshold,
        /// From 0 to 1.
        value: f64,
    },
    /// An expired account may work again, without an end.
    Reactivated,
    /// Tickets that came before `until` are done with: those of one channel, or of all.
    TicketsArchived { channel_id: Option<ChannelId>, until: DateTime<Utc> },
}

event_types!(AccountEvent {
    Registered => "AccountRegistered",
    Renamed => "AccountRenamed",
    LocaleChanged => "AccountLocaleChanged",
    PackageChanged => "AccountPackageChanged",
    ProductsChanged => "AccountProductsChanged",
    LimitsChanged => "AccountLimitsChanged",
    ExpirationSet => "AccountExpirationSet",
    TagsChanged => "AccountTagsChanged",
    CustomTagsChanged => "AccountCustomTagsChanged",
    SalesforceIdSet => "AccountSalesforceIdSet",
    FeaturesChanged => "AccountFeaturesChanged",
    AvailableFeaturesChanged => "AccountAvailableFeaturesChanged",
    FeatureRequested => "AccountFeatureRequested",
    LinkedAccountsChanged => "AccountLinkedAccountsChanged",
    KeycloakSet => "AccountKeycloakSet",
    SupportAccessChanged => "AccountSupportAccessChanged",
    PrivacyChanged => "AccountPrivacyChanged",
    ShortenerChanged => "AccountShortenerChanged",
    AiThresholdChanged => "AccountAiThresholdChanged",
    Reactivated => "AccountReactivated",
    TicketsArchived => "AccountTicketsArchived",
});

/// Named by features, without naming each of them again.
fn switches(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": generator.subschema_for::<Feature>(),
        "additionalProperties": { "type": "boolean" },
    })
}
