use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use cqrs_es::{
    Aggregate,
    test::{AggregateTestExecutor, TestFramework},
};
use palaver_domain::{
    AccountId, ChannelId, Failure, FailureKind,
    identity::{
        Account, AccountChanges, AccountCommand, AccountError, AccountEvent, AccountState, AiThreshold, Bundle,
        Customizable, DeleteBy, Feature, Keycloak, Limits, Locale, Package, Permission, Permissions, Privacy, Product,
        Products, Role, SalesChanges, Shortener, ShortenerMode, Support, SupportAccess,
    },
};

use super::{circumstances, fields, in_minutes, now};

/// A registered account to which this has happened.
fn history(more: &[AccountEvent]) -> Vec<AccountEvent> {
    let mut events = vec![AccountEvent::Registered { id: AccountId::default(), name: "Acme".to_owned() }];
    events.extend_from_slice(more);
    events
}

fn given(more: &[AccountEvent]) -> AggregateTestExecutor<Account> {
    TestFramework::with(circumstances()).given(history(more))
}

fn state(more: &[AccountEvent]) -> AccountState {
    let mut account = Account::default();
    history(more).into_iter().for_each(|event| account.apply(event));
    account.0.unwrap()
}

fn change(sales: bool, changes: AccountChanges) -> AccountCommand {
    AccountCommand::Change { changes: Box::new(changes), sales }
}

fn sell(sales: SalesChanges) -> AccountCommand {
    change(true, AccountChanges { sales, ..AccountChanges::default() })
}

fn switched(feature: Feature, on: bool) -> BTreeMap<Feature, bool> {
    BTreeMap::from([(feature, on)])
}

#[track_caller]
fn refused(changes: AccountChanges, expected: &[(&str, &[&str])]) {
    given(&[]).when(change(true, changes)).then_expect_error(AccountError::Invalid(fields(expected)));
}

fn expires(at: DateTime<Utc>) -> AccountEvent {
    AccountEvent::ExpirationSet { expiration_time: Some(at) }
}

#[test]
fn nothing_happens_to_an_account_that_nobody_registered() {
    for command in [
        change(true, AccountChanges::default()),
        AccountCommand::SetAiThreshold { threshold: AiThreshold::AutoArchive, value: 0.5 },
        AccountCommand::RequestFeature { feature: Feature::Smartbox },
        AccountCommand::Reactivate,
        AccountCommand::ArchiveTickets { channel_id: None, until: None },
    ] {
        TestFramework::<Account>::with(circumstances())
            .given_no_previous_events()
            .when(command)
            .then_expect_error(AccountError::NotFound);
    }
}

#[test]
fn a_change_is_told_only_where_something_differs() {
    let changes = || AccountChanges {
        name: Some("Acme & Co".to_owned()),
        locale: Some(Locale::De),
        linked_accounts: Some(vec![AccountId::from_bytes([1; 12])]),
        shortener: Some(Shortener { mode: ShortenerMode::Own, url: Some("https://s.example.com".to_owned()) }),
        sales: SalesChanges { package: Some(Package::Trial), ..SalesChanges::default() },
        ..AccountChanges::default()
    };
    let changed = vec![
        AccountEvent::PackageChanged { package: Package::Trial },
        AccountEvent::Renamed { name: "Acme & Co".to_owned() },
        AccountEvent::LocaleChanged { locale: Locale::De },
        AccountEvent::LinkedAccountsChanged { linked_accounts: vec![AccountId::from_bytes([1; 12])] },
        AccountEvent::ShortenerChanged { shortener: changes().shortener.unwrap() },
    ];
    given(&[]).when(change(true, changes())).then_expect_events(changed.clone());
    given(&changed).when(change(true, changes())).then_expect_events(vec![]);
    // Who sends all of the account back, with another name, changes the name.
    given(&[AccountEvent::PackageChanged { package: Package::Trial }])
        .when(change(false, AccountChanges { linked_accounts: None, shortener: None, locale: None, ..changes() }))
        .then_expect_events(vec![AccountEvent::Renamed { name: "Acme & Co".to_owned() }]);
}

