//! One account walks through everything that is published, with another account's ids in its hands. Generated from the
//! document, so that a new route is walked as soon as it is described; what it takes beyond that is in [`tables`].

mod tables;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use palaver_api::permissions::Surface;
use palaver_tests::{Answer, Client, Request, Service, ServiceOptions, rows_of_tenant};
use reqwest::Method;
use serde_json::{Value, json};

use tables::{Ids, bodies, parameter, query};
use world::{MARKER, World};

/// A documented operation.
struct Operation {
    method: Method,
    path: String,
    /// Names in the path.
    parameters: Vec<String>,
    /// What a query may say, and whether it must.
    query: Vec<(String, bool)>,
    takes_body: bool,
}

impl Operation {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn ends_a_session(&self) -> bool {
        self.path.ends_with("/logout")
    }

    /// Asked of the process rather than of an account.
    fn is_of_an_account(&self) -> bool {
        Surface::of_path(&self.path).is_some() || self.path == "/events" || self.path.starts_with("/audit/")
    }
}

async fn operations(client: &Client) -> Vec<Operation> {
    let document = client.get("/openapi.json").await.ok().body;
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let of = |place: &str| {
                let here = parameters.iter().filter(|one| one["in"] == place);
                here.map(|one| (one["name"].as_str().unwrap().to_owned(), one["required"] == true)).collect::<Vec<_>>()
            };
            let in_path: Vec<_> = path.split(['{', '}']).skip(1).step_by(2).map(str::to_owned).collect();
            let described: BTreeSet<_> = of("path").into_iter().map(|(name, _)| name).collect();
            assert_eq!(in_path.iter().cloned().collect::<BTreeSet<_>>(), described, "{method} {path}");
            operations.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                parameters: in_path,
                query: of("query"),
                takes_body: operation.get("requestBody").is_some(),
            });
        }
    }
    operations
}

/// Whose ids stand where in one request.
#[derive(Clone, Debug)]
struct Variant {
    /// For each name in the path, whether it is foreign.
    path: Vec<bool>,
    /// The one filter of the query that is foreign.
    query: Option<String>,
    /// Which of the bodies, and whether its ids are foreign.
    body: Option<(usize, bool)>,
}

impl Variant {
    fn is_foreign(&self) -> bool {
        self.names_foreign_path() || self.query.is_some() || self.body.is_some_and(|(_, foreign)| foreign)
    }

    fn names_foreign_path(&self) -> bool {
        self.path.contains(&true)
    }
}

/// Every way to mix one's own ids with foreign ones. An operation that takes no ids is asked once.
fn variants(operation: &Operation, ours: &Ids, theirs: &Ids) -> Vec<Variant> {
    let places = operation.parameters.len();
    // What is the same for both names nothing of either.
    let named = |name: &String| parameter(&operation.path, name, ours) != parameter(&operation.path, name, theirs);
    let named: Vec<bool> = operation.parameters.iter().map(named).collect();
    let paths: Vec<Vec<bool>> = (0..1_u32 << places)
        .map(|mask| (0..places).map(|place| mask & (1 << place) != 0).collect::<Vec<_>>())
        .filter(|foreign| foreign.iter().zip(&named).all(|(foreign, named)| *named || !foreign))
        .collect();
    let filters = operation.query.iter().filter(|(name, _)| query(&operation.path, name, ours).is_some());
    let queries: Vec<_> = std::iter::once(None).chain(filters.map(|(name, _)| Some(name.clone()))).collect();
    let (own, foreign) = (sendable(operation, ours), sendable(operation, theirs));
    let mut bodies: Vec<Option<(usize, bool)>> = Vec::new();
    for (at, (own, foreign)) in own.iter().zip(&foreign).enumerate() {
        bodies.push(Some((at, false)));
        if own != foreign {
            bodies.push(Some((at, true)));
        }
    }
    if bodies.is_empty() {
        bodies.push(None);
    }
    let mut all = Vec::new();
    for path in &paths {
        for query in &queries {
            for body in &bodies {
                all.push(Variant { path: path.clone(), query: query.clone(), body: *body });
            }
        }
    }
    let foreign: Vec<_> = all.iter().filter(|variant| variant.is_foreign()).cloned().collect();
    if places > 0 || !foreign.is_empty() { foreign } else { all }
}

fn sendable(operation: &Operation, ids: &Ids) -> Vec<Value> {
    if !operation.takes_body {
        return Vec::new();
    }
    let name = operation.name();
    bodies(&name, ids).unwrap_or_else(|| {
        panic!(
            "{name} takes a body that tests/api/tenancy/tables.rs does not know; add to `bodies` what is valid there"
        )
    })
}

