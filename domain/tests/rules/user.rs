use cqrs_es::test::TestFramework;
use palaver_domain::{
    AccountId, ChannelId, Locale, MOBILE_DEVICES_PER_USER_MAX, TeamId, UserId,
    identity::{
        Customizable, Details, Permission, Permissions, Role, User, UserCommand, UserCreated, UserError, UserEvent,
        UserState,
    },
};
use serde_json::{Map, json};

use super::{circumstances, fields, user};

fn given(events: Vec<UserEvent>) -> cqrs_es::test::AggregateTestExecutor<User> {
    TestFramework::<User>::with(circumstances()).given(events)
}

fn ann(role: Role) -> UserCreated {
    UserCreated {
        id: user(2),
        account_id: AccountId::default(),
        user_name: "ann".to_owned(),
        email: Some("ann@example.com".to_owned()),
        first_name: "Ann".to_owned(),
        last_name: String::new(),
        phone: None,
        locale: Locale::En,
        role,
        permissions: None,
        team_ids: vec![],
        verified: false,
    }
}

fn created(role: Role) -> Vec<UserEvent> {
    vec![UserEvent::Created(Box::new(ann(role)))]
}

fn state(events: Vec<UserEvent>) -> UserState {
    use cqrs_es::Aggregate;
    let mut user = User::default();
    events.into_iter().for_each(|event| user.apply(event));
    user.0.unwrap()
}

#[test]
fn a_user_is_created_once_under_a_name() {
    let create = |created| UserCommand::Create(Box::new(created));
    given(vec![]).when(create(ann(Role::Editor))).then_expect_events(created(Role::Editor));
    given(created(Role::Editor)).when(create(ann(Role::Editor))).then_expect_error(UserError::AlreadyExists);
    let wrong = UserCreated {
        user_name: " ".to_owned(),
        email: Some("ann".to_owned()),
        last_name: "a".repeat(255),
        phone: Some("1".repeat(51)),
        permissions: Some(Permissions::NONE),
        team_ids: vec![TeamId::default(); 2],
        ..ann(Role::Editor)
    };
    let error = UserError::Invalid(fields(&[
        ("email", &["invalidEmail"]),
        ("lastName", &["tooLong"]),
        ("permissions", &["onlyForCustom"]),
        ("phone", &["tooLong"]),
        ("teams", &["notUnique"]),
        ("userName", &["required"]),
    ]));
    given(vec![]).when(create(wrong)).then_expect_error(error);
}

#[test]
fn only_what_is_new_of_a_person_is_told() {
    let details = Details {
        email: Some("ann@example.com".to_owned()),
        first_name: Some("Anna".to_owned()),
        locale: Some(Locale::De),
        ..Details::default()
    };
    let news = Details { email: None, ..details.clone() };
    let changed = || vec![UserEvent::DetailsChanged(news.clone())];
    let change = || UserCommand::ChangeDetails(details.clone());
    given(created(Role::Cm)).when(change()).then_expect_events(changed());
    given([created(Role::Cm), changed()].concat()).when(change()).then_expect_events(vec![]);
    let after = state([created(Role::Cm), changed()].concat());
    assert_eq!((after.first_name.as_str(), after.locale), ("Anna", Locale::De));
    assert_eq!(after.email.as_deref(), Some("ann@example.com"), "what is not told stays");

    let wrong = Details { email: Some("x".to_owned()), first_name: Some(" ".to_owned()), ..Details::default() };
    let error = UserError::Invalid(fields(&[("email", &["invalidEmail"]), ("firstName", &["required"])]));
    given(created(Role::Cm)).when(UserCommand::ChangeDetails(wrong)).then_expect_error(error);
}

