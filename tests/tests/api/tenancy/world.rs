//! An account with one of everything in it, and the credentials of every surface.

use palaver_api::permissions::Surface;
use palaver_domain::identity::Role;
use palaver_tests::{Account, Client, Service};
use serde_json::json;

use super::tables::Ids;
use crate::{apps, now, users::PASSWORD};

/// In every name and text of theirs.
pub const MARKER: &str = "zweitkonto";

pub struct World {
    account: Account,
    anonymous: Client,
    pub ids: Ids,
    user_name: String,
    jwt: String,
    api_key: String,
    app_token: String,
}

impl World {
    /// Everything that people name is called by `mark`.
    pub async fn make(service: &Service, name: &str, mark: &str) -> Self {
        let account = service.account(name).await;
        let (admin, anonymous) = (account.admin(), service.anonymous());
        let user_name = format!("{mark}-editor@example.com");
        let team = admin.team(&format!("{mark} team")).await;
        let user = admin
            .post("/api2/users")
            .json(json!({ "userName": user_name, "role": "EDITOR", "firstName": format!("{mark} first"),
                "lastName": format!("{mark} last"), "email": user_name, "locale": "en", "teams": [team],
                "password": PASSWORD }))
            .await
            .ok()
            .id();
        let channel = admin.sandbox_of(&format!("{mark} channel"), &[&team]).await;
        let placeholder = format!("/api2/channels/placeholder?teamIds={team}");
        let placeholder = admin.post(&placeholder).json(json!({ "name": format!("{mark} print") })).await.ok().id();
        admin.delete(&format!("/api2/channels/{placeholder}")).await.ok();
        let tag = format!("{:024x}", now().timestamp_nanos_opt().unwrap());
        let post = admin.draft(&channel, &format!("{mark} text")).await;
        let patch = json!({ "publishTime": "2031-05-05T10:00:00Z", "tags": [tag], "assignee": user,
            "storyWorkaround": { "publisher": user } });
        let edited = admin.edit(&post, patch).await;
        let comment = json!({ "message": format!("{mark} comment"), "mentions": [user] });
        admin.post(&format!("/api2/cp/posts/{post}/feed")).json(comment).await.ok();
        let contact = admin.post("/api2/contacts").json(json!({ "email": format!("{mark}@example.org") })).await.ok();
        let app = apps::registered(admin, &format!("{mark} app")).await;
        let (key, api_key) = apps::key(admin, &app, None).await;
        let secret = apps::secret(admin, &app).await;
        let login = json!({ "appId": app, "appSecret": secret });
        let app_token = anonymous.post("/bot-api/v1/login").json(login).await.ok().text("authToken");
        let person = account.person(Role::Admin, PASSWORD).await;
        let mut world = Self {
            ids: Ids {
                account: account.id.to_string(),
                user,
                user_name: user_name.clone(),
                team,
                channel,
                placeholder,
                post,
                group: edited.text("postGroupId"),
                tag,
                contact: contact.body[0]["_id"].as_str().unwrap().to_owned(),
                app,
                key,
            },
            user_name: person.name,
            account,
            anonymous,
            jwt: String::new(),
            api_key,
            app_token,
        };
        world.jwt = world.mkt_x_token().await;
        // So that there is one in work, too.
        world.admin().compose(&[&world.ids.channel]).await;
        world
    }

    pub fn admin(&self) -> &Client {
        self.account.admin()
    }

    async fn mkt_x_token(&self) -> String {
        let login = json!({ "email": self.user_name, "password": PASSWORD });
        let told = self.anonymous.post("/api/v1/auth/login").json(login).await.ok();
        told.body["data"]["accessToken"].as_str().unwrap().to_owned()
    }

    /// Whoever may call what is under a path: what to call them, and a key for a header if they have one.
    pub fn clients(&self, path: &str) -> Vec<(&'static str, Client, Option<String>)> {
        let bearer = |token: &str| self.anonymous.with_token(token);
        match Surface::of_path(path) {
            Some(Surface::MktX) => vec![("a JWT", bearer(&self.jwt), None)],
            Some(Surface::Bots) => vec![
                ("a key", self.anonymous.clone(), Some(self.api_key.clone())),
                ("an application's token", bearer(&self.app_token), None),
                ("an administrator", self.admin().clone(), None),
            ],
            Some(Surface::BotOpenApi) => vec![("an application's token", bearer(&self.app_token), None)],
            Some(Surface::Socialhub | Surface::System) | None => vec![("an administrator", self.admin().clone(), None)],
        }
    }

    /// One that may end.
    pub async fn another_session(&self, path: &str) -> Client {
        match Surface::of_path(path) {
            Some(Surface::MktX) => self.anonymous.with_token(&self.mkt_x_token().await),
            _ => self.account.session(self.admin()).await,
        }
    }
}
