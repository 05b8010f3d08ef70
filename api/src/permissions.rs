//! Who may call what: one table of all routes. A route that is not in it is refused at start-up, and its rows are
//! published with the OpenAPI document.

use std::{collections::HashMap, fmt, sync::Arc};

use axum::http::{Method, header};
use palaver_domain::identity::{Permission, Permissions};
use utoipa::openapi::{
    ContentBuilder, OpenApi, PathItem, Ref, RefOr, ResponseBuilder,
    extensions::ExtensionsBuilder,
    path::{Operation, ParameterIn},
    security::SecurityRequirement,
};

use Access::{Any, Authenticated, Needs, Public};
use Permission::*;

/// Every route of the service.
pub const ROUTES: &[Route] = &[
    route(Surface::System, "GET", "/healthz", Public),
    route(Surface::System, "GET", "/readyz", Public),
    route(Surface::System, "GET", "/metrics", Public),
    route(Surface::System, "GET", "/audit/{type}/{id}", Needs(&[ViewAudit])),
    route(Surface::System, "GET", "/audit/{type}/{id}/diff", Needs(&[ViewAudit])),
    route(Surface::System, "GET", "/events", Needs(&[ViewEvents])),
    // What events look like is no secret; what happened is.
    route(Surface::System, "GET", "/asyncapi.json", Public),
    route(Surface::System, "GET", "/schemas", Public),
    route(Surface::System, "GET", "/schemas/{eventType}/{version}", Public),
    socialhub("POST", "/api2/cp/postGroups", Needs(&[EditPosts])),
    socialhub("GET", "/api2/cp/postGroups/preDraft", Needs(&[ViewPosts])),
    socialhub("DELETE", "/api2/cp/postGroups/{id}", Needs(&[EditPosts])),
    socialhub("POST", "/api2/cp/postGroups/{id}/saveAsDraft", Needs(&[EditPosts])),
    socialhub("POST", "/api2/cp/postGroups/{id}/schedule", Needs(&[PublishPosts])),
    socialhub("POST", "/api2/cp/postGroups/{id}/publish", Needs(&[PublishPosts])),
    socialhub("GET", "/api2/cp/posts", Needs(&[ViewPosts])),
    socialhub("POST", "/api2/cp/posts", Needs(&[ViewPosts])),
    socialhub("GET", "/api2/cp/posts/counts", Needs(&[ViewPosts])),
    socialhub("POST", "/api2/cp/posts/aggregates/day", Needs(&[ViewPosts])),
    socialhub("POST", "/api2/cp/posts/aggregates/day/list", Needs(&[ViewPosts])),
    socialhub("GET", "/api2/cp/posts/{id}", Needs(&[ViewPosts])),
    socialhub("PATCH", "/api2/cp/posts/{id}", Needs(&[EditPosts])),
    socialhub("DELETE", "/api2/cp/posts/{id}", Needs(&[EditPosts])),
    socialhub("POST", "/api2/cp/posts/{id}/suggest", Needs(&[EditPosts])),
    socialhub("POST", "/api2/cp/posts/{id}/approve", Any(&[ApprovePosts, ApproveOwnPosts])),
    socialhub("POST", "/api2/cp/posts/{id}/reject", Needs(&[RejectPost])),
    socialhub("POST", "/api2/cp/posts/{id}/schedule", Needs(&[PublishPosts])),
    socialhub("POST", "/api2/cp/posts/{id}/publish", Needs(&[PublishPosts])),
    socialhub("POST", "/api2/cp/posts/{id}/unschedule", Needs(&[PublishPosts])),
    socialhub("GET", "/api2/cp/posts/{id}/feed", Needs(&[ViewCollaborationTab, EditPosts])),
    socialhub("POST", "/api2/cp/posts/{id}/feed", Needs(&[CreateComment])),
    // Source: seed 003 names no permission for the lists of channels, which every planner needs.
    socialhub("GET", "/api2/channels", Authenticated),
    socialhub("GET", "/api2/channels/summary", Authenticated),
    socialhub("POST", "/api2/channels/placeholder", Needs(&[EditChannels])),
    socialhub("GET", "/api2/channels/{id}", Needs(&[ViewChannels])),
    // Source: seed 003 asks nothing of whoever deletes a channel; the permission is the one it has for that.
    socialhub("DELETE", "/api2/channels/{id}", Needs(&[DeleteChannel])),
    socialhub("POST", "/api2/channels/sandbox", Needs(&[EditChannels])),
    socialhub("PUT", "/api2/channels/sandbox/{id}/behaviour", Needs(&[EditChannels])),
    socialhub("GET", "/api2/channels/sandbox/{id}/items", Needs(&[ViewChannels])),
    socialhub("GET", "/api2/", Authenticated),
    // One's own account, or that of somebody else, by the second permission.
    socialhub("GET", "/api2/accounts", Authenticated),
    socialhub("POST", "/api2/accounts", Needs(&[EditAllAccounts])),
    socialhub("POST", "/api2/accounts/register", Public),
    socialhub("GET", "/api2/accounts/linked", Needs(&[AssignTicket])),
    socialhub("GET", "/api2/accounts/customTags/list", Needs(&[EditAccountSalesSettings])),
    socialhub("POST", "/api2/accounts/updateAiThresholds", Needs(&[EditAccount, ViewAccountSettings])),
    socialhub("GET", "/api2/accounts/{id}", Any(&[EditAccount, ViewAllAccounts])),
    socialhub("PATCH", "/api2/accounts/{id}", Any(&[EditAccount, EditAllAccounts])),
    socialhub("PUT", "/api2/accounts/{id}/reactivate", Needs(&[EditAllAccounts])),
    socialhub("PUT", "/api2/accounts/{id}/archive", Needs(&[EditAllAccounts])),
    socialhub("GET", "/api2/settings", Authenticated),
    socialhub("GET", "/api2/settings/manifests", Authenticated),
    // Source: seed 003 names no permission, but a refusal for the lack of one.
    socialhub("GET", "/api2/settings/aiConfigPanel", Needs(&[ViewAccountSettings])),
    socialhub("GET", "/api2/settings/features", Needs(&[EditAccount, ViewAccountSettings])),
    socialhub("POST", "/api2/settings/features/request", Needs(&[EditAccount, ViewAccountSettings])),
    socialhub("GET", "/api2/users/summary", Authenticated),
    socialhub("GET", "/api2/users", Authenticated),
    socialhub("POST", "/api2/users", Needs(&[EditUsers, ViewAccountSettings])),
    // Everybody may change themselves; for others the user's own rules ask for EditUsers.
    socialhub("PATCH", "/api2/users/{userId}", Authenticated),
    socialhub("PATCH", "/api2/users/{userId}/permissions", Needs(&[EditUsers])),
    socialhub("DELETE", "/api2/users/{userId}", Needs(&[DeleteUsers])),
    socialhub("POST", "/api2/users/login", Public),
    socialhub("GET", "/api2/users/logout", Authenticated),
    socialhub("POST", "/api2/users/activate", Public),
    // What their tokens say decides.
    socialhub("POST", "/api2/users/password/reset", Public),
    socialhub("POST", "/api2/users/password", Public),
    socialhub("POST", "/api2/users/totp/generate", Authenticated),
    socialhub("POST", "/api2/users/totp/verify", Authenticated),
    socialhub("POST", "/api2/users/totp/login", Public),
    // One's own takes no permission; the handler asks for those that another's takes.
    socialhub("DELETE", "/api2/users/{userId}/totp", Authenticated),
    socialhub("GET", "/api2/users/keycloak/{realm}/login", Public),
    // SUPERADMIN alone has it. Source: seed 003.
    socialhub("POST", "/api2/users/{userId}/mask", Needs(&[EditAllAccounts])),
    // Source: seed 003 names what changing and deleting a team needs; listing and creating go with that.
    socialhub("GET", "/api2/teams", Needs(&[ViewTeams])),
    socialhub("POST", "/api2/teams", Needs(&[ViewTeams, ViewAccountSettings])),
    socialhub("PATCH", "/api2/teams/{id}", Needs(&[ViewTeams, ViewAccountSettings])),
    socialhub("DELETE", "/api2/teams/{id}", Needs(&[ViewTeams, ViewAccountSettings])),
    // The caller's own teams; whoever sees all channels sees all teams.
    socialhub("GET", "/api2/teams/summary", Authenticated),
    // And besides, the caller runs the account or is an admin of the team.
    socialhub(
        "DELETE",
        "/api2/teams/{id}/channel/{channelId}",
        Needs(&[EditChannels, ViewAccountSettings, EditTeamChannels]),
    ),
    // Source: seed 003 names no permission for members. Users need EditUsers and channels EditTeamChannels, unless the
    // caller is an admin of the team, which only the team itself can tell.
    socialhub("POST", "/api2/teams/{id}/users", Authenticated),
    socialhub("DELETE", "/api2/teams/{id}/users/{userId}", Authenticated),
    socialhub("POST", "/api2/teams/{id}/channels", Authenticated),
    socialhub("GET", "/api2/contacts", Needs(&[ViewContacts])),
    socialhub("POST", "/api2/contacts", Needs(&[EditContacts])),
    socialhub("DELETE", "/api2/contacts/{id}", Needs(&[EditContacts])),
    socialhub("GET", "/api2/apps", Needs(&[ViewAccountSettings])),
    socialhub("POST", "/api2/apps", Needs(&[EditAccount])),
    socialhub("GET", "/api2/apps/{id}", Needs(&[ViewAccountSettings])),
    socialhub("DELETE", "/api2/apps/{id}", Needs(&[EditAccount])),
    socialhub("POST", "/api2/apps/{id}/keys", Needs(&[EditAccount])),
    socialhub("DELETE", "/api2/apps/{id}/keys/{keyId}", Needs(&[EditAccount])),
    socialhub("POST", "/api2/apps/{id}/secret", Needs(&[EditAccount])),
    route(Surface::MktX, "POST", "/api/v1/auth/login", Public),
    route(Surface::MktX, "POST", "/api/v1/auth/refresh", Public),
    route(Surface::MktX, "POST", "/api/v1/auth/logout", Authenticated),
    route(Surface::MktX, "GET", "/api/v1/auth/me", Authenticated),
    route(Surface::Bots, "GET", "/v1/app", Authenticated),
    route(Surface::BotOpenApi, "POST", "/bot-api/v1/token", Public),
    route(Surface::BotOpenApi, "POST", "/bot-api/v1/login", Public),
    route(Surface::BotOpenApi, "GET", "/bot-api/v1/app", Authenticated),
    // For those who run the service: SUPERADMIN alone has these.
    route(Surface::System, "GET", "/ops/projections", Needs(&[ViewAllAccounts])),
    route(Surface::System, "POST", "/ops/projections/{name}/rebuild", Needs(&[EditAllAccounts])),
    route(Surface::System, "GET", "/ops/quarantine", Needs(&[ViewAllAccounts])),
    route(Surface::System, "GET", "/ops/quarantine/{projection}/{type}/{id}", Needs(&[ViewAllAccounts])),
    route(Surface::System, "POST", "/ops/quarantine/{projection}/{type}/{id}/retry", Needs(&[EditAllAccounts])),
    route(Surface::System, "POST", "/ops/quarantine/{projection}/{type}/{id}/skip", Needs(&[EditAllAccounts])),
    route(Surface::System, "GET", "/ops/relay", Needs(&[ViewAllAccounts])),
    page("/openapi.json"),
    page("/docs"),
    page("/docs/"),
    page("/docs/{*file}"),
];

