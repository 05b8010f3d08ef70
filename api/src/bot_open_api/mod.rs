//! The `bot-open-api` surface: what happened to an application's bots, for programs, under `/bot-api/v1`. Source: seed
//! 001. Answers are bare objects.

mod app;
mod token;

use std::sync::Arc;

use palaver_commands::Commander;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What the handlers work with.
#[derive(Clone)]
pub struct BotOpenApi {
    pub commander: Commander,
}

pub(crate) type BotOpenApiState = Arc<BotOpenApi>;

pub fn router(state: BotOpenApi) -> OpenApiRouter {
    routes().with_state(Arc::new(state))
}

/// The routes before they have anything to work with.
pub(crate) fn routes() -> OpenApiRouter<BotOpenApiState> {
    OpenApiRouter::new().routes(routes!(token::token)).routes(routes!(token::login)).routes(routes!(app::get))
}
