use cqrs_es::{
    Aggregate,
    test::{AggregateTestExecutor, TestFramework},
};
use palaver_domain::{
    AccountId, ChannelId, TeamId,
    channels::{Channel, ChannelCommand, ChannelError, ChannelEvent, Connection, Network},
    identity::Role,
};

use super::{circumstances, fields};

fn given(events: Vec<ChannelEvent>) -> AggregateTestExecutor<Channel> {
    TestFramework::with(circumstances()).given(events)
}

struct Connecting {
    network: Network,
    connection: Connection,
    name: String,
    unique_name: Option<String>,
    image_url: Option<String>,
    team_ids: Vec<TeamId>,
}

fn sandbox() -> Connecting {
    Connecting {
        network: Network::Twitter,
        connection: Connection::Sandbox,
        name: "Acme".to_owned(),
        unique_name: None,
        image_url: None,
        team_ids: vec![],
    }
}

fn placeholder(recipients: &[&str], cc: &[&str], email_advance_minutes: Option<u16>) -> Connecting {
    let owned = |addresses: &[&str]| addresses.iter().map(|address| (*address).to_owned()).collect();
    let connection = Connection::Placeholder {
        network: Some("INSTAGRAM".to_owned()),
        recipients: owned(recipients),
        cc: owned(cc),
        email_advance_minutes,
    };
    Connecting { network: Network::Placeholders, connection, ..sandbox() }
}

impl Connecting {
    fn command(self) -> ChannelCommand {
        ChannelCommand::Connect {
            id: ChannelId::default(),
            account_id: AccountId::default(),
            network: self.network,
            connection: self.connection,
            name: self.name,
            unique_name: self.unique_name,
            image_url: self.image_url,
            team_ids: self.team_ids,
        }
    }

    fn event(self) -> ChannelEvent {
        ChannelEvent::Connected {
            id: ChannelId::default(),
            account_id: AccountId::default(),
            network: self.network,
            connection: self.connection,
            unique_name: self.unique_name.unwrap_or_else(|| self.name.clone()),
            name: self.name,
            image_url: self.image_url,
            team_ids: self.team_ids,
        }
    }

    #[track_caller]
    fn refused_for(self, expected: &[(&str, &[&str])]) {
        given(vec![]).when(self.command()).then_expect_error(ChannelError::Invalid(fields(expected)));
    }
}

#[test]
fn a_channel_is_connected_once_and_then_on_or_off() {
    let named = || Connecting { unique_name: Some("@acme".to_owned()), ..sandbox() };
    given(vec![]).when(named().command()).then_expect_events(vec![named().event()]);
    // Without a name on the network, the channel's own stands for it.
    given(vec![]).when(sandbox().command()).then_expect_events(vec![sandbox().event()]);
    given(vec![sandbox().event()]).when(sandbox().command()).then_expect_error(ChannelError::AlreadyExists);

    let on = || vec![sandbox().event()];
    let off = || vec![sandbox().event(), ChannelEvent::Deactivated];
    given(on()).when(ChannelCommand::Deactivate).then_expect_events(vec![ChannelEvent::Deactivated]);
    given(off()).when(ChannelCommand::Deactivate).then_expect_events(vec![]);
    given(off()).when(ChannelCommand::Reactivate).then_expect_events(vec![ChannelEvent::Reactivated]);
    given(on()).when(ChannelCommand::Reactivate).then_expect_error(ChannelError::AlreadyActive);
    for command in [ChannelCommand::Reactivate, ChannelCommand::Deactivate] {
        given(vec![]).when(command).then_expect_error(ChannelError::NotFound);
    }
}

