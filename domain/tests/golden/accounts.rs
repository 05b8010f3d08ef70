//! Samples of what happens to accounts.

use std::collections::BTreeMap;

use palaver_domain::identity::{
    AccountEvent, AiThreshold, DeleteBy, Feature, Keycloak, Limits, Locale, Package, Privacy, Products, Shortener,
    ShortenerMode, Support, SupportAccess,
};

use crate::{Types, id, time};

pub fn accounts(types: &mut Types) {
    let at = time("2027-01-01T00:00:00Z");
    let features = |on| Feature::ALL.iter().map(|feature| (*feature, on)).collect::<BTreeMap<_, _>>();
    let keycloak = |secret_ref: Option<&str>, pub_key: Option<&str>| {
        let (secret_ref, pub_key) = (secret_ref.map(str::to_owned), pub_key.map(str::to_owned));
        AccountEvent::KeycloakSet { keycloak: Some(Keycloak { realm: "acme".to_owned(), secret_ref, pub_key }) }
    };
    let support = |access_status, access_until| AccountEvent::SupportAccessChanged {
        support: Support { access_status, access_until },
    };
    let privacy = |delete_by, recipients: &[&str]| {
        let report_recipients = recipients.iter().copied().map(str::to_owned).collect();
        let (report, day_range) = (!recipients.is_empty(), 14);
        AccountEvent::PrivacyChanged {
            privacy: Privacy { enabled: true, day_range, delete_by, report, report_recipients, delete_own: false },
        }
    };
    let shortener = |mode, url: Option<&str>| AccountEvent::ShortenerChanged {
        shortener: Shortener { mode, url: url.map(str::to_owned) },
    };
    let products = Products { inbox: true, cp: false, ml: true, ml_storage_limit_bytes: 1_073_741_824 };
    samples!(types, AccountEvent {
        Registered => [AccountEvent::Registered { id: id(0x11), name: "Acme".to_owned() }],
        Renamed => [AccountEvent::Renamed { name: "Acme & Co".to_owned() }],
        LocaleChanged => [
            AccountEvent::LocaleChanged { locale: Locale::En },
            AccountEvent::LocaleChanged { locale: Locale::De },
            AccountEvent::LocaleChanged { locale: Locale::Fr },
        ],
        PackageChanged => [
            AccountEvent::PackageChanged { package: Package::Trial },
            AccountEvent::PackageChanged { package: Package::Awesome },
            AccountEvent::PackageChanged { package: Package::Professional },
            AccountEvent::PackageChanged { package: Package::Enterprise },
        ],
        ProductsChanged => [AccountEvent::ProductsChanged { products }],
        LimitsChanged => [
            AccountEvent::LimitsChanged { limits: Limits::default() },
            AccountEvent::LimitsChanged {
                limits: Limits { channels: Some(10), users: Some(5), monitoring_results: Some(10_000) },
            },
        ],
        ExpirationSet => [
            AccountEvent::ExpirationSet { expiration_time: None },
            AccountEvent::ExpirationSet { expiration_time: Some(at) },
        ],
        TagsChanged => [AccountEvent::TagsChanged { tags: vec![] }, AccountEvent::TagsChanged { tags: vec!["a".to_owned()] }],
        CustomTagsChanged => [
            AccountEvent::CustomTagsChanged { custom_tags: vec![] },
            AccountEvent::CustomTagsChanged { custom_tags: vec!["spring".to_owned(), "fair".to_owned()] },
        ],
        SalesforceIdSet => [
            AccountEvent::SalesforceIdSet { salesforce_id: None },
            AccountEvent::SalesforceIdSet { salesforce_id: Some("001".to_owned()) },
        ],
        FeaturesChanged => [AccountEvent::FeaturesChanged { features: features(true) }],
        AvailableFeaturesChanged => [AccountEvent::AvailableFeaturesChanged { features: features(false) }],
        FeatureRequested => [AccountEvent::FeatureRequested { feature: Feature::SmartSentiments }],
        LinkedAccountsChanged => [
            AccountEvent::LinkedAccountsChanged { linked_accounts: vec![] },
            AccountEvent::LinkedAccountsChanged { linked_accounts: vec![id(0x21), id(0x22)] },
        ],
        KeycloakSet => [
            AccountEvent::KeycloakSet { keycloak: None },
            keycloak(None, None),
            keycloak(Some("0f0e0d0c-0b0a-4908-8706-050403020100"), Some("MIIB")),
        ],
        SupportAccessChanged => [
            support(SupportAccess::Never, None),
            support(SupportAccess::Temporary, Some(at)),
            support(SupportAccess::Permanent, None),
        ],
        PrivacyChanged => [
            privacy(DeleteBy::CreatedTime, &[]),
            privacy(DeleteBy::LastInteractionTime, &["ann@example.com"]),
        ],
        ShortenerChanged => [
            shortener(ShortenerMode::Off, None),
            shortener(ShortenerMode::Generic, None),
            shortener(ShortenerMode::Own, Some("https://s.example.com")),
        ],
        AiThresholdChanged => [
            AccountEvent::AiThresholdChanged { threshold: AiThreshold::SentimentPositive, value: 0.15 },
            AccountEvent::AiThresholdChanged { threshold: AiThreshold::SentimentNegative, value: 0.2 },
            AccountEvent::AiThresholdChanged { threshold: AiThreshold::AutoArchive, value: 0.3 },
            AccountEvent::AiThresholdChanged { threshold: AiThreshold::Category, value: 0.4 },
            AccountEvent::AiThresholdChanged { threshold: AiThreshold::ActionLike, value: 0.5 },
            AccountEvent::AiThresholdChanged { threshold: AiThreshold::ActionHide, value: 0.6 },
            AccountEvent::AiThresholdChanged { threshold: AiThreshold::ActionDelete, value: 0.7 },
            AccountEvent::AiThresholdChanged { threshold: AiThreshold::LikeBySentiment, value: 0.99 },
        ],
        Reactivated => [AccountEvent::Reactivated],
        TicketsArchived => [
            AccountEvent::TicketsArchived { channel_id: None, until: at },
            AccountEvent::TicketsArchived { channel_id: Some(id(0x13)), until: at },
        ],
    });
}
