//! What those who follow the events may rely on: a JSON Schema of each, and the AsyncAPI document of the streams they come
//! by. Made once, when the process starts, and the same until it ends.

mod asyncapi;
mod schemas;

use std::{collections::HashMap, sync::Arc};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use palaver_domain::{EventSchema, SchemaFault, event_schemas};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Below this, each schema has a path of its own.
pub const SCHEMAS_PATH: &str = "/schemas";
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const SCHEMA_JSON: HeaderValue = HeaderValue::from_static("application/schema+json");
/// A release may add to it; a client that has it asks by its tag.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=3600");
/// Bytes of the digest that are shown in a tag.
const TAG_BYTES: usize = 16;

/// Something published can not be made: a defect, found out before the service starts.
#[derive(Debug, thiserror::Error)]
pub enum ContractFault {
    #[error(transparent)]
    Schema(#[from] SchemaFault),
    #[error("a published document can not be written: {0}")]
    Unwritable(#[from] serde_json::Error),
}

/// All of it, as it is answered.
#[derive(Debug)]
pub struct Contract {
    asyncapi: Document,
    list: Document,
    /// By what its path says: event type, and version as `v1`.
    schemas: HashMap<(String, String), Document>,
}

type ContractState = Arc<Contract>;

impl Contract {
    /// Of a service that clients reach at `public_url`, which has no slash at its end.
    ///
    /// # Errors
    /// When a type can not be described.
    pub fn new(public_url: &str) -> Result<Self, ContractFault> {
        let all = event_schemas()?;
        let documents = all.iter().map(|one| {
            let key = (one.event_type.to_owned(), version_segment(one));
            Ok((key, Document::new(&one.schema, SCHEMA_JSON)?))
        });
        Ok(Self {
            asyncapi: Document::new(&asyncapi::document(public_url, &all), JSON)?,
            list: Document::new(&schemas::list(&all), JSON)?,
            schemas: documents.collect::<Result<_, serde_json::Error>>()?,
        })
    }
}

/// A version, as the path of its schema names it.
fn version_segment(schema: &EventSchema) -> String {
    format!("v{}", schema.version)
}

/// What is answered to everybody alike.
#[derive(Clone, Debug)]
struct Document {
    body: Bytes,
    content_type: HeaderValue,
    tag: HeaderValue,
}

impl Document {
    fn new(what: &impl Serialize, content_type: HeaderValue) -> Result<Self, serde_json::Error> {
        let body = Bytes::from(serde_json::to_vec(what)?);
        let digest = Sha256::digest(&body);
        let shown = digest.get(..TAG_BYTES).map(hex::encode).unwrap_or_default();
        // Hex digits in quotes are a header's value, whatever they are.
        let tag = HeaderValue::from_str(&format!("\"{shown}\"")).unwrap_or(HeaderValue::from_static("\"\""));
        Ok(Self { body, content_type, tag })
    }
}

impl IntoResponse for &Document {
    fn into_response(self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, self.content_type.clone()),
            (header::CACHE_CONTROL, CACHED),
            (header::ETAG, self.tag.clone()),
        ];
        (headers, Body::from(self.body.clone())).into_response()
    }
}

pub fn router(contract: Contract) -> OpenApiRouter {
    routes().with_state(Arc::new(contract))
}

/// The routes before they have anything to show.
pub(crate) fn routes() -> OpenApiRouter<ContractState> {
    OpenApiRouter::new()
        .routes(routes!(asyncapi::show))
        .routes(routes!(schemas::show_list))
        .routes(routes!(schemas::show))
}
