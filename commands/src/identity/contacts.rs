//! Use cases of contacts. Source: seed 003, /contacts.

use futures::FutureExt;
use palaver_domain::{
    ContactId, Failure, FailureKind, FieldErrors,
    identity::{ClaimKind, Contact, ContactCommand, ContactError, ContactState},
};

use crate::{CommandContext, CommandError, Commander, Outcome};

impl Commander {
    /// Keeps an address that the account does not have yet, in whatever letter case.
    ///
    /// # Errors
    /// `Invalid` when it is no address, or is there already; the API has no other answer for the latter.
    pub async fn create_contact(
        &self,
        context: &CommandContext,
        email: String,
    ) -> Result<Outcome<ContactState>, CommandError> {
        let (id, account_id) = (ContactId::from_bytes(self.ids().object_id()), context.tenant);
        self.run(context, move |work| {
            let email = email.clone();
            async move {
                let command = ContactCommand::Create { id, account_id, email: email.clone() };
                let contact = work.handle::<Contact>(id, command).await?;
                match work.claim(ClaimKind::Contact, &email, id).await {
                    Err(CommandError::Refused(_)) => return Err(taken()),
                    claimed => claimed?,
                }
                Ok(contact.aggregate.existing().map_err(refuse)?.clone())
            }
            .boxed()
        })
        .await
    }

    /// Forgets a contact; its address may be kept anew.
    ///
    /// # Errors
    /// `NotFound` when there is no such contact.
    pub async fn delete_contact(&self, context: &CommandContext, id: ContactId) -> Result<Outcome<()>, CommandError> {
        self.run(context, move |work| {
            async move {
                let contact = work.get::<Contact>(id).await?;
                let email = contact.aggregate.existing().map_err(refuse)?.email.clone();
                work.handle::<Contact>(id, ContactCommand::Delete).await?;
                work.release(ClaimKind::Contact, &email, id).await
            }
            .boxed()
        })
        .await
    }
}

fn taken() -> CommandError {
    let fields = FieldErrors::from([("email".to_owned(), vec!["notUnique".to_owned()])]);
    let message = "the account has a contact with this address already";
    Failure::new(FailureKind::Invalid, "ValidationError", message).with_fields(fields).into()
}

fn refuse(error: ContactError) -> CommandError {
    CommandError::Refused(error.into())
}
