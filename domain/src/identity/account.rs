//! The account: the tenant that owns channels, users and posts.

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use crate::{AccountId, Circumstances, Failure, FailureKind, FieldErrors, IDENTITY_NAME_CHARS_MAX, findings::Findings};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum AccountEvent {
    Registered { id: AccountId, name: String },
}

impl DomainEvent for AccountEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Registered { .. } => "AccountRegistered",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

#[derive(Clone, Debug)]
pub enum AccountCommand {
    Register { id: AccountId, name: String },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    #[error("the account already exists")]
    AlreadyExists,
    #[error("the account is not valid; errors names each field and what is wrong with it")]
    Invalid(FieldErrors),
}

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        let message = error.to_string();
        match error {
            AccountError::AlreadyExists => Self::new(FailureKind::Conflict, "ConflictError", message),
            AccountError::Invalid(fields) => {
                Self::new(FailureKind::Invalid, "ValidationError", message).with_fields(fields)
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountState {
    pub id: AccountId,
    pub name: String,
}

/// The aggregate. Empty until `Registered`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Account(pub Option<AccountState>);

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Command = AccountCommand;
    type Event = AccountEvent;
    type Error = AccountError;
    type Services = Circumstances;

    async fn handle(
        &mut self,
        AccountCommand::Register { id, name }: AccountCommand,
        _: &Circumstances,
        sink: &EventSink<Self>,
    ) -> Result<(), AccountError> {
        if self.0.is_some() {
            return Err(AccountError::AlreadyExists);
        }
        let mut findings = Findings::default();
        findings.required_text("name", &name, IDENTITY_NAME_CHARS_MAX);
        findings.refuse(AccountError::Invalid)?;
        sink.write(AccountEvent::Registered { id, name }, self).await;
        Ok(())
    }

    fn apply(&mut self, AccountEvent::Registered { id, name }: AccountEvent) {
        self.0 = Some(AccountState { id, name });
    }
}
