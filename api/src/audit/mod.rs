//! `/audit`: how a thing came to be, for auditors: who changed what, when and why; what it was at any moment; what differs
//! between two. Read from the log itself, and of the caller's account alone.
//!
//! Every look is written into the log before it is answered, by [`Audit::answer`]; so there is no answer that nobody can
//! find out about.

mod asked;
mod routes;
mod shown;

use std::sync::Arc;

use palaver_commands::Commander;
use palaver_domain::audit::AuditView;
use palaver_eventstore::StreamId;
use sqlx::PgPool;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::ApiError;
use asked::Auditor;

/// What the handlers work with.
#[derive(Clone)]
pub struct Audit {
    pub commander: Commander,
    pub pool: PgPool,
}

pub(crate) type AuditState = Arc<Audit>;

pub fn router(state: Audit) -> OpenApiRouter {
    routes().with_state(Arc::new(state))
}

/// The routes before they have anything to work with.
pub(crate) fn routes() -> OpenApiRouter<AuditState> {
    OpenApiRouter::new().routes(routes!(routes::past)).routes(routes!(routes::differences))
}

impl Audit {
    /// What was found, once it is on record that it was looked at. That nothing was found goes on record as well.
    async fn answer<T>(
        &self,
        auditor: &Auditor,
        subject: &StreamId,
        view: &AuditView,
        found: Option<T>,
    ) -> Result<T, ApiError> {
        self.commander.record_audit_access(&auditor.context, subject, view, found.is_some()).await?;
        found.ok_or_else(|| {
            ApiError::not_found(format!("there is no such {}", subject.aggregate_type.replace('_', " ")))
        })
    }
}