#[test]
fn a_role_grants_until_permissions_are_chosen_one_by_one() {
    let chosen = Permissions::of(&[Permission::ViewPosts, Permission::EditUsers]);
    let choose = || UserCommand::ChoosePermissions { permissions: chosen };
    let choice = || vec![UserEvent::PermissionsChosen { permissions: chosen }];
    given(created(Role::Cm)).when(choose()).then_expect_events(choice());
    given([created(Role::Cm), choice()].concat()).when(choose()).then_expect_events(vec![]);
    let custom = state([created(Role::Cm), choice()].concat());
    assert_eq!((custom.role, custom.granted()), (Role::Custom, chosen));

    // What was granted stays when the role becomes CUSTOM, as far as it can be chosen.
    let change = |role| UserCommand::ChangeRole { role };
    for (role, permissions) in [
        (
            Role::Cm,
            Role::Cm.permissions().without(&[
                Permission::ViewCalendar,
                Permission::ViewContentList,
                Permission::ViewPersonalSettings,
            ]),
        ),
        (Role::SuperAdmin, Customizable::permissions()),
    ] {
        let kept = vec![UserEvent::PermissionsChosen { permissions }];
        given(created(role)).when(change(Role::Custom)).then_expect_events(kept);
    }
    given([created(Role::Cm), choice()].concat()).when(change(Role::Custom)).then_expect_events(vec![]);

    let smm = || vec![UserEvent::RoleChanged { role: Role::Smm }];
    given([created(Role::Cm), choice()].concat()).when(change(Role::Smm)).then_expect_events(smm());
    given(created(Role::Smm)).when(change(Role::Smm)).then_expect_events(vec![]);
    let after = state([created(Role::Cm), choice(), smm()].concat());
    assert_eq!((after.permissions, after.granted()), (None, Role::Smm.permissions()));
    assert_eq!(state(created(Role::Custom)).granted(), Permissions::NONE);
}

#[test]
fn teams_and_read_only_channels_are_told_when_they_change() {
    let team_ids = vec![TeamId::default()];
    let channel_ids = vec![ChannelId::default()];
    let teams = |team_ids| UserCommand::ChangeTeams { team_ids };
    let channels = |channel_ids| UserCommand::ChangeReadOnlyChannels { channel_ids };
    let events = vec![UserEvent::TeamsChanged { team_ids: team_ids.clone() }];
    given(created(Role::Cm)).when(teams(team_ids)).then_expect_events(events);
    given(created(Role::Cm)).when(teams(vec![])).then_expect_events(vec![]);
    let events = vec![UserEvent::ReadOnlyChannelsChanged { channel_ids: channel_ids.clone() }];
    given(created(Role::Cm)).when(channels(channel_ids.clone())).then_expect_events(events);
    given(created(Role::Cm)).when(channels(vec![])).then_expect_events(vec![]);
    for (command, field) in
        [(teams(vec![TeamId::default(); 2]), "teams"), (channels(vec![ChannelId::default(); 2]), "readOnlyChannelIds")]
    {
        let error = UserError::Invalid(fields(&[(field, &["notUnique"])]));
        given(created(Role::Cm)).when(command).then_expect_error(error);
    }
}

#[test]
fn settings_are_kept_as_they_come_within_bounds() {
    let settings = |value| Map::from_iter([("a".to_owned(), value)]);
    let change = |value| UserCommand::ChangeSettings { settings: settings(value) };
    let changed = || vec![UserEvent::SettingsChanged { settings: settings(json!({"b": 1.5})) }];
    given(created(Role::Cm)).when(change(json!({"b": 1.5}))).then_expect_events(changed());
    given([created(Role::Cm), changed()].concat()).when(change(json!({"b": 1.5}))).then_expect_events(vec![]);
    for (value, code) in [
        (json!("a".repeat(16_384)), "tooLong"),
        (json!([[[[[[[[1]]]]]]]]), "tooDeep"),
        (json!("\0"), "unsupportedCharacter"),
    ] {
        let error = UserError::Invalid(fields(&[("settings", &[code])]));
        given(created(Role::Cm)).when(change(value)).then_expect_error(error);
    }
}

#[test]
fn a_second_factor_is_set_up_once_and_removed_once() {
    let enable = || UserCommand::EnableTotp { secret_ref: "ref".to_owned() };
    let enabled = || UserEvent::TotpEnabled { secret_ref: "ref".to_owned() };
    let with = |events: Vec<UserEvent>| given([created(Role::Cm), events].concat());
    with(vec![]).when(enable()).then_expect_events(vec![enabled()]);
    with(vec![enabled()]).when(enable()).then_expect_error(UserError::TotpEnabled);
    with(vec![enabled()]).when(UserCommand::RemoveTotp).then_expect_events(vec![UserEvent::TotpRemoved]);
    with(vec![]).when(UserCommand::RemoveTotp).then_expect_error(UserError::TotpMissing);
    with(vec![enabled(), UserEvent::TotpRemoved]).when(enable()).then_expect_events(vec![enabled()]);
}

