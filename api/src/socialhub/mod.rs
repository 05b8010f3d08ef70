//! The `socialhub` surface: content planner and channels, under `/api2`. Source: seed 003.
//!
//! Handlers parse, hand on and render. What is allowed is in [`crate::permissions`], what is decided in the commands
//! and the domain, what is read in the projections.

mod accounts;
mod apps;
mod channels;
mod contacts;
mod context;
mod errors;
mod post_groups;
mod posts;
mod sandbox;
mod schemas;
mod settings;
mod teams;
mod users;
mod whoami;

use std::{sync::Arc, time::Duration};

use palaver_commands::{Commander, mail::Outbox, publishing::SandboxNetwork};
use palaver_projections::engine::Projections;
use sqlx::PgPool;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::Secrets, auth::keycloak::Keycloak};

/// What the handlers work with.
#[derive(Clone)]
pub struct Socialhub {
    pub commander: Commander,
    pub projections: Projections,
    pub sandbox: SandboxNetwork,
    pub pool: PgPool,
    pub secrets: Secrets,
    pub outbox: Outbox,
    /// Where the realms of accounts are; `None` when no Keycloak is configured.
    pub keycloak: Option<Keycloak>,
    /// What links to this service begin with, without a slash at its end.
    pub public_url: String,
    /// Whether there is a mail server; else mail is kept to be read here.
    pub mail_is_sent: bool,
    /// Who is told of what accounts ask for.
    pub support_email: Option<String>,
    /// How long a read waits for its read model.
    pub read_wait: Duration,
}

pub(crate) type SocialhubState = Arc<Socialhub>;

/// A page of the web application that a mail leads to.
#[derive(Clone, Copy, Debug)]
enum Page {
    /// Where people verify their address.
    Activate,
    /// Where people choose a password.
    SetPassword,
}

impl Socialhub {
    /// What to mail. The token stands in the fragment, which browsers do not send and servers do not log.
    fn link(&self, page: Page, token: &str) -> String {
        let page = match page {
            Page::Activate => "activate",
            Page::SetPassword => "set-password",
        };
        format!("{}/{page}#token={token}", self.public_url)
    }
}

pub fn router(state: Socialhub) -> OpenApiRouter {
    routes().with_state(Arc::new(state))
}

/// The routes before they have anything to work with.
pub(crate) fn routes() -> OpenApiRouter<SocialhubState> {
    OpenApiRouter::new()
        .routes(routes!(post_groups::create))
        .routes(routes!(post_groups::in_work))
        .routes(routes!(post_groups::delete))
        .routes(routes!(post_groups::save_as_draft))
        .routes(routes!(post_groups::schedule))
        .routes(routes!(post_groups::publish))
        .routes(routes!(posts::list::by_query, posts::list::by_body))
        .routes(routes!(posts::list::counts))
        .routes(routes!(posts::days::by_body))
        .routes(routes!(posts::days::by_query))
        .routes(routes!(posts::single::get, posts::single::patch, posts::single::delete))
        .routes(routes!(posts::moves::suggest))
        .routes(routes!(posts::moves::approve))
        .routes(routes!(posts::moves::reject))
        .routes(routes!(posts::moves::schedule))
        .routes(routes!(posts::moves::publish))
        .routes(routes!(posts::moves::unschedule))
        .routes(routes!(posts::feed::list, posts::feed::comment))
        .routes(routes!(channels::list))
        .routes(routes!(channels::summary))
        .routes(routes!(channels::placeholder))
        .routes(routes!(channels::get, channels::delete))
        .routes(routes!(sandbox::connect))
        .routes(routes!(sandbox::behave))
        .routes(routes!(sandbox::items))
        .routes(routes!(whoami::whoami))
        .routes(routes!(accounts::list, accounts::create))
        .routes(routes!(accounts::register))
        .routes(routes!(accounts::linked))
        .routes(routes!(accounts::custom_tags))
        .routes(routes!(accounts::thresholds))
        .routes(routes!(accounts::get, accounts::patch))
        .routes(routes!(accounts::reactivate))
        .routes(routes!(accounts::archive))
        .routes(routes!(settings::options::get))
        .routes(routes!(settings::options::manifests))
        .routes(routes!(settings::panel::get))
        .routes(routes!(settings::features::list))
        .routes(routes!(settings::features::request))
        .routes(routes!(users::list::summary))
        .routes(routes!(users::list::list, users::create::create))
        .routes(routes!(users::change::patch, users::change::delete))
        .routes(routes!(users::change::permissions))
        .routes(routes!(users::login::login))
        .routes(routes!(users::login::logout))
        .routes(routes!(users::login::activate))
        .routes(routes!(users::password::reset))
        .routes(routes!(users::password::set))
        .routes(routes!(users::totp::generate))
        .routes(routes!(users::totp::verify))
        .routes(routes!(users::totp::login))
        .routes(routes!(users::totp::remove))
        .routes(routes!(users::mask::mask))
        .routes(routes!(users::keycloak::login))
        .routes(routes!(teams::list, teams::create))
        .routes(routes!(teams::patch, teams::delete))
        .routes(routes!(teams::summary))
        .routes(routes!(teams::remove_channel))
        .routes(routes!(teams::add_users))
        .routes(routes!(teams::remove_user))
        .routes(routes!(teams::add_channels))
        .routes(routes!(contacts::list, contacts::create))
        .routes(routes!(contacts::delete))
        .routes(routes!(apps::list, apps::register))
        .routes(routes!(apps::get, apps::delete))
        .routes(routes!(apps::issue_key))
        .routes(routes!(apps::revoke_key))
        .routes(routes!(apps::rotate_secret))
}
