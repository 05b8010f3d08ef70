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
