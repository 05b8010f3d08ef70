//! `/api2/users/keycloak/{realm}/login`: what a realm says, believed when it may be. The keys in `keys` are of these tests
//! and of nothing else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use palaver_domain::identity::Role;
use palaver_tests::{Account, Service, ServiceOptions};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::{PASSWORD, works};
use crate::now;

const REALM_KEY: &[u8] = include_bytes!("keys/realm.pem");
const OTHER_KEY: &[u8] = include_bytes!("keys/other.pem");
const PUBLIC_KEY: &str = include_str!("keys/realm.pub.pem");
const PUBLISHED: &str = include_str!("keys/realm.jwks.json");
const HOME: &str = "https://palaver.example";

/// A Keycloak: what it answers to each code, and what it was asked.
#[derive(Clone, Default)]
struct Keycloak {
    url: String,
    answers: Arc<Mutex<HashMap<String, (u16, String)>>>,
    asked: Arc<Mutex<Vec<HashMap<String, String>>>>,
}

impl Keycloak {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let keycloak = Self { url: format!("http://{}", listener.local_addr().unwrap()), ..Self::default() };
        let serving = keycloak.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.answer(stream).await });
            }
        });
        keycloak
    }

    /// One request, one answer.
    async fn answer(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap() == 0 || line == "\r\n" {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).await.unwrap();
        let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
        let realm = "/realms/acme%20%2F%20co/protocol/openid-connect";
        let (status, body) = match head.first().map(String::as_str) {
            Some(line) if line.starts_with(&format!("GET {realm}/certs ")) => (200, PUBLISHED.to_owned()),
            Some(line) if line.starts_with(&format!("POST {realm}/token ")) => {
                let answers = self.answers.lock().unwrap();
                let answer = answers.get(form.get("code").map_or("", String::as_str)).cloned();
                self.asked.lock().unwrap().push(form);
                answer.unwrap_or((400, json!({ "error": "invalid_grant" }).to_string()))
            }
            _ => (404, String::new()),
        };
        let answer = format!(
            "HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\nLocation: http://127.0.0.1:9/\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        // A caller that has read enough may be gone.
        let _gone = stream.get_mut().write_all(answer.as_bytes()).await;
    }

    /// A code that gets this answer.
    fn code(&self, status: u16, body: &Value) -> String {
        let mut answers = self.answers.lock().unwrap();
        let code = format!("{:x}.c0de-{:x}", answers.len(), answers.len());
        answers.insert(code.clone(), (status, body.to_string()));
        code
    }

    fn claims(&self, name: &str) -> Value {
        let now = now().timestamp();
        json!({ "iss": format!("{}/realms/acme%20%2F%20co", self.url), "aud": "palaver", "azp": "palaver", "iat": now,
            "exp": now + 300, "preferred_username": name, "sub": "f3a1", "typ": "ID" })
    }
}

fn signed(claims: &Value, key: &[u8]) -> String {
    let header = Header { kid: Some("realm".to_owned()), ..Header::new(Algorithm::RS256) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_rsa_pem(key).unwrap()).unwrap()
}

fn with(mut claims: Value, field: &str, value: Value) -> Value {
    claims[field] = value;
    claims
}

/// A service with an account that is linked with the realm `acme / co`.
struct Linked {
    keycloak: Keycloak,
    service: Service,
    account: Account,
    http: reqwest::Client,
}

impl Linked {
    async fn new(public_key: Option<&str>) -> Self {
        let keycloak = Keycloak::start().await;
        let service =
            ServiceOptions::new("up").setting("keycloak-url", &keycloak.url).setting("public-url", HOME).start().await;
        let account = service.account("Acme").await;
        let mut link = json!({ "realm": "acme / co", "secret": "the realm's secret" });
        if let Some(key) = public_key {
            link["pubKey"] = key.into();
        }
        account.admin().patch(&format!("/api2/accounts/{}", account.id)).json(json!({ "keycloak": link })).await.ok();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { keycloak, service, account, http }
    }

