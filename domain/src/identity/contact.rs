//! The contact: somebody outside who can be written to by mail.

use cqrs_es::{Aggregate, event_sink::EventSink};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AccountId, Circumstances, ContactId, Failure, FailureKind, FieldErrors, event_types::event_types,
    findings::Findings,
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all_fields = "camelCase")]
pub enum ContactEvent {
    /// Somebody outside was noted down.
    Created { id: ContactId, account_id: AccountId, email: String },
    /// The contact is gone.
    Deleted,
}

event_types!(ContactEvent {
    Created => "ContactCreated",
    Deleted => "ContactDeleted",
});

#[derive(Clone, Debug)]
pub enum ContactCommand {
    Create { id: ContactId, account_id: AccountId, email: String },
    Delete,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContactError {
    #[error("there is no such contact")]
    NotFound,
    #[error("the contact already exists")]
    AlreadyExists,
    #[error("the contact is not valid; errors names each field and what is wrong with it")]
    Invalid(FieldErrors),
}

impl From<ContactError> for Failure {
    fn from(error: ContactError) -> Self {
        let message = error.to_string();
        match error {
            ContactError::NotFound => Self::new(FailureKind::NotFound, "NotFoundError", message),
            ContactError::AlreadyExists => Self::new(FailureKind::Conflict, "ConflictError", message),
            ContactError::Invalid(fields) => {
                Self::new(FailureKind::Invalid, "ValidationError", message).with_fields(fields)
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContactState {
    pub id: ContactId,
    pub account_id: AccountId,
    pub email: String,
    pub deleted: bool,
}

/// The aggregate. Empty until `Created`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Contact(pub Option<ContactState>);

impl Contact {
    /// # Errors
    /// `NotFound` when it was never created, or is deleted.
    pub fn existing(&self) -> Result<&ContactState, ContactError> {
        self.0.as_ref().filter(|contact| !contact.deleted).ok_or(ContactError::NotFound)
    }
}

impl Aggregate for Contact {
    const TYPE: &'static str = "contact";
    type Command = ContactCommand;
    type Event = ContactEvent;
    type Error = ContactError;
    type Services = Circumstances;

    async fn handle(
        &mut self,
        command: ContactCommand,
        _: &Circumstances,
        sink: &EventSink<Self>,
    ) -> Result<(), ContactError> {
        match command {
            ContactCommand::Create { id, account_id, email } => {
                if self.0.is_some() {
                    return Err(ContactError::AlreadyExists);
                }
                let mut findings = Findings::default();
                findings.email("email", &email);
                findings.refuse(ContactError::Invalid)?;
                sink.write(ContactEvent::Created { id, account_id, email }, self).await;
            }
            ContactCommand::Delete => {
                self.existing()?;
                sink.write(ContactEvent::Deleted, self).await;
            }
        }
        Ok(())
    }

    fn apply(&mut self, event: ContactEvent) {
        match (event, &mut self.0) {
            (ContactEvent::Created { id, account_id, email }, state) => {
                *state = Some(ContactState { id, account_id, email, deleted: false });
            }
            (ContactEvent::Deleted, Some(contact)) => contact.deleted = true,
            (ContactEvent::Deleted, None) => {}
        }
    }
}
