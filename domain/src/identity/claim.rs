//! The claim: a text that one holder at a time may have, such as a user name. Its id is a digest of what is claimed, so
//! two who want the same meet in one stream, whatever else they do. It is written together with the holder's own events.

use cqrs_es::{Aggregate, event_sink::EventSink};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Circumstances, Failure, FailureKind, event_types::event_types};

/// What is claimed. Each kind is a space of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ClaimKind {
    /// By which somebody logs in; across all accounts.
    UserName,
    /// The address of a contact, within an account.
    Contact,
    /// The name of a team, within an account.
    TeamName,
    /// By which the users of an account log in; across all accounts.
    KeycloakRealm,
}

impl ClaimKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserName => "userName",
            Self::Contact => "contact",
            Self::TeamName => "teamName",
            Self::KeycloakRealm => "keycloakRealm",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all_fields = "camelCase")]
pub enum ClaimEvent {
    /// Somebody has the text now, and nobody else can.
    Claimed {
        kind: ClaimKind,
        /// Whose it is: the id of an account, a user, a team or a contact.
        holder: String,
    },
    /// The text is free again.
    Released,
}

event_types!(ClaimEvent {
    Claimed => "ClaimClaimed",
    Released => "ClaimReleased",
});

#[derive(Clone, Debug)]
pub enum ClaimCommand {
    /// Nothing happens when the holder has it already.
    Claim { kind: ClaimKind, holder: String },
    /// Nothing happens when somebody else has it.
    Release { holder: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    #[error("this is taken already")]
    Taken,
}

impl From<ClaimError> for Failure {
    fn from(error: ClaimError) -> Self {
        Self::new(FailureKind::Conflict, "ConflictError", error.to_string())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimState {
    pub holder: String,
}

/// The aggregate. Empty when nobody holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Claim(pub Option<ClaimState>);

impl Aggregate for Claim {
    const TYPE: &'static str = "claim";
    type Command = ClaimCommand;
    type Event = ClaimEvent;
    type Error = ClaimError;
    type Services = Circumstances;

    async fn handle(
        &mut self,
        command: ClaimCommand,
        _: &Circumstances,
        sink: &EventSink<Self>,
    ) -> Result<(), ClaimError> {
        match (command, &self.0) {
            (ClaimCommand::Claim { kind, holder }, None) => {
                sink.write(ClaimEvent::Claimed { kind, holder }, self).await;
            }
            (ClaimCommand::Claim { holder, .. }, Some(held)) if held.holder != holder => return Err(ClaimError::Taken),
            (ClaimCommand::Release { holder }, Some(held)) if held.holder == holder => {
                sink.write(ClaimEvent::Released, self).await;
            }
            _ => {}
        }
        Ok(())
    }

    fn apply(&mut self, event: ClaimEvent) {
        self.0 = match event {
            ClaimEvent::Claimed { holder, .. } => Some(ClaimState { holder }),
            ClaimEvent::Released => None,
        };
    }
}
