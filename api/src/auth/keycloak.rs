//! Logging in by an account's own Keycloak realm (OpenID Connect): a code is exchanged for a token, and the token is
//! believed if the realm has signed it, for us, and it has not expired. Whose user that is, the caller decides.

use std::time::Duration;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::Jwk};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Response, redirect};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// What Palaver is called in every realm.
pub(crate) const CLIENT_ID: &str = "palaver";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Two calls together end before a request does, as long as nobody has made that time shorter.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 262_144;
/// Seconds that the realm's clock may be off.
const LEEWAY_S: i64 = 60;
/// All that can not stand in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why nobody is logged in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeycloakError {
    /// The realm, or what it says, is not to be believed. The reason is for the log.
    #[error("refused: {0}")]
    Refused(&'static str),
    #[error("the key that is kept for the realm, or that it publishes, can not be used")]
    Key(#[source] jsonwebtoken::errors::Error),
    #[error("Keycloak can not be reached")]
    Unreachable(#[from] reqwest::Error),
    #[error("Keycloak answered {0}")]
    Status(u16),
    #[error("Keycloak's answer has more than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
    /// Where, and not what stands there: that may be a token.
    #[error("Keycloak's answer can not be read: line {line}, column {column}")]
    Unreadable { line: usize, column: usize },
}

impl From<serde_json::Error> for KeycloakError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable { line: error.line(), column: error.column() }
    }
}

/// What is known of a realm.
pub(crate) struct Realm<'a> {
    pub name: &'a str,
    pub secret: Option<&'a str>,
    /// PEM, or its Base64 alone, which is how Keycloak shows it. Without it the realm is asked for its keys.
    pub public_key: Option<&'a str>,
}

/// Who a realm says it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Identity {
    pub preferred_username: Option<String>,
    pub email: Option<String>,
    #[serde(default)]
    pub email_verified: bool,
}

/// The Keycloak that accounts' realms are in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Keycloak {
    http: Client,
    url: String,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: Option<String>,
    access_token: Option<String>,
}

/// What a realm is to tell of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Made to tell a client who has logged in; the client is its audience. Given when `openid` was in the scope.
    Id,
    /// Made for the services that somebody uses by the client: they are its audience, and the client is its `azp`.
    Access,
}

/// The keys that a realm publishes, among them some of kinds that nobody here knows.
#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Times {
    exp: i64,
    #[serde(default)]
    nbf: i64,
    #[serde(default)]
    iat: i64,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(flatten)]
    times: Times,
    azp: Option<String>,
    #[serde(flatten)]
    identity: Identity,
}

impl Keycloak {
    /// `url` has no slash at its end.
    ///
    /// # Errors
    /// When TLS can not be set up.
    pub fn new(url: String) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            // A secret goes to the address that was configured, and nowhere else.
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { http, url })
    }

    /// The realm as it stands in addresses.
    pub(crate) fn segment(realm: &str) -> String {
        utf8_percent_encode(realm, SEGMENT).to_string()
    }

    /// What tokens of the realm say they come from.
    pub(crate) fn issuer(&self, realm: &str) -> String {
        format!("{}/realms/{}", self.url, Self::segment(realm))
    }

    /// Exchanges a code for the identity that it stands for.
    ///
    /// # Errors
    /// `Refused` when the realm does not know the code, or its token is not one for us; the others are faults.
    pub(crate) async fn identify(
        &self,
        realm: &Realm<'_>,
        code: &str,
        redirect_uri: &str,
        now: DateTime<Utc>,
    ) -> Result<Identity, KeycloakError> {
        // However they are written, they would lead to other places of the same host.
        if matches!(realm.name, "." | "..") {
            return Err(KeycloakError::Refused("a realm of that name has no address"));
        }
        let issuer = self.issuer(realm.name);
        let protocol = format!("{issuer}/protocol/openid-connect");
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT_ID),
            ("code", code),
            ("redirect_uri", redirect_uri),
        ];
        form.extend(realm.secret.map(|secret| ("client_secret", secret)));
        let answer = self.http.post(format!("{protocol}/token")).form(&form).send().await?;
        let tokens: Tokens = match answer.status().as_u16() {
            200 => read(answer).await?,
            400 | 401 => return Err(KeycloakError::Refused("the realm does not take the code, or the client")),
            other => return Err(KeycloakError::Status(other)),
        };
        let (token, kind) = match (tokens.id_token, tokens.access_token) {
            (Some(token), _) => (token, Kind::Id),
            (None, Some(token)) => (token, Kind::Access),
            (None, None) => return Err(KeycloakError::Refused("there is no token")),
        };
        let key = match realm.public_key {
            Some(key) => DecodingKey::from_rsa_pem(pem(key).as_bytes()).map_err(KeycloakError::Key)?,
            None => self.published_key(&protocol, &token).await?,
        };
        believe(&token, kind, &key, &issuer, now)
    }

    /// The key that the token says it is signed by, as the realm publishes it.
    async fn published_key(&self, protocol: &str, token: &str) -> Result<DecodingKey, KeycloakError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| KeycloakError::Refused("it is no token"))?;
        let answer = self.http.get(format!("{protocol}/certs")).send().await?;
        let Published { keys } = match answer.status().as_u16() {
            200 => read(answer).await?,
            other => return Err(KeycloakError::Status(other)),
        };
        let kid = header.kid.ok_or(KeycloakError::Refused("it does not name its key"))?;
        let named = keys.into_iter().find(|key| key.get("kid").and_then(Value::as_str) == Some(&kid));
        let key: Jwk =
            serde_json::from_value(named.ok_or(KeycloakError::Refused("the realm has no key of that name"))?)?;
        DecodingKey::from_jwk(&key).map_err(KeycloakError::Key)
    }
}

async fn read<T: DeserializeOwned>(mut answer: Response) -> Result<T, KeycloakError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(KeycloakError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(serde_json::from_slice(&body)?)
}

/// A key as PEM, whether its frame was given or not.
fn pem(key: &str) -> String {
    if key.contains("-----BEGIN") {
        return key.trim().to_owned();
    }
    let base64: String = key.split_whitespace().collect();
    format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n")
}

/// # Errors
/// `Refused`, unless the key has signed the token, and it is for us, from the issuer, and of now.
fn believe(
    token: &str,
    kind: Kind,
    key: &DecodingKey,
    issuer: &str,
    now: DateTime<Utc>,
) -> Result<Identity, KeycloakError> {
    // Whatever the token's header says: a realm signs by RSA.
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[issuer]);
    match kind {
        Kind::Id => {
            validation.set_audience(&[CLIENT_ID]);
            validation.set_required_spec_claims(&["iss", "aud", "exp"]);
        }
        Kind::Access => {
            validation.validate_aud = false;
            validation.set_required_spec_claims(&["iss", "exp"]);
        }
    }
    // By our clock, below.
    validation.validate_exp = false;
    let refused = |_| KeycloakError::Refused("it is not signed by the realm, not from it, or not for us");
    let Claims { times, azp, identity } =
        jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(refused)?.claims;
    let for_us = match azp {
        Some(party) => party == CLIENT_ID,
        None => kind == Kind::Id,
    };
    if !for_us {
        return Err(KeycloakError::Refused("it was made for somebody else"));
    }
    let now = now.timestamp();
    if times.exp.saturating_add(LEEWAY_S) <= now || times.nbf.max(times.iat) > now + LEEWAY_S {
        return Err(KeycloakError::Refused("it is not of now"));
    }
    Ok(identity)
}
