//! How a refused command speaks: one shape for every context, so that a surface maps it once.

use std::collections::BTreeMap;

/// Field path to the codes of what is wrong with it, as in seed 003's `ValidationError`.
pub type FieldErrors = BTreeMap<String, Vec<String>>;

/// What sort of refusal it is. A surface turns this into its status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The input breaks a rule, whatever the state is.
    Invalid,
    /// The thing does not exist, or not for this account.
    NotFound,
    /// The thing exists, but its state or another's forbids this now.
    Conflict,
    /// The actor may not do this to this thing.
    Forbidden,
}

/// A refusal: stable code for programs, sentence for people, field errors where input was wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub kind: FailureKind,
    /// Stable, letters only, such as `ConflictError`. Each has a page under `docs/errors`.
    pub code: &'static str,
    pub message: String,
    pub fields: FieldErrors,
    /// What a program needs to know beyond the code. Boxed: most refusals have none.
    pub data: Option<Box<serde_json::Value>>,
}

impl Failure {
    pub fn new(kind: FailureKind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), fields: FieldErrors::new(), data: None }
    }

    pub fn with_fields(mut self, fields: FieldErrors) -> Self {
        self.fields = fields;
        self
    }

    pub fn with_data(mut self, data: serde_json::Value) -> Self {
        self.data = Some(Box::new(data));
        self
    }
}
