//! The OpenAPI document and the page that shows it. Operations are described where their handlers are; here is what
//! they share, and the check that all of them are in the permission table.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::Path,
    http::header::{self, AUTHORIZATION},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
    security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    tag::TagBuilder,
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    auth::{ACCESSTOKEN, X_API_KEY},
    http::{ApiError, BotsErrorBody, ErrorBody, MktXErrorBody},
    permissions::{self, Route, RouteMismatch},
};

const DESCRIPTION: &str = "\
Plan, approve and publish posts on social networks. Everything that happens is an event in one log, and everything \
that is read follows from it.

**Access.** Send a token as query parameter `accesstoken` or as `Authorization: Bearer`. Each operation names the \
permissions it needs in `x-permissions`. Under `/api/v1` the token is a signed one, from `/api/v1/auth/login`. Under \
`/v1` it is a user's or an application's, or `x-api-key` carries an application's key, and the query names the \
application as `appId`. Under `/bot-api/v1` it is an application's. Applications and their keys come from `/api2/apps`.

**Errors** are `{code, message, errors?, data?}`. Codes are stable; `palaver explain <code>` says what each means and \
what to do. Under `/api/v1` they are `{success, error, code, details}`, with codes in capitals and 422 for input that is \
not valid; under `/v1` and `/spams`, `{statusCode, message, error, code}`.

**Repeating safely.** Send an `Idempotency-Key` with a mutation. The same key with the same request is carried out \
once; the repeat gets the first answer, marked `Idempotent-Replay: true`. The same key with another request is refused \
(422), and so is a repeat while the first is still being carried out (409; `Retry-After` says when to ask again).

**Not overwriting others.** A single post or channel is answered with an `ETag`. Send it back as `If-Match` where an \
operation takes it, and nothing is done if the thing has changed meanwhile (412). A read with `If-None-Match` is answered \
with 304 when nothing has.

**Limits.** `X-RateLimit-Limit`, `-Remaining` and `-Reset` (unix seconds) tell of the limit that is used up first; above \
it there is 429 with `Retry-After`. Each process of the service counts for itself.

**Reading what you wrote.** A mutation answers with `Palaver-Position`. Reads with the same token wait, within \
bounds, until they include it; any other client can ask for the same by `Palaver-Min-Position`.

**Events.** Whatever happens can be followed: [`/asyncapi.json`](/asyncapi.json) describes the streams that it comes \
by, and [`/schemas`](/schemas) what each event looks like.

**Tracing.** Every answer carries `X-Request-Id`: yours, when you send one of at most 128 visible ASCII characters.";

const TAGS: &[(&str, &str)] = &[
    ("posts", "Posts and post groups: plan, schedule, publish."),
    ("feed", "What happened to a post, and what its team says about it."),
    ("channels", "Where posts go."),
    ("general", "Who asks, and what they may do."),
    ("accounts", "Accounts: what they have bought, and how they want things done."),
    ("settings", "What can be chosen from."),
    ("users", "Who works in an account, and what each may do."),
    ("apps", "What calls for an account when no person does, and by which keys."),
    ("mkt-x authentication", "Logging in to marketing on X."),
    ("bots", "Bots of an application."),
    ("bot-open-api", "What happened to an application's bots."),
    ("audit", "How a thing came to be, for auditors. Every look is itself an event."),
    ("events", "Everything that happens, as it happens, and what it looks like."),
    ("operations", "How the projections stand, and what is done about it, for those who run the service."),
    ("system", "Health and metrics, for operators."),
];

/// What the documentation page may load and run: its own files, calls to this service, and the styles and pictures
/// that Swagger UI puts into its page.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                           img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                           frame-ancestors 'none'";