#[test]
fn a_channel_goes_from_team_to_team() {
    let team = |number: u8| TeamId::from_bytes([number; 12]);
    let to = |teams: &[u8]| ChannelCommand::ChangeTeams { team_ids: teams.iter().map(|id| team(*id)).collect() };
    let moved = |teams: &[u8]| ChannelEvent::TeamsChanged { team_ids: teams.iter().map(|id| team(*id)).collect() };
    let on = || vec![sandbox().event()];
    given(on()).when(to(&[1, 2])).then_expect_events(vec![moved(&[1, 2])]);
    given(on()).when(to(&[])).then_expect_events(vec![]);
    given(vec![sandbox().event(), moved(&[1])]).when(to(&[1])).then_expect_events(vec![]);
    given(vec![sandbox().event(), moved(&[1])]).when(to(&[])).then_expect_events(vec![moved(&[])]);
    // One that is out of use has teams all the same: it may be brought back.
    given(vec![sandbox().event(), ChannelEvent::Deactivated]).when(to(&[1])).then_expect_events(vec![moved(&[1])]);
    let error = ChannelError::Invalid(fields(&[("teamIds", &["notUnique"])]));
    given(on()).when(to(&[1, 1])).then_expect_error(error);
    let many: Vec<TeamId> =
        (0..1_001_u16).map(|n| TeamId::from_bytes([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (n >> 8) as u8, n as u8])).collect();
    let error = ChannelError::Invalid(fields(&[("teamIds", &["tooMany"])]));
    given(on()).when(ChannelCommand::ChangeTeams { team_ids: many }).then_expect_error(error);
    given(vec![]).when(to(&[1])).then_expect_error(ChannelError::NotFound);

    let mut channel = Channel::default();
    for event in [sandbox().event(), moved(&[1])] {
        channel.apply(event);
    }
    let channel = channel.existing().unwrap();
    assert!(channel.visible_to(Role::Smm, &[team(1), team(2)]) && !channel.visible_to(Role::Smm, &[team(2)]));
    assert!(channel.visible_to(Role::Admin, &[]) && channel.visible_to(Role::SuperAdminViewer, &[]));
}

#[test]
fn a_placeholder_knows_whom_to_tell_and_when() {
    for sound in [
        placeholder(&[], &[], None),
        placeholder(&["ann@example.com"], &["bob@example.com"], Some(0)),
        placeholder(&["ann@example.com", "bob@example.com"], &[], Some(1_440)),
    ] {
        assert_eq!(given(vec![]).when(sound.command()).inspect_result().map(|events| events.len()), Ok(1));
    }
    placeholder(&["ann@example.com"], &[], None).refused_for(&[("emailAdvance", &["required"])]);
    placeholder(&[], &[], Some(30)).refused_for(&[("recipients", &["required"])]);
    placeholder(&[], &[], Some(1_441)).refused_for(&[("emailAdvance", &["tooBig"]), ("recipients", &["required"])]);
    placeholder(&["ann@example.com", "Ann@Example.com"], &["nobody"], Some(1))
        .refused_for(&[("cc.0", &["invalidEmail"]), ("recipients", &["notUnique"])]);
    let crowd: Vec<String> = (0..51).map(|number| format!("ann{number}@example.com")).collect();
    let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
    placeholder(&crowd, &crowd, Some(1)).refused_for(&[("cc", &["tooMany"]), ("recipients", &["tooMany"])]);
}

#[test]
fn everything_wrong_with_a_channel_is_told_at_once() {
    let connection = Connection::Placeholder {
        network: Some("MYSPACE".to_owned()),
        recipients: vec![],
        cc: vec![],
        email_advance_minutes: None,
    };
    let wrong = Connecting {
        network: Network::Facebook,
        connection,
        name: " ".to_owned(),
        unique_name: Some("@".repeat(255)),
        image_url: Some("javascript:alert(1)".to_owned()),
        team_ids: vec![TeamId::default(); 2],
    };
    wrong.refused_for(&[
        ("imageUrl", &["invalidUrl"]),
        ("name", &["required"]),
        ("network", &["unknownNetwork"]),
        ("socialNetwork", &["notForPlaceholder"]),
        ("teamIds", &["notUnique"]),
        ("uniqueName", &["tooLong"]),
    ]);
    Connecting { name: "a".repeat(51), ..sandbox() }.refused_for(&[("name", &["tooLong"])]);
    Connecting { network: Network::Placeholders, ..sandbox() }.refused_for(&[("socialNetwork", &["notForSandbox"])]);
}
