//! `/api2/users/keycloak/{realm}/login`: what a realm says, believed when it may be. The keys in `keys` are of these
//! tests and of nothing else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use palaver_commands::{CommandContext, identity::NewUser};
use palaver_domain::identity::{AccountChanges, AccountCommand, Keycloak as LinkedRealm, Role};
use palaver_tests::{Account, Service, ServiceOptions};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::{PASSWORD, path, works};
use crate::{hours_from_now, now, shared};

const REALM_KEY: &[u8] = include_bytes!("keys/realm.pem");
const OTHER_KEY: &[u8] = include_bytes!("keys/other.pem");
const PUBLIC_KEY: &str = include_str!("keys/realm.pub.pem");
const PUBLISHED: &str = include_str!("keys/realm.jwks.json");
const HOME: &str = "https://palaver.example";
/// In the place of a status: ends the connection without an answer, or never answers.
const HANG_UP: u16 = 0;
const STALL: u16 = 1;

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
            _ => {
                self.asked.lock().unwrap().push(HashMap::new());
                (404, String::new())
            }
        };
        match status {
            HANG_UP => return,
            STALL => std::future::pending().await,
            _ => {}
        }
        let answer = format!(
            "HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\nLocation: {}/elsewhere\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.url,
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

    fn path(&self) -> String {
        format!("/api2/accounts/{}", self.account.id)
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
async fn nobody_is_let_in_who_could_not_log_in_otherwise() {
    let linked = Linked::new(Some(PUBLIC_KEY)).await;
    let account = &linked.account;
    let (able, deleted) = (account.person(Role::Cm, PASSWORD).await, account.person(Role::Cm, PASSWORD).await);
    let new = NewUser { verified: false, ..NewUser::named("new@example.com", Role::Cm) };
    let context = CommandContext::system(account.id, "test");
    account.act(async |commander| commander.create_user(&context, new).await.unwrap()).await;
    let token = |name: &str| signed(&linked.keycloak.claims(name), REALM_KEY);
    linked.is_let_in(linked.with_token("id_token", &token(&deleted.name)).await).await;
    account.admin().delete(&path(&deleted.client)).await.ok();
    for name in [&deleted.name, "new@example.com"] {
        refused(linked.with_token("id_token", &token(name)).await, 403, "AccessDenied", name).await;
    }
    linked.is_let_in(linked.with_token("id_token", &token(&able.name)).await).await;

    let operator = linked.service.account("Operators").await.as_role(Role::SuperAdmin).await;
    let end = json!({ "expirationTime": hours_from_now(-1) });
    operator.patch(&linked.path()).json(end).await.ok();
    refused(linked.with_token("id_token", &token(&able.name)).await, 403, "AccessDenied", "ended").await;
}

#[tokio::test]
async fn a_token_for_other_services_must_have_been_made_for_us_as_their_client() {
    let linked = Linked::new(None).await;
    let person = linked.account.person(Role::Cm, PASSWORD).await;
    let good = with(linked.keycloak.claims(&person.name), "aud", json!("account"));
    linked.is_let_in(linked.with_token("access_token", &signed(&good, REALM_KEY)).await).await;
    for (why, claims) in [
        ("made for another client", with(good.clone(), "azp", json!("other"))),
        ("made for nobody", with(good.clone(), "azp", Value::Null)),
        ("expired", with(good.clone(), "exp", json!(now().timestamp() - 61))),
        ("another realm", with(good.clone(), "iss", json!(format!("{}/realms/other", linked.keycloak.url)))),
    ] {
        refused(linked.with_token("access_token", &signed(&claims, REALM_KEY)).await, 403, "AccessDenied", why).await;
    }
    let mut header = Header { kid: Some("unknown".to_owned()), ..Header::new(Algorithm::RS256) };
    for why in ["a key that the realm does not publish", "a key without a name"] {
        let key = EncodingKey::from_rsa_pem(REALM_KEY).unwrap();
        let token = jsonwebtoken::encode(&header, &good, &key).unwrap();
        refused(linked.with_token("access_token", &token).await, 403, "AccessDenied", why).await;
        header.kid = None;
    }
}

#[tokio::test]
async fn what_can_not_be_answered_is_told_so() {
    let linked = Linked::new(Some(PUBLIC_KEY)).await;
    let too_long = format!("code={}", "a".repeat(1_025));
    for query in ["", "code=", "code=xyz", "code=AB", &too_long, "code=ab&session_state=x", "code=ab&other=1"] {
        refused(linked.returns(query).await, 400, "BadRequestError", query).await;
    }
    for realm in ["unknown", "ACME%20%2F%20co", "a%00b"] {
        let path = format!("/api2/users/keycloak/{realm}/login?code=ab");
        linked.service.anonymous().get(&path).await.is(404, "NotFoundError");
    }
    let long = json!({ "id_token": "x".repeat(300_000) });
    for (why, status, body) in [
        ("a fault", 500, json!({})),
        ("another place", 302, json!({})),
        ("no object", 200, json!("sesame")),
        ("too much", 200, long),
        ("nothing", HANG_UP, json!({})),
        ("too slow", STALL, json!({})),
    ] {
        let code = linked.keycloak.code(status, &body);
        refused(linked.returns(&format!("code={code}")).await, 503, "ServiceUnavailableError", why).await;
    }
    let asked = linked.keycloak.asked.lock().unwrap().len();
    assert_eq!(asked, 6, "no redirection is followed, and nothing is asked twice");
    let log = linked.service.log();
    assert!(!log.contains("the realm's secret") && !log.contains("sesame"));
}

#[tokio::test]
async fn a_realm_is_one_accounts() {
    let linked = Linked::new(Some(PUBLIC_KEY)).await;
    let person = linked.account.person(Role::Cm, PASSWORD).await;
    let token = || signed(&linked.keycloak.claims(&person.name), REALM_KEY);
    let rival = linked.service.account("Rival").await;
    let rivals = format!("/api2/accounts/{}", rival.id);
    for realm in ["acme / co", " ACME / Co "] {
        let link = json!({ "keycloak": { "realm": realm, "secret": "rival", "pubKey": PUBLIC_KEY } });
        rival.admin().patch(&rivals).json(link).await.is(409, "ConflictError");
    }
    linked.is_let_in(linked.with_token("id_token", &token()).await).await;

    // Before realms were claimed, several accounts could have one.
    let twin = linked.service.account("Twin").await;
    let keycloak = LinkedRealm { realm: "acme / co".to_owned(), secret_ref: None, pub_key: None };
    let link = |keycloak| {
        let changes = AccountChanges { keycloak: Some(keycloak), ..AccountChanges::default() };
        AccountCommand::Change { changes: Box::new(changes), sales: false }
    };
    twin.tell(link(Some(keycloak))).await;
    refused(linked.with_token("id_token", &token()).await, 403, "AccessDenied", "whose realm?").await;
    twin.admin().patch(&format!("/api2/accounts/{}", twin.id)).json(json!({ "name": "Still" })).await.ok();
    twin.tell(link(None)).await;
    linked.is_let_in(linked.with_token("id_token", &token()).await).await;

    // Whoever goes elsewhere, or only writes it otherwise, makes room or keeps their place.
    let owner = linked.account.admin();
    let realm = |realm: &str| json!({ "keycloak": { "realm": realm } });
    owner.patch(&linked.path()).json(realm("Acme / co")).await.ok();
    rival.admin().patch(&rivals).json(realm("acme / co")).await.is(409, "ConflictError");
    owner.patch(&linked.path()).json(realm("elsewhere")).await.ok();
    rival.admin().patch(&rivals).json(realm("acme / co")).await.ok();
    owner.patch(&linked.path()).json(realm("acme / co")).await.is(409, "ConflictError");
    rival.admin().patch(&rivals).json(json!({ "keycloak": null })).await.ok();
    owner.patch(&linked.path()).json(realm("acme / co")).await.ok();
}

#[tokio::test]
async fn without_a_keycloak_nobody_logs_in_by_it() {
    let answer =
        shared().await.anonymous().get("/api2/users/keycloak/acme/login?code=ab").await.is(404, "NotFoundError");
    assert!(answer.text("message").contains("keycloak_url"), "{answer:?}");
}