#[test]
fn what_happens_outside_is_told_and_a_user_is_verified_once() {
    let by = UserId::default();
    given(created(Role::Cm)).when(UserCommand::ChangePassword).then_expect_events(vec![UserEvent::PasswordChanged]);
    given(created(Role::Cm)).when(UserCommand::Mask { by }).then_expect_events(vec![UserEvent::Masked { by }]);
    given(created(Role::Cm)).when(UserCommand::Verify).then_expect_events(vec![UserEvent::Verified]);
    let verified = [created(Role::Cm), vec![UserEvent::Verified]].concat();
    given(verified).when(UserCommand::Verify).then_expect_events(vec![]);
}

#[test]
fn a_device_has_one_token_and_the_oldest_gives_way() {
    let registered = |device: usize, token: &str| UserEvent::MobileDeviceRegistered {
        device_id: device.to_string(),
        token_ref: token.to_owned(),
    };
    let register =
        |id: &str| UserCommand::RegisterMobileDevice { device_id: id.to_owned(), token_ref: "first".to_owned() };
    given(created(Role::Cm)).when(register("1")).then_expect_events(vec![registered(1, "first")]);
    let error = UserError::Invalid(fields(&[("mobileDevice.id", &["required"])]));
    given(created(Role::Cm)).when(register("")).then_expect_error(error);

    let mut events = created(Role::Cm);
    events.extend((0..MOBILE_DEVICES_PER_USER_MAX).map(|device| registered(device, "first")));
    events.push(registered(0, "second"));
    events.push(registered(99, "first"));
    let devices = state(events).mobile_devices;
    assert_eq!(devices.len(), MOBILE_DEVICES_PER_USER_MAX);
    assert_eq!(devices.first().unwrap().id, "2", "0 was renewed, so 1 was the oldest");
    let kept: Vec<_> =
        devices[devices.len() - 2..].iter().map(|one| (one.id.as_str(), one.token_ref.as_str())).collect();
    assert_eq!(kept, [("0", "second"), ("99", "first")]);
}

#[test]
fn nothing_happens_to_a_user_who_is_not_there_or_deleted() {
    let deleted = || [created(Role::Cm), vec![UserEvent::Deleted]].concat();
    given(created(Role::Cm)).when(UserCommand::Delete).then_expect_events(vec![UserEvent::Deleted]);
    let commands = [
        UserCommand::ChangeDetails(Details::default()),
        UserCommand::ChangeSettings { settings: Map::new() },
        UserCommand::ChangeRole { role: Role::Smm },
        UserCommand::ChoosePermissions { permissions: Permissions::NONE },
        UserCommand::ChangeTeams { team_ids: vec![] },
        UserCommand::ChangeReadOnlyChannels { channel_ids: vec![] },
        UserCommand::ChangePassword,
        UserCommand::EnableTotp { secret_ref: "ref".to_owned() },
        UserCommand::RemoveTotp,
        UserCommand::Verify,
        UserCommand::RegisterMobileDevice { device_id: "1".to_owned(), token_ref: "ref".to_owned() },
        UserCommand::Mask { by: user(1) },
        UserCommand::Delete,
    ];
    for command in commands {
        given(deleted()).when(command.clone()).then_expect_error(UserError::NotFound);
        given(vec![]).when(command).then_expect_error(UserError::NotFound);
    }
    let again = UserCommand::Create(Box::new(ann(Role::Cm)));
    given(deleted()).when(again).then_expect_error(UserError::AlreadyExists);
}

mod updates {
    use palaver_domain::identity::{
        Account, AccountEvent, AccountState, Editor, FailedUpdate, Feature, MobileDevice, PasswordFacts, UpdateFacts,
        UpdateRefusal, UpdateRefusal::*, UserUpdate,
    };

    use super::*;

