//! `/contacts`: people outside who are written to by mail. Source: seed 003, /contacts.

use axum::{extract::State, response::IntoResponse};
use palaver_domain::ContactId;
use palaver_projections::contacts;
use serde::{Deserialize, Serialize};

use super::{
    SocialhubState,
    context::{Asked, gone, written},
};
use crate::{
    auth::Caller,
    http::{ApiError, ErrorBody, Json, Paging, PathId, ReadAfter},
};

/// Somebody's address.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Contact)]
pub(super) struct Shown {
    #[serde(rename = "_id")]
    #[schema(value_type = String)]
    id: ContactId,
    email: String,
}

/// List contacts.
#[utoipa::path(get, path = "/api2/contacts", tag = "contacts", operation_id = "listContacts",
    params(("offset" = Option<i64>, Query, description = "Contacts to skip, at most 100,000."),
        ("count" = Option<i64>, Query, description = "Contacts to return, 0 to 500; 50 when left out.")),
    responses((status = 200, description = "A page of contacts, in the order they were created.", body = Vec<Shown>),
        (status = 400, description = "The page is not understood.", body = ErrorBody)))]
pub(super) async fn list(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
    paging: Paging,
) -> Result<impl IntoResponse, ApiError> {
    state.caught_up(&["contacts"], after).await?;
    let page = contacts::list(&state.pool, caller.tenant, (paging.offset, paging.count)).await?;
    Ok(Json(page.into_iter().map(|contact| Shown { id: contact.id, email: contact.email }).collect::<Vec<_>>()))
}

/// A contact to be. An `_id` that is sent is not looked at.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = NewContact)]
pub(super) struct New {
    /// No other contact of the account has it.
    #[schema(format = "email")]
    email: String,
}

/// Create a contact.
#[utoipa::path(post, path = "/api2/contacts", tag = "contacts", operation_id = "createContact", request_body = New,
    responses((status = 200, description = "The contact, alone in a list.", body = Vec<Shown>),
        (status = 400, description = "The address is none, or a contact has it already.", body = ErrorBody)))]
pub(super) async fn create(
    State(state): State<SocialhubState>,
    asked: Asked,
    Json(new): Json<New>,
) -> Result<impl IntoResponse, ApiError> {
    let outcome = state.commander.create_contact(&asked.context, new.email).await?;
    let contact = &outcome.value;
    Ok((written(&outcome), Json([Shown { id: contact.id, email: contact.email.clone() }])))
}

/// Delete a contact.
#[utoipa::path(delete, path = "/api2/contacts/{id}", tag = "contacts", operation_id = "deleteContact",
    params(("id" = String, Path, description = "The contact's id.")),
    responses((status = 204, description = "It is gone."),
        (status = 404, description = "There is no such contact.", body = ErrorBody)))]
pub(super) async fn delete(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<ContactId>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(gone(&state.commander.delete_contact(&asked.context, id).await?))
}
