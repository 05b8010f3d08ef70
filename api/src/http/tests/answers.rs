//! What answers carry beyond their bodies, and how the surfaces say errors: formats, limits, origins, keys and tags.

use super::*;

#[tokio::test(start_paused = true)]
async fn whatever_fails_is_said_as_the_surface_of_the_path_does() {
    let app = App::new();
    let large = "x".repeat(BODY_LIMIT_BYTES + 1);
    for (prefix, named) in [("/api/v1", "mkt-x"), ("/v1", "bots"), ("/spams", "bots"), ("/bot-api/v1", "plain")] {
        let at = |path: &str| format!("{prefix}{path}");
        let typed = [("content-type", "application/json")];
        let mut answers = vec![(app.get(&at("/nowhere"), &[]).await, 404, "NotFoundError", "RESOURCE_NOT_FOUND")];
        if prefix != "/spams" {
            let deleted = app.call(Method::DELETE, &at("/panic"), &[], "").await;
            assert_eq!(deleted.header("allow"), Some("GET, HEAD"), "{prefix}");
            let unknown = app.get(&at("/refused?accesstoken=no"), &[]).await;
            assert_eq!(unknown.header("www-authenticate"), Some("Bearer"), "{prefix}");
            let refused = app.get(&at("/invalid"), &[]).await;
            let malformed = app.call(Method::POST, &at("/optional"), &typed, "{").await;
            let too_large = app.call(Method::POST, &at("/optional"), &typed, large.clone()).await;
            answers.extend([
                (deleted, 405, "MethodNotAllowedError", "METHOD_NOT_ALLOWED"),
                (app.get(&at("/panic"), &[]).await, 500, "InternalServerError", "INTERNAL_SERVER_ERROR"),
                (app.get(&at("/slow"), &[]).await, 504, "RequestTimeoutError", "REQUEST_TIMEOUT"),
                (too_large, 413, "PayloadTooLargeError", "PAYLOAD_TOO_LARGE"),
                (malformed, 400, "BadRequestError", "BAD_REQUEST"),
                (unknown, 401, "AccessTokenInvalidError", "UNAUTHORIZED"),
                (refused, if named == "mkt-x" { 422 } else { 400 }, "ValidationError", "VALIDATION_ERROR"),
            ]);
        }
        for (answer, status, code, in_capitals) in answers {
            let body = &answer.body;
            assert_eq!(answer.status.as_u16(), status, "{prefix} {body}");
            assert_eq!(answer.header("content-type"), Some("application/json"), "{prefix} {body}");
            let members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
            let fields = json!({ "publishTime": ["publishTimeNotInFuture"] });
            match named {
                "mkt-x" => {
                    assert_eq!(members, ["code", "details", "error", "success"], "{body}");
                    assert_eq!((&body["success"], &body["code"]), (&json!(false), &json!(in_capitals)), "{body}");
                    assert!(code != "ValidationError" || body["details"]["errors"] == fields, "{body}");
                }
                "bots" => {
                    let phrase = StatusCode::from_u16(status).unwrap().canonical_reason().unwrap();
                    assert_eq!((&body["statusCode"], &body["error"]), (&json!(status), &json!(phrase)), "{body}");
                    assert_eq!(body["code"], code);
                    assert!(body["message"].is_string(), "{body}");
                }
                _ => {
                    assert_eq!(body["code"], code);
                    assert!(body["message"].is_string() && body.get("success").is_none(), "{body}");
                    assert!(code != "ValidationError" || body["errors"] == fields, "{body}");
                }
            }
        }
    }
}

#[tokio::test]
async fn limits_are_told_on_every_answer_that_they_concern() {
    let window = Duration::from_secs(86_400);
    let app = App::limited(RateLimits { window, per_credential: 3, per_address: 5, ..RateLimits::OFF });
    let limit = |answer: &Answer| {
        ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]
            .map(|name| answer.header(name).map(|value| value.parse::<u64>().unwrap()))
    };
    let third = window.as_secs() / 3;
    let first = app.get("/me?accesstoken=CM", &[]).await;
    assert_eq!((first.status.as_u16(), limit(&first)), (200, [Some(3), Some(2), Some(third)]));
    let forbidden = app.call(Method::POST, "/posts?accesstoken=CM", &[], "").await;
    assert_eq!(limit(&forbidden)[1], Some(1));
    assert_eq!(limit(&app.get("/me?accesstoken=CM", &[]).await)[1], Some(0));
    let refused = app.get("/me?accesstoken=CM", &[]).await;
    let message = format!("too many requests from this token; try again in {third} s");
    refused.is(429, "TooManyRequestsError", &message);
    assert_eq!(limit(&refused), [Some(3), Some(0), Some(3 * third)]);
    assert_eq!(refused.header("retry-after"), Some(third.to_string().as_str()));

    // Public routes, guesses and those without a token share the address's limit. Operators have none.
    for (path, status, left) in
        [("/public", 200, 4), ("/me?accesstoken=x", 401, 3), ("/me", 401, 2), ("/public", 200, 1), ("/me", 401, 0)]
    {
        let answer = app.get(path, &[]).await;
        assert_eq!((answer.status.as_u16(), limit(&answer)[1]), (status, Some(left)), "{path}");
    }
    for path in ["/public", "/me?accesstoken=y", "/me?accesstoken=ADMIN"] {
        assert_eq!(app.get(path, &[]).await.status, 429, "{path}");
    }
    let in_capitals = app.get("/api/v1/panic", &[]).await;
    assert_eq!((in_capitals.status.as_u16(), &in_capitals.body["code"]), (429, &json!("RATE_LIMIT_EXCEEDED")));
    // Whatever becomes of the handler.
    let fresh = App::limited(RateLimits { window, per_address: 2, ..RateLimits::OFF });
    assert_eq!(limit(&fresh.get("/panic", &[]).await)[1], Some(1));
    for _ in 0..10 {
        let free = app.get("/text", &[]).await;
        assert_eq!((free.status.as_u16(), limit(&free)), (200, [None; 3]));
    }
}