    fn account(off: &[Feature]) -> AccountState {
        use cqrs_es::Aggregate;
        let mut account = Account::default();
        account.apply(AccountEvent::Registered { id: AccountId::default(), name: "Acme".to_owned() });
        let features = off.iter().map(|feature| (*feature, false)).collect();
        account.apply(AccountEvent::FeaturesChanged { features });
        account.0.unwrap()
    }

    /// User 1 is who asks; user 2 is Ann.
    fn by(role: Role, number: u8) -> UpdateFacts {
        UpdateFacts {
            editor: Editor { id: user(number), role, permissions: role.permissions() },
            account: account(&[]),
            unknown_teams: vec![],
            unknown_channels: vec![],
            channels_closed_to_editor: vec![],
        }
    }

    fn update(update: UserUpdate, facts: UpdateFacts) -> UserCommand {
        UserCommand::Update { update: Box::new(update), facts: Box::new(facts) }
    }

    fn refused(reasons: &[(&'static str, UpdateRefusal)]) -> UserError {
        UserError::Refused(reasons.iter().map(|&(key, reason)| FailedUpdate { key, reason }).collect())
    }

    fn named(name: &str) -> Details {
        Details { first_name: Some(name.to_owned()), ..Details::default() }
    }

    #[test]
    fn everybody_changes_themselves_and_others_by_permission_and_rank() {
        let renamed = || vec![UserEvent::DetailsChanged(named("Anna"))];
        let rename = |facts| update(UserUpdate { details: named("Anna"), ..UserUpdate::default() }, facts);
        given(created(Role::Observer)).when(rename(by(Role::Observer, 2))).then_expect_events(renamed());
        given(created(Role::Smm)).when(rename(by(Role::Admin, 1))).then_expect_events(renamed());
        given(created(Role::Cm)).when(rename(by(Role::Smm, 1))).then_expect_error(UserError::EditUsersMissing);
        given(created(Role::SuperAdmin)).when(rename(by(Role::Admin, 1))).then_expect_error(UserError::OutOfReach);
        given(created(Role::SuperAdminViewer))
            .when(rename(by(Role::Admin, 1)))
            .then_expect_error(UserError::OutOfReach);
    }

    #[test]
    fn all_changes_are_told_in_one_piece_and_administrators_have_nothing_closed() {
        let device = MobileDevice { id: "phone".to_owned(), token_ref: "ref".to_owned() };
        let everything = UserUpdate {
            details: named("Anna"),
            settings: Some(Map::from_iter([("a".to_owned(), json!(1))])),
            team_ids: Some(vec![TeamId::default()]),
            role: Some(Role::Admin),
            password: Some(PasswordFacts { meets_criteria: true, old_is_right: None, is_the_old_one: false }),
            ..UserUpdate::default()
        };
        let closed = UserEvent::ReadOnlyChannelsChanged { channel_ids: vec![ChannelId::default()] };
        given([created(Role::Cm), vec![closed]].concat())
            .when(update(everything, by(Role::Admin, 1)))
            .then_expect_events(vec![
                UserEvent::DetailsChanged(named("Anna")),
                UserEvent::SettingsChanged { settings: Map::from_iter([("a".to_owned(), json!(1))]) },
                UserEvent::RoleChanged { role: Role::Admin },
                UserEvent::TeamsChanged { team_ids: vec![TeamId::default()] },
                UserEvent::ReadOnlyChannelsChanged { channel_ids: vec![] },
                UserEvent::PasswordChanged,
            ]);
        let with_device = || UserUpdate { mobile_device: Some(device.clone()), ..UserUpdate::default() };
        let registered =
            vec![UserEvent::MobileDeviceRegistered { device_id: "phone".to_owned(), token_ref: "ref".to_owned() }];
        given(created(Role::Cm)).when(update(with_device(), by(Role::Cm, 2))).then_expect_events(registered);
        let error = UserError::Invalid(fields(&[("mobileDevice", &["onlyForOneself"])]));
        given(created(Role::Cm)).when(update(with_device(), by(Role::Admin, 1))).then_expect_error(error);
    }

    #[test]
    fn everything_that_speaks_against_a_change_is_told_at_once() {
        let wrong = UserUpdate {
            details: named("Anna"),
            role: Some(Role::SuperAdmin),
            team_ids: Some(vec![TeamId::default()]),
            read_only_channel_ids: Some(vec![ChannelId::default()]),
            password: Some(PasswordFacts { meets_criteria: false, old_is_right: None, is_the_old_one: false }),
            ..UserUpdate::default()
        };
        let facts = UpdateFacts {
            unknown_teams: vec![TeamId::default()],
            unknown_channels: vec![ChannelId::default()],
            channels_closed_to_editor: vec![ChannelId::default()],
            ..by(Role::Cm, 2)
        };
        given(created(Role::Cm)).when(update(wrong, facts)).then_expect_error(refused(&[
            ("role", UpdatingOwnRole),
            ("role", UpdatingRoleAsNonAdmin),
            ("role", InvalidRole),
            ("teams", TeamNotFound),
            ("teams", CantUpdateOwnPermissions),
            ("oldPassword", OldPasswordMissing),
            ("password", InvalidPassword),
            ("readOnlyChannelIds", NoReadOnlyChannelsForAdmins),
            ("readOnlyChannelIds", CantUpdateOwnPermissions),
            ("readOnlyChannelIds", ChannelDoesNotExist),
            ("readOnlyChannelIds", UpdatingUserMissingWriteAccess),
        ]));
    }

    #[test]
    fn an_own_password_takes_the_old_one() {
        let change = |old_is_right, is_the_old_one, meets_criteria, facts| {
            let password = Some(PasswordFacts { meets_criteria, old_is_right, is_the_old_one });
            update(UserUpdate { password, ..UserUpdate::default() }, facts)
        };
        for (old, same, good, reason) in [
            (None, false, true, ("oldPassword", OldPasswordMissing)),
            (Some(false), false, true, ("oldPassword", IncorrectPassword)),
            // Only who knows the old one learns that it is the same.
            (Some(false), true, true, ("oldPassword", IncorrectPassword)),
            (Some(true), true, true, ("password", PasswordSameAsOldPassword)),
            (Some(true), false, false, ("password", InvalidPassword)),
        ] {
            let command = change(old, same, good, by(Role::Cm, 2));
            given(created(Role::Cm)).when(command).then_expect_error(refused(&[reason]));
        }
        let changed = || vec![UserEvent::PasswordChanged];
        let command = change(Some(true), false, true, by(Role::Cm, 2));
        given(created(Role::Cm)).when(command).then_expect_events(changed());
        let command = change(None, false, true, by(Role::Admin, 1));
        given(created(Role::Cm)).when(command).then_expect_events(changed());
    }

    #[test]
    fn who_is_no_administrator_needs_a_team_where_there_are_teams() {
        let become_cm = || UserUpdate { role: Some(Role::Cm), ..UserUpdate::default() };
        let needed = || refused(&[("teams", NonAdminMustBePartOfTeam)]);
        given(created(Role::Admin)).when(update(become_cm(), by(Role::Admin, 1))).then_expect_error(needed());
        let without = UpdateFacts { account: account(&[Feature::Teams]), ..by(Role::Admin, 1) };
        let changed = || vec![UserEvent::RoleChanged { role: Role::Cm }];
        given(created(Role::Admin)).when(update(become_cm(), without)).then_expect_events(changed());
        // Who has been without one so far may stay so.
        given(created(Role::Smm)).when(update(become_cm(), by(Role::Admin, 1))).then_expect_events(changed());
        let leave = || UserUpdate { team_ids: Some(vec![]), ..UserUpdate::default() };
        let in_a_team = || {
            let joined = UserEvent::TeamsChanged { team_ids: vec![TeamId::default()] };
            [created(Role::Cm), vec![joined]].concat()
        };
        given(in_a_team()).when(update(leave(), by(Role::Admin, 1))).then_expect_error(needed());
        given(created(Role::Cm)).when(update(leave(), by(Role::Admin, 1))).then_expect_events(vec![]);
    }

    #[test]
    fn a_role_is_what_the_account_has_and_the_editor_holds() {
        let become_role = |role| UserUpdate { role: Some(role), ..UserUpdate::default() };
        let invalid = || refused(&[("role", InvalidRole)]);
        let operator = update(become_role(Role::SuperAdmin), by(Role::Admin, 1));
        given(created(Role::Cm)).when(operator).then_expect_error(invalid());
        let operator = update(become_role(Role::SuperAdmin), by(Role::SuperAdmin, 1));
        let made = vec![UserEvent::RoleChanged { role: Role::SuperAdmin }];
        given(created(Role::Cm)).when(operator).then_expect_events(made);
        let without = UpdateFacts { account: account(&[Feature::CustomPermissions]), ..by(Role::Admin, 1) };
        let custom = update(become_role(Role::Custom), without);
        given(created(Role::Cm)).when(custom).then_expect_error(invalid());
        // The role one has is no change, whoever says it.
        given(created(Role::Cm)).when(update(become_role(Role::Cm), by(Role::Cm, 2))).then_expect_events(vec![]);
    }

    #[test]
    fn permissions_are_granted_by_who_holds_them_and_where_the_account_has_them() {
        let chosen = Permissions::of(&[Permission::ViewPosts, Permission::ViewTemplates]);
        let grant = |permissions, team_ids, facts| UserCommand::Grant { permissions, team_ids, facts: Box::new(facts) };
        let admin = || by(Role::Admin, 1);
        let event = || vec![UserEvent::PermissionsChosen { permissions: chosen }];
        given(created(Role::Cm)).when(grant(chosen, None, admin())).then_expect_events(event());
        let own = grant(chosen, None, by(Role::Admin, 2));
        given(created(Role::Admin)).when(own).then_expect_error(UserError::OwnPermissions);
        let operators = Permissions::of(&[Permission::EditAllAccounts]);
        let error = UserError::Invalid(fields(&[("permissions", &["notCustomizable"])]));
        given(created(Role::Cm)).when(grant(operators, None, admin())).then_expect_error(error);
        let mut lesser = admin();
        lesser.editor.permissions = lesser.editor.permissions.without(&[Permission::ViewTemplates]);
        given(created(Role::Editor)).when(grant(chosen, None, lesser)).then_expect_error(UserError::MoreThanHeld);
        for (feature, error) in [
            (Feature::CustomPermissions, UserError::CustomPermissionsOff),
            (Feature::Templates, UserError::PermissionUnmet(Permission::ViewTemplates)),
        ] {
            let facts = UpdateFacts { account: account(&[feature]), ..admin() };
            given(created(Role::Cm)).when(grant(chosen, None, facts)).then_expect_error(error);
        }
        given(created(Role::Admin)).when(grant(chosen, None, admin())).then_expect_error(UserError::TeamMissing);
        let team_ids = vec![TeamId::default()];
        let events = [vec![UserEvent::TeamsChanged { team_ids: team_ids.clone() }], event()].concat();
        given(created(Role::Admin)).when(grant(chosen, Some(team_ids), admin())).then_expect_events(events);
    }

    #[test]
    fn an_editor_creates_within_what_they_hold_and_the_account_may_have() {
        use cqrs_es::Aggregate;
        let editor = |role: Role| by(role, 1).editor;
        let account = account(&[Feature::CustomPermissions]);
        assert_eq!(editor(Role::Admin).may_create(Role::Admin, &account, 1_000), Ok(()));
        let operator = editor(Role::Admin).may_create(Role::SuperAdminViewer, &account, 1);
        assert_eq!(operator, Err(UserError::MoreThanHeld));
        let custom = editor(Role::Admin).may_create(Role::Custom, &account, 1);
        assert_eq!(custom, Err(UserError::CustomPermissionsOff));
        let mut limited = Account(Some(account));
        let limits = palaver_domain::identity::Limits { users: Some(3), ..Default::default() };
        limited.apply(AccountEvent::LimitsChanged { limits });
        let limited = limited.0.unwrap();
        assert_eq!(editor(Role::Admin).may_create(Role::Cm, &limited, 2), Ok(()));
        assert_eq!(editor(Role::Admin).may_create(Role::Cm, &limited, 3), Err(UserError::TooManyUsers(3)));
        let ann = state(created(Role::Cm));
        assert_eq!(editor(Role::Admin).may_delete(&ann), Ok(()));
        assert_eq!(by(Role::Admin, 2).editor.may_delete(&ann), Err(UserError::DeletingOneself));
        let operator = state(created(Role::SuperAdmin));
        assert_eq!(editor(Role::Admin).may_delete(&operator), Err(UserError::OutOfReach));
    }
}