    async fn returns(&self, query: &str) -> reqwest::Response {
        let url = self.service.endpoint().url();
        self.http.get(format!("{url}/api2/users/keycloak/acme%20%2F%20co/login?{query}")).send().await.unwrap()
    }

    async fn with_token(&self, kind: &str, token: &str) -> reqwest::Response {
        let code = self.keycloak.code(200, &json!({ kind: token }));
        self.returns(&format!("code={code}&session_state=ab-12")).await
    }

    async fn is_let_in(&self, answer: reqwest::Response) {
        assert_eq!(answer.status().as_u16(), 302, "{answer:?}");
        assert_eq!(answer.headers()["location"], HOME);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        let token = cookie.strip_prefix("accesstoken=").unwrap().split(';').next().unwrap();
        assert!(cookie.ends_with("HttpOnly; SameSite=Strict; Secure"), "{cookie}");
        assert!(works(&self.service.anonymous().with_token(token)).await);
    }
}

async fn refused(answer: reqwest::Response, status: u16, code: &str, why: &str) {
    assert_eq!(answer.status().as_u16(), status, "{why}");
    assert!(!answer.headers().contains_key("set-cookie"), "{why}");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["code"], code, "{why}");
}

#[tokio::test]
async fn a_realm_vouches_for_the_users_of_its_account() {
    let bare: String = PUBLIC_KEY.lines().filter(|line| !line.starts_with("--")).collect();
    for key in [Some(PUBLIC_KEY), Some(&bare), None] {
        let linked = Linked::new(key).await;
        let person = linked.account.person(Role::Cm, PASSWORD).await;
        let claims = linked.keycloak.claims(&person.name);
        linked.is_let_in(linked.with_token("id_token", &signed(&claims, REALM_KEY)).await).await;
        let asked = linked.keycloak.asked.lock().unwrap().pop().unwrap();
        for (name, value) in [
            ("grant_type", "authorization_code"),
            ("client_id", "palaver"),
            ("client_secret", "the realm's secret"),
            ("redirect_uri", "https://palaver.example/api2/users/keycloak/acme%20%2F%20co/login"),
        ] {
            assert_eq!(asked[name], value);
        }
        let claims = with(claims, "aud", json!(["account", "palaver"]));
        linked.is_let_in(linked.with_token("access_token", &signed(&claims, REALM_KEY)).await).await;
        let forged = linked.with_token("id_token", &signed(&claims, OTHER_KEY)).await;
        refused(forged, 403, "AccessDenied", "another key").await;
    }
}

#[tokio::test]
async fn nothing_else_is_believed() {
    let linked = Linked::new(Some(PUBLIC_KEY)).await;
    let keycloak = &linked.keycloak;
    let person = linked.account.person(Role::Cm, PASSWORD).await;
    let operator = linked.account.person(Role::SuperAdmin, PASSWORD).await;
    let elsewhere = linked.service.account("Elsewhere").await.person(Role::Cm, PASSWORD).await;
    let good = keycloak.claims(&person.name);
    let now = now().timestamp();
    for (why, claims) in [
        ("another issuer", with(good.clone(), "iss", json!("https://keycloak.example/realms/acme"))),
        ("another realm", with(good.clone(), "iss", json!(format!("{}/realms/other", keycloak.url)))),
        ("no issuer", with(good.clone(), "iss", Value::Null)),
        ("another audience", with(good.clone(), "aud", json!(["account"]))),
        ("no audience", with(good.clone(), "aud", Value::Null)),
        ("made for another client", with(good.clone(), "azp", json!("other"))),
        ("expired", with(good.clone(), "exp", json!(now - 61))),
        ("without an end", with(good.clone(), "exp", Value::Null)),
        ("not yet", with(good.clone(), "nbf", json!(now + 120))),
        ("nobody", with(good.clone(), "preferred_username", json!("nobody@example.com"))),
        ("no name", with(good.clone(), "preferred_username", Value::Null)),
        ("another account's user", with(good.clone(), "preferred_username", json!(elsewhere.name))),
        ("one who runs the service", with(good.clone(), "preferred_username", json!(operator.name))),
    ] {
        refused(linked.with_token("id_token", &signed(&claims, REALM_KEY)).await, 403, "AccessDenied", why).await;
    }
    let real = signed(&good, REALM_KEY);
    let [header, claims, signature] = real.split('.').collect::<Vec<_>>()[..] else { panic!("{real}") };
    // {"alg":"none","typ":"JWT"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let secret = EncodingKey::from_secret(PUBLIC_KEY.as_bytes());
    let by_public_key = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &good, &secret).unwrap();
    for token in [
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{header}.{claims}."),
        by_public_key,
        "no token".to_owned(),
    ] {
        refused(linked.with_token("id_token", &token).await, 403, "AccessDenied", &token).await;
    }
    refused(linked.returns("code=bad").await, 403, "AccessDenied", "a code that the realm does not know").await;
    let iss = format!("code=bad&iss={}", "https%3A%2F%2Fother.example");
    refused(linked.returns(&iss).await, 403, "AccessDenied", "a mix-up").await;
    let empty = keycloak.code(200, &json!({}));
    refused(linked.returns(&format!("code={empty}")).await, 403, "AccessDenied", "no token at all").await;
    linked.is_let_in(linked.with_token("id_token", &real).await).await;
}