/// What a caller needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing, not even a token.
    Public,
    /// A valid token.
    Authenticated,
    /// A valid token, and all of these.
    Needs(&'static [Permission]),
    /// A valid token, and one of these.
    Any(&'static [Permission]),
}

impl Access {
    /// The permissions that somebody who has `held` would still need; empty when they may pass.
    pub fn missing(self, held: Permissions) -> Vec<Permission> {
        match self {
            Self::Public | Self::Authenticated => Vec::new(),
            Self::Needs(all) => all.iter().copied().filter(|permission| !held.contains(*permission)).collect(),
            Self::Any(some) if some.iter().any(|permission| held.contains(*permission)) => Vec::new(),
            Self::Any(some) => some.to_vec(),
        }
    }
}

/// A group of routes with one audience and one style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Surface {
    /// For operators and tools: health, metrics, documentation.
    System,
    /// The API of seed 003.
    Socialhub,
    /// The API of seed 002.
    MktX,
    /// The API of seed 000.
    Bots,
    /// The API of seed 001.
    BotOpenApi,
}

/// Where each surface lives. What lies under a prefix, a route or not, is answered in its surface's format.
const PREFIXES: [(&str, Surface); 5] = [
    ("/api2", Surface::Socialhub),
    ("/api/v1", Surface::MktX),
    ("/bot-api/v1", Surface::BotOpenApi),
    ("/v1", Surface::Bots),
    ("/spams", Surface::Bots),
];