#[test]
fn what_an_account_has_bought_is_changed_by_those_who_sell() {
    let sales = || SalesChanges {
        package: Some(Package::Professional),
        products: Some(Products { ml: false, ..Products::ALL }),
        limits: Some(Limits { channels: Some(3), ..Limits::default() }),
        expiration_time: Some(Some(in_minutes(5))),
        tags: Some(vec!["a".to_owned()]),
        custom_tags: Some(vec!["b".to_owned()]),
        salesforce_id: Some(Some("001".to_owned())),
        available_features: switched(Feature::Smartbox, true),
    };
    let changed = vec![
        AccountEvent::PackageChanged { package: Package::Professional },
        AccountEvent::ProductsChanged { products: sales().products.unwrap() },
        AccountEvent::LimitsChanged { limits: sales().limits.unwrap() },
        expires(in_minutes(5)),
        AccountEvent::TagsChanged { tags: vec!["a".to_owned()] },
        AccountEvent::CustomTagsChanged { custom_tags: vec!["b".to_owned()] },
        AccountEvent::SalesforceIdSet { salesforce_id: Some("001".to_owned()) },
        AccountEvent::AvailableFeaturesChanged { features: switched(Feature::Smartbox, true) },
    ];
    given(&[]).when(sell(sales())).then_expect_events(changed);
    let error = AccountError::SalesOnly(vec![
        "package",
        "products",
        "limits",
        "expirationTime",
        "tags",
        "customTags",
        "salesforceId",
        "availableFeatures",
    ]);
    let asked = AccountChanges { name: Some("B".to_owned()), sales: sales(), ..AccountChanges::default() };
    given(&[]).when(change(false, asked)).then_expect_error(error.clone());
    let failure = Failure::from(error);
    assert_eq!((failure.kind, failure.code), (FailureKind::Forbidden, "InsufficientPermissions"));
    assert!(failure.message.contains("package, products, limits"), "{}", failure.message);
}

#[test]
fn an_account_switches_the_features_that_it_may_use() {
    let switch = |feature, on, sales| {
        change(sales, AccountChanges { features: switched(feature, on), ..AccountChanges::default() })
    };
    let told = |feature, on| vec![AccountEvent::FeaturesChanged { features: switched(feature, on) }];
    let unavailable = |field: &str| AccountError::Invalid(fields(&[(field, &["notAvailable"])]));
    // Included, offered, to be asked for, and nobody's business.
    given(&[]).when(switch(Feature::Rules, false, false)).then_expect_events(told(Feature::Rules, false));
    given(&[]).when(switch(Feature::Rules, true, false)).then_expect_events(vec![]);
    given(&[]).when(switch(Feature::InboxAlerts, true, false)).then_expect_events(told(Feature::InboxAlerts, true));
    given(&[]).when(switch(Feature::Smartbox, true, false)).then_expect_error(unavailable("features.smartbox"));
    given(&[]).when(switch(Feature::Smartbox, true, true)).then_expect_events(told(Feature::Smartbox, true));
    given(&[AccountEvent::AvailableFeaturesChanged { features: switched(Feature::Smartbox, true) }])
        .when(switch(Feature::Smartbox, true, false))
        .then_expect_events(told(Feature::Smartbox, true));
    given(&told(Feature::Canary, true))
        .when(switch(Feature::Canary, false, false))
        .then_expect_error(unavailable("features.canary"));
    // A smaller package takes away what it does not include, but not what was switched.
    let package = AccountEvent::PackageChanged { package: Package::Professional };
    assert!(state(&[]).has(Feature::CustomPermissions));
    assert!(!state(std::slice::from_ref(&package)).has(Feature::CustomPermissions));
    let mut events = told(Feature::CustomPermissions, true);
    events.push(package);
    assert!(state(&events).has(Feature::CustomPermissions));
}

#[test]
fn a_feature_is_requested_once_until_it_is_granted() {
    let request = || AccountCommand::RequestFeature { feature: Feature::Smartbox };
    let requested = AccountEvent::FeatureRequested { feature: Feature::Smartbox };
    let active = AccountEvent::FeaturesChanged { features: switched(Feature::Smartbox, true) };
    let taken_back = AccountEvent::FeaturesChanged { features: switched(Feature::Smartbox, false) };
    given(&[]).when(request()).then_expect_events(vec![requested.clone()]);
    given(std::slice::from_ref(&requested))
        .when(request())
        .then_expect_error(AccountError::FeatureRequested(Feature::Smartbox));
    given(std::slice::from_ref(&active))
        .when(request())
        .then_expect_error(AccountError::FeatureActive(Feature::Smartbox));
    given(&[requested.clone(), active, taken_back]).when(request()).then_expect_events(vec![requested]);
    given(&[])
        .when(AccountCommand::RequestFeature { feature: Feature::Rules })
        .then_expect_error(AccountError::FeatureActive(Feature::Rules));
}

