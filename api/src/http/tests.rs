//! The conventions from outside: a router with a few routes of its own, called as a client would.

mod answers;

use std::{collections::HashMap, sync::Mutex};

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
    routing::{get, post},
};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use palaver_domain::{
    AccountId, AppId, ChannelId, PostId, UserId,
    identity::{Permission, Role},
};
use palaver_eventstore::{clock::ManualClock, ids::SeededIds};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::{
    app::SigningKey,
    auth::{AppCredential, Caller, CredentialHash, CredentialsError},
    permissions::{Access, Route, RouteTable, Surface, route},
};

const BODY_LIMIT_BYTES: usize = 1_024;

const ROUTES: &[Route] = &[
    route(Surface::Socialhub, "GET", "/public", Access::Public),
    route(Surface::Socialhub, "GET", "/me", Access::Authenticated),
    route(Surface::Socialhub, "POST", "/posts", Access::Needs(&[Permission::EditPosts, Permission::ViewPosts])),
    route(Surface::Socialhub, "GET", "/posts", Access::Any(&[Permission::ApprovePosts, Permission::EditPosts])),
    route(Surface::Socialhub, "GET", "/posts/{id}", Access::Public),
    route(Surface::Socialhub, "POST", "/optional", Access::Public),
    route(Surface::Socialhub, "GET", "/page", Access::Public),
    route(Surface::Socialhub, "GET", "/panic", Access::Public),
    route(Surface::Socialhub, "GET", "/slow", Access::Public),
    route(Surface::Socialhub, "GET", "/fault", Access::Public),
    route(Surface::Socialhub, "POST", "/slow", Access::Authenticated),
    route(Surface::Socialhub, "GET", "/tagged", Access::Public),
    route(Surface::System, "GET", "/text", Access::Public),
    route(Surface::MktX, "GET", "/api/v1/panic", Access::Public),
    route(Surface::MktX, "GET", "/api/v1/slow", Access::Public),
    route(Surface::MktX, "GET", "/api/v1/refused", Access::Authenticated),
    route(Surface::MktX, "GET", "/api/v1/invalid", Access::Public),
    route(Surface::MktX, "POST", "/api/v1/optional", Access::Public),
    route(Surface::Bots, "GET", "/v1/panic", Access::Public),
    route(Surface::Bots, "GET", "/v1/slow", Access::Public),
    route(Surface::Bots, "GET", "/v1/refused", Access::Authenticated),
    route(Surface::Bots, "GET", "/v1/invalid", Access::Public),
    route(Surface::Bots, "POST", "/v1/optional", Access::Public),
    route(Surface::BotOpenApi, "GET", "/bot-api/v1/panic", Access::Public),
    route(Surface::BotOpenApi, "GET", "/bot-api/v1/slow", Access::Public),
    route(Surface::BotOpenApi, "GET", "/bot-api/v1/refused", Access::Authenticated),
    route(Surface::BotOpenApi, "GET", "/bot-api/v1/invalid", Access::Public),
    route(Surface::BotOpenApi, "POST", "/bot-api/v1/optional", Access::Public),
];

#[derive(Debug, Default)]
struct Tokens(Mutex<HashMap<CredentialHash, Role>>);

impl Tokens {
    fn grant(&self, token: &str, role: Role) {
        self.0.lock().unwrap().insert(CredentialHash::of(token), role);
    }
}

impl Credentials for Tokens {
    fn find(
        &self,
        credential: CredentialHash,
        _: DateTime<Utc>,
    ) -> BoxFuture<'_, Result<Option<Caller>, CredentialsError>> {
        let role = self.0.lock().unwrap().get(&credential).copied();
        let caller = role.map(|role| Caller {
            tenant: AccountId::default(),
            user: UserId::from_bytes([role as u8; 12]),
            user_name: role.to_string(),
            role,
            permissions: role.permissions(),
            team_ids: Vec::new(),
            read_only_channel_ids: Vec::new(),
            masked_by: None,
            credential,
        });
        Box::pin(std::future::ready(Ok(caller)))
    }
}

#[derive(Debug)]
struct NoApps;

