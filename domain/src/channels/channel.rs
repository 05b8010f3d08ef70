//! The channel: connected once, then active or not.

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use super::{ChannelCommand, ChannelError, ChannelEvent, Connection, Network};
use crate::{
    AccountId, CHANNEL_NAME_CHARS_MAX, ChannelId, Circumstances, EMAIL_ADVANCE_MINUTES_MAX, FieldErrors,
    PLACEHOLDER_RECIPIENTS_MAX, TeamId,
};

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
                validate(&name, &connection)?;
                let unique_name = unique_name.unwrap_or_else(|| name.clone());
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
            (ChannelEvent::Reactivated | ChannelEvent::Deactivated, None) => {}
        }
    }
}

/// Source: seed 003, POST /channels/placeholder.
fn validate(name: &str, connection: &Connection) -> Result<(), ChannelError> {
    let mut fields = FieldErrors::new();
    let mut add = |field: &str, code: &str| fields.entry(field.to_owned()).or_default().push(code.to_owned());
    if name.trim().is_empty() {
        add("name", "required");
    }
    if name.chars().count() > CHANNEL_NAME_CHARS_MAX {
        add("name", "tooLong");
    }
    if let Connection::Placeholder { recipients, cc, email_advance_minutes, .. } = connection {
        for (field, addresses) in [("recipients", recipients), ("cc", cc)] {
            if addresses.len() > PLACEHOLDER_RECIPIENTS_MAX {
                add(field, "tooMany");
            }
            if addresses.iter().enumerate().any(|(at, address)| addresses[..at].contains(address)) {
                add(field, "notUnique");
            }
        }
        match email_advance_minutes {
            Some(minutes) if *minutes > EMAIL_ADVANCE_MINUTES_MAX => add("emailAdvance", "tooBig"),
            Some(_) if recipients.is_empty() => add("recipients", "required"),
            None if !recipients.is_empty() => add("emailAdvance", "required"),
            _ => {}
        }
    }
    if fields.is_empty() { Ok(()) } else { Err(ChannelError::Invalid(fields)) }
}
