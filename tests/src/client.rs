//! A thin HTTP client: a path in, and status, headers and JSON out.

use std::{
    future::IntoFuture,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use palaver_domain::UserId;
use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;

/// Longer than the service takes to give up by itself.
const PATIENCE: Duration = Duration::from_secs(40);

/// Where a service is to be reached. It moves when the service is restarted, and clients follow.
#[derive(Clone, Debug, Default)]
pub struct Endpoint(Arc<RwLock<String>>);

impl Endpoint {
    pub fn url(&self) -> String {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn moved(&self, url: &str) {
        url.clone_into(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Somebody with a token, or without.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    endpoint: Endpoint,
    token: Option<String>,
    /// The user's id, when it is a user.
    pub user: Option<String>,
}

impl Client {
    pub(crate) fn new(endpoint: Endpoint, token: Option<String>, user: Option<String>) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        Self { http, endpoint, token, user }
    }

    /// The user's id; it must be a user.
    #[track_caller]
    pub fn id(&self) -> UserId {
        self.user.as_deref().expect("a user").parse().unwrap()
    }

    /// The same person at another service.
    pub fn at(&self, endpoint: &Endpoint) -> Self {
        Self { endpoint: endpoint.clone(), ..self.clone() }
    }

    /// Somebody with another token, or with one at all.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The token this client presents.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    pub fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Request {
        self.request(Method::POST, path)
    }

    pub fn put(&self, path: &str) -> Request {
        self.request(Method::PUT, path)
    }

    pub fn patch(&self, path: &str) -> Request {
        self.request(Method::PATCH, path)
    }

    pub fn delete(&self, path: &str) -> Request {
        self.request(Method::DELETE, path)
    }

    /// Host and port of the service, for what no client would do.
    pub fn address(&self) -> String {
        self.endpoint.url().trim_start_matches("http://").to_owned()
    }

    /// A request whose answer may go on for as long as it likes.
    pub(crate) fn streaming(&self, path: &str) -> reqwest::RequestBuilder {
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        let builder = http.get(format!("{}{path}", self.endpoint.url()));
        match &self.token {
            Some(token) => builder.bearer_auth(token),
            None => builder,
        }
    }

    /// `path` begins with `/` and may carry a query.
    pub fn request(&self, method: Method, path: &str) -> Request {
        let mut builder = self.http.request(method, format!("{}{path}", self.endpoint.url()));
        if let Some(token) = &self.token {
            builder = builder.bearer_auth(token);
        }
        Request(builder)
    }
}

/// A request on its way: `.await` it for an answer, or [`Request::send`] it when there may be none.
#[derive(Debug)]
#[must_use = "a request is sent by awaiting it"]
pub struct Request(reqwest::RequestBuilder);

impl Request {
    pub fn json(self, body: Value) -> Self {
        Self(self.0.json(&body))
    }

    pub fn body(self, body: impl Into<reqwest::Body>) -> Self {
        Self(self.0.body(body))
    }

    pub fn header(self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        let value: HeaderValue = value.parse().unwrap();
        Self(self.0.header(name, value))
    }

    /// `Idempotency-Key`
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// `Palaver-Min-Position`
    pub fn after(self, position: i64) -> Self {
        self.header("palaver-min-position", &position.to_string())
    }

    /// # Errors
    /// When no complete answer came.
    pub async fn send(self) -> Result<Answer, reqwest::Error> {
        let response = self.0.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, headers, body })
    }
}

impl IntoFuture for Request {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.send().await.expect("the service answers") })
    }
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// The JSON of the body; a string when it is none, empty when there was no body.
    pub body: Value,
}

impl Answer {
    /// This answer, which must tell of success.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.body);
        self
    }

    /// This answer, which must be the error with this status and code.
    #[track_caller]
    pub fn is(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// `Palaver-Position`, which every mutation answers with.
    #[track_caller]
    pub fn position(&self) -> i64 {
        self.header("palaver-position").expect("a mutation tells its position").parse().unwrap()
    }

    /// Whether this repeats the answer to an earlier request with the same key.
    pub fn replayed(&self) -> bool {
        self.header("idempotent-replay") == Some("true")
    }

    /// `_id` of what was answered.
    #[track_caller]
    pub fn id(&self) -> String {
        self.text("_id")
    }

    /// A text field of what was answered.
    #[track_caller]
    pub fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.body)).to_owned()
    }
}