/// The request of a variant, with `foreign` where it says so.
fn request(client: &Client, operation: &Operation, variant: &Variant, ours: &Ids, foreign: &Ids) -> Request {
    let mut path = operation.path.clone();
    for (name, is_foreign) in operation.parameters.iter().zip(&variant.path) {
        let ids = if *is_foreign { foreign } else { ours };
        let id = parameter(&operation.path, name, ids).unwrap_or_else(|| {
            panic!(
                "{} has the parameter {name}, which tests/api/tenancy/tables.rs does not know; add to `parameter` what \
                 it names",
                operation.name()
            )
        });
        path = path.replace(&format!("{{{name}}}"), &id);
    }
    let mut pairs = Vec::new();
    for (name, required) in &operation.query {
        let is_foreign = variant.query.as_ref() == Some(name);
        let named = query(&operation.path, name, if is_foreign { foreign } else { ours });
        match named {
            Some(text) if is_foreign || *required => pairs.push(text),
            Some(_) => {}
            None => {
                let plain = tables::plain(name).unwrap_or_else(|| {
                    panic!(
                        "{} takes {name} in its query, which tests/api/tenancy/tables.rs does not know; add it to \
                         `query` when it names something of an account, else to `plain`",
                        operation.name()
                    )
                });
                if *required || tables::ALWAYS_SENT.contains(&name.as_str()) {
                    pairs.push(format!("{name}={plain}"));
                }
            }
        }
    }
    if !pairs.is_empty() {
        path = format!("{path}?{}", pairs.join("&"));
    }
    let request = client.request(operation.method.clone(), &path);
    match variant.body {
        Some((at, is_foreign)) => {
            request.json(sendable(operation, if is_foreign { foreign } else { ours })[at].clone())
        }
        None => request,
    }
}

/// An answer as it would be if all foreign ids were the same.
fn without_ids(answer: &Answer, ids: &Ids) -> (u16, String) {
    let mut text = answer.body.to_string();
    for id in ids.all() {
        text = text.replace(&id, "<id>");
    }
    (answer.status, text)
}

/// Everything in an answer that looks like an id.
fn ids_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_hexdigit() && !c.is_ascii_uppercase() || c == '-'));
    words
        .filter(|word| word.len() == 24 || (word.len() == 36 && word.matches('-').count() == 4))
        .map(str::to_owned)
        .collect()
}

/// All that an account can read of itself, by operation.
async fn everything(operations: &[Operation], world: &World, position: i64) -> BTreeMap<String, Value> {
    let mut read = BTreeMap::new();
    for operation in operations.iter().filter(|one| one.method == Method::GET && one.is_of_an_account()) {
        if operation.ends_a_session() {
            continue;
        }
        let own = Variant { path: vec![false; operation.parameters.len()], query: None, body: None };
        for (by, client, key) in world.clients(&operation.path) {
            let request = request(&client, operation, &own, &world.ids, &world.ids).after(position);
            let answer = with_key(request, key).await;
            read.insert(format!("{} by {by}", operation.name()), json!([answer.status, answer.body]));
        }
    }
    read
}

fn with_key(request: Request, key: Option<String>) -> Request {
    match key {
        Some(key) => request.header("x-api-key", &key),
        None => request,
    }
}

async fn head(service: &Service) -> i64 {
    sqlx::query_scalar("SELECT max(position) FROM events").fetch_one(&service.pool().await).await.unwrap()
}

/// What no answer to us may hold.
struct Forbidden {
    ids: BTreeSet<String>,
}

impl Forbidden {
    fn told_by(&self, answer: &Answer, sent: &Ids) -> Option<String> {
        // Their names are made of the marker; ours may be sent, and told that nobody has them.
        let text = format!("{:?} {}", answer.headers, answer.body).replace(&sent.user_name, "");
        if text.contains(MARKER) {
            return Some("what another account has written".to_owned());
        }
        let sent: BTreeSet<_> = sent.all().into_iter().collect();
        let told: Vec<_> = ids_in(&text).into_iter().filter(|id| self.ids.contains(id) && !sent.contains(id)).collect();
        (!told.is_empty()).then(|| format!("{told:?} of another account"))
    }
}

