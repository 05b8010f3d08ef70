use cqrs_es::test::TestFramework;
use palaver_domain::{
    AccountId,
    identity::{
        Account, AccountCommand, AccountError, AccountEvent, Claim, ClaimCommand, ClaimError, ClaimEvent, ClaimKind,
        Permission, Permissions, Role,
    },
};

use super::{circumstances, fields};

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
fn roles_grant_more_from_reading_to_running_the_account() {
    use Role::*;
    let ladders = [
        &[Observer, Cm, Smm, SmmAa, Admin, SuperAdmin][..],
        &[Editor, Smm],
        &[CmWoi, Cm],
        &[SmmWoi, Smm],
        &[Assigner, Cm],
        &[Reporter, Cm],
        &[Advert, SmmAa],
        &[Observer, SuperAdminViewer, SuperAdmin],
    ];
    for pair in ladders.iter().flat_map(|ladder| ladder.windows(2)) {
        for permission in pair[0].permissions().iter() {
            assert!(pair[1].permissions().contains(permission), "{} has {permission}, {} has not", pair[0], pair[1]);
        }
        assert_ne!(pair[0].permissions(), pair[1].permissions());
    }
    assert_eq!(SuperAdmin.permissions(), Permissions::all());
    assert!(!Admin.permissions().contains(Permission::EditAllAccounts));
    for role in Role::ALL {
        let writes = role.permissions().iter().any(|permission| permission.as_str().starts_with("Edit"));
        assert!(!(writes && role == SuperAdminViewer), "looks, and changes nothing");
        assert_eq!(role.permissions() == Permissions::NONE, role == Custom);
    }
    for role in [Role::Observer, Role::Editor, Role::Cm] {
        for permission in [Permission::PublishPosts, Permission::ApprovePosts, Permission::EditChannels] {
            assert!(!role.permissions().contains(permission), "{role} may not {permission}");
        }
    }
    for role in Role::ALL {
        assert_eq!(role.as_str().parse(), Ok(role));
        assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
    }
}

#[test]
fn permissions_are_a_set_that_is_written_as_names() {
    let set = Permissions::of(&[Permission::EditPosts, Permission::ViewPosts]);
    assert_eq!(serde_json::to_value(set).unwrap(), serde_json::json!(["ViewPosts", "EditPosts"]));
    assert_eq!(serde_json::from_str::<Permissions>(r#"["EditPosts","ViewPosts","EditPosts"]"#).unwrap(), set);
    assert!(serde_json::from_str::<Permissions>(r#"["Everything"]"#).is_err());
    assert!(Permissions::all().is_superset(set) && !set.is_superset(Permissions::all()));
    assert_eq!(set.without(&[Permission::EditPosts]).iter().collect::<Vec<_>>(), [Permission::ViewPosts]);
    for permission in Permission::ALL {
        assert_eq!(permission.as_str().parse(), Ok(*permission));
    }
}

#[test]
fn a_claim_has_one_holder_until_it_is_released() {
    let given = |events| TestFramework::<Claim>::with(circumstances()).given(events);
    let claim = |holder: &str| ClaimCommand::Claim { kind: ClaimKind::UserName, holder: holder.to_owned() };
    let release = |holder: &str| ClaimCommand::Release { holder: holder.to_owned() };
    let claimed = |holder: &str| ClaimEvent::Claimed { kind: ClaimKind::UserName, holder: holder.to_owned() };
    given(vec![]).when(claim("a")).then_expect_events(vec![claimed("a")]);
    given(vec![claimed("a")]).when(claim("a")).then_expect_events(vec![]);
    given(vec![claimed("a")]).when(claim("b")).then_expect_error(ClaimError::Taken);
    given(vec![claimed("a")]).when(release("b")).then_expect_events(vec![]);
    given(vec![claimed("a")]).when(release("a")).then_expect_events(vec![ClaimEvent::Released]);
    given(vec![claimed("a"), ClaimEvent::Released]).when(claim("b")).then_expect_events(vec![claimed("b")]);
}
