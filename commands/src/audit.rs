//! That somebody has looked at how a thing came to be. What they are shown is read elsewhere.

use futures::FutureExt;
use palaver_domain::{
    AuditAccessId,
    audit::{AuditAccess, AuditAccessCommand, AuditView},
};
use palaver_eventstore::StreamId;

use crate::{CommandContext, CommandError, Commander, Outcome};

impl Commander {
    /// Records that the actor looks at `subject`, and whether there is anything of that name. Nothing may be shown
    /// before this has succeeded.
    ///
    /// # Errors
    /// When it can not be written, or nobody knows whether it was.
    pub async fn record_audit_access(
        &self,
        context: &CommandContext,
        subject: &StreamId,
        view: &AuditView,
        found: bool,
    ) -> Result<Outcome<AuditAccessId>, CommandError> {
        let (id, account_id) = (AuditAccessId::from_bytes(self.ids().object_id()), context.tenant);
        self.run(context, move |work| {
            let command = AuditAccessCommand::Record {
                id,
                account_id,
                aggregate_type: subject.aggregate_type.clone(),
                aggregate_id: subject.aggregate_id.clone(),
                view: view.clone(),
                found,
            };
            async move { work.handle::<AuditAccess>(id, command).await.map(|_| id) }.boxed()
        })
        .await
    }
}