/// The document before any operation is in it. Start the router with [`OpenApiRouter::with_openapi`] of this.
pub fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Palaver")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(LicenseBuilder::new().name("MIT OR Apache-2.0").build()));
    let token = ApiKeyValue::with_description(ACCESSTOKEN, "The token of a user, in the query.");
    let bearer =
        Http::builder().scheme(HttpAuthScheme::Bearer).description(Some("The same token, in a header.")).build();
    let components = surfaces(ComponentsBuilder::new())
        .schema_from::<ErrorBody>()
        .schema_from::<MktXErrorBody>()
        .schema_from::<BotsErrorBody>()
        .security_scheme("accesstoken", SecurityScheme::ApiKey(ApiKey::Query(token)))
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .build();
    let tags = TAGS.iter().map(|(name, text)| TagBuilder::new().name(*name).description(Some(*text)).build());
    OpenApiBuilder::new().info(info).components(Some(components)).tags(Some(tags.collect::<Vec<_>>())).build()
}

/// The credentials of the surfaces that have their own.
fn surfaces(components: ComponentsBuilder) -> ComponentsBuilder {
    let bearer = |description| Http::builder().scheme(HttpAuthScheme::Bearer).description(Some(description));
    let signed = bearer("An access token from `/api/v1/auth/login`; it lasts an hour.").bearer_format("JWT").build();
    let bots = bearer("The token of a user, or of an application.").build();
    let key = ApiKeyValue::with_description(X_API_KEY.as_str(), "A key of an application.");
    let app = ApiKeyValue::with_description(
        AUTHORIZATION.as_str(),
        "A token from `/bot-api/v1/login`, as it is or behind `Bearer`; it lasts 24 hours.",
    );
    components
        .security_scheme("mktXToken", SecurityScheme::Http(signed))
        .security_scheme("botsToken", SecurityScheme::Http(bots))
        .security_scheme("botsKey", SecurityScheme::ApiKey(ApiKey::Header(key)))
        .security_scheme("botOpenApiToken", SecurityScheme::ApiKey(ApiKey::Header(app)))
}

/// Checks the router's operations against the table, writes the table into the document, and adds the pages that
/// serve it.
///
/// # Errors
/// When document and table differ; the service must not start then.
pub fn publish(router: OpenApiRouter, routes: &[Route]) -> Result<(Router, OpenApi), RouteMismatch> {
    let (router, mut document) = router.split_for_parts();
    permissions::verify(&document, routes)?;
    permissions::describe(&mut document, routes);
    Ok((router.merge(pages(&document)), document))
}

/// `/openapi.json`, and Swagger UI at `/docs/` from files inside the binary.
fn pages(document: &OpenApi) -> Router {
    let document: Result<Arc<str>, _> = serde_json::to_string(document).map(Into::into).map_err(Arc::new);
    // The validator is a service on the internet that would be sent the address of this one.
    let config = Arc::new(
        utoipa_swagger_ui::Config::from("/openapi.json")
            .validator_url("none")
            .display_operation_id(true)
            .display_request_duration(true)
            .filter(true),
    );
    let index = Arc::clone(&config);
    Router::new()
        .route("/openapi.json", get(move || std::future::ready(json(&document))))
        .route("/docs", get(|| std::future::ready(Redirect::permanent("/docs/"))))
        .route("/docs/", get(move || std::future::ready(page("", &index))))
        .route("/docs/{*file}", get(move |Path(file): Path<String>| std::future::ready(page(&file, &config))))
}

fn json(document: &Result<Arc<str>, Arc<serde_json::Error>>) -> Response {
    match document {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], Body::from(text.to_string())).into_response(),
        Err(error) => ApiError::internal(&**error).into_response(),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the documentation page can not be made: {0}")]
struct PageFault(String);

