//! Access tokens of mkt-x: JSON Web Tokens, signed with HMAC-SHA256 and with nothing else. A token names a session, and
//! the session is looked up for every request; so what a token says is never more than what the database says now.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::Error};
use palaver_domain::UserId;
use serde::{Deserialize, Serialize};

use super::CredentialHash;
use crate::app::SigningKey;

/// How long a token lasts. Source: seed 002, `expiresIn`.
pub const ACCESS_TOKEN_SECONDS: i64 = 3_600;
const ISSUER: &str = "palaver";
/// A token for one API is none for another that may come to be signed with the same key.
const AUDIENCE: &str = "mkt-x";
/// Ours have some 350 characters.
const TOKEN_CHARS_MAX: usize = 1_024;

/// What a token says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    /// The session, by the hash that the database knows it by. It opens nothing by itself.
    sid: String,
    iat: i64,
    exp: i64,
}

/// Signs access tokens, and reads them.
#[derive(Clone)]
pub struct AccessTokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessTokens(..)")
    }
}

impl AccessTokens {
    pub fn new(key: &SigningKey) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        // The library would ask the system for the time; it is compared below, with the clock that everything goes by.
        validation.validate_exp = false;
        Self {
            signing: EncodingKey::from_secret(key.expose()),
            verifying: DecodingKey::from_secret(key.expose()),
            validation,
        }
    }

    /// A token for a session, from now on.
    ///
    /// # Errors
    /// When it can not be signed, which is not known to happen.
    pub fn sign(&self, session: CredentialHash, user: UserId, now: DateTime<Utc>) -> Result<String, Error> {
        self.sign_until(now + TimeDelta::seconds(ACCESS_TOKEN_SECONDS), session, user, now)
    }

    /// A token for a session, until then; for a place to try things, where nobody refreshes it.
    ///
    /// # Errors
    /// As [`AccessTokens::sign`].
    pub fn sign_until(
        &self,
        end: DateTime<Utc>,
        session: CredentialHash,
        user: UserId,
        now: DateTime<Utc>,
    ) -> Result<String, Error> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            sid: hex::encode(session.as_bytes()),
            iat: now.timestamp(),
            exp: end.timestamp(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
    }

    /// The session and the user that a token was signed for; `None` when it is not ours, was changed, or has expired.
    pub(super) fn read(&self, token: &str, now: DateTime<Utc>) -> Option<(CredentialHash, UserId)> {
        if token.len() > TOKEN_CHARS_MAX {
            return None;
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.verifying, &self.validation).ok()?.claims;
        let mut session = [0; 32];
        hex::decode_to_slice(&claims.sid, &mut session).ok()?;
        (now.timestamp() < claims.exp).then_some((CredentialHash(session), claims.sub))
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use palaver_eventstore::vault::MasterKey;
    use serde_json::{Value, json};

    use super::*;

    fn tokens(key: char) -> AccessTokens {
        let key: MasterKey = key.to_string().repeat(64).parse().unwrap();
        AccessTokens::new(&SigningKey::of(&key).unwrap())
    }

    fn now() -> DateTime<Utc> {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn session() -> (CredentialHash, UserId) {
        (CredentialHash::of("session"), UserId::from_bytes([7; 12]))
    }

    fn signed(tokens: &AccessTokens) -> String {
        tokens.sign(session().0, session().1, now()).unwrap()
    }

    fn encode(part: &Value) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(part.to_string())
    }

    fn decode(part: &str) -> Value {
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn a_token_names_its_session_until_it_expires() {
        let tokens = tokens('a');
        let token = signed(&tokens);
        assert!(token.len() < TOKEN_CHARS_MAX / 2, "{}", token.len());
        assert_eq!(tokens.read(&token, now()), Some(session()));
        let end = now() + TimeDelta::seconds(ACCESS_TOKEN_SECONDS);
        assert_eq!(tokens.read(&token, end - TimeDelta::seconds(1)), Some(session()));
        assert_eq!(tokens.read(&token, end), None);
        assert_eq!(format!("{tokens:?}"), "AccessTokens(..)");
    }

    #[test]
    fn a_token_of_another_key_or_that_was_changed_is_none() {
        let tokens = tokens('a');
        let token = signed(&tokens);
        assert_eq!(self::tokens('b').read(&token, now()), None);
        let [header, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
        let mut other = decode(claims);
        other["sub"] = json!("000000000000000000000001");
        for forged in [
            format!("{header}.{}.{signature}", encode(&other)),
            format!("{}.{claims}.", encode(&json!({ "alg": "none", "typ": "JWT" }))),
            format!("{}.{claims}.{signature}", encode(&json!({ "alg": "none", "typ": "JWT" }))),
            format!("{}.{claims}.{signature}", encode(&json!({ "alg": "HS512", "typ": "JWT" }))),
            format!("{}.{claims}.{signature}", encode(&json!({ "alg": "RS256", "typ": "JWT" }))),
            format!("{header}.{claims}."),
            format!("{header}.{claims}"),
            claims.to_owned(),
            String::new(),
            "a.b.c".to_owned(),
            format!("{token}{}", "x".repeat(TOKEN_CHARS_MAX)),
        ] {
            assert_eq!(tokens.read(&forged, now()), None, "{forged}");
        }
    }

    #[test]
    fn a_token_with_our_signature_must_say_all_of_what_ours_say() {
        let tokens = tokens('a');
        let right = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": session().1, "sid": hex::encode(session().0.as_bytes()),
            "iat": now().timestamp(), "exp": now().timestamp() + 60,
        });
        let sign =
            |claims: &Value, algorithm| jsonwebtoken::encode(&Header::new(algorithm), claims, &tokens.signing).unwrap();
        assert_eq!(tokens.read(&sign(&right, Algorithm::HS256), now()), Some(session()));
        assert_eq!(
            tokens.read(&sign(&right, Algorithm::HS384), now()),
            None,
            "the algorithm is not chosen by the token"
        );
        for (claim, value) in [
            ("iss", json!("somebody")),
            ("aud", json!("another-api")),
            ("aud", json!(["another-api"])),
            ("exp", json!(now().timestamp())),
            ("exp", json!("never")),
            ("exp", Value::Null),
            ("sub", json!("me")),
            ("sid", json!("00")),
            ("admin", json!(true)),
        ] {
            let mut claims = right.clone();
            claims[claim] = value;
            assert_eq!(tokens.read(&sign(&claims, Algorithm::HS256), now()), None, "{claims}");
        }
        for claim in ["iss", "aud", "exp", "sub", "sid"] {
            let mut claims = right.clone();
            claims.as_object_mut().unwrap().remove(claim);
            assert_eq!(tokens.read(&sign(&claims, Algorithm::HS256), now()), None, "without {claim}");
        }
    }
}
