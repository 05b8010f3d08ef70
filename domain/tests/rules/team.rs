use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use palaver_domain::{
    AccountId, ChannelId, ContactId, TeamId, UserId,
    identity::{Contact, ContactCommand, ContactError, ContactEvent, Team, TeamCommand, TeamError, TeamEvent},
};

use super::{circumstances, fields, user};

fn given(events: Vec<TeamEvent>) -> AggregateTestExecutor<Team> {
    TestFramework::with(circumstances()).given(events)
}

fn create(name: &str) -> TeamCommand {
    TeamCommand::Create { id: TeamId::default(), account_id: AccountId::default(), name: name.to_owned() }
}

fn created(name: &str) -> TeamEvent {
    TeamEvent::Created { id: TeamId::default(), account_id: AccountId::default(), name: name.to_owned() }
}

fn rename(name: &str) -> TeamCommand {
    TeamCommand::Rename { name: name.to_owned() }
}

fn renamed(name: &str) -> TeamEvent {
    TeamEvent::Renamed { name: name.to_owned() }
}

fn invalid(field: &str, codes: &[&str]) -> TeamError {
    TeamError::Invalid(fields(&[(field, codes)]))
}

#[test]
fn a_team_is_created_once_and_renamed_at_will() {
    given(vec![]).when(create("Europe")).then_expect_events(vec![created("Europe")]);
    given(vec![created("Europe")]).when(create("Europe")).then_expect_error(TeamError::AlreadyExists);
    given(vec![created("Europe")]).when(rename("Asia")).then_expect_events(vec![renamed("Asia")]);
    given(vec![created("Europe")]).when(rename("Europe")).then_expect_events(vec![]);
    given(vec![created("Europe"), renamed("Asia")]).when(rename("Asia")).then_expect_events(vec![]);
    let long = "a".repeat(255);
    for (name, codes) in [("  ", &["required"][..]), (&long, &["tooLong"]), ("a\0", &["unsupportedCharacter"])] {
        given(vec![]).when(create(name)).then_expect_error(invalid("name", codes));
        given(vec![created("Europe")]).when(rename(name)).then_expect_error(invalid("name", codes));
    }
}

#[test]
fn admins_are_a_list_without_repetition() {
    let to = |admins: &[u8]| TeamCommand::ChangeAdmins { admins: admins.iter().map(|id| user(*id)).collect() };
    let changed = |admins: &[u8]| TeamEvent::AdminsChanged { admins: admins.iter().map(|id| user(*id)).collect() };
    given(vec![created("Europe")]).when(to(&[1, 2])).then_expect_events(vec![changed(&[1, 2])]);
    given(vec![created("Europe")]).when(to(&[])).then_expect_events(vec![]);
    given(vec![created("Europe"), changed(&[1])]).when(to(&[1])).then_expect_events(vec![]);
    given(vec![created("Europe"), changed(&[1])]).when(to(&[])).then_expect_events(vec![changed(&[])]);
    given(vec![created("Europe")]).when(to(&[1, 2, 1])).then_expect_error(invalid("admins", &["notUnique"]));
    let many: Vec<UserId> = (0..101).map(user).collect();
    let error = invalid("admins", &["tooMany"]);
    given(vec![created("Europe")]).when(TeamCommand::ChangeAdmins { admins: many }).then_expect_error(error);
}

#[test]
fn a_team_hears_of_its_members_until_it_is_deleted() {
    let admit = |users: Vec<UserId>, channels: Vec<ChannelId>| TeamCommand::Admit { users, channels };
    let admitted = TeamEvent::MembersAdmitted { users: vec![user(1)], channels: vec![] };
    given(vec![created("Europe")]).when(admit(vec![user(1)], vec![])).then_expect_events(vec![admitted]);
    given(vec![created("Europe")]).when(admit(vec![], vec![])).then_expect_events(vec![]);
    given(vec![created("Europe")]).when(TeamCommand::Delete).then_expect_events(vec![TeamEvent::Deleted]);
    for events in [vec![], vec![created("Europe"), TeamEvent::Deleted]] {
        for command in [
            rename("Asia"),
            TeamCommand::ChangeAdmins { admins: vec![] },
            admit(vec![user(1)], vec![]),
            admit(vec![], vec![]),
            TeamCommand::Delete,
        ] {
            given(events.clone()).when(command).then_expect_error(TeamError::NotFound);
        }
    }
    // An id is used once, whatever became of what had it.
    given(vec![created("Europe"), TeamEvent::Deleted]).when(create("Asia")).then_expect_error(TeamError::AlreadyExists);
}

#[test]
fn a_contact_is_an_address_until_it_is_deleted() {
    let given = |events| TestFramework::<Contact>::with(circumstances()).given(events);
    let (id, account_id) = (ContactId::default(), AccountId::default());
    let create = |email: &str| ContactCommand::Create { id, account_id, email: email.to_owned() };
    let created = || ContactEvent::Created { id, account_id, email: "ann@example.com".to_owned() };
    given(vec![]).when(create("ann@example.com")).then_expect_events(vec![created()]);
    given(vec![created()]).when(create("ann@example.com")).then_expect_error(ContactError::AlreadyExists);
    given(vec![created()]).when(ContactCommand::Delete).then_expect_events(vec![ContactEvent::Deleted]);
    for events in [vec![], vec![created(), ContactEvent::Deleted]] {
        given(events).when(ContactCommand::Delete).then_expect_error(ContactError::NotFound);
    }
    for address in ["", "ann", "Ann <ann@example.com>", "ann@example.com, bob@example.com"] {
        let error = ContactError::Invalid(fields(&[("email", &["invalidEmail"])]));
        given(vec![]).when(create(address)).then_expect_error(error);
    }
}