impl AppCredentials for NoApps {
    fn find(
        &self,
        _: CredentialHash,
        _: AppCredential,
        _: DateTime<Utc>,
    ) -> BoxFuture<'_, Result<Option<(AccountId, AppId)>, CredentialsError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn has(&self, _: AccountId, _: AppId) -> BoxFuture<'_, Result<bool, CredentialsError>> {
        Box::pin(std::future::ready(Ok(false)))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewPosts {
    posts: Vec<NewPost>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewPost {
    channel_id: ChannelId,
    promoted: bool,
    #[serde(default)]
    text: String,
}

#[derive(Debug, thiserror::Error)]
#[error("reading the file")]
struct Outer(#[source] std::io::Error);

struct App {
    router: Router,
    tokens: Arc<Tokens>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    #[track_caller]
    fn is(&self, status: u16, code: &str, message: &str) {
        assert_eq!(
            (self.status.as_u16(), &self.body["code"], &self.body["message"]),
            (status, &json!(code), &json!(message))
        );
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

async fn create(Json(body): Json<NewPosts>) -> Json<Value> {
    let posts = body.posts.iter().map(|post| json!([post.channel_id, post.promoted, post.text]));
    Json(posts.collect())
}

async fn list(key: Option<CommandKey>, read: ReadAfter, caller: Caller) -> (Written, Json<Value>) {
    let body = json!({ "minimum": read.minimum, "explicit": read.explicit, "user": caller.user_name });
    (Written { position: 42, replayed: key.is_some() }, Json(body))
}

fn refusal() -> ApiError {
    let fields = [("publishTime".to_owned(), vec!["publishTimeNotInFuture".to_owned()])];
    ApiError::new(ErrorCode::ValidationError, "no").with_fields(fields.into())
}

impl App {
    fn new() -> Self {
        Self::with(RateLimits::OFF, Vec::new())
    }

    fn limited(limits: RateLimits) -> Self {
        Self::with(limits, Vec::new())
    }

    fn with(limits: RateLimits, cors_origins: Vec<CorsOrigin>) -> Self {
        let tokens = Arc::new(Tokens::default());
        for role in Role::ALL {
            tokens.grant(role.as_str(), role);
        }
        let shell = Shell {
            clock: Arc::new(ManualClock::at(DateTime::UNIX_EPOCH)),
            ids: Arc::new(SeededIds::new(1)),
            credentials: Arc::clone(&tokens) as Arc<dyn Credentials>,
            app_credentials: Arc::new(NoApps),
            access_tokens: AccessTokens::new(&SigningKey::of(&"a".repeat(64).parse().unwrap()).unwrap()),
            fingerprint_key: SigningKey::of(&"a".repeat(64).parse().unwrap()).unwrap(),
            routes: RouteTable::new(ROUTES),
            last_writes: LastWrites::default(),
            meters: Arc::new(Meters::new(limits, false)),
            claims: Claims::default(),
            cors_origins,
            body_limit_bytes: BODY_LIMIT_BYTES,
            request_timeout: Duration::from_secs(5),
            fork: None,
        };
        let under = |prefix: &str| {
            Router::new()
                .route(&format!("{prefix}/panic"), get(|| async { panic!("the secret cause") as () }))
                .route(&format!("{prefix}/slow"), get(std::future::pending::<()>))
                .route(&format!("{prefix}/refused"), get(|| async { Err::<(), _>(refusal()) }))
                .route(&format!("{prefix}/invalid"), get(|| async { Err::<(), _>(refusal()) }))
                .route(&format!("{prefix}/optional"), post(|_: Option<Json<NewPost>>| async {}))
        };
        let router = Router::new()
            .merge(under("/api/v1"))
            .merge(under("/v1"))
            .merge(under("/bot-api/v1"))
            .route("/public", get(|id: RequestId| async move { Json(json!({ "id": id.as_str() })) }))
            .route("/me", get(|caller: Caller| async move { Json(json!({ "role": caller.role })) }))
            .route("/posts", get(list).post(create))
            .route("/posts/{id}", get(|PathId(id): PathId<PostId>| async move { Json(json!({ "id": id })) }))
            .route(
                "/optional",
                post(|key: Option<CommandKey>, body: Option<Json<NewPost>>| async move {
                    Json(json!({ "body": body.is_some(), "key": key.map(|key| [key.id, key.fingerprint]) }))
                }),
            )
            .route("/page", get(|page: Paging| async move { Json(json!([page.offset, page.count])) }))
            .route("/panic", get(|| async { panic!("the secret cause") as () }))
            .route("/slow", get(std::future::pending::<()>).post(std::future::pending::<()>))
            .route("/tagged", get(|| async { (EntityTag(7), Json(json!({ "a": 1 }))) }))
            .route(
                "/fault",
                get(|| async {
                    let cause = std::io::Error::other("/etc/secret");
                    ApiError::internal(&Outer(cause))
                }),
            )
            .route("/text", get(|| async { "figures" }))
            // In no table.
            .route("/forgotten", get(|| async { "open" }));
        Self { router: enclose(router, shell), tokens }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
        Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or_else(|_| text()) }
    }

    async fn call(&self, method: Method, uri: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn get(&self, uri: &str, headers: &[(&str, &str)]) -> Answer {
        self.call(Method::GET, uri, headers, Body::empty()).await
    }

    async fn post(&self, body: impl Into<Body>) -> Answer {
        self.call(Method::POST, "/posts?accesstoken=ADMIN", &[("content-type", "application/json")], body).await
    }
}

#[tokio::test]
async fn every_answer_carries_a_request_id_and_the_safety_headers() {
    let app = App::new();
    for path in ["/public", "/nowhere", "/panic", "/me", "/forgotten"] {
        let answer = app.get(path, &[("x-request-id", "mine-1")]).await;
        let names = ["x-request-id", "x-content-type-options", "cache-control", "referrer-policy"];
        let headers = names.map(|name| answer.header(name));
        assert_eq!(headers, [Some("mine-1"), Some("nosniff"), Some("no-store"), Some("no-referrer")], "{path}");
    }
    assert_eq!(app.get("/public", &[("x-request-id", "mine-1")]).await.body["id"], "mine-1");
    for malformed in ["", "has space", "ü", &"x".repeat(129)] {
        let answer = app.get("/public", &[("x-request-id", malformed)]).await;
        assert_eq!(answer.header("x-request-id").map(str::len), Some(36), "{malformed:?}");
        assert_eq!(answer.body["id"], answer.header("x-request-id").unwrap());
    }
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_told_apart() {
    let app = App::new();
    let unknown = app.get("/nowhere", &[]).await;
    unknown.is(404, "NotFoundError", "there is no such path; /docs lists what there is");
    let wrong = app.call(Method::DELETE, "/posts", &[], "").await;
    wrong.is(405, "MethodNotAllowedError", "this path answers to GET, HEAD, POST only");
    assert_eq!(wrong.header("allow"), Some("GET, HEAD, POST"));
    assert_eq!(app.call(Method::OPTIONS, "/public", &[], "").await.status, 405);

    let head = app.call(Method::HEAD, "/public", &[], "").await;
    assert_eq!((head.status, head.body), (StatusCode::OK, json!("")));
}

#[tokio::test]
async fn a_route_outside_the_table_lets_nobody_pass() {
    let answer = App::new().get("/forgotten?accesstoken=ADMIN", &[("x-request-id", "r1")]).await;
    answer.is(500, "InternalServerError", "something failed on our side; please report request id r1");
}

#[tokio::test]
async fn panics_and_faults_say_nothing_but_the_request_id() {
    let app = App::new();
    for path in ["/panic", "/fault"] {
        let answer = app.get(path, &[("x-request-id", "r1")]).await;
        answer.is(500, "InternalServerError", "something failed on our side; please report request id r1");
    }
    assert_eq!(chain(&Outer(std::io::Error::other("why"))), "reading the file: why");
}

#[tokio::test(start_paused = true)]
async fn a_request_has_its_time() {
    let answer = App::new().get("/slow", &[]).await;
    let message = "no answer within 5000 ms; a mutation may have happened: repeat it with the same Idempotency-Key";
    answer.is(504, "RequestTimeoutError", message);
}

#[tokio::test]
async fn a_body_that_can_not_be_read_is_refused_with_the_place() {
    let app = App::new();
    let good = r#"{"posts":[{"channelId":"00000000000000000000000a","promoted":true,"text":"\\u0000 is text"}]}"#;
    let answer = app.post(good).await;
    assert_eq!((answer.status, &answer.body[0][2]), (StatusCode::OK, &json!(r"\u0000 is text")));

    let id = "00000000000000000000000a";
    for (body, message) in [
        (String::new(), "the body is not JSON: EOF while parsing a value at line 1 column 0"),
        ("{\n  \"posts\": [}".to_owned(), "the body is not JSON: expected value at line 2 column 13"),
        (r#"{"posts":[]} x"#.to_owned(), "the body is not JSON: trailing characters at line 1 column 14"),
        ("[]".to_owned(), "the body must be an object, is an array"),
        ("7".to_owned(), "the body: invalid type: integer, expected an object at line 1 column 1"),
        (r#"{"posts":7007}"#.to_owned(), "`posts`: invalid type: integer, expected a sequence at line 1 column 13"),
        (
            r#"{"posts":"my `secret`, expected \" by nobody"}"#.to_owned(),
            "`posts`: invalid type: string, expected a sequence at line 1 column 45",
        ),
        ("{}".to_owned(), "the body: missing field `posts` at line 1 column 2"),
        (r#"{"posts":[],"posts":[]}"#.to_owned(), "the body: duplicate field `posts` at line 1 column 19"),
        (
            format!(r#"{{"posts":[{{"channelId":"{id}","promoted":"yes"}}]}}"#),
            "`posts[0].promoted`: invalid type: string, expected a boolean at line 1 column 66",
        ),
        (
            format!(r#"{{"posts":[{{"channelId":"{id}"}}]}}"#),
            "`posts[0]`: missing field `promoted` at line 1 column 50",
        ),
        (
            r#"{"posts":[{"channelId":"abc"}]}"#.to_owned(),
            "`posts[0].channelId`: an id is 24 lower-case hex digits at line 1 column 29",
        ),
        (
            "{\"posts\":\n [{\"text\":\"a\\u0000b\"}]}".to_owned(),
            "the body holds the character U+0000 at line 2 column 13, which can not be stored",
        ),
    ] {
        app.post(body).await.is(400, "BadRequestError", message);
    }
    let unknown = app.post(r#"{"post":[]}"#).await;
    unknown.is(400, "BadRequestError", "`post`: unknown field `post`, expected `posts` at line 1 column 7");
    let invalid_utf8 = app.post(vec![b'"', 0xff, b'"']).await;
    assert_eq!(invalid_utf8.body["code"], "BadRequestError");
    let deep = app.post("[".repeat(1_000)).await;
    assert_eq!(deep.body["code"], "BadRequestError");
}

#[tokio::test]
async fn a_body_has_a_type_and_a_limit() {
    let app = App::new();
    for (headers, message) in [
        (&[][..], "send the body as Content-Type: application/json"),
        (&[("content-type", "text/plain")], "send the body as Content-Type: application/json"),
        (&[("content-type", "application/json; charset=latin1")], "JSON is sent as UTF-8"),
        (
            &[("content-type", "application/json"), ("content-encoding", "gzip")],
            "send the body without a Content-Encoding",
        ),
    ] {
        let answer = app.call(Method::POST, "/posts?accesstoken=ADMIN", headers, "{}").await;
        answer.is(415, "UnsupportedMediaType", message);
    }
    let typed = [("content-type", "Application/JSON; charset=\"UTF-8\"")];
    assert_eq!(app.call(Method::POST, "/posts?accesstoken=ADMIN", &typed, r#"{"posts":[]}"#).await.status, 200);

    let message = "the body is larger than this service takes";
    let large = "x".repeat(BODY_LIMIT_BYTES + 1);
    app.post(large.clone()).await.is(413, "PayloadTooLargeError", message);
    // Announced, and refused before it comes.
    let announced = [("content-length", "1000000")];
    app.call(Method::POST, "/optional", &announced, "").await.is(413, "PayloadTooLargeError", message);
    // With a key the body is read earlier, by another hand.
    let stream =
        || Body::from_stream(futures::stream::once(std::future::ready(Ok::<_, std::io::Error>(large.clone()))));
    for headers in [&[("content-type", "application/json")][..], &[("idempotency-key", "k")]] {
        app.call(Method::POST, "/optional", headers, stream()).await.is(413, "PayloadTooLargeError", message);
    }
}

#[tokio::test]
async fn accept_is_heeded_where_all_answers_are_json() {
    let app = App::new();
    let message = "this answers with application/json, which Accept excludes";
    app.get("/public", &[("accept", "text/html")]).await.is(406, "NotAcceptableError", message);
    assert_eq!(app.get("/public", &[("accept", "text/html, */*;q=0.1")]).await.status, 200);
    assert_eq!(app.get("/text", &[("accept", "text/plain")]).await.status, 200);
}

#[tokio::test]
async fn ids_and_pages_are_checked() {
    let app = App::new();
    assert_eq!(app.get("/posts/00000000000000000000000a", &[]).await.body["id"], "00000000000000000000000a");
    for id in ["1", "00000000000000000000000A", "00000000000000000000000a%00"] {
        let answer = app.get(&format!("/posts/{id}"), &[]).await;
        answer.is(400, "BadRequestError", "`id` in the path: an id is 24 lower-case hex digits");
    }
    app.get("/posts/%FF", &[]).await.is(400, "BadRequestError", "the path is not percent-encoded UTF-8");

    assert_eq!(app.get("/page", &[]).await.body, json!([0, COUNT_DEFAULT]));
    assert_eq!(app.get("/page?offset=7&count=0&other=x", &[]).await.body, json!([7, 0]));
    for (query, message) in [
        ("count=501", "`count` must be between 0 and 500, is 501"),
        ("count=-1", "`count` must be between 0 and 500, is -1"),
        ("offset=100001", "`offset` must be between 0 and 100000, is 100001"),
        ("count=ten", "query parameter `count`: must be a whole number, is `ten`"),
    ] {
        app.get(&format!("/page?{query}"), &[]).await.is(400, "BadRequestError", message);
    }
}

#[tokio::test]
async fn a_token_comes_in_the_query_or_as_bearer() {
    let app = App::new();
    for (uri, headers) in [
        ("/me?accesstoken=CM", &[][..]),
        ("/me", &[("authorization", "Bearer CM")]),
        ("/me", &[("authorization", "bearer  CM")]),
        ("/me?accesstoken=CM", &[("authorization", "Bearer CM")]),
    ] {
        assert_eq!(app.get(uri, headers).await.body, json!({ "role": "CM" }), "{uri} {headers:?}");
    }
    for (uri, headers) in [
        ("/me", &[][..]),
        ("/me?accesstoken=", &[]),
        ("/me?accesstoken=unknown", &[]),
        ("/me", &[("authorization", "Basic Q006Q00=")]),
        ("/me", &[("authorization", "CM")]),
    ] {
        let answer = app.get(uri, headers).await;
        assert_eq!(answer.body["code"], "AccessTokenInvalidError", "{uri} {headers:?}");
        assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, Some("Bearer")));
    }
    let message = "the request carries two different access tokens; send one";
    let two = app.get("/me?accesstoken=CM", &[("authorization", "Bearer SMM")]).await;
    two.is(400, "BadRequestError", message);
    app.get("/me?accesstoken=CM&accesstoken=SMM", &[]).await.is(400, "BadRequestError", message);
}

#[tokio::test]
async fn a_revoked_token_stops_working_at_once() {
    let app = App::new();
    app.tokens.grant("brief", Role::Cm);
    assert_eq!(app.get("/me?accesstoken=brief", &[]).await.status, 200);
    app.tokens.0.lock().unwrap().remove(&CredentialHash::of("brief"));
    assert_eq!(app.get("/me?accesstoken=brief", &[]).await.status, 401);
}

#[tokio::test]
async fn the_table_decides_before_the_handler_and_before_the_body() {
    let app = App::new();
    let post =
        async |token: &str| app.call(Method::POST, &format!("/posts?accesstoken={token}"), &[], "nonsense").await;
    post("OBSERVER").await.is(403, "InsufficientPermissions", "role OBSERVER lacks EditPosts");
    assert_eq!(post("nobody").await.status, 401);
    assert_eq!(post("EDITOR").await.status, 415);

    let read = async |token: &str| app.get(&format!("/posts?accesstoken={token}"), &[]).await;
    read("OBSERVER").await.is(403, "InsufficientPermissions", "role OBSERVER lacks ApprovePosts or EditPosts");
    assert_eq!(read("EDITOR").await.status, 200);
}

#[tokio::test]
async fn a_read_comes_after_the_writes_of_its_own_credential() {
    let app = App::new();
    let first = app.get("/posts?accesstoken=ADMIN", &[]).await;
    assert_eq!((first.header("palaver-position"), &first.body["minimum"]), (Some("42"), &json!(0)));
    let second = app.get("/posts?accesstoken=ADMIN", &[]).await;
    assert_eq!((&second.body["minimum"], &second.body["explicit"]), (&json!(42), &json!(false)));
    let other = app.get("/posts?accesstoken=SMM", &[]).await;
    assert_eq!(other.body["minimum"], 0);

    for (sent, minimum) in [("0", 0), ("99", 99)] {
        let answer = app.get("/posts?accesstoken=ADMIN", &[("palaver-min-position", sent)]).await;
        assert_eq!((&answer.body["minimum"], &answer.body["explicit"]), (&json!(minimum), &json!(true)));
    }
    for malformed in ["", "-1", "+1", "1.0", "x", "9223372036854775808"] {
        let answer = app.get("/posts?accesstoken=ADMIN", &[("palaver-min-position", malformed)]).await;
        let message = "Palaver-Min-Position must be a position: a whole number, 0 or greater";
        answer.is(400, "BadRequestError", message);
    }
}

#[tokio::test]
async fn an_idempotency_key_names_a_request_and_leaves_its_body_readable() {
    let app = App::new();
    let json_body = r#"{"channelId":"00000000000000000000000a","promoted":true}"#;
    let send = async |key: &str, body: &'static str| {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        app.call(Method::POST, "/optional", &headers, body).await
    };
    let first = send("key-1", json_body).await;
    assert_eq!((&first.body["body"], &first.body["key"][0]), (&json!(true), &json!("key-1")));
    assert_eq!(first.body["key"], send("key-1", json_body).await.body["key"]);
    assert_ne!(first.body["key"], send("key-1", "").await.body["key"]);
    let without = app.call(Method::POST, "/optional", &[], "").await;
    assert_eq!(without.body, json!({ "body": false, "key": null }));

    let long = "x".repeat(256);
    for malformed in ["", "has space", long.as_str()] {
        let message = "Idempotency-Key must be 1 to 255 visible ASCII characters";
        send(malformed, "").await.is(400, "BadRequestError", message);
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    let answer = app.call(Method::POST, "/optional", &twice, "").await;
    answer.is(400, "BadRequestError", "header idempotency-key is given more than once");

    let replay = app.get("/posts?accesstoken=ADMIN", &[("idempotency-key", "k")]).await;
    assert_eq!(replay.header("idempotent-replay"), Some("true"));
    let plain = app.get("/posts?accesstoken=ADMIN", &[]).await;
    assert_eq!(plain.header("idempotent-replay"), None);
    let by_other = app.get("/posts?accesstoken=SMM", &[("idempotency-key", "k")]).await;
    assert_eq!(by_other.status, 200);
}

#[tokio::test]
async fn figures_are_kept_by_route_and_never_by_path() {
    let (figures, recorder) = crate::telemetry::Metrics::apart();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let app = App::new();
    app.get("/posts/00000000000000000000000a?accesstoken=sesame", &[]).await;
    app.get("/guessed/sesame", &[]).await;
    app.call(Method::from_bytes(b"SESAME").unwrap(), "/public", &[], "").await;
    let text = figures.render();
    for line in [
        r#"palaver_http_requests_total{surface="socialhub",method="GET",route="/posts/{id}",status="200"} 1"#,
        r#"palaver_http_requests_total{surface="none",method="GET",route="unmatched",status="404"} 1"#,
        r#"palaver_http_requests_total{surface="socialhub",method="other",route="/public",status="405"} 1"#,
        r#"palaver_http_requests_in_flight{surface="socialhub"} 0"#,
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
    assert!(text.contains(r#"palaver_http_request_duration_seconds_bucket{surface="socialhub",method="GET",route="/posts/{id}",le="0.001"}"#), "{text}");
    assert!(!text.to_lowercase().contains("sesame"), "{text}");
}

#[test]
fn logs_hold_neither_tokens_nor_bodies_nor_raw_paths() {
    let log = crate::telemetry::capture(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let app = App::new();
            let typed = [("content-type", "application/json"), ("x-request-id", "r1")];
            app.call(Method::POST, "/posts?accesstoken=sesame", &typed, "sesame").await;
            app.call(Method::POST, "/optional?x=sesame", &typed, "sesame").await;
            app.get("/sesame", &[("authorization", "Bearer sesame")]).await;
            app.get("/posts/sesame", &[]).await;
            app.get("/fault", &[("x-request-id", "r2")]).await;
        });
    });
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let first = lines.first().unwrap();
    assert_eq!((&first["status"], &first["code"]), (&json!(401), &json!("AccessTokenInvalidError")));
    assert!(first["latency_ms"].is_u64());
    let span = &first["span"];
    assert_eq!(
        (&span["request_id"], &span["method"], &span["route"]),
        (&json!("r1"), &json!("POST"), &json!("/posts"))
    );
    // The client is told nothing of a fault's cause; the log is, with the request's id.
    let fault = lines.iter().find(|line| line["cause"] == "reading the file: /etc/secret").unwrap();
    assert_eq!(fault["span"]["request_id"], "r2");
    assert!(!log.contains("sesame"), "{log}");
}
