//! What the document does not say: which things the ids in a path, a query and a body name.

use serde_json::{Value, json};

/// One of each thing that has an id.
#[derive(Clone, Debug)]
pub struct Ids {
    pub account: String,
    pub user: String,
    pub user_name: String,
    pub team: String,
    /// A sandbox.
    pub channel: String,
    /// A placeholder that is not active.
    pub placeholder: String,
    pub post: String,
    pub group: String,
    pub tag: String,
    pub contact: String,
    pub app: String,
    /// The id of a key of the application.
    pub key: String,
}

impl Ids {
    /// Well-formed, and of nothing.
    pub fn nobodys() -> Self {
        let (id, uuid) = ("00000000000000000000dead".to_owned(), "00000000-0000-4000-8000-00000000dead".to_owned());
        Self {
            account: id.clone(),
            user: id.clone(),
            user_name: "nobody-at-all@example.com".to_owned(),
            team: id.clone(),
            channel: id.clone(),
            placeholder: id.clone(),
            post: id.clone(),
            group: id.clone(),
            tag: id.clone(),
            contact: id,
            app: uuid.clone(),
            key: uuid,
        }
    }

    pub fn all(&self) -> Vec<String> {
        let Self { account, user, user_name, team, channel, placeholder, post, group, tag, contact, app, key } = self;
        [account, user, user_name, team, channel, placeholder, post, group, tag, contact, app, key]
            .into_iter()
            .cloned()
            .collect()
    }
}

/// What a parameter of a path names, by the beginning of the path.
pub fn parameter(path: &str, name: &str, ids: &Ids) -> Option<String> {
    let post = "post".to_owned();
    let named = [
        ("/audit/", "type", &post),
        ("/audit/", "id", &ids.post),
        ("/api2/accounts/", "id", &ids.account),
        ("/api2/apps/", "id", &ids.app),
        ("/api2/apps/", "keyId", &ids.key),
        ("/api2/channels/", "id", &ids.channel),
        ("/api2/contacts/", "id", &ids.contact),
        ("/api2/cp/postGroups/", "id", &ids.group),
        ("/api2/cp/posts/", "id", &ids.post),
        ("/api2/teams/", "id", &ids.team),
        ("/api2/teams/", "channelId", &ids.channel),
        ("/api2/teams/", "userId", &ids.user),
        ("/api2/users/", "userId", &ids.user),
        // Nobody has told of a Keycloak here, so no realm is there, whoever has claimed it.
        ("/api2/users/keycloak/", "realm", &ids.account),
    ];
    let found = named.into_iter().find(|(prefix, called, _)| path.starts_with(prefix) && *called == name);
    found.map(|(_, _, id)| id.clone())
}

/// The part of a query that names something of an account.
pub fn query(path: &str, name: &str, ids: &Ids) -> Option<String> {
    let id = match (path, name) {
        ("/api2/channels/placeholder", "channelId") => &ids.placeholder,
        (_, "channelIds" | "channelId") => &ids.channel,
        (_, "assignees" | "storyWorkaroundPublisher" | "tokenOwnerIds") => &ids.user,
        (_, "tags") => &ids.tag,
        (_, "teamIds") => &ids.team,
        (_, "postGroupId") => &ids.group,
        // It needs the group.
        (_, "selectedPostId") => return Some(format!("postGroupId={}&selectedPostId={}", ids.group, ids.post)),
        // It needs the other one.
        (_, "teamId") => return Some(format!("hasMobileDevice=false&teamId={team}", team = ids.team)),
        (_, "appId") => &ids.app,
        // It needs the type.
        (_, "aggregateId") => return Some(format!("aggregateType=post&aggregateId={}", ids.post)),
        _ => return None,
    };
    Some(format!("{name}={id}"))
}

/// A value for what names nothing of an account.
pub fn plain(name: &str) -> Option<&'static str> {
    Some(match name {
        "offset" | "count" | "after" | "at" | "from" | "to" => "1",
        "format" => "ndjson",
        "lastEventId" => "0",
        "limit" => "5",
        "aggregateType" => "post",
        "eventType" => "PostPlanned",
        "since" => "2031-05-01T00:00:00Z",
        "until" => "2031-06-01T00:00:00Z",
        "tz" => "UTC",
        "code" => "123456",
        "session_state" => "0123-4567",
        "iss" => "https://keycloak.example.com",
        "status" => "draft",
        "type" => "default",
        "sortBy" => "createdTime",
        "order" => "asc",
        "groupBy" => "postGroup",
        "product" => "cp",
        "network" | "networks" | "excludedNetworks" => "facebook",
        "search" | "campaign" | "deviceId" => "one",
        "needsAttention" | "imported" | "viaPublisherApp" | "promoted" | "useAndFilter" | "includeInactive"
        | "fullDeletion" | "force" | "cp-only" | "no-salesforce" | "all" | "hasMobileDevice" => "false",
        _ => return None,
    })
}

/// What is said although nobody has to: without it the answer would have no end.
pub const ALWAYS_SENT: &[&str] = &["format"];

/// Whose own ids are not theirs to send.
pub const NEEDS_ANOTHER: &[&str] = &[
    // There is one in work already.
    "POST /api2/cp/postGroups",
    // An account is linked with others.
    "PATCH /api2/accounts/{id}",
    // Known names with a wrong password: refused, whoever asks.
    "POST /api2/users/login",
    "POST /api2/users/activate",
    "POST /api/v1/auth/login",
    // A secret that is not the application's.
    "POST /bot-api/v1/login",
    "POST /bot-api/v1/token",
];