fn page(file: &str, config: &Arc<utoipa_swagger_ui::Config<'static>>) -> Response {
    match utoipa_swagger_ui::serve(file, Arc::clone(config)) {
        Ok(Some(file)) => {
            let headers = [
                (header::CONTENT_TYPE, file.content_type.as_str()),
                (header::CACHE_CONTROL, "max-age=3600"),
                (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
            ];
            (headers, Body::from(file.bytes.into_owned())).into_response()
        }
        Ok(None) => ApiError::not_found("the documentation has no such page").into_response(),
        Err(error) => ApiError::internal(&PageFault(error.to_string())).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::to_bytes, http::Request};
    use tower::ServiceExt;

    use super::*;
    use crate::{
        audit, bot_open_api, bots, contract, events, mkt_x, ops,
        permissions::{Access, ROUTES, Surface, route},
        socialhub, system,
        telemetry::Metrics,
    };

    /// Every operation, of which those that need no database are served.
    fn all() -> OpenApiRouter {
        let mut document = base();
        for surface in [
            audit::routes().split_for_parts().1,
            socialhub::routes().split_for_parts().1,
            mkt_x::routes().split_for_parts().1,
            bots::routes().split_for_parts().1,
            bot_open_api::routes().split_for_parts().1,
            events::routes().split_for_parts().1,
            ops::routes().split_for_parts().1,
            contract::routes().split_for_parts().1,
        ] {
            document = document.merge_from(surface);
        }
        let system = system::router(system::Readiness::default(), Metrics::apart().0);
        OpenApiRouter::with_openapi(document).merge(system)
    }

    fn published() -> (Router, OpenApi) {
        publish(all(), ROUTES).unwrap()
    }

    async fn get(router: &Router, path: &str) -> (u16, String, String) {
        let response = router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (status, kind) = (response.status().as_u16(), header(header::CONTENT_TYPE).or(header(header::LOCATION)));
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, kind.unwrap_or_default(), String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn the_document_and_its_page_come_from_the_binary() {
        let (router, _) = published();
        let (status, kind, document) = get(&router, "/openapi.json").await;
        assert_eq!((status, kind.as_str()), (200, "application/json"));
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document["info"]["title"], "Palaver");
        assert_eq!(document["components"]["securitySchemes"]["accesstoken"]["in"], "query");
        assert_eq!(document["components"]["schemas"]["Error"]["required"], serde_json::json!(["code", "message"]));
        assert_eq!(document["paths"]["/healthz"]["get"]["security"], serde_json::json!([]));

        assert_eq!(get(&router, "/docs").await.1, "/docs/");
        let (status, kind, index) = get(&router, "/docs/").await;
        assert_eq!((status, kind.as_str()), (200, "text/html"));
        // Everything that the page loads comes from here.
        assert!(!index.contains("http://") && !index.contains("https://"), "{index}");
        let loaded = index.split('"').filter(|text| text.starts_with("./"));
        let mut files = 0;
        for file in loaded {
            assert_eq!(get(&router, &format!("/docs/{}", &file[2..])).await.0, 200, "{file}");
            files += 1;
        }
        assert!(files >= 4, "{index}");
        let (_, _, script) = get(&router, "/docs/swagger-initializer.js").await;
        assert!(script.contains("/openapi.json") && script.contains(r#""validatorUrl": "none""#), "{script}");
        assert_eq!(get(&router, "/docs/nothing.js").await.0, 404);
    }

    #[test]
    fn a_route_without_a_row_keeps_the_service_from_starting() {
        let faults = |rows: &[Route]| publish(all(), rows).err().unwrap().0;
        assert_eq!(faults(&ROUTES[1..]), ["GET /healthz has no row in the table"]);
        let more = route(Surface::System, "GET", "/planned", Access::Public);
        assert_eq!(faults(&[ROUTES, &[more]].concat()), ["GET /planned has a row, but no operation"]);
    }

    #[test]
    fn every_operation_says_what_it_does() {
        let (_, document) = published();
        let document = serde_json::to_value(document).unwrap();
        let mut ids = std::collections::BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
                assert!(operation["tags"].as_array().is_some_and(|tags| !tags.is_empty()), "{method} {path}");
                assert!(ids.insert(operation["operationId"].to_string()), "{method} {path}: operationId is taken");
            }
        }
    }
}
