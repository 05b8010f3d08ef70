//! Every event type as it is written, version by version, and how it reads today.
//!
//! `golden/<EventType>.v<version>.json` holds payloads, one for each sample below, in the same order. A file is
//! written once and stays for ever, for the log it stands for stays too. What an old version can not say reads as
//! something else than the sample; `golden/<EventType>.v<version>.expected.json` then holds today's payloads of it.
//!
//! A new event or version: add its samples here, then let `GOLDEN=write cargo test -p palaver-domain --test golden`
//! write the files that are missing. It never changes one that exists.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    fs,
    path::PathBuf,
};

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use palaver_domain::{
    AccountId, CategoryId, ChannelId, FeedItemId, MediaId, PostGroupId, PostId, TagId, TeamId, UserId,
    channels::{ChannelEvent, Connection, Network},
    identity::{
        AccountEvent, AiThreshold, AppEvent, ClaimEvent, ClaimKind, ContactEvent, DeleteBy, Details, Feature, Keycloak,
        Limits, Locale, Package, Permission, Permissions, Privacy, Products, Role, Shortener, ShortenerMode, Support,
        SupportAccess, TeamEvent, UserCreated, UserEvent,
    },
    newest_version,
    posts::{
        Animation, ChannelRef, Content, ContentType, FailureReason, Image, InlineLink, Link, Location, MediaTag,
        Mention, PostEvent, PostGroupEvent, ProductTag, StoryWorkaround, Video, WorkbenchEvent,
    },
    upcast,
};
use serde_json::{Value, json};

/// One event type, and how its payloads read.
struct Written {
    version: String,
    /// Today's payload of each sample.
    payloads: Vec<Value>,
    /// Reads a payload as today's event and writes it again.
    rewrite: fn(Value) -> Result<Value, serde_json::Error>,
}

type Types = BTreeMap<String, Written>;

/// Every variant with its samples. The match has no wildcard: a variant that is missing here does not compile.
macro_rules! samples {
    ($types:expr, $event:ident { $($variant:ident => [$($sample:expr),+ $(,)?]),+ $(,)? }) => {
        #[deny(unreachable_patterns)]
        fn variant(event: &$event) -> &'static str {
            match event { $($event::$variant { .. } => stringify!($variant)),+ }
        }
        $(
            for sample in [$($sample),+] {
                assert_eq!(variant(&sample), stringify!($variant), "a sample of another variant");
                record($types, &sample);
            }
        )+
    };
}

fn record<E: DomainEvent + Debug + PartialEq>(types: &mut Types, event: &E) {
    let payload = serde_json::to_value(event).unwrap();
    let text = serde_json::to_string(event).unwrap();
    assert_eq!(&serde_json::from_str::<E>(&text).unwrap(), event, "reads back as written");
    let written = types.entry(event.event_type()).or_insert_with(|| Written {
        version: event.event_version(),
        payloads: Vec::new(),
        rewrite: |payload| serde_json::to_value(serde_json::from_value::<E>(payload)?),
    });
    assert_eq!(written.version, event.event_version());
    written.payloads.push(payload);
}

