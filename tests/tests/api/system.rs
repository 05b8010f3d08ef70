//! What operators and their tools see: health, metrics, documentation, the command line, the log.

use std::collections::BTreeSet;

use palaver_api::http::ErrorCode;
use palaver_tests::ServiceOptions;
use serde_json::{Value, json};

use crate::shared;

#[tokio::test]
async fn health_and_readiness_tell_what_they_rest_on() {
    let service = shared().await;
    let anonymous = service.anonymous();
    let alive = anonymous.get("/healthz").await.ok().body;
    assert_eq!(alive["alive"], true);
    assert!(alive["version"].as_str().is_some_and(|version| !version.is_empty()));
    let ready = anonymous.get("/readyz").await.ok().body;
    assert_eq!(ready["ready"], true);
    let checks: BTreeSet<_> =
        ready["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(checks, BTreeSet::from(["database", "migrations", "projections"]));
    // Probes and scrapers may append what they like.
    anonymous.get("/healthz?x=1").await.ok();
}

#[tokio::test]
async fn metrics_count_what_happens_and_name_nobody() {
    let service = shared().await;
    let account = service.account("Metrics").await;
    let admin = account.admin();
    let channel = admin.sandbox("One").await;
    let post = admin.draft(&channel, "a text").await;
    admin.move_post(&post, "publish").await;
    palaver_tests::eventually("publication", || async {
        (admin.read(&post).await["status"] == "published").then_some(())
    })
    .await;
    admin.get("/api2/cp/posts/abc").await.is(400, "BadRequestError");
    let metrics = admin.get("/metrics").await.ok();
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = metrics.body.as_str().unwrap();
    for name in [
        "palaver_http_requests_total",
        "palaver_http_request_duration_seconds_bucket",
        "palaver_http_requests_in_flight",
        "palaver_appended_events_total",
        "palaver_append_queue",
        "palaver_append_batch_events_bucket",
        "palaver_append_batch_seconds_bucket",
        "palaver_projection_position",
        "palaver_projection_lag_events",
        "palaver_projection_lag_seconds",
        "palaver_projection_batch_seconds_bucket",
        "palaver_projection_quarantined_streams",
        "palaver_publications_total",
    ] {
        assert!(text.contains(&format!("\n{name}")), "{name} is not among\n{text}");
    }
    assert!(text.contains("route=\"/api2/cp/posts/{id}\"") || text.contains("path=\"/api2/cp/posts/{id}\""), "{text}");
    for secret in [&post, &channel, admin.token().unwrap()] {
        assert!(!text.contains(secret), "labels are of a bounded number");
    }
}

#[tokio::test]
async fn the_document_holds_together() {
    let service = shared().await;
    let document = service.anonymous().get("/openapi.json").await.ok().body;
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no id"));
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
            assert!(operation["summary"].is_string() || operation["description"].is_string(), "{id} says what it does");
            assert!(
                operation["responses"]
                    .as_object()
                    .is_some_and(|all| all.keys().any(|code| code.starts_with(['2', '3']))),
                "{id}"
            );
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let in_path: BTreeSet<_> = parameters
                .iter()
                .filter(|one| one["in"] == "path")
                .map(|one| format!("{{{}}}", one["name"].as_str().unwrap()))
                .collect();
            let named: BTreeSet<_> = path.split('/').filter(|part| part.starts_with('{')).map(str::to_owned).collect();
            assert_eq!(in_path, named, "{id}: parameters of the path");
            let unique: BTreeSet<_> =
                parameters.iter().map(|one| (one["in"].to_string(), one["name"].to_string())).collect();
            assert_eq!(unique.len(), parameters.len(), "{id}: a parameter twice");
        }
    }
    let mut references = BTreeSet::new();
    gather_references(&document, &mut references);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads out of the document"));
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    assert!(schemes.contains_key("accesstoken") && schemes.contains_key("bearer"));
}

fn gather_references(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            into.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| gather_references(value, into));
        }
        Value::Array(items) => items.iter().for_each(|value| gather_references(value, into)),
        _ => {}
    }
}

#[tokio::test]
async fn the_documentation_is_whole_without_the_internet() {
    let service = shared().await;
    let anonymous = service.anonymous();
    let page = anonymous.get("/docs").await.ok();
    let html = page.body.as_str().unwrap();
    assert!(page.header("content-type").unwrap().starts_with("text/html"), "{html}");
    assert!(!html.contains("http://") && !html.contains("https://"), "{html}");
    // Scripts come from files of its own alone, as its policy demands.
    assert!(page.header("content-security-policy").unwrap().contains("script-src 'self';"));
    assert_eq!(html.matches("<script").count(), html.matches("<script src=\"./").count(), "{html}");
    let files: Vec<_> = html
        .split(['"', '\''])
        .filter(|text| text.ends_with(".js") || text.ends_with(".css") || text.ends_with(".png"))
        .collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let path = format!("/docs/{}", file.trim_start_matches("./"));
        let answer = anonymous.get(&path).await.ok();
        let kind = answer.header("content-type").unwrap();
        assert!(["javascript", "css", "png"].iter().any(|known| kind.contains(known)), "{path}: {kind}");
        if path.ends_with("initializer.js") {
            let text = answer.body.as_str().unwrap();
            assert!(text.contains("/openapi.json") && !text.contains("://"), "{text}");
        }
    }
    anonymous.get("/docs/nothing.js").await.is(404, "NotFoundError");
    anonymous.get("/docs/..%2f..%2fetc%2fpasswd").await.is(404, "NotFoundError");
}