impl Surface {
    /// The value of the metrics label `surface`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Socialhub => "socialhub",
            Self::MktX => "mkt-x",
            Self::Bots => "bots",
            Self::BotOpenApi => "bot-open-api",
        }
    }

    /// The surface that a request's path belongs to, whether anything is there or not. `None` outside of all.
    pub fn of_path(path: &str) -> Option<Self> {
        let under =
            |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        PREFIXES.iter().find(|(prefix, _)| under(prefix)).map(|(_, surface)| *surface)
    }

    /// The component of the OpenAPI document that describes an error of this surface.
    const fn error_schema(self) -> &'static str {
        match self {
            Self::System | Self::Socialhub | Self::BotOpenApi => "Error",
            Self::MktX => "MktXError",
            Self::Bots => "BotsError",
        }
    }

    /// The components of the OpenAPI document that describe its credentials; any one of them will do.
    const fn security_schemes(self) -> &'static [&'static str] {
        match self {
            Self::System => &["accesstoken", "bearer", "botsKey"],
            Self::Socialhub => &["accesstoken", "bearer"],
            Self::MktX => &["mktXToken"],
            Self::Bots => &["botsToken", "botsKey"],
            Self::BotOpenApi => &["botOpenApiToken"],
        }
    }

    /// Whether a client whose `Accept` excludes JSON is refused at once.
    pub const fn answers_json_only(self) -> bool {
        !matches!(self, Self::System)
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    pub surface: Surface,
    /// In capitals. `HEAD` comes with `GET`.
    pub method: &'static str,
    /// As axum and OpenAPI both write it, with `{id}` for parameters.
    pub path: &'static str,
    pub access: Access,
    /// Whether the OpenAPI document describes it; the documentation's own pages are not in it.
    pub documented: bool,
}

