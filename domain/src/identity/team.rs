//! The team: a name, and those who look after it. Who and what is in a team is told by the members themselves, users and
//! channels; the team is only told that they come.

use cqrs_es::{Aggregate, event_sink::EventSink};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AccountId, ChannelId, Circumstances, Failure, FailureKind, FieldErrors, IDENTITY_NAME_CHARS_MAX, TEAM_ADMINS_MAX,
    TeamId, UserId, event_types::event_types, findings::Findings,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all_fields = "camelCase")]
pub enum TeamEvent {
    /// A team came into the account, without members.
    Created { id: TeamId, account_id: AccountId, name: String },
    /// The team has another name.
    Renamed { name: String },
    /// These look after the team now, and no others.
    AdminsChanged { admins: Vec<UserId> },
    /// These have become members, as their own events say. It is told to the team as well, so that a team that is being
    /// deleted and one that somebody joins are the same stream, and only one of the two happens.
    MembersAdmitted { users: Vec<UserId>, channels: Vec<ChannelId> },
    /// The team is gone; its members left it before.
    Deleted,
}

event_types!(TeamEvent {
    Created => "TeamCreated",
    Renamed => "TeamRenamed",
    AdminsChanged => "TeamAdminsChanged",
    MembersAdmitted => "TeamMembersAdmitted",
    Deleted => "TeamDeleted",
});

#[derive(Clone, Debug)]
pub enum TeamCommand {
    Create {
        id: TeamId,
        account_id: AccountId,
        name: String,
    },
    /// Nothing happens when it is called that already.
    Rename {
        name: String,
    },
    /// Nothing happens when they are its admins already.
    ChangeAdmins {
        admins: Vec<UserId>,
    },
    /// Nothing happens when nobody comes.
    Admit {
        users: Vec<UserId>,
        channels: Vec<ChannelId>,
    },
    Delete,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TeamError {
    #[error("there is no such team")]
    NotFound,
    #[error("the team already exists")]
    AlreadyExists,
    #[error("the team is not valid; errors names each field and what is wrong with it")]
    Invalid(FieldErrors),
}

impl From<TeamError> for Failure {
    fn from(error: TeamError) -> Self {
        let message = error.to_string();
        match error {
            TeamError::NotFound => Self::new(FailureKind::NotFound, "NotFoundError", message),
            TeamError::AlreadyExists => Self::new(FailureKind::Conflict, "ConflictError", message),
            TeamError::Invalid(fields) => {
                Self::new(FailureKind::Invalid, "ValidationError", message).with_fields(fields)
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TeamState {
    pub id: TeamId,
    pub account_id: AccountId,
    pub name: String,
    pub admins: Vec<UserId>,
    pub deleted: bool,
}

/// The aggregate. Empty until `Created`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Team(pub Option<TeamState>);

impl Team {
    /// # Errors
    /// `NotFound` when it was never created, or is deleted.
    pub fn existing(&self) -> Result<&TeamState, TeamError> {
        self.0.as_ref().filter(|team| !team.deleted).ok_or(TeamError::NotFound)
    }
}

impl Aggregate for Team {
    const TYPE: &'static str = "team";
    type Command = TeamCommand;
    type Event = TeamEvent;
    type Error = TeamError;
    type Services = Circumstances;

    async fn handle(
        &mut self,
        command: TeamCommand,
        _: &Circumstances,
        sink: &EventSink<Self>,
    ) -> Result<(), TeamError> {
        match command {
            TeamCommand::Create { id, account_id, name } => {
                if self.0.is_some() {
                    return Err(TeamError::AlreadyExists);
                }
                check_name(&name)?;
                sink.write(TeamEvent::Created { id, account_id, name }, self).await;
            }
            TeamCommand::Rename { name } => {
                let team = self.existing()?;
                check_name(&name)?;
                if team.name != name {
                    sink.write(TeamEvent::Renamed { name }, self).await;
                }
            }
            TeamCommand::ChangeAdmins { admins } => {
                let team = self.existing()?;
                let mut findings = Findings::default();
                findings.length("admins", admins.len(), TEAM_ADMINS_MAX);
                findings.unique("admins", &admins);
                findings.refuse(TeamError::Invalid)?;
                if team.admins != admins {
                    sink.write(TeamEvent::AdminsChanged { admins }, self).await;
                }
            }
            TeamCommand::Admit { users, channels } => {
                self.existing()?;
                if !(users.is_empty() && channels.is_empty()) {
                    sink.write(TeamEvent::MembersAdmitted { users, channels }, self).await;
                }
            }
            TeamCommand::Delete => {
                self.existing()?;
                sink.write(TeamEvent::Deleted, self).await;
            }
        }
        Ok(())
    }

    fn apply(&mut self, event: TeamEvent) {
        match (event, &mut self.0) {
            (TeamEvent::Created { id, account_id, name }, state) => {
                *state = Some(TeamState { id, account_id, name, admins: Vec::new(), deleted: false });
            }
            (TeamEvent::Renamed { name }, Some(team)) => team.name = name,
            (TeamEvent::AdminsChanged { admins }, Some(team)) => team.admins = admins,
            (TeamEvent::Deleted, Some(team)) => team.deleted = true,
            (TeamEvent::MembersAdmitted { .. }, _)
            | (TeamEvent::Renamed { .. } | TeamEvent::AdminsChanged { .. } | TeamEvent::Deleted, None) => {}
        }
    }
}

fn check_name(name: &str) -> Result<(), TeamError> {
    let mut findings = Findings::default();
    findings.required_text("name", name, IDENTITY_NAME_CHARS_MAX);
    findings.refuse(TeamError::Invalid)
}