#[tokio::test]
async fn every_command_explains_itself_and_refuses_what_it_does_not_know() {
    let service = shared().await;
    for command in [
        "up",
        "serve",
        "work",
        "migrate",
        "history",
        "rebuild",
        "projections",
        "account",
        "resolve",
        "mail",
        "explain",
        "events",
        "bisect",
        "quarantine",
        "export",
        "import",
    ] {
        let help = service.tool(&[command, "--help"]).await;
        assert!(help.contains("Usage: palaver ") && help.contains("--database-url"), "{command}: {help}");
        let short = service.tool(&[command, "-h"]).await;
        assert!(short.len() < help.len(), "{command}");
        let wrong = service.tool_output(&[command, "--nonsense"]).await;
        assert_eq!(wrong.status.code(), Some(2), "{command}: {}", wrong.stderr);
        assert!(wrong.stderr.contains("--nonsense"), "{command}: {}", wrong.stderr);
    }
    for code in ErrorCode::ALL {
        let page = service.tool(&["explain", code.as_str()]).await;
        assert!(page.starts_with(&format!("# {}\n", code.as_str())));
    }
    for (arguments, code, says) in [
        (&["explain", "Nothing"][..], 2, "there is no error code `Nothing`"),
        (&["history", "post"], 2, "<ID>"),
        (&["history", "post", "x", "--after", "-1"], 2, "-1"),
        (&["rebuild", "nothing"], 1, "no projection named nothing"),
        (&["quarantine", "retry", "nothing", "post", "x"], 1, "no projection named nothing"),
        (&["quarantine", "list", "--projection", "nothing"], 1, "no projection named nothing"),
        (&["quarantine", "show", "posts", "post", "x"], 1, "post/x is not in quarantine for posts"),
        (&["account", "user", "x", "--user", "a", "--role", "ADMIN"], 2, "id"),
        (&["account", "user", "0123456789abcdef01234567", "--user", "a", "--role", "KING"], 2, "KING"),
        (&["account", "user", "0123456789abcdef01234567", "--user", "a", "--role", "ADMIN"], 1, "no such account"),
        (&["account", "create", "--name", " ", "--user", "a"], 1, "not valid"),
        (&["serve", "--read-wait-ms", "x"], 2, "read-wait-ms"),
        (&["serve", "--append-queue-max", "0"], 2, "append_queue_max"),
    ] {
        let ended = service.tool_output(arguments).await;
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{arguments:?}: {}", ended.stderr);
    }
    let listed = service.tool(&["projections"]).await;
    for projection in ["posts", "channels", "post_feed", "users", "publish_schedule"] {
        assert!(listed.contains(projection), "{listed}");
    }
    let listed = service.tool(&["projections", "--json"]).await;
    assert!(
        listed.lines().count() >= 5 && listed.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "{listed}"
    );
}

#[tokio::test]
async fn the_log_holds_no_token_and_no_text() {
    let mut service = ServiceOptions::new("up").setting("log", "debug").start().await;
    let account = service.account("Secrets").await;
    let admin = account.admin();
    let (token, secret) = (admin.token().unwrap().to_owned(), "a-text-that-is-nobody-elses");
    let channel = admin.sandbox("One").await;
    let post = admin.draft(&channel, secret).await;
    admin.move_post(&post, "publish").await;
    let anonymous = account.anonymous();
    for path in ["/api2/cp/posts", "/api2/cp/posts/x", "/nowhere", "/healthz", "/api2/cp/posts/counts"] {
        let _answer = anonymous.get(&format!("{path}?search={secret}&accesstoken={token}")).await;
        let _answer = anonymous.get(&format!("{path}?accesstoken=x{token}")).await;
        let _answer = anonymous.get(path).header("authorization", &format!("Basic {token}")).await;
    }
    let _answer =
        admin.post("/api2/cp/postGroups").header("content-type", "application/json").body(format!("{{{token}}}")).await;
    let _answer =
        admin.patch(&format!("/api2/cp/posts/{post}")).json(json!({ "content": { "text": [secret, token] } })).await;
    palaver_tests::eventually("publication", || async {
        (admin.read(&post).await["status"] == "published").then_some(())
    })
    .await;
    service.stop().await;
    let log = service.log();
    assert!(log.contains("\"DEBUG\"") && log.contains("/api2/cp/posts"), "it was a talkative log");
    for line in log.lines() {
        assert!(!line.contains(&token), "{line}");
        assert!(!line.contains(secret), "{line}");
        serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
    }
}