#[tokio::test]
async fn pages_of_named_origins_may_call_and_ask_first_without_a_token() {
    let (named, other) = ("https://planner.example", "https://other.example");
    let app = App::with(RateLimits::OFF, vec!["http://localhost:3000".parse().unwrap(), named.parse().unwrap()]);
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let headers = [
            ("origin", named),
            ("access-control-request-method", method),
            ("access-control-request-headers", "authorization,idempotency-key,if-match"),
        ];
        for path in ["/me", "/api/v1/refused", "/nowhere"] {
            let preflight = app.call(Method::OPTIONS, path, &headers, "").await;
            assert_eq!(preflight.status, 200, "{method} {path}");
            assert_eq!(preflight.header("access-control-allow-origin"), Some(named));
            assert!(preflight.header("access-control-allow-methods").unwrap().split(',').any(|one| one == method));
            let allowed = preflight.header("access-control-allow-headers");
            assert_eq!(allowed, Some("authorization,idempotency-key,if-match"));
            assert!(preflight.header("x-request-id").is_some());
        }
    }
    // Also what is refused can be read by the page, and its headers.
    for (uri, status) in [("/me?accesstoken=CM", 200), ("/me", 401), ("/panic", 500)] {
        let answer = app.get(uri, &[("origin", named)]).await;
        assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (status, Some(named)));
        let exposed = answer.header("access-control-expose-headers").unwrap();
        for name in ["etag", "x-request-id", "palaver-position", "retry-after", "x-ratelimit-remaining"] {
            assert!(exposed.split(',').any(|one| one == name), "{name} in {exposed}");
        }
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert_eq!(app.get(uri, &[("origin", other)]).await.header("access-control-allow-origin"), None);
    }
    let asked = [("origin", other), ("access-control-request-method", "GET")];
    let refused = app.call(Method::OPTIONS, "/me", &asked, "").await;
    assert_eq!(refused.header("access-control-allow-origin"), None);

    let closed = App::new().get("/me?accesstoken=CM", &[("origin", named)]).await;
    assert_eq!(closed.header("access-control-allow-origin"), None);
    let open = App::with(RateLimits::OFF, vec!["*".parse().unwrap()]);
    let answer = open.get("/me?accesstoken=CM", &[("origin", other)]).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test(start_paused = true)]
async fn a_key_is_held_for_as_long_as_its_request_takes() {
    let app = App::new();
    let send = |token: &str, key: &'static str| {
        let uri = format!("/slow?accesstoken={token}");
        let app = &app;
        async move { app.call(Method::POST, &uri, &[("idempotency-key", key)], "").await }
    };
    // Whatever is let in stays there until its time is over.
    let admitted = async |token: &str, key: &'static str| {
        tokio::time::timeout(Duration::from_millis(10), send(token, key)).await.is_err()
    };
    let first = send("ADMIN", "one");
    let others = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        for _ in 0..3 {
            let refused = send("ADMIN", "one").await;
            let message = "a request with this Idempotency-Key is still being carried out; repeat it for its answer";
            refused.is(409, "IdempotencyKeyInUseError", message);
            assert_eq!(refused.header("retry-after"), Some("1"));
        }
        assert!(admitted("ADMIN", "two").await && admitted("SMM", "one").await);
        // Its client has hung up.
        assert!(admitted("ADMIN", "two").await);
    };
    let (first, ()) = futures::join!(first, others);
    assert_eq!(first.status, 504);
    assert!(admitted("ADMIN", "one").await);
}

#[tokio::test]
async fn who_has_the_thing_already_is_not_sent_it_again() {
    let app = App::new();
    let whole = app.get("/tagged", &[]).await;
    assert_eq!((whole.status.as_u16(), whole.header("etag"), &whole.body), (200, Some("\"7\""), &json!({ "a": 1 })));
    for method in [Method::GET, Method::HEAD] {
        let same = app.call(method, "/tagged", &[("if-none-match", "\"6\", W/\"7\"")], "").await;
        assert_eq!((same.status.as_u16(), same.header("etag"), &same.body), (304, Some("\"7\""), &json!("")));
        assert_eq!(same.header("content-type"), None);
    }
    assert_eq!(app.get("/tagged", &[("if-none-match", "\"6\"")]).await.body, json!({ "a": 1 }));
    assert_eq!(app.get("/public", &[("if-none-match", "*")]).await.status, 200);
    assert_eq!(app.get("/nowhere", &[("if-none-match", "*")]).await.status, 404);
}