pub const fn route(surface: Surface, method: &'static str, path: &'static str, access: Access) -> Route {
    Route { surface, method, path, access, documented: true }
}

const fn socialhub(method: &'static str, path: &'static str, access: Access) -> Route {
    route(Surface::Socialhub, method, path, access)
}

const fn page(path: &'static str) -> Route {
    Route { surface: Surface::System, method: "GET", path, access: Public, documented: false }
}

/// The table, ready to be asked. Cheap to clone.
#[derive(Clone)]
pub struct RouteTable {
    by_path: Arc<HashMap<&'static str, Vec<Route>>>,
    /// By method and path. A route that is not in it takes whatever it is given.
    query_parameters: Arc<HashMap<(&'static str, &'static str), Vec<String>>>,
}

impl fmt::Debug for RouteTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RouteTable({} paths)", self.by_path.len())
    }
}

/// What the table says of a method on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Route(Route),
    /// The path exists; the methods are these, as an `Allow` header lists them.
    OtherMethods(String),
    Nothing,
}

impl RouteTable {
    pub fn new(routes: &[Route]) -> Self {
        let mut by_path: HashMap<_, Vec<Route>> = HashMap::new();
        for route in routes {
            by_path.entry(route.path).or_default().push(*route);
        }
        Self { by_path: Arc::new(by_path), query_parameters: Arc::default() }
    }

    /// Lets the routes of a surface take those query parameters alone that the document tells of. Operators' routes
    /// are left out: what probes and scrapers append to an address is none of our business.
    #[must_use]
    pub fn with_query_parameters(mut self, document: &OpenApi) -> Self {
        let mut known = HashMap::new();
        for route in self.by_path.values().flatten().filter(|route| route.surface != Surface::System) {
            let item = document.paths.paths.get(route.path);
            let operation = item.into_iter().flat_map(operations).find(|(method, _)| *method == route.method);
            let parameters = operation.and_then(|(_, operation)| operation?.parameters.as_ref());
            let in_query = parameters.into_iter().flatten().filter_map(|parameter| match parameter {
                RefOr::T(one) if one.parameter_in == ParameterIn::Query => Some(one.name.clone()),
                _ => None,
            });
            known.insert((route.method, route.path), in_query.collect());
        }
        self.query_parameters = Arc::new(known);
        self
    }

    /// The query parameters that a route takes beside the token; `None` when nobody has said.
    pub fn query_parameters(&self, route: &Route) -> Option<&[String]> {
        self.query_parameters.get(&(route.method, route.path)).map(Vec::as_slice)
    }

