use cqrs_es::test::TestFramework;
use palaver_domain::{
    AccountId, TeamId,
    identity::{
        Account, AccountCommand, AccountError, AccountEvent, Permission, Role, User, UserCommand, UserError, UserEvent,
    },
};

use super::{circumstances, fields, user};

#[test]
fn an_account_is_registered_once_under_a_name() {
    let given = |events| TestFramework::<Account>::with(circumstances()).given(events);
    let id = AccountId::default();
    let register = |name: &str| AccountCommand::Register { id, name: name.to_owned() };
    let registered = || vec![AccountEvent::Registered { id, name: "Acme".to_owned() }];
    given(vec![]).when(register("Acme")).then_expect_events(registered());
    given(registered()).when(register("Acme")).then_expect_error(AccountError::AlreadyExists);
    for (name, codes) in
        [(" ".to_owned(), &["required"][..]), (format!("{}\0", "a".repeat(254)), &["tooLong", "unsupportedCharacter"])]
    {
        let error = AccountError::Invalid(fields(&[("name", codes)]));
        given(vec![]).when(register(&name)).then_expect_error(error);
    }
}

#[test]
fn a_user_is_created_once_under_a_name() {
    let given = |events| TestFramework::<User>::with(circumstances()).given(events);
    let account_id = AccountId::default();
    let create = |name: &str, team_ids| UserCommand::Create {
        id: user(1),
        account_id,
        user_name: name.to_owned(),
        role: Role::Editor,
        team_ids,
    };
    let created = || {
        let user_name = "ann".to_owned();
        vec![UserEvent::Created { id: user(1), account_id, user_name, role: Role::Editor, team_ids: vec![] }]
    };
    given(vec![]).when(create("ann", vec![])).then_expect_events(created());
    given(created()).when(create("ann", vec![])).then_expect_error(UserError::AlreadyExists);
    let error = UserError::Invalid(fields(&[("teamIds", &["notUnique"]), ("userName", &["required"])]));
    given(vec![]).when(create("", vec![TeamId::default(); 2])).then_expect_error(error);
}

#[test]
fn roles_grant_more_from_reading_to_running_the_account() {
    let ladder = [Role::Observer, Role::Editor, Role::Cm, Role::Smm, Role::Admin];
    for pair in ladder.windows(2) {
        for permission in pair[0].permissions() {
            assert!(pair[1].grants(*permission), "{} has {permission}, {} has not", pair[0], pair[1]);
        }
    }
    assert_eq!(Role::Admin.permissions(), Permission::ALL);
    for role in [Role::Observer, Role::Editor, Role::Cm] {
        for permission in [Permission::PublishPosts, Permission::ApprovePosts, Permission::EditChannels] {
            assert!(!role.grants(permission), "{role} may not {permission}");
        }
    }
    for role in Role::ALL {
        assert_eq!(role.as_str().parse(), Ok(role));
        assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
    }
}
