//! The `mkt-x` surface: marketing on X, under `/api/v1`. Source: seed 002.
//!
//! An account is called merchant here. Answers are `{success, data}`; how errors look is in [`crate::http`].

mod auth;

use std::sync::Arc;

use palaver_commands::{Commander, identity::SecondFactors};
use serde::Serialize;
use sqlx::PgPool;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::auth::AccessTokens;

/// What the handlers work with.
#[derive(Clone)]
pub struct MktX {
    pub commander: Commander,
    pub second_factors: SecondFactors,
    pub access_tokens: AccessTokens,
    pub pool: PgPool,
}

pub(crate) type MktXState = Arc<MktX>;

pub fn router(state: MktX) -> OpenApiRouter {
    routes().with_state(Arc::new(state))
}

/// The routes before they have anything to work with.
pub(crate) fn routes() -> OpenApiRouter<MktXState> {
    OpenApiRouter::new()
        .routes(routes!(auth::login))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::logout))
        .routes(routes!(auth::me))
}

/// The body of every success.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Success<T> {
    /// Always true.
    success: bool,
    data: T,
}

impl<T> Success<T> {
    const fn of(data: T) -> Self {
        Self { success: true, data }
    }
}