#[tokio::test]
async fn a_mail_address_counts_when_it_is_verified_and_one_users_alone() {
    let linked = Linked::new(Some(PUBLIC_KEY)).await;
    let admin = linked.account.admin();
    let (one, two) = (linked.account.as_role(Role::Cm).await, linked.account.as_role(Role::Cm).await);
    let address = async |client: &palaver_tests::Client, email: &str| {
        let path = format!("/api2/users/{}", client.user.as_deref().unwrap());
        admin.patch(&path).json(json!({ "email": email })).await.ok();
    };
    address(&one, "Ada@example.com").await;
    let claims = |verified: bool| {
        let claims = with(linked.keycloak.claims("known-elsewhere"), "email", json!("ada@example.com"));
        with(claims, "email_verified", json!(verified))
    };
    let unverified = linked.with_token("id_token", &signed(&claims(false), REALM_KEY)).await;
    refused(unverified, 403, "AccessDenied", "not verified").await;
    linked.is_let_in(linked.with_token("id_token", &signed(&claims(true), REALM_KEY)).await).await;
    address(&two, "ada@example.com").await;
    let either = linked.with_token("id_token", &signed(&claims(true), REALM_KEY)).await;
    refused(either, 403, "AccessDenied", "of two users").await;
}

#[tokio::test]
async fn what_can_not_be_answered_is_told_so() {
    let linked = Linked::new(Some(PUBLIC_KEY)).await;
    let too_long = format!("code={}", "a".repeat(1_025));
    for query in ["", "code=", "code=xyz", "code=AB", &too_long, "code=ab&session_state=x", "code=ab&other=1"] {
        refused(linked.returns(query).await, 400, "BadRequestError", query).await;
    }
    let unknown = linked.service.anonymous().get("/api2/users/keycloak/unknown/login?code=ab").await;
    unknown.is(404, "NotFoundError");
    for (status, body) in [(500, json!({})), (302, json!({})), (200, json!("no object"))] {
        let code = linked.keycloak.code(status, &body);
        refused(linked.returns(&format!("code={code}")).await, 503, "ServiceUnavailableError", "no help").await;
    }
    let endless = linked.keycloak.code(200, &json!({ "id_token": "x".repeat(300_000) }));
    refused(linked.returns(&format!("code={endless}")).await, 403, "AccessDenied", "too much").await;
    assert!(!linked.service.log().contains("the realm's secret"));

    // Two accounts can not both be the realm's.
    let rival = linked.service.account("Rival").await;
    let link = json!({ "keycloak": { "realm": "acme / co", "pubKey": PUBLIC_KEY } });
    rival.admin().patch(&format!("/api2/accounts/{}", rival.id)).json(link).await.ok();
    let person = linked.account.person(Role::Cm, PASSWORD).await;
    let token = signed(&linked.keycloak.claims(&person.name), REALM_KEY);
    refused(linked.with_token("id_token", &token).await, 403, "AccessDenied", "whose realm?").await;
}
