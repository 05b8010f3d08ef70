//! The channel: connected once, then active or not.

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use super::{ChannelCommand, ChannelError, ChannelEvent, Connection, Network};
use crate::{
    AccountId, CHANNEL_NAME_CHARS_MAX, CHANNEL_UNIQUE_NAME_CHARS_MAX, ChannelId, Circumstances,
    EMAIL_ADVANCE_MINUTES_MAX, PLACEHOLDER_RECIPIENTS_MAX, TEAMS_PER_MEMBER_MAX, TeamId, findings::Findings,
    identity::Role,
};

/// Where people publish by hand. Source: seed 003, POST /channels/placeholder, `network`.
const PLACEHOLDER_NETWORKS: [&str; 5] = ["INSTAGRAM", "YOUTUBE", "GOOGLEPLUS", "WORDPRESS", "LINKEDIN"];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelState {
    pub id: ChannelId,
    pub account_id: AccountId,
    pub network: Network,
    pub connection: Connection,
    pub name: String,
    pub unique_name: String,
    pub image_url: Option<String>,
    pub team_ids: Vec<TeamId>,
    pub active: bool,
}

/// The aggregate. Empty until `Connected`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Channel(pub Option<ChannelState>);

impl ChannelState {
    /// Whether somebody with this role in these teams may use the channel: administrators all, others those of their
    /// teams and those that no team has claimed.
    pub fn visible_to(&self, role: Role, team_ids: &[TeamId]) -> bool {
        role.sees_all_channels() || self.team_ids.is_empty() || self.team_ids.iter().any(|team| team_ids.contains(team))
    }
}

impl Channel {
    pub fn existing(&self) -> Result<&ChannelState, ChannelError> {
        self.0.as_ref().ok_or(ChannelError::NotFound)
    }
}

impl Aggregate for Channel {
    const TYPE: &'static str = "channel";
    type Command = ChannelCommand;
    type Event = ChannelEvent;
    type Error = ChannelError;
    type Services = Circumstances;

    async fn handle(
        &mut self,
        command: ChannelCommand,
        _: &Circumstances,
        sink: &EventSink<Self>,
    ) -> Result<(), ChannelError> {
        match command {
            ChannelCommand::Connect { id, account_id, network, connection, name, unique_name, image_url, team_ids } => {
                if self.0.is_some() {
                    return Err(ChannelError::AlreadyExists);
                }
                let unique_name = unique_name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| name.clone());
                let event = ChannelEvent::Connected {
                    id,
                    account_id,
                    network,
                    connection,
                    name,
                    unique_name,
                    image_url,
                    team_ids,
                };
                validate(&event)?;
                sink.write(event, self).await;
            }
            ChannelCommand::Reactivate => {
                if self.existing()?.active {
                    return Err(ChannelError::AlreadyActive);
                }
                sink.write(ChannelEvent::Reactivated, self).await;
            }
            ChannelCommand::Deactivate => {
                if self.existing()?.active {
                    sink.write(ChannelEvent::Deactivated, self).await;
                }
            }
            ChannelCommand::ChangeTeams { team_ids } => {
                let channel = self.existing()?;
                let mut findings = Findings::default();
                check_teams(&team_ids, &mut findings);
                findings.refuse(ChannelError::Invalid)?;
                if channel.team_ids != team_ids {
                    sink.write(ChannelEvent::TeamsChanged { team_ids }, self).await;
                }
            }
        }
        Ok(())
    }

    fn apply(&mut self, event: ChannelEvent) {
        match (event, &mut self.0) {
            (
                ChannelEvent::Connected { id, account_id, network, connection, name, unique_name, image_url, team_ids },
                state,
            ) => {
                *state = Some(ChannelState {
                    id,
                    account_id,
                    network,
                    connection,
                    name,
                    unique_name,
                    image_url,
                    team_ids,
                    active: true,
                });
            }
            (ChannelEvent::Reactivated, Some(channel)) => channel.active = true,
            (ChannelEvent::Deactivated, Some(channel)) => channel.active = false,
            (ChannelEvent::TeamsChanged { team_ids }, Some(channel)) => channel.team_ids = team_ids,
            (ChannelEvent::Reactivated | ChannelEvent::Deactivated | ChannelEvent::TeamsChanged { .. }, None) => {}
        }
    }
}

/// Whether a channel may begin as this event says. Source: seed 003, POST /channels/placeholder, with its names.
fn validate(connected: &ChannelEvent) -> Result<(), ChannelError> {
    let ChannelEvent::Connected { network, connection, name, unique_name, image_url, team_ids, .. } = connected else {
        return Ok(());
    };
    let mut findings = Findings::default();
    findings.required_text("name", name, CHANNEL_NAME_CHARS_MAX);
    findings.text("uniqueName", unique_name, CHANNEL_UNIQUE_NAME_CHARS_MAX);
    if let Some(image_url) = image_url {
        findings.url("imageUrl", image_url);
    }
    check_teams(team_ids, &mut findings);
    match connection {
        // A sandbox plays a network, and a placeholder is none.
        Connection::Sandbox => findings.check(*network != Network::Placeholders, "socialNetwork", "notForSandbox"),
        Connection::Placeholder { network: by_hand, recipients, cc, email_advance_minutes } => {
            findings.check(*network == Network::Placeholders, "socialNetwork", "notForPlaceholder");
            let known = by_hand.as_deref().is_none_or(|network| PLACEHOLDER_NETWORKS.contains(&network));
            findings.check(known, "network", "unknownNetwork");
            addresses("recipients", recipients, &mut findings);
            addresses("cc", cc, &mut findings);
            match email_advance_minutes {
                Some(minutes) => {
                    findings.check(*minutes <= EMAIL_ADVANCE_MINUTES_MAX, "emailAdvance", "tooBig");
                    findings.check(!recipients.is_empty(), "recipients", "required");
                }
                None => findings.check(recipients.is_empty(), "emailAdvance", "required"),
            }
        }
    }
    findings.refuse(ChannelError::Invalid)
}

fn check_teams(team_ids: &[TeamId], findings: &mut Findings) {
    findings.length("teamIds", team_ids.len(), TEAMS_PER_MEMBER_MAX);
    findings.unique("teamIds", team_ids);
}

fn addresses(field: &str, addresses: &[String], findings: &mut Findings) {
    findings.length(field, addresses.len(), PLACEHOLDER_RECIPIENTS_MAX);
    // The domain's case does not matter, and no provider tells mailboxes apart by theirs.
    findings.unique(field, addresses.iter().map(|address| address.to_lowercase()));
    for (at, address) in addresses.iter().take(PLACEHOLDER_RECIPIENTS_MAX).enumerate() {
        findings.email(&format!("{field}.{at}"), address);
    }
}
