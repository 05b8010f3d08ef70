//! `Idempotency-Key`: what makes a repeated request the same command, how a changed one is told from it, and that two
//! of them are not carried out side by side. What came of a command, and its answer again, is the commands' matter.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, OptionalFromRequestParts, Request},
    http::{HeaderName, Method, Uri, request::Parts},
};
use hmac::{Hmac, Mac};
use palaver_domain::AccountId;
use sha2::Sha256;

use super::{ApiError, extract::body_error, single_header};
use crate::{
    app::SigningKey,
    auth::{ACCESSTOKEN, Principal},
};

pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub const IDEMPOTENT_REPLAY: HeaderName = HeaderName::from_static("idempotent-replay");
const KEY_CHARS_MAX: usize = 255;
/// Seconds after which a command that is being carried out has usually ended.
const RETRY_AFTER_S: u32 = 1;

/// A client's name for one command, with a fingerprint of what was asked. Take it as `Option<CommandKey>`; `None`
/// means that the client sent no key and the command gets an id of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandKey {
    /// 1 to 255 visible ASCII characters. Unique within the tenant.
    pub id: String,
    /// HMAC-SHA256, in hex, over who asks, the method, path, query (without the token) and body as sent. It is kept for
    /// days, and without the key it tells nobody whether a body held a password they guess.
    pub fingerprint: String,
}

impl<S: Sync> OptionalFromRequestParts<S> for CommandKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, ApiError> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// The keys of the mutations that this process is carrying out. Other processes may carry out the same at the same time;
/// the receipt in the log lets only one of them write. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Claims(Arc<Mutex<HashSet<Claimed>>>);

type Claimed = (AccountId, String, String);

impl Claims {
    /// # Errors
    /// `IdempotencyKeyInUseError` while another request of the caller holds the key.
    pub(super) fn claim(&self, principal: &Principal, key: &CommandKey) -> Result<Claim, ApiError> {
        let claimed = (principal.tenant(), principal.identity(), key.id.clone());
        // A panic elsewhere leaves a set as whole as it was.
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(claimed.clone()) {
            return Ok(Claim { claims: self.clone(), claimed });
        }
        let message = "a request with this Idempotency-Key is still being carried out; repeat it for its answer";
        Err(ApiError::key_in_use(message, RETRY_AFTER_S))
    }
}

/// Holds a key until it is dropped: with the answer, or when the client hangs up or time runs out.
#[derive(Debug)]
pub(super) struct Claim {
    claims: Claims,
    claimed: Claimed,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.claimed);
    }
}

/// Reads the key and, when there is one, the body, which later extractors read again from memory.
///
/// # Errors
/// 400 for a malformed key, 413 for a body over the limit.
pub(super) async fn attach(
    request: Request,
    principal: Option<&Principal>,
    key: &SigningKey,
) -> Result<Request, ApiError> {
    let Some(id) = single_header(request.headers(), &IDEMPOTENCY_KEY)?.map(str::to_owned) else { return Ok(request) };
    if !(1..=KEY_CHARS_MAX).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ApiError::bad_request(format!(
            "Idempotency-Key must be 1 to {KEY_CHARS_MAX} visible ASCII characters"
        )));
    }
    let (parts, body) = request.into_parts();
    // The body limit travels in the extensions.
    let mut limited = Request::new(body);
    *limited.extensions_mut() = parts.extensions.clone();
    let body = Bytes::from_request(limited, &()).await.map_err(|rejection| body_error(&rejection))?;

    let fingerprint = fingerprint(key, principal, &parts.method, &parts.uri, &body)?;
    let mut request = Request::from_parts(parts, Body::from(body));
    request.extensions_mut().insert(CommandKey { id, fingerprint });
    Ok(request)
}

fn fingerprint(
    key: &SigningKey,
    principal: Option<&Principal>,
    method: &Method,
    uri: &Uri,
    body: &[u8],
) -> Result<String, ApiError> {
    let query = super::query::pairs(uri.query().unwrap_or_default())?;
    let who = principal.map(Principal::identity).unwrap_or_default();
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).map_err(|error| ApiError::internal(&error))?;
    // Each part goes in behind its length, so that no two requests run together into one text.
    let mut add = |part: &[u8]| {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    };
    add(who.as_bytes());
    add(method.as_str().as_bytes());
    add(uri.path().as_bytes());
    for (name, value) in query.iter().filter(|(name, _)| name != ACCESSTOKEN) {
        add(name.as_bytes());
        add(value.as_bytes());
    }
    add(body);
    Ok(hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: Method, uri: &str, body: &str) -> String {
        under('a', method, uri, body)
    }

    fn under(master: char, method: Method, uri: &str, body: &str) -> String {
        let key = SigningKey::of(&master.to_string().repeat(64).parse().unwrap()).unwrap();
        fingerprint(&key, None, &method, &uri.parse().unwrap(), body.as_bytes()).unwrap()
    }

    #[test]
    fn a_fingerprint_changes_with_everything_but_the_token() {
        let base = of(Method::POST, "/cp/posts/1?a=b", "{}");
        assert_eq!(base, of(Method::POST, "/cp/posts/1?accesstoken=x&a=b", "{}"));
        assert_ne!(base, under('b', Method::POST, "/cp/posts/1?a=b", "{}"), "nobody makes one without the key");
        for other in [
            of(Method::PATCH, "/cp/posts/1?a=b", "{}"),
            of(Method::POST, "/cp/posts/2?a=b", "{}"),
            of(Method::POST, "/cp/posts/1?ab=", "{}"),
            of(Method::POST, "/cp/posts/1?a=b", "{} "),
        ] {
            assert_ne!(base, other);
        }
    }
}
