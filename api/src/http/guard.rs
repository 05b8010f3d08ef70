//! What stands before every handler: the route's access, the caller, and what the handler's extractors rely on.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, Uri},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    ApiError, CommandKey, ErrorCode, Shell, accept, fork,
    idempotency::{self, Claim},
    query,
    rate_limit::{Noted, Standing},
};
use crate::{
    auth::{self, Principal},
    permissions::{Access, Found, Route, Surface},
};

#[derive(Debug, thiserror::Error)]
#[error("the route {0} is not in the permission table")]
struct Undeclared(String);

pub(super) async fn admit(State(shell): State<Arc<Shell>>, request: Request, next: Next) -> Response {
    let noted = request.extensions().get::<Noted>().cloned().unwrap_or_default();
    let mut standing = None;
    let prepared = prepare(&shell, request, &mut standing).await;
    if let Some(standing) = standing {
        noted.note(standing);
    }
    let (request, principal, _claim) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return error.into_response(),
    };
    let response = next.run(request).await;
    if let Some(principal) = principal {
        shell.last_writes.note(principal.credential(), response.headers());
    }
    response
}

/// Leaves in `standing` what the client is to be told of its limit, also when it is refused.
async fn prepare(
    shell: &Arc<Shell>,
    mut request: Request,
    standing: &mut Option<Standing>,
) -> Result<(Request, Option<Principal>, Option<Claim>), ApiError> {
    // No matched path: nothing is there, and the fallback says so.
    let Some(path) = request.extensions().get::<MatchedPath>().cloned() else { return Ok((request, None, None)) };
    let route = match shell.routes.find(request.method(), path.as_str()) {
        Found::Route(route) => route,
        Found::OtherMethods(allow) => return Err(ApiError::method_not_allowed(&allow)),
        // Start-up refuses this; should it happen all the same, nobody passes.
        Found::Nothing => return Err(ApiError::internal(&Undeclared(path.as_str().to_owned()))),
    };
    if route.surface.answers_json_only() {
        accept::check(request.headers())?;
    }
    fork::check(shell.fork.as_ref(), request.method(), route.path)?;
    let principal = match route.access {
        // Probes and scrapers come as often as their operator wants.
        Access::Public if route.surface == Surface::System => None,
        Access::Public => {
            shell.meters.public(request.extensions(), request.headers(), standing)?;
            None
        }
        access => {
            let attempt = shell.meters.attempt(request.extensions(), request.headers(), request.uri(), standing)?;
            let principal = auth::identify(shell, route.surface, request.headers(), request.uri())
                .await
                .inspect_err(|error| shell.meters.not_accepted(&attempt, error))?;
            shell.meters.accepted(&attempt);
            shell.meters.caller(route.surface, &principal, standing)?;
            check(access, &principal)?;
            Some(principal)
        }
    };
    if let Some(known) = shell.routes.query_parameters(&route) {
        query::check_names(request.uri().query().unwrap_or_default(), known)?;
    }
    let mut request = {
        request.extensions_mut().insert(Arc::clone(shell));
        idempotency::attach(request, principal.as_ref(), &shell.fingerprint_key).await?
    };
    let claim = match (&principal, request.extensions().get::<CommandKey>()) {
        (Some(principal), Some(key)) if !request.method().is_safe() => Some(shell.claims.claim(principal, key)?),
        _ => None,
    };
    if let Some(principal) = &principal {
        let extensions = request.extensions_mut();
        extensions.insert(principal.credential());
        match principal {
            Principal::User(caller) => drop(extensions.insert(caller.clone())),
            Principal::App(caller) => drop(extensions.insert(caller.clone())),
        }
        extensions.insert(principal.clone());
    }
    Ok((request, principal, claim))
}

/// Whether the caller of an answer that lasts would be let in again. It is not counted, for nothing more is asked.
///
/// # Errors
/// As for a request that is not let in; 503 or 500 when that could not be found out.
pub(crate) async fn readmit(
    shell: &Arc<Shell>,
    route: &Route,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Principal, ApiError> {
    let principal = auth::identify(shell, route.surface, headers, uri).await?;
    check(route.access, &principal)?;
    Ok(principal)
}

fn check(access: Access, principal: &Principal) -> Result<(), ApiError> {
    let missing = access.missing(principal.permissions());
    if missing.is_empty() {
        return Ok(());
    }
    let all = matches!(access, Access::Needs(_));
    let names: Vec<_> = missing.iter().map(|permission| permission.as_str()).collect();
    let message = format!("{} lacks {}", principal.title(), names.join(if all { " and " } else { " or " }));
    Err(ApiError::new(ErrorCode::InsufficientPermissions, message))
}
