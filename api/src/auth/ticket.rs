//! Tickets: what a client carries between two steps of logging in, signed by this service (JWT, HS256). A ticket is good
//! for one purpose and a few minutes. It names secrets and holds none.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use palaver_commands::identity::{Client, Device};
use palaver_domain::{AccountId, UserId};
use palaver_eventstore::vault::SecretRef;
use serde::{Deserialize, Serialize};

use crate::{app::SigningKey, http::ApiError};

/// Only this service makes tickets, and only for itself.
const ISSUER: &str = "palaver";

/// What a ticket is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Purpose {
    /// To log in with a code of one's second factor.
    SecondFactor,
    /// To log in with the first code of the second factor that the ticket names.
    SetUp,
    /// To confirm the second factor that the ticket names.
    Confirm,
}

/// Who may do what by a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub purpose: Purpose,
    pub tenant: AccountId,
    pub user: UserId,
    /// What the user logs in by.
    pub device: Device,
    /// The secret of a second factor that is not confirmed yet.
    pub secret: Option<SecretRef>,
    /// To the microsecond, so that what happened before can be told from what happened since.
    pub made: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Claims {
    iss: String,
    exp: i64,
    /// Microseconds since 1970. `iat` would be seconds.
    made: i64,
    purpose: Purpose,
    tenant: AccountId,
    sub: UserId,
    client: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Ticket {
    /// The ticket as it travels.
    ///
    /// # Errors
    /// When it can not be signed, which is a fault of ours.
    pub fn sign(&self, key: &SigningKey, lifetime: TimeDelta) -> Result<String, ApiError> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            exp: (self.made + lifetime).timestamp(),
            made: self.made.timestamp_micros(),
            purpose: self.purpose,
            tenant: self.tenant,
            sub: self.user,
            client: self.device.client.as_str().to_owned(),
            device: self.device.id.clone(),
            secret: self.secret.map(|secret| secret.to_string()),
        };
        let key = EncodingKey::from_secret(key.expose());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(|error| ApiError::internal(&error))
    }

    /// The ticket in `text`; `None` when it is not ours, was altered, or is too old. Which of them is nobody's business.
    pub fn read(text: &str, key: &SigningKey, now: DateTime<Utc>) -> Option<Self> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["iss"]);
        // By our clock, below.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(text, &DecodingKey::from_secret(key.expose()), &validation);
        let Claims { exp, made, purpose, tenant, sub, client, device, secret, .. } = claims.ok()?.claims;
        let made = DateTime::from_timestamp_micros(made)?;
        if now < made || exp <= now.timestamp() {
            return None;
        }
        let secret = secret.map(|secret| secret.parse()).transpose().ok()?;
        let device = Device { client: Client::named(&client)?, id: device };
        Some(Self { purpose, tenant, user: sub, device, secret, made })
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    fn key(byte: u8) -> SigningKey {
        SigningKey::of(&palaver_eventstore::vault::MasterKey::from_bytes([byte; 32])).unwrap()
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn ticket() -> Ticket {
        Ticket {
            purpose: Purpose::SetUp,
            tenant: AccountId::from_bytes([1; 12]),
            user: UserId::from_bytes([2; 12]),
            device: Device { client: Client::Mobile, id: Some("phone".to_owned()) },
            secret: Some("67e55044-10b1-426f-9247-bb680e5fe0c8".parse().unwrap()),
            made: now(),
        }
    }

    #[test]
    fn a_ticket_is_read_as_it_was_signed_for_as_long_as_it_is_good() {
        let text = ticket().sign(&key(1), TimeDelta::minutes(5)).unwrap();
        for (seconds, good) in [(0, true), (299, true), (300, false), (-1, false)] {
            let read = Ticket::read(&text, &key(1), now() + TimeDelta::seconds(seconds));
            assert_eq!(read, good.then(ticket), "after {seconds} s");
        }
        assert_eq!(Ticket::read(&text, &key(2), now()), None, "of another service");
    }

    #[test]
    fn no_part_of_a_ticket_can_be_changed() {
        let text = ticket().sign(&key(1), TimeDelta::minutes(5)).unwrap();
        let parts: Vec<_> = text.split('.').collect();
        let encoded = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        let others = claims.replace(&"02".repeat(12), &"03".repeat(12));
        assert_ne!(claims, others);
        let none = encoded(r#"{"typ":"JWT","alg":"none"}"#);
        let changed = |index: usize| {
            let mut bytes = text.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        };
        for forged in [
            format!("{}.{}.{}", parts[0], encoded(&others), parts[2]),
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            changed(text.len() - 10),
            changed(parts[0].len() + 5),
            String::new(),
            "..".to_owned(),
        ] {
            assert_eq!(Ticket::read(&forged, &key(1), now()), None, "{forged}");
        }
    }

    #[test]
    fn a_token_of_another_issuer_is_none_even_under_our_key() {
        let claims = serde_json::json!({ "iss": "other", "made": now().timestamp_micros(), "exp": now().timestamp() + 60,
            "purpose": "setUp", "tenant": "0".repeat(24), "sub": "0".repeat(24), "client": "default" });
        let signed = |claims: &serde_json::Value, algorithm| {
            let key = EncodingKey::from_secret(key(1).expose());
            jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
        };
        assert_eq!(Ticket::read(&signed(&claims, Algorithm::HS256), &key(1), now()), None);
        let mut ours = claims.clone();
        ours["iss"] = "palaver".into();
        assert!(Ticket::read(&signed(&ours, Algorithm::HS256), &key(1), now()).is_some());
        assert_eq!(Ticket::read(&signed(&ours, Algorithm::HS512), &key(1), now()), None);
    }
}