/// What an operation takes: bodies that are valid where the ids are.
pub fn bodies(operation: &str, ids: &Ids) -> Option<Vec<Value>> {
    let (since, until) = ("2031-05-01T00:00:00Z", "2031-06-01T00:00:00Z");
    let login = json!({ "username": ids.user_name, "password": "not the password" });
    let app = json!({ "appId": ids.app, "appSecret": "pas_not-the-secret" });
    let Ids { account, user, team, channel, post, group, tag, .. } = ids;
    Some(match operation {
        "POST /api2/cp/postGroups" => vec![json!({ "channelIds": [channel] })],
        "POST /api2/cp/posts" => vec![
            json!({}),
            json!({ "channelIds": [channel] }),
            json!({ "postGroupId": group, "selectedPostId": post }),
            json!({ "assignees": [user] }),
            json!({ "tags": [tag], "useAndFilter": true }),
            json!({ "storyWorkaroundPublisher": user }),
        ],
        "POST /api2/cp/posts/aggregates/day" => vec![
            json!({ "since": since, "until": until }),
            json!({ "since": since, "until": until, "channelIds": [channel] }),
            json!({ "since": since, "until": until, "assignees": [user] }),
            json!({ "since": since, "until": until, "tags": [tag] }),
        ],
        "POST /api2/cp/posts/aggregates/day/list" => {
            vec![json!({}), json!({ "channelIds": [channel] }), json!({ "teamIds": [team] }), json!({ "tags": [tag] })]
        }
        "PATCH /api2/cp/posts/{id}" => vec![
            json!({ "content": { "text": "changed" } }),
            json!({ "assignee": user }),
            json!({ "storyWorkaround": { "publisher": user } }),
        ],
        "POST /api2/cp/posts/{id}/reject" => vec![json!({ "message": "no" })],
        "POST /api2/cp/posts/{id}/feed" => {
            vec![json!({ "message": "said" }), json!({ "message": "said", "mentions": [user] })]
        }
        "POST /api2/channels/placeholder" => vec![json!({ "name": "a placeholder" })],
        "POST /api2/channels/sandbox" => vec![
            json!({ "name": "a sandbox", "socialNetwork": "FACEBOOK" }),
            json!({ "name": "a sandbox", "socialNetwork": "FACEBOOK", "teamIds": [team] }),
        ],
        "PUT /api2/channels/sandbox/{id}/behaviour" => vec![json!({ "behaviour": "refuse" })],
        "POST /api2/accounts" => vec![json!({ "name": "new", "package": "TRIAL", "locale": "en",
            "monitoringResultLimit": 1, "products": {} })],
        "POST /api2/accounts/register" => vec![json!({ "firstName": "Ann", "lastName": "Example",
            "password": "long enough for this", "userName": "registered@example.com", "email": "registered@example.com",
            "locale": "en", "company": "new", "phone": "1", "reCaptcha": "x" })],
        "POST /api2/accounts/updateAiThresholds" => {
            vec![json!({ "field": "settings.smartbox.threshold", "value": 0.5 })]
        }
        "PATCH /api2/accounts/{id}" => vec![json!({ "name": "renamed" }), json!({ "linkedAccounts": [account] })],
        "POST /api2/settings/features/request" => vec![json!({ "featureName": "smartbox" })],
        "POST /api2/users" => {
            let new = |name: &str| {
                json!({ "userName": name, "role": "EDITOR", "firstName": "Ann", "lastName": "Example",
                    "email": "ann@example.com", "locale": "en", "password": "long enough for this" })
            };
            let with = |name: &str, field: &str, value: Value| {
                let mut body = new(name);
                body[field] = value;
                body
            };
            vec![
                with("in-a-team@example.com", "teams", json!([team])),
                with("in-an-account@example.com", "accountId", json!(account)),
            ]
        }
        "PATCH /api2/users/{userId}" => vec![
            json!({ "firstName": "Changed" }),
            json!({ "teams": [team] }),
            json!({ "readOnlyChannelIds": [channel] }),
        ],
        "PATCH /api2/users/{userId}/permissions" => {
            vec![json!({ "permissions": ["ViewPosts"] }), json!({ "permissions": ["ViewPosts"], "teams": [team] })]
        }
        "POST /api2/users/login" => vec![login],
        "POST /api2/users/activate" => {
            vec![json!({ "username": ids.user_name, "accountVerifyOneTimeToken": "0".repeat(64) })]
        }
        "POST /api2/users/password/reset" => vec![json!({ "userName": "somebody@example.com" })],
        "POST /api2/users/password" => vec![json!({ "token": "0".repeat(64), "password": "long enough for this" })],
        "POST /api2/users/totp/verify" => vec![json!({ "jwt": "a.b.c", "code": "123456" })],
        "POST /api2/users/totp/login" => vec![json!({ "code": "123456" })],
        "POST /api2/teams" => vec![json!({ "name": "a new team" })],
        "PATCH /api2/teams/{id}" => vec![json!({ "name": "renamed" }), json!({ "admins": [user] })],
        "POST /api2/teams/{id}/users" => vec![json!({ "userIds": [user] })],
        "POST /api2/teams/{id}/channels" => vec![json!({ "channelIds": [channel] })],
        "POST /api2/contacts" => vec![json!({ "email": "new@example.org" })],
        "POST /api2/apps" => vec![json!({ "name": "a new app" })],
        "POST /api2/apps/{id}/keys" => vec![json!({ "label": "new" })],
        "POST /api/v1/auth/login" => vec![json!({ "email": ids.user_name, "password": "not the password" })],
        "POST /api/v1/auth/refresh" => vec![json!({ "refreshToken": "prt_nobodys" })],
        "POST /bot-api/v1/login" | "POST /bot-api/v1/token" => vec![app],
        _ => return None,
    })
}