fn id<T: std::str::FromStr<Err: Debug>>(last: u8) -> T {
    format!("64b0c0ffee0000000000{last:04x}").parse().unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn full_content() -> Content {
    Content {
        kind: ContentType::Carousel,
        text: "Grüße aus Köln 😀".to_owned(),
        title: Some("Grüße".to_owned()),
        mentions: vec![
            Mention { offset: 0, length: 5, id: Some("ann".to_owned()), meta: Some("page".to_owned()) },
            Mention { offset: 6, length: 3, id: None, meta: None },
        ],
        images: vec![
            Image {
                id: id::<MediaId>(1),
                index: Some(0),
                link: Some("https://example.com/a".to_owned()),
                name: Some("a".to_owned()),
                description: Some("b".to_owned()),
                alt_text: Some("c".to_owned()),
                note: Some("d".to_owned()),
                tags: vec![MediaTag { id: "7".to_owned(), x: 0.1, y: 1.0 }],
                product_tags: vec![ProductTag {
                    id: "8".to_owned(),
                    title: "Cup".to_owned(),
                    x: Some(0.25),
                    y: Some(0.0),
                }],
            },
            Image { id: id(2), ..Image::default() },
        ],
        videos: vec![Video {
            id: id(3),
            thumbnail_id: Some(id(4)),
            index: Some(1),
            link: Some("https://example.com/v".to_owned()),
            note: Some("e".to_owned()),
            product_tags: vec![ProductTag { id: "9".to_owned(), title: "Pot".to_owned(), x: None, y: None }],
        }],
        animations: vec![Animation { id: id(5), index: Some(2), tags: vec![], product_tags: vec![] }],
        links: vec![Link {
            id: "10".to_owned(),
            can_customize: Some(true),
            custom_title: Some("f".to_owned()),
            custom_description: Some("g".to_owned()),
            custom_image: Some(id(6)),
            facebook_link: Some(false),
        }],
        inline_links: vec![InlineLink {
            offset: 1,
            length: 2,
            anchor: "h".to_owned(),
            href: "https://example.com/h".to_owned(),
        }],
        location: Some(Location {
            id: "11".to_owned(),
            name: "Köln".to_owned(),
            link: Some("https://example.com/k".to_owned()),
            address: Some("Domplatz 1".to_owned()),
        }),
        first_comment: Some("First".to_owned()),
        facebook: Some(json!({"targeting": {"countries": ["DE"]}})),
        linkedin: Some(json!({"targeting": {}})),
        tiktok: Some(json!({"allowComments": false})),
        pinterest: Some(json!({"boardId": "12"})),
    }
}

fn planned(network: Network, publish_time: Option<DateTime<Utc>>, zone: Option<&str>) -> PostEvent {
    PostEvent::Planned {
        id: id::<PostId>(0x10),
        account_id: id::<AccountId>(0x11),
        group_id: id::<PostGroupId>(0x12),
        channel: ChannelRef { id: id::<ChannelId>(0x13), unique_name: "@acme".to_owned(), social_network: network },
        author: id::<UserId>(0x14),
        publish_time,
        publish_time_zone: zone.map(str::to_owned),
    }
}

fn posts(types: &mut Types) {
    let at = time("2025-03-30T01:30:00.123456Z");
    let story = |reminder_time| Some(StoryWorkaround { publisher: id(0x14), reminder_time });
    let failed = |reason| PostEvent::PublishingFailed { reason, error: "no".to_owned() };
    let key = || "64b0c0ffee00000000000010-1".to_owned();
    samples!(types, PostEvent {
        Planned => [
            planned(Network::Facebook, None, None),
            planned(Network::Twitter, Some(at), Some("Europe/Berlin")),
            planned(Network::InstagramBusiness, Some(time("2025-01-01T00:00:00Z")), None),
            planned(Network::Linkedin, None, None),
            planned(Network::Youtube, None, None),
            planned(Network::Pinterest, None, None),
            planned(Network::Tiktok, None, None),
            planned(Network::Wordpress, None, None),
            planned(Network::Placeholders, None, Some("UTC")),
        ],
        ContentEdited => [
            PostEvent::ContentEdited { content: Box::default() },
            PostEvent::ContentEdited { content: Box::new(full_content()) },
            content_of(ContentType::Slideshow),
            content_of(ContentType::Album),
            content_of(ContentType::Tweet),
            content_of(ContentType::Media),
            content_of(ContentType::Story),
            content_of(ContentType::StoryWorkaround),
            content_of(ContentType::PostWorkaround),
            content_of(ContentType::Pin),
            content_of(ContentType::Igtv),
            content_of(ContentType::Reel),
        ],
        PublishTimeSet => [
            PostEvent::PublishTimeSet { publish_time: None, publish_time_zone: None },
            PostEvent::PublishTimeSet { publish_time: Some(at), publish_time_zone: Some("Asia/Tokyo".to_owned()) },
        ],
        TagsSet => [
            PostEvent::TagsSet { tags: vec![] },
            PostEvent::TagsSet { tags: vec![id::<TagId>(1), id(2)] },
        ],
        CategoriesSet => [
            PostEvent::CategoriesSet { categories: vec![] },
            PostEvent::CategoriesSet { categories: vec![id::<CategoryId>(1), id(2)] },
        ],
        Assigned => [
            PostEvent::Assigned { assignee: None },
            PostEvent::Assigned { assignee: Some(id(0x15)) },
        ],
        StoryWorkaroundSet => [
            PostEvent::StoryWorkaroundSet { story_workaround: None },
            PostEvent::StoryWorkaroundSet { story_workaround: story(None) },
            PostEvent::StoryWorkaroundSet { story_workaround: story(Some(at)) },
        ],
        AttentionCleared => [PostEvent::AttentionCleared],
        SavedAsDraft => [PostEvent::SavedAsDraft],
        Suggested => [PostEvent::Suggested { by: None }, PostEvent::Suggested { by: Some(id(0x14)) }],
        Approved => [PostEvent::Approved { publish_time: at }],
        Rejected => [
            PostEvent::Rejected { message: None, item_id: id::<FeedItemId>(0x16) },
            PostEvent::Rejected { message: Some("Not yet".to_owned()), item_id: id(0x16) },
        ],
        Scheduled => [PostEvent::Scheduled { publish_time: at }],
        Unscheduled => [PostEvent::Unscheduled],
        PublishingStarted => [PostEvent::PublishingStarted { publication: 1, key: key() }],
        PublishingResumed => [PostEvent::PublishingResumed { key: key(), call: 2 }],
        PublishingOutcomeUnknown => [
            PostEvent::PublishingOutcomeUnknown { key: key(), error: "connection reset".to_owned() },
        ],
        Published => [
            PostEvent::Published { key: key(), network_item_id: None, network_url: None },
            PostEvent::Published {
                key: key(),
                network_item_id: Some("item".to_owned()),
                network_url: Some("https://example.com/item".to_owned()),
            },
        ],
        PublishingFailed => [
            failed(FailureReason::Internal),
            failed(FailureReason::NetworkError),
            failed(FailureReason::FalseNetworkError),
            failed(FailureReason::MissingPermission),
            failed(FailureReason::AlbumNetworkError),
        ],
        Commented => [
            PostEvent::Commented { item_id: id(0x16), message: "Nice".to_owned(), mentions: vec![] },
            PostEvent::Commented { item_id: id(0x16), message: "Nice".to_owned(), mentions: vec![id(0x14), id(0x15)] },
        ],
        Deleted => [PostEvent::Deleted],
    });
}

fn content_of(kind: ContentType) -> PostEvent {
    PostEvent::ContentEdited { content: Box::new(Content { kind, ..Content::default() }) }
}

fn groups(types: &mut Types) {
    let created = |posts| PostGroupEvent::Created { id: id(0x12), account_id: id(0x11), author: id(0x14), posts };
    samples!(types, PostGroupEvent {
        Created => [created(vec![(id(0x13), id(0x10))]), created(vec![(id(0x13), id(0x10)), (id(0x23), id(0x20))])],
        PostRemoved => [PostGroupEvent::PostRemoved { post_id: id(0x10) }],
        Deleted => [PostGroupEvent::Deleted],
    });
}

fn workbenches(types: &mut Types) {
    samples!(types, WorkbenchEvent {
        Opened => [WorkbenchEvent::Opened { group_id: id(0x12) }],
        Cleared => [WorkbenchEvent::Cleared { group_id: id(0x12) }],
    });
}

fn channels(types: &mut Types) {
    let connected = |network, connection, image_url: Option<&str>, team_ids| ChannelEvent::Connected {
        id: id(0x13),
        account_id: id(0x11),
        network,
        connection,
        name: "Acme".to_owned(),
        unique_name: "@acme".to_owned(),
        image_url: image_url.map(str::to_owned),
        team_ids,
    };
    let placeholder = |network: Option<&str>, mail: &[&str], email_advance_minutes| Connection::Placeholder {
        network: network.map(str::to_owned),
        recipients: mail.iter().copied().map(str::to_owned).collect(),
        cc: mail.iter().copied().map(str::to_owned).collect(),
        email_advance_minutes,
    };
    samples!(types, ChannelEvent {
        Connected => [
            connected(Network::Facebook, Connection::Sandbox, None, vec![]),
            connected(
                Network::Twitter,
                Connection::Sandbox,
                Some("https://example.com/a.png"),
                vec![id::<TeamId>(1), id(2)],
            ),
            connected(Network::Placeholders, placeholder(None, &[], None), None, vec![]),
            connected(
                Network::Placeholders,
                placeholder(Some("INSTAGRAM"), &["ann@example.com"], Some(30)),
                None,
                vec![],
            ),
        ],
        Reactivated => [ChannelEvent::Reactivated],
        Deactivated => [ChannelEvent::Deactivated],
        TeamsChanged => [
            ChannelEvent::TeamsChanged { team_ids: vec![id(0x12), id(0x13)] },
            ChannelEvent::TeamsChanged { team_ids: vec![] },
        ],
    });
}

fn identity(types: &mut Types) {
    accounts(types);
    claims(types);
    users(types);
}

fn users(types: &mut Types) {
    // The first five are what version 1 could say: `UserCreated.v1.expected.json`.
    let created = |role, team_ids| UserCreated {
        id: id(0x14),
        account_id: id(0x11),
        user_name: "ann".to_owned(),
        email: None,
        first_name: String::new(),
        last_name: String::new(),
        phone: None,
        locale: Locale::En,
        role,
        permissions: None,
        team_ids,
        verified: true,
    };
    let full = UserCreated {
        email: Some("ann@example.com".to_owned()),
        first_name: "Änn".to_owned(),
        last_name: "Example".to_owned(),
        phone: Some("+49 221 0".to_owned()),
        locale: Locale::De,
        permissions: Some(Permissions::of(&[Permission::ViewPosts, Permission::EditPosts])),
        verified: false,
        ..created(Role::Custom, vec![id(1)])
    };
    let secret_ref = || "0b8f2f0e-7f3c-4f0e-9d0e-0123456789ab".to_owned();
    samples!(types, UserEvent {
        Created => [
            UserEvent::Created(Box::new(created(Role::Admin, vec![]))),
            UserEvent::Created(Box::new(created(Role::Smm, vec![id(1)]))),
            UserEvent::Created(Box::new(created(Role::Cm, vec![id(1), id(2)]))),
            UserEvent::Created(Box::new(created(Role::Editor, vec![]))),
            UserEvent::Created(Box::new(created(Role::Observer, vec![]))),
            UserEvent::Created(Box::new(full)),
        ],
        DetailsChanged => [
            UserEvent::DetailsChanged(Details { first_name: Some("Ann".to_owned()), ..Details::default() }),
            UserEvent::DetailsChanged(Details {
                email: Some("ann@example.com".to_owned()),
                first_name: Some("Ann".to_owned()),
                last_name: Some("Example".to_owned()),
                phone: Some("1".to_owned()),
                locale: Some(Locale::Fr),
            }),
        ],
        SettingsChanged => [
            UserEvent::SettingsChanged { settings: serde_json::Map::new() },
            UserEvent::SettingsChanged { settings: [("theme".to_owned(), json!({"dark": true}))].into_iter().collect() },
        ],
        RoleChanged => [
            UserEvent::RoleChanged { role: Role::Admin },
            UserEvent::RoleChanged { role: Role::SuperAdmin },
            UserEvent::RoleChanged { role: Role::SuperAdminViewer },
            UserEvent::RoleChanged { role: Role::SmmAa },
            UserEvent::RoleChanged { role: Role::SmmWoi },
            UserEvent::RoleChanged { role: Role::CmWoi },
            UserEvent::RoleChanged { role: Role::Assigner },
            UserEvent::RoleChanged { role: Role::Reporter },
            UserEvent::RoleChanged { role: Role::Advert },
        ],
        PermissionsChosen => [
            UserEvent::PermissionsChosen { permissions: Permissions::NONE },
            UserEvent::PermissionsChosen {
                permissions: Permissions::of(&[Permission::ViewPosts, Permission::EditAllAccounts]),
            },
        ],
        TeamsChanged => [
            UserEvent::TeamsChanged { team_ids: vec![] },
            UserEvent::TeamsChanged { team_ids: vec![id(1), id(2)] },
        ],
        ReadOnlyChannelsChanged => [
            UserEvent::ReadOnlyChannelsChanged { channel_ids: vec![] },
            UserEvent::ReadOnlyChannelsChanged { channel_ids: vec![id(0x13)] },
        ],
        PasswordChanged => [UserEvent::PasswordChanged],
        TotpEnabled => [UserEvent::TotpEnabled { secret_ref: secret_ref() }],
        TotpRemoved => [UserEvent::TotpRemoved],
        Verified => [UserEvent::Verified],
        MobileDeviceRegistered => [
            UserEvent::MobileDeviceRegistered { device_id: "phone".to_owned(), token_ref: secret_ref() },
        ],
        Masked => [UserEvent::Masked { by: id(0x15) }],
        Deleted => [UserEvent::Deleted],
    });
}

fn claims(types: &mut Types) {
    let claimed = |kind| ClaimEvent::Claimed { kind, holder: "0123456789abcdef01234567".to_owned() };
    samples!(types, ClaimEvent {
        Claimed => [
            claimed(ClaimKind::UserName),
            claimed(ClaimKind::Contact),
            claimed(ClaimKind::TeamName),
            claimed(ClaimKind::KeycloakRealm),
        ],
        Released => [ClaimEvent::Released],
    });
}

fn accounts(types: &mut Types) {
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

fn teams(types: &mut Types) {
    samples!(types, TeamEvent {
        Created => [TeamEvent::Created { id: id(0x12), account_id: id(0x11), name: "Europe".to_owned() }],
        Renamed => [TeamEvent::Renamed { name: "Südeuropa".to_owned() }],
        AdminsChanged => [
            TeamEvent::AdminsChanged { admins: vec![id(1), id(2)] },
            TeamEvent::AdminsChanged { admins: vec![] },
        ],
        MembersAdmitted => [
            TeamEvent::MembersAdmitted { users: vec![id(1), id(2)], channels: vec![] },
            TeamEvent::MembersAdmitted { users: vec![], channels: vec![id(3)] },
        ],
        Deleted => [TeamEvent::Deleted],
    });
}

fn contacts(types: &mut Types) {
    samples!(types, ContactEvent {
        Created => [ContactEvent::Created { id: id(0x14), account_id: id(0x11), email: "ann@example.com".to_owned() }],
        Deleted => [ContactEvent::Deleted],
    });
}

fn apps(types: &mut Types) {
    let at = time("2025-03-01T12:00:00.123456Z");
    let uuid = |last: u8| format!("0191d1a4-6b1c-4f0e-9d2a-5f6e7a8b9c{last:02x}");
    let key_id = || uuid(1).parse().unwrap();
    let issued = |expires_at| AppEvent::KeyIssued {
        key_id: key_id(),
        label: "Wächter".to_owned(),
        prefix: "pak_0191d1a4".to_owned(),
        expires_at,
        at,
    };
    samples!(types, AppEvent {
        Registered => [AppEvent::Registered {
            id: uuid(0).parse().unwrap(),
            account_id: id(0x11),
            name: "Concierge".to_owned(),
        }],
        KeyIssued => [issued(None), issued(Some(time("2026-03-01T12:00:00Z")))],
        KeyRevoked => [AppEvent::KeyRevoked { key_id: key_id(), at }],
        SecretRotated => [AppEvent::SecretRotated { secret_id: uuid(2).parse().unwrap(), at }],
        Deleted => [AppEvent::Deleted],
    });
}

fn types() -> Types {
    let mut types = Types::new();
    posts(&mut types);
    groups(&mut types);
    workbenches(&mut types);
    channels(&mut types);
    identity(&mut types);
    teams(&mut types);
    contacts(&mut types);
    apps(&mut types);
    types
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// One payload a line, so that a change of a file shows which sample it is.
fn as_text(payloads: &[Value]) -> String {
    let lines: Vec<String> = payloads.iter().map(Value::to_string).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

fn read(name: &str) -> Option<Vec<Value>> {
    let text = fs::read_to_string(folder().join(name)).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}")))
}

#[test]
fn every_event_type_is_written_as_its_golden_file_says() {
    let write = std::env::var("GOLDEN").is_ok_and(|what| what == "write");
    for (event_type, written) in types() {
        let name = format!("{event_type}.v{}.json", written.version);
        assert_eq!(written.version, newest_version(&event_type).to_string(), "{event_type}: version and upcasters");
        let Some(golden) = read(&name) else {
            assert!(write, "{name} is missing: see the head of this file");
            fs::write(folder().join(&name), as_text(&written.payloads)).unwrap();
            continue;
        };
        assert_eq!(written.payloads, golden, "{name}: the shape changed; that needs a new version and an upcaster");
    }
}

#[test]
fn every_payload_ever_written_reads_as_today() {
    let types = types();
    let mut versions_seen = BTreeSet::new();
    for file in fs::read_dir(folder()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".expected.json") {
            continue;
        }
        let (event_type, version) = name
            .strip_suffix(".json")
            .and_then(|name| name.rsplit_once(".v"))
            .unwrap_or_else(|| panic!("{name} is not named <EventType>.v<version>.json"));
        let written = types.get(event_type).unwrap_or_else(|| panic!("{name}: no aggregate has this event type"));
        let expected = read(&format!("{event_type}.v{version}.expected.json"));
        let expected = expected.as_ref().unwrap_or(&written.payloads);
        let golden = read(&name).unwrap();
        assert_eq!(golden.len(), expected.len(), "{name}: one payload a sample");
        for (payload, expected) in golden.into_iter().zip(expected) {
            let today = upcast(event_type, version, payload).unwrap_or_else(|error| panic!("{name}: {error}"));
            let rewritten = (written.rewrite)(today).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(&rewritten, expected, "{name}");
        }
        versions_seen.insert((event_type.to_owned(), version.to_owned()));
    }
    // No version is forgotten: from the first to today's, each has a file.
    for event_type in types.keys() {
        for version in palaver_domain::FIRST_VERSION..=newest_version(event_type) {
            let seen = versions_seen.contains(&(event_type.clone(), version.to_string()));
            assert!(seen || skipped(event_type, version), "{event_type}.v{version}.json is missing");
        }
    }
}

/// Whether nothing was ever written in this version: no upcaster starts from it, and it is not today's.
fn skipped(event_type: &str, version: u32) -> bool {
    let starts =
        palaver_domain::UPCASTERS.iter().any(|row| row.event_type == event_type && row.from_version == version);
    !starts && version != newest_version(event_type)
}

#[test]
fn no_two_aggregates_share_an_event_type() {
    // A payload is looked up by its event type alone, so a shared one would be read as the wrong event.
    let mut all = BTreeMap::new();
    for (aggregate, fill) in [
        ("post", posts as fn(&mut Types)),
        ("post_group", groups),
        ("workbench", workbenches),
        ("channel", channels),
        ("identity", identity),
        ("team", teams),
        ("contact", contacts),
        ("app", apps),
    ] {
        let mut types = Types::new();
        fill(&mut types);
        for event_type in types.into_keys() {
            assert_eq!(all.insert(event_type.clone(), aggregate), None, "{event_type}");
        }
    }
}
