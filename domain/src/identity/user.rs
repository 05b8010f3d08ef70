//! The user: a person of an account, with a role. Passwords and tokens are credentials, never events.

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use super::Role;
use crate::{
    AccountId, Circumstances, Failure, FailureKind, FieldErrors, IDENTITY_NAME_CHARS_MAX, TEAMS_PER_MEMBER_MAX, TeamId,
    UserId, findings::Findings,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum UserEvent {
    Created { id: UserId, account_id: AccountId, user_name: String, role: Role, team_ids: Vec<TeamId> },
}

impl DomainEvent for UserEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Created { .. } => "UserCreated",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

#[derive(Clone, Debug)]
pub enum UserCommand {
    Create { id: UserId, account_id: AccountId, user_name: String, role: Role, team_ids: Vec<TeamId> },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    #[error("the user already exists")]
    AlreadyExists,
    #[error("the user is not valid; errors names each field and what is wrong with it")]
    Invalid(FieldErrors),
}

impl From<UserError> for Failure {
    fn from(error: UserError) -> Self {
        let message = error.to_string();
        match error {
            UserError::AlreadyExists => Self::new(FailureKind::Conflict, "ConflictError", message),
            UserError::Invalid(fields) => {
                Self::new(FailureKind::Invalid, "ValidationError", message).with_fields(fields)
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserState {
    pub id: UserId,
    pub account_id: AccountId,
    pub user_name: String,
    pub role: Role,
    pub team_ids: Vec<TeamId>,
}

/// The aggregate. Empty until `Created`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct User(pub Option<UserState>);

impl Aggregate for User {
    const TYPE: &'static str = "user";
    type Command = UserCommand;
    type Event = UserEvent;
    type Error = UserError;
    type Services = Circumstances;

    async fn handle(
        &mut self,
        UserCommand::Create { id, account_id, user_name, role, team_ids }: UserCommand,
        _: &Circumstances,
        sink: &EventSink<Self>,
    ) -> Result<(), UserError> {
        if self.0.is_some() {
            return Err(UserError::AlreadyExists);
        }
        let mut findings = Findings::default();
        findings.required_text("userName", &user_name, IDENTITY_NAME_CHARS_MAX);
        findings.length("teamIds", team_ids.len(), TEAMS_PER_MEMBER_MAX);
        findings.unique("teamIds", &team_ids);
        findings.refuse(UserError::Invalid)?;
        sink.write(UserEvent::Created { id, account_id, user_name, role, team_ids }, self).await;
        Ok(())
    }

    fn apply(&mut self, UserEvent::Created { id, account_id, user_name, role, team_ids }: UserEvent) {
        self.0 = Some(UserState { id, account_id, user_name, role, team_ids });
    }
}
