//! The audit access: somebody has looked at how a thing came to be. Each look is a stream of its own with one event in it,
//! so those who look never wait for each other. It is written before the answer is given.

use cqrs_es::{Aggregate, event_sink::EventSink};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AUDITED_NAME_CHARS_MAX, AccountId, AuditAccessId, Circumstances, Failure, FailureKind, FieldErrors,
    event_types::event_types, findings::Findings,
};

/// What was looked at. Moments are written as they were asked for: a position, `#` and a sequence, or a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum AuditView {
    /// Events after a sequence, and what each has changed.
    Timeline { after: i64, limit: i64 },
    /// The state at a moment.
    State { at: String },
    /// What differs between two moments.
    Differences { from: String, to: String },
}

/// Who looked, and when, is in the event's metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all_fields = "camelCase")]
pub enum AuditAccessEvent {
    /// Somebody asked how a thing came to be, and was answered after this.
    Recorded {
        id: AuditAccessId,
        account_id: AccountId,
        /// The type of what was looked at, such as `post`.
        aggregate_type: String,
        aggregate_id: String,
        view: AuditView,
        /// Whether the account had anything of that type and id.
        found: bool,
    },
}

event_types!(AuditAccessEvent {
    Recorded => "AuditAccessRecorded",
});

#[derive(Clone, Debug)]
pub enum AuditAccessCommand {
    Record {
        id: AuditAccessId,
        account_id: AccountId,
        aggregate_type: String,
        aggregate_id: String,
        view: AuditView,
        found: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditAccessError {
    #[error("the access is recorded already")]
    AlreadyExists,
    #[error("the access is not valid; errors names each field and what is wrong with it")]
    Invalid(FieldErrors),
}

impl From<AuditAccessError> for Failure {
    fn from(error: AuditAccessError) -> Self {
        let message = error.to_string();
        match error {
            AuditAccessError::AlreadyExists => Self::new(FailureKind::Conflict, "ConflictError", message),
            AuditAccessError::Invalid(fields) => {
                Self::new(FailureKind::Invalid, "ValidationError", message).with_fields(fields)
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditAccessState {
    pub id: AuditAccessId,
    pub account_id: AccountId,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub view: AuditView,
    pub found: bool,
}

/// The aggregate. Empty until `Recorded`, and never changed after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuditAccess(pub Option<AuditAccessState>);

impl Aggregate for AuditAccess {
    const TYPE: &'static str = "audit_access";
    type Command = AuditAccessCommand;
    type Event = AuditAccessEvent;
    type Error = AuditAccessError;
    type Services = Circumstances;

    async fn handle(
        &mut self,
        command: AuditAccessCommand,
        _: &Circumstances,
        sink: &EventSink<Self>,
    ) -> Result<(), AuditAccessError> {
        let AuditAccessCommand::Record { id, account_id, aggregate_type, aggregate_id, view, found } = command;
        if self.0.is_some() {
            return Err(AuditAccessError::AlreadyExists);
        }
        let mut findings = Findings::default();
        findings.required_text("aggregateType", &aggregate_type, AUDITED_NAME_CHARS_MAX);
        findings.required_text("aggregateId", &aggregate_id, AUDITED_NAME_CHARS_MAX);
        findings.refuse(AuditAccessError::Invalid)?;
        let event = AuditAccessEvent::Recorded { id, account_id, aggregate_type, aggregate_id, view, found };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: AuditAccessEvent) {
        let AuditAccessEvent::Recorded { id, account_id, aggregate_type, aggregate_id, view, found } = event;
        self.0 = Some(AuditAccessState { id, account_id, aggregate_type, aggregate_id, view, found });
    }
}