/// How many requests were sent, and how many of them named another account in their path.
async fn walk(operations: &[Operation], ours: &World, theirs: &World, forbidden: &Forbidden) -> (usize, usize) {
    let nobodys = Ids::nobodys();
    let (mut asked, mut refused) = (0, 0);
    let mut faults: Vec<String> = Vec::new();
    for operation in operations.iter().filter(|one| one.is_of_an_account()) {
        for variant in variants(operation, &ours.ids, &theirs.ids) {
            for (by, client, key) in ours.clients(&operation.path) {
                let name = format!("{} by {by}, {variant:?}", operation.name());
                let client =
                    if operation.ends_a_session() { ours.another_session(&operation.path).await } else { client };
                let send = async |foreign: &Ids| {
                    with_key(request(&client, operation, &variant, &ours.ids, foreign), key.clone()).await
                };
                let found = send(&theirs.ids).await;
                asked += 1;
                let told = format!("{} {}", found.status, found.body);
                if found.status >= 500 {
                    faults.push(format!("{name} fails: {told}"));
                }
                if let Some(secret) = forbidden.told_by(&found, &theirs.ids) {
                    faults.push(format!("{name} tells {secret}: {told}"));
                }
                if !variant.is_foreign() {
                    continue;
                }
                let unknown = send(&nobodys).await;
                if without_ids(&found, &theirs.ids) != without_ids(&unknown, &nobodys) {
                    let other = format!("{} {}", unknown.status, unknown.body);
                    faults.push(format!("{name} tells another account's from nobody's: {told}, and {other}"));
                }
                if variant.names_foreign_path() {
                    refused += 1;
                    if !(400..500).contains(&found.status) {
                        faults.push(format!("{name} is not refused: {told}"));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} faults in {asked} requests:\n{}", faults.len(), faults.join("\n"));
    (asked, refused)
}

/// A body that its own account would not take tells nothing when another account's is refused.
async fn own_ids_are_taken(operations: &[Operation], world: &World) {
    for operation in operations.iter().filter(|one| one.is_of_an_account() && one.takes_body) {
        let own = sendable(operation, &world.ids);
        for (at, body) in own.iter().enumerate() {
            if *body == sendable(operation, &Ids::nobodys())[at] || tables::NEEDS_ANOTHER.contains(&&*operation.name())
            {
                continue;
            }
            let variant =
                Variant { path: vec![false; operation.parameters.len()], query: None, body: Some((at, false)) };
            for (by, client, key) in world.clients(&operation.path) {
                let answer = with_key(request(&client, operation, &variant, &world.ids, &world.ids), key).await;
                let name = operation.name();
                assert!(
                    (200..300).contains(&answer.status),
                    "{name} by {by}: {body}: {} {}",
                    answer.status,
                    answer.body
                );
            }
        }
    }
}

#[tokio::test]
async fn what_belongs_to_another_account_is_not_there() {
    let service = ServiceOptions::new("up").setting("read-wait-ms", "5000").start().await;
    let pool = service.pool().await;
    let ours = World::make(&service, "Ours", "ours").await;
    let theirs = World::make(&service, MARKER, MARKER).await;
    let operations = operations(&service.anonymous()).await;

    let position = head(&service).await;
    let before = everything(&operations, &theirs, position).await;
    let rows_before = rows_of_tenant(&pool, &theirs.ids.account).await;
    for (name, read) in &before {
        // Some is for those who run the service, and this one has no Keycloak.
        let kept_from_them = read[1]["code"] == "InsufficientPermissions" || name.contains("/users/keycloak/");
        assert!(kept_from_them || read[0].as_u64().is_some_and(|status| status / 100 == 2), "{name}: {read}");
    }
    let text = json!(before).to_string();
    assert!(text.matches(MARKER).count() > 20, "what is theirs can be recognised: {text}");
    let mine = json!(everything(&operations, &ours, position).await).to_string();
    assert!(!mine.contains(MARKER), "{mine}");
    let forbidden = Forbidden { ids: ids_in(&text).difference(&ids_in(&mine)).cloned().collect() };
    for id in theirs.ids.all().iter().filter(|id| ids_in(id).len() == 1) {
        assert!(forbidden.ids.contains(id), "{id} is theirs alone, and can be read by them");
    }

    let (asked, refused) = walk(&operations, &ours, &theirs, &forbidden).await;
    assert!(asked > operations.len() && refused > 50, "{asked} requests, {refused} refused");

    let mine = everything(&operations, &ours, head(&service).await).await;
    for (name, read) in &mine {
        let answer = read.to_string();
        assert!(!answer.contains(MARKER), "{name}: {answer}");
    }
    // Looked at first, because some of what they read of themselves is put on record.
    let rows = rows_of_tenant(&pool, &theirs.ids.account).await;
    let mut after = everything(&operations, &theirs, head(&service).await).await;
    let mut before = before;
    for read in [&mut before, &mut after] {
        // The look before this one is on record in the stream of events; the rows tell whether anything else is.
        read.retain(|name, _| !name.contains("/events"));
    }
    assert_eq!(after, before, "nothing has happened to it");
    for (table, before) in &rows_before {
        assert_eq!(&rows[table], before, "{table}: nothing has happened to it");
    }
    let actors: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT metadata->>'actor' FROM events WHERE tenant_id = $1 AND metadata::text ~ $2",
    )
    .bind(&theirs.ids.account)
    .bind(format!("{}|{}|{}", ours.admin().id(), ours.ids.user, ours.ids.app))
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(actors, Vec::<String>::new(), "none of ours acts in their log");

    own_ids_are_taken(&operations, &theirs).await;
}