#[test]
fn every_field_of_an_account_is_checked_and_all_faults_are_told() {
    let long = "a".repeat(255);
    refused(
        AccountChanges {
            name: Some(" ".to_owned()),
            linked_accounts: Some(vec![AccountId::default(); 2]),
            keycloak: Some(Some(Keycloak { realm: String::new(), secret_ref: None, pub_key: Some(" ".to_owned()) })),
            shortener: Some(Shortener { mode: ShortenerMode::Own, url: None }),
            sales: SalesChanges {
                tags: Some(vec!["a".to_owned(), "a".to_owned()]),
                custom_tags: Some(vec![long.clone()]),
                salesforce_id: Some(Some(String::new())),
                products: Some(Products { ml_storage_limit_bytes: u64::MAX, ..Products::ALL }),
                expiration_time: Some(Some("+10000-01-01T00:00:00Z".parse().unwrap())),
                ..SalesChanges::default()
            },
            ..AccountChanges::default()
        },
        &[
            ("customTags.0", &["tooLong"]),
            ("expirationTime", &["outOfRange"]),
            ("keycloak.pubKey", &["required"]),
            ("keycloak.realm", &["required"]),
            ("linkedAccounts", &["notUnique", "ownAccount"]),
            ("name", &["required"]),
            ("products.ml.storage.limit", &["outOfRange"]),
            ("salesforceId", &["required"]),
            ("shortener.url", &["required"]),
            ("tags", &["notUnique"]),
        ],
    );
    let shortener = Shortener { mode: ShortenerMode::Off, url: Some("javascript:alert(1)".to_owned()) };
    refused(
        AccountChanges { shortener: Some(shortener), ..AccountChanges::default() },
        &[("shortener.url", &["invalidUrl"])],
    );
}

#[test]
fn support_has_access_never_always_or_until_a_time_that_is_to_come() {
    let set = |access_status, access_until| AccountChanges {
        support: Some(Support { access_status, access_until }),
        ..AccountChanges::default()
    };
    refused(set(SupportAccess::Temporary, None), &[("support.accessUntil", &["required"])]);
    refused(set(SupportAccess::Temporary, Some(now())), &[("support.accessUntil", &["notInFuture"])]);
    refused(set(SupportAccess::Permanent, Some(in_minutes(1))), &[("support.accessUntil", &["notAllowed"])]);
    let support = Support { access_status: SupportAccess::Temporary, access_until: Some(in_minutes(1)) };
    given(&[])
        .when(change(false, set(support.access_status, support.access_until)))
        .then_expect_events(vec![AccountEvent::SupportAccessChanged { support }]);
    assert!(support.is_open_at(now()) && !support.is_open_at(in_minutes(1)));
    assert!(!Support::default().is_open_at(now()));
}

#[test]
fn privacy_says_after_how_many_days_and_whom_it_tells() {
    let set = |day_range, report, recipients: &[&str]| AccountChanges {
        privacy: Some(Privacy {
            enabled: true,
            day_range,
            delete_by: DeleteBy::LastInteractionTime,
            report,
            report_recipients: recipients.iter().copied().map(str::to_owned).collect(),
            delete_own: true,
        }),
        ..AccountChanges::default()
    };
    refused(set(13, false, &[]), &[("privacy.dayRange", &["outOfRange"])]);
    refused(
        set(5_001, true, &["ann"]),
        &[("privacy.dayRange", &["outOfRange"]), ("privacy.reportRecipients.0", &["invalidEmail"])],
    );
    refused(set(14, true, &[]), &[("privacy.reportRecipients", &["required"])]);
    let asked = set(5_000, true, &["ann@example.com"]);
    let privacy = asked.privacy.clone().unwrap();
    given(&[]).when(change(false, asked)).then_expect_events(vec![AccountEvent::PrivacyChanged { privacy }]);
}

#[test]
fn an_expired_account_is_closed_until_it_is_reactivated() {
    let expired = expires(now());
    assert!(state(&[]).is_open_at(now()));
    assert!(state(&[expires(in_minutes(1))]).is_open_at(now()));
    assert!(!state(std::slice::from_ref(&expired)).is_open_at(now()));
    assert!(state(&[expired.clone(), AccountEvent::Reactivated]).is_open_at(now()));
    given(&[expired]).when(AccountCommand::Reactivate).then_expect_events(vec![AccountEvent::Reactivated]);
    given(&[expires(in_minutes(1))]).when(AccountCommand::Reactivate).then_expect_error(AccountError::NotExpired);
}

