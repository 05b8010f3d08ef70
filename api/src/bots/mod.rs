//! The `bots` surface: bot accounts, what they do and whom they talk to, under `/v1`. Source: seed 000.
//!
//! Every request is for one application, which its query names as `appId`. Answers are
//! `{data, path, method, message, statusCode}`; how errors look is in [`crate::http`].

mod app;
mod envelope;

use std::sync::Arc;

use palaver_commands::Commander;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What the handlers work with.
#[derive(Clone)]
pub struct Bots {
    pub commander: Commander,
}

pub(crate) type BotsState = Arc<Bots>;

pub fn router(state: Bots) -> OpenApiRouter {
    routes().with_state(Arc::new(state))
}

/// The routes before they have anything to work with.
pub(crate) fn routes() -> OpenApiRouter<BotsState> {
    OpenApiRouter::new().routes(routes!(app::get))
}
