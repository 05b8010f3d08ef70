//! What stands before every handler: the route's access, the caller, and what the handler's extractors rely on.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{ApiError, ErrorCode, Shell, accept, idempotency, query};
use crate::{
    auth::{self, Caller},
    permissions::{Access, Found},
};

#[derive(Debug, thiserror::Error)]
#[error("the route {0} is not in the permission table")]
struct Undeclared(String);

pub(super) async fn admit(State(shell): State<Arc<Shell>>, request: Request, next: Next) -> Response {
    let (request, caller) = match prepare(&shell, request).await {
        Ok(prepared) => prepared,
        Err(error) => return error.into_response(),
    };
    let response = next.run(request).await;
    if let Some(caller) = caller {
        shell.last_writes.note(caller.credential, response.headers());
    }
    response
}

async fn prepare(shell: &Arc<Shell>, mut request: Request) -> Result<(Request, Option<Caller>), ApiError> {
    // No matched path: nothing is there, and the fallback says so.
    let Some(path) = request.extensions().get::<MatchedPath>().cloned() else { return Ok((request, None)) };
    let route = match shell.routes.find(request.method(), path.as_str()) {
        Found::Route(route) => route,
        Found::OtherMethods(allow) => return Err(ApiError::method_not_allowed(&allow)),
        // Start-up refuses this; should it happen all the same, nobody passes.
        Found::Nothing => return Err(ApiError::internal(&Undeclared(path.as_str().to_owned()))),
    };
    if route.surface.answers_json_only() {
        accept::check(request.headers())?;
    }
    let caller = match route.access {
        Access::Public => None,
        access => {
            let caller = auth::authenticate(shell, request.headers(), request.uri()).await?;
            check(access, &caller)?;
            Some(caller)
        }
    };
    if let Some(known) = shell.routes.query_parameters(&route) {
        query::check_names(request.uri().query().unwrap_or_default(), known)?;
    }
    let mut request = {
        request.extensions_mut().insert(Arc::clone(shell));
        idempotency::attach(request, caller.as_ref()).await?
    };
    if let Some(caller) = &caller {
        request.extensions_mut().insert(caller.clone());
    }
    Ok((request, caller))
}

fn check(access: Access, caller: &Caller) -> Result<(), ApiError> {
    let missing = access.missing(caller.permissions);
    if missing.is_empty() {
        return Ok(());
    }
    let all = matches!(access, Access::Needs(_));
    let names: Vec<_> = missing.iter().map(|permission| permission.as_str()).collect();
    let message = format!("role {} lacks {}", caller.role, names.join(if all { " and " } else { " or " }));
    Err(ApiError::new(ErrorCode::InsufficientPermissions, message))
}