#[test]
fn a_threshold_is_set_within_its_range_while_its_feature_acts_on_it() {
    let set = |threshold, value| AccountCommand::SetAiThreshold { threshold, value };
    let on = AccountEvent::FeaturesChanged { features: switched(Feature::SmartAutoArchive, true) };
    let changed = AccountEvent::AiThresholdChanged { threshold: AiThreshold::AutoArchive, value: 0.5 };
    given(std::slice::from_ref(&on)).when(set(AiThreshold::AutoArchive, 0.5)).then_expect_events(vec![changed.clone()]);
    given(&[on.clone(), changed]).when(set(AiThreshold::AutoArchive, 0.5)).then_expect_events(vec![]);
    given(&[])
        .when(set(AiThreshold::AutoArchive, 0.5))
        .then_expect_error(AccountError::ThresholdIdle(AiThreshold::AutoArchive));
    for value in [0.149, 0.991, f64::NAN, f64::INFINITY] {
        let error = AccountError::Invalid(fields(&[("value", &["outOfRange"])]));
        given(std::slice::from_ref(&on)).when(set(AiThreshold::AutoArchive, value)).then_expect_error(error);
    }
    for threshold in AiThreshold::ALL {
        assert_eq!(threshold.path().parse(), Ok(*threshold));
        assert!(threshold.path().starts_with(threshold.feature().as_str()), "{threshold}");
        assert!(palaver_domain::identity::AI_THRESHOLD_RANGE.contains(&threshold.default_value()), "{threshold}");
    }
}

#[test]
fn tickets_are_archived_up_to_now_at_the_latest() {
    let archive = |until| AccountCommand::ArchiveTickets { channel_id: Some(ChannelId::default()), until };
    let archived = |until| vec![AccountEvent::TicketsArchived { channel_id: Some(ChannelId::default()), until }];
    given(&[]).when(archive(None)).then_expect_events(archived(now()));
    given(&[]).when(archive(Some(in_minutes(-1)))).then_expect_events(archived(in_minutes(-1)));
    let error = AccountError::Invalid(fields(&[("until", &["inFuture"])]));
    given(&[]).when(archive(Some(in_minutes(1)))).then_expect_error(error);
}

#[test]
fn every_feature_has_a_name_and_is_in_reach_of_the_greater_package_first() {
    for feature in Feature::ALL {
        assert_eq!(feature.as_str().parse(), Ok(*feature));
        assert_eq!(serde_json::to_value(feature).unwrap(), feature.as_str());
        let professional = feature.bundle(Package::Professional);
        assert_eq!(feature.bundle(Package::Trial), professional);
        let rank = |bundle| match bundle {
            Bundle::OnRequest => 0,
            Bundle::Offered => 1,
            Bundle::Included => 2,
        };
        assert!(rank(feature.bundle(Package::Enterprise)) >= rank(professional), "{feature}");
        assert!(!feature.requires().contains(feature), "{feature}");
        assert!(feature.is_offered() || rank(professional) == 0, "{feature}");
    }
}

#[test]
fn a_permission_is_chosen_where_the_account_has_what_it_is_about() {
    let admin = Role::Admin.permissions();
    let chosen: Permissions = Customizable::ALL.iter().map(|one| one.permission).collect();
    assert_eq!(chosen.iter().count(), Customizable::ALL.len(), "each once");
    assert!(admin.is_superset(chosen), "nothing that an administrator has not");
    let everything = state(&[]);
    let no_inbox = state(&[AccountEvent::ProductsChanged { products: Products { inbox: false, ..Products::ALL } }]);
    let no_contacts = state(&[AccountEvent::FeaturesChanged { features: switched(Feature::Contacts, false) }]);
    for one in Customizable::ALL {
        assert!(one.is_met_by(&everything), "{}", one.permission);
        assert_eq!(one.is_met_by(&no_inbox), !one.products.contains(&Product::Inbox), "{}", one.permission);
        assert_eq!(one.is_met_by(&no_contacts), !one.features.contains(&Feature::Contacts), "{}", one.permission);
    }
    assert!(Customizable::of(Permission::ReplyTicket).is_some_and(|one| !one.is_met_by(&no_inbox)));
    assert_eq!(Customizable::of(Permission::EditUsers), None);
}