    pub fn find(&self, method: &Method, path: &str) -> Found {
        let Some(routes) = self.by_path.get(path) else { return Found::Nothing };
        let wanted = if *method == Method::HEAD { "GET" } else { method.as_str() };
        if let Some(route) = routes.iter().find(|route| route.method == wanted) {
            return Found::Route(*route);
        }
        let mut methods: Vec<_> = routes.iter().map(|route| route.method).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.sort_unstable();
        Found::OtherMethods(methods.join(", "))
    }

    pub fn surface(&self, path: &str) -> Option<Surface> {
        self.by_path.get(path)?.first().map(|route| route.surface)
    }
}

/// The document and the table differ, so a route would be open, closed or undocumented by accident.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("routes and permission table differ: {}", .0.join("; "))]
pub struct RouteMismatch(pub Vec<String>);

/// # Errors
/// When a documented operation has no row, a row has no operation, or two rows are for the same route.
pub fn verify(document: &OpenApi, routes: &[Route]) -> Result<(), RouteMismatch> {
    let mut faults = Vec::new();
    for (index, row) in routes.iter().enumerate() {
        if routes.iter().take(index).any(|other| (other.method, other.path) == (row.method, row.path)) {
            faults.push(format!("{} {} is in the table twice", row.method, row.path));
        }
        let described = document.paths.paths.get(row.path).is_some_and(|item| {
            operations(item).into_iter().any(|(method, operation)| method == row.method && operation.is_some())
        });
        if row.documented != described {
            let fault =
                if described { "is described, but its row says it is not" } else { "has a row, but no operation" };
            faults.push(format!("{} {} {fault}", row.method, row.path));
        }
    }
    for (path, item) in &document.paths.paths {
        for (method, _) in operations(item).into_iter().filter(|(_, operation)| operation.is_some()) {
            if !routes.iter().any(|row| row.method == method && row.path == path) {
                faults.push(format!("{method} {path} has no row in the table"));
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(RouteMismatch(faults)) }
}

/// Writes the table into the document: `x-permissions`, the security requirement and the error answer of each
/// operation.
pub fn describe(document: &mut OpenApi, routes: &[Route]) {
    for row in routes {
        let Some(item) = document.paths.paths.get_mut(row.path) else { continue };
        let Some(operation) = operation_mut(item, row.method) else { continue };
        let names = |some: &[Permission]| some.iter().map(|permission| permission.as_str()).collect::<Vec<_>>();
        let permissions = match row.access {
            Access::Public | Access::Authenticated => serde_json::json!({ "all": [] }),
            Access::Needs(all) => serde_json::json!({ "all": names(all) }),
            Access::Any(some) => serde_json::json!({ "any": names(some) }),
        };
        let extension = ExtensionsBuilder::new().add("x-permissions", permissions).build();
        operation.extensions.get_or_insert_default().merge(extension);
        let error = ContentBuilder::new().schema(Some(Ref::from_schema_name(row.surface.error_schema()))).build();
        let any = ResponseBuilder::new().description("An error; `code` says which.");
        operation
            .responses
            .responses
            .entry("default".to_owned())
            .or_insert_with(|| any.content("application/json", error.clone()).into());
        let conditional = operation.parameters.iter().flatten().any(|parameter| {
            matches!(parameter, RefOr::T(one) if one.parameter_in == ParameterIn::Header && one.name == header::IF_MATCH.as_str())
        });
        if conditional {
            let failed = ResponseBuilder::new().description("`If-Match` does not hold, so nothing was done.");
            operation
                .responses
                .responses
                .entry("412".to_owned())
                .or_insert_with(|| failed.content("application/json", error.clone()).into());
        }
        let schemes = if row.access == Access::Public { &[][..] } else { row.surface.security_schemes() };
        let one_of = schemes.iter().map(|scheme| SecurityRequirement::new(*scheme, std::iter::empty::<String>()));
        operation.security = Some(one_of.collect());
    }
}

fn operations(item: &PathItem) -> [(&'static str, Option<&Operation>); 8] {
    [
        ("GET", item.get.as_ref()),
        ("PUT", item.put.as_ref()),
        ("POST", item.post.as_ref()),
        ("DELETE", item.delete.as_ref()),
        ("OPTIONS", item.options.as_ref()),
        ("HEAD", item.head.as_ref()),
        ("PATCH", item.patch.as_ref()),
        ("TRACE", item.trace.as_ref()),
    ]
}

fn operation_mut<'a>(item: &'a mut PathItem, method: &str) -> Option<&'a mut Operation> {
    match method {
        "GET" => item.get.as_mut(),
        "PUT" => item.put.as_mut(),
        "POST" => item.post.as_mut(),
        "DELETE" => item.delete.as_mut(),
        "PATCH" => item.patch.as_mut(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use palaver_domain::identity::Role;
    use utoipa::openapi::{HttpMethod, OpenApiBuilder, PathsBuilder, path::OperationBuilder};

    use super::*;

    fn document() -> OpenApi {
        let paths = PathsBuilder::new()
            .path("/posts", PathItem::new(HttpMethod::Get, OperationBuilder::new()))
            .path("/posts/{id}", PathItem::new(HttpMethod::Patch, OperationBuilder::new()));
        OpenApiBuilder::new().paths(paths).build()
    }

    const LIST: Route = route(Surface::Socialhub, "GET", "/posts", Access::Needs(&[Permission::ViewPosts]));
    const EDIT: Route = route(
        Surface::Socialhub,
        "PATCH",
        "/posts/{id}",
        Access::Any(&[Permission::EditPosts, Permission::ApprovePosts]),
    );

    #[test]
    fn every_difference_is_named() {
        assert_eq!(verify(&document(), &[LIST, EDIT, page("/docs")]), Ok(()));
        let gone = route(Surface::Socialhub, "DELETE", "/posts/{id}", Access::Authenticated);
        let RouteMismatch(faults) = verify(&document(), &[LIST, LIST, gone]).unwrap_err();
        assert_eq!(
            faults,
            [
                "GET /posts is in the table twice",
                "DELETE /posts/{id} has a row, but no operation",
                "PATCH /posts/{id} has no row in the table",
            ]
        );
        assert!(verify(&document(), &[LIST, Route { documented: false, ..EDIT }]).is_err());
    }

    #[test]
    fn the_document_carries_the_table() {
        let mut document = document();
        describe(&mut document, &[LIST, EDIT]);
        let document = serde_json::to_value(document).unwrap();
        let list = &document["paths"]["/posts"]["get"];
        assert_eq!(list["x-permissions"], serde_json::json!({ "all": ["ViewPosts"] }));
        assert_eq!(list["security"], serde_json::json!([{ "accesstoken": [] }, { "bearer": [] }]));
        let edit = &document["paths"]["/posts/{id}"]["patch"];
        assert_eq!(edit["x-permissions"], serde_json::json!({ "any": ["EditPosts", "ApprovePosts"] }));
    }

    #[test]
    fn missing_permissions_follow_the_roles() {
        assert_eq!(LIST.access.missing(Role::Observer.permissions()), []);
        assert_eq!(EDIT.access.missing(Role::Editor.permissions()), []);
        assert_eq!(
            EDIT.access.missing(Role::Observer.permissions()),
            [Permission::EditPosts, Permission::ApprovePosts]
        );
    }

    #[test]
    fn every_route_lies_where_its_surface_does() {
        for row in ROUTES {
            let by_path = Surface::of_path(row.path);
            assert!(by_path.is_none_or(|surface| surface == row.surface), "{} {}", row.method, row.path);
            let known_by_path = matches!(row.surface, Surface::MktX | Surface::Bots | Surface::BotOpenApi);
            assert!(by_path.is_some() || !known_by_path, "{} {}", row.method, row.path);
        }
        for (path, surface) in [
            ("/api2", Some(Surface::Socialhub)),
            ("/api2/", Some(Surface::Socialhub)),
            ("/api/v1/mkt-x/campaigns", Some(Surface::MktX)),
            ("/v1/bots", Some(Surface::Bots)),
            ("/spams", Some(Surface::Bots)),
            ("/bot-api/v1/login", Some(Surface::BotOpenApi)),
            ("/api20", None),
            ("/v10/bots", None),
            ("/spamsters", None),
            ("/", None),
        ] {
            assert_eq!(Surface::of_path(path), surface, "{path}");
        }
    }

    #[test]
    fn a_path_knows_its_methods() {
        let table = RouteTable::new(&[LIST, Route { method: "POST", ..LIST }]);
        assert_eq!(table.find(&Method::HEAD, "/posts"), Found::Route(LIST));
        assert_eq!(table.find(&Method::PUT, "/posts"), Found::OtherMethods("GET, HEAD, POST".to_owned()));
        assert_eq!(table.find(&Method::GET, "/else"), Found::Nothing);
    }
}
