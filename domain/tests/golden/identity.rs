//! Samples of what happens to users, claims, teams, contacts and applications.

use palaver_domain::identity::{
    AppEvent, ClaimEvent, ClaimKind, ContactEvent, Details, Locale, Permission, Permissions, Role, TeamEvent,
    UserCreated, UserEvent,
};
use serde_json::json;

use crate::{Types, id, time};

pub fn users(types: &mut Types) {
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

pub fn claims(types: &mut Types) {
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

pub fn teams(types: &mut Types) {
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

pub fn contacts(types: &mut Types) {
    samples!(types, ContactEvent {
        Created => [ContactEvent::Created { id: id(0x14), account_id: id(0x11), email: "ann@example.com".to_owned() }],
        Deleted => [ContactEvent::Deleted],
    });
}

pub fn apps(types: &mut Types) {
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
