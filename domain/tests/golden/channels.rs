//! Samples of what happens to channels.

use palaver_domain::{
    TeamId,
    channels::{ChannelEvent, Connection, Network},
};

use crate::{Types, id};

pub fn channels(types: &mut Types) {
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
