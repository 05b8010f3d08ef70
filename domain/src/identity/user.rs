//! The user: a person of an account, with a role. Passwords and tokens are credentials, never events.

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use super::Role;
use crate::{AccountId, Circumstances, Failure, FailureKind, TeamId, UserId};

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
    #[error("a user needs a userName")]
    UserNameMissing,
}

impl From<UserError> for Failure {
    fn from(error: UserError) -> Self {
        let kind = match error {
            UserError::AlreadyExists => FailureKind::Conflict,
            UserError::UserNameMissing => FailureKind::Invalid,
        };
        let code = if kind == FailureKind::Conflict { "ConflictError" } else { "ValidationError" };
        Self::new(kind, code, error.to_string())
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
        if user_name.trim().is_empty() {
            return Err(UserError::UserNameMissing);
        }
        sink.write(UserEvent::Created { id, account_id, user_name, role, team_ids }, self).await;
        Ok(())
    }

    fn apply(&mut self, UserEvent::Created { id, account_id, user_name, role, team_ids }: UserEvent) {
        self.0 = Some(UserState { id, account_id, user_name, role, team_ids });
    }
}
