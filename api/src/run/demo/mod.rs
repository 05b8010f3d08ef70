//! `palaver up --demo`: something to look at. An empty log is filled with an account, its people and channels, and
//! some months of posts, as if all of it had happened: through the same commands, at its times, by its people.
//!
//! - The same seed and scale on the same day (UTC) make the same history. Credentials are not part of it: they are
//!   drawn anew for each filling and told in `<data>/demo.json`.
//! - Only an empty log is filled. While that is going on, `<data>/demo.unfinished` names the account; `demo.json` takes
//!   its place when all is done. So a filling that was cut short is told from a log that is somebody's own, and
//!   refused: nobody should mistake a half for the whole. It is not resumed; deleting the data directory is quicker.
//! - It has to be alone: a worker of another process would publish what is not supposed to be past yet.

mod cast;
mod content;
mod credentials;
mod crews;
mod file;
mod opening;
mod plan;
mod script;
mod stage;
#[cfg(test)]
mod tests;
mod texts;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use palaver_commands::{CommandError, Commander, identity::AppSecret};
use palaver_domain::AccountId;
use palaver_eventstore::{Database, EventFilter, EventLog, LogError, QUEUE_APPENDS_MAX, clock::ManualClock};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::{
    cast::{MEMBERS, OUTLETS},
    credentials::Credentials,
    crews::CREWS,
    file::DemoFiles,
    opening::Opened,
    plan::Plan,
    stage::Stage,
};
use crate::auth::AccessTokens;

/// How long the signed token lasts that the file tells: as long as anybody keeps a demo. Its session can be ended.
const BEARER_LIFETIME: TimeDelta = TimeDelta::days(3_650);
/// Connections for filling, beside the appender's.
const CONNECTIONS: u32 = 8;

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("the demo's plan does not work: {step}")]
    Step { step: String, source: CommandError },
    #[error("the demo's plan does not work: {0}")]
    Plan(&'static str),
    #[error("stopped while filling the demo; delete the data directory (or use another database) to start over")]
    Stopped,
    #[error(
        "a demo was being filled here and did not come to its end, as {} tells; delete the data directory (or use \
         another database) to start over",
        mark.display()
    )]
    Unfinished { mark: PathBuf },
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the database can not be used")]
    Database(#[from] sqlx::Error),
    #[error("can not {action} {}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("a token can not be signed")]
    Unsigned(#[from] jsonwebtoken::errors::Error),
    #[error("{} is not the JSON of a demo", path.display())]
    Malformed { path: PathBuf, source: serde_json::Error },
}

/// What the demo is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recipe {
    pub seed: u64,
    pub scale: u32,
}

/// Where the service is to be reached this time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whereabouts<'a> {
    pub url: &'a str,
    /// The private NATS with its password, when one runs.
    pub nats: Option<&'a str>,
}

/// Fills an empty log, or finds the demo that is there already. Returns where its file is, which then tells these
/// whereabouts; `None` when the log is not a demo's, or the file is gone.
///
/// # Errors
/// When a demo was begun here and not finished, when this one can not be, or when `stop` ends it.
pub(super) async fn prepare(
    commander: &Commander,
    access_tokens: &AccessTokens,
    recipe: Recipe,
    data: &Path,
    at: Whereabouts<'_>,
    stop: &CancellationToken,
) -> Result<Option<PathBuf>, DemoError> {
    let files = DemoFiles::below(data)?;
    let Some(owner) = first_account(commander.log()).await? else {
        let began = Instant::now();
        let today = commander.clock().now().date_naive().and_time(NaiveTime::MIN).and_utc();
        files.begin(opening::account_id(recipe.seed))?;
        let filled = fill(commander, recipe, today, stop).await?;
        files.finish(&filled.describe(at, access_tokens, commander.clock().now())?)?;
        tracing::info!(
            posts = filled.posts,
            events = commander.log().head().await?,
            elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            file = %files.path().display(),
            "the demo is filled; its file holds credentials, and only its owner may read it"
        );
        return Ok(Some(files.path().to_owned()));
    };
    if files.refresh(owner, at)? {
        return Ok(Some(files.path().to_owned()));
    }
    if files.is_unfinished(owner)? {
        return Err(DemoError::Unfinished { mark: files.mark().to_owned() });
    }
    tracing::warn!(
        file = %files.path().display(),
        "the log is not empty, so it is left as it is; no demo's file belongs to it, so there are no credentials to tell"
    );
    Ok(None)
}

/// Whose event is the first of the log, if there is one.
async fn first_account(log: &EventLog) -> Result<Option<AccountId>, LogError> {
    let first = log.read_range(0, 1, &EventFilter::default()).await?;
    Ok(first.first().map(|event| event.tenant_id))
}

/// A demo that is there.
struct Filled {
    opened: Opened,
    credentials: Vec<Credentials>,
    app_key: AppSecret,
    app_secret: AppSecret,
    posts: usize,
}

/// Fills the log. `today` is the beginning of the day that all times are counted from.
async fn fill(
    commander: &Commander,
    recipe: Recipe,
    today: DateTime<Utc>,
    stop: &CancellationToken,
) -> Result<Filled, DemoError> {
    let plan = Plan::new(recipe.seed, recipe.scale, today);
    tracing::info!(seed = recipe.seed, scale = recipe.scale, posts = plan.posts(), "filling the demo");
    let database = commander.log().database();
    // Nothing of a filling that is cut short is worth keeping, so nothing waits for the disk. The credentials below
    // are written in the ordinary way, and what is written in that way takes everything before it along.
    let hasty = [("synchronous_commit", "off")];
    let options = database.pool().connect_options().as_ref().clone().options(hasty);
    let hasty = Database::connect(options, CONNECTIONS).await?;
    let filled = futures::future::try_join(perform(&hasty, recipe.seed, &plan, stop), async {
        Ok(Credentials::draw(commander, MEMBERS.len()).await?)
    })
    .await;
    hasty.close().await;
    let (opened, credentials) = filled?;
    for (&user, credentials) in opened.users.iter().zip(&credentials) {
        commander.keep_password(database.pool(), opened.account, user, &credentials.kept).await?;
        commander.grant_token(opened.account, user, credentials.token_hash().as_bytes(), None).await?;
    }
    let app = opened.app;
    let app_key = commander.grant_app_key(opened.account, app.id, app.key, None).await?;
    let app_secret = commander.grant_app_secret(opened.account, app.id, app.secret).await?;
    Ok(Filled { opened, credentials, app_key, app_secret, posts: plan.posts() })
}

/// Everything that is in the log.
async fn perform(database: &Database, seed: u64, plan: &Plan, stop: &CancellationToken) -> Result<Opened, DemoError> {
    let recorded = ManualClock::at(plan.opened);
    let (log, tasks) = EventLog::open(database.clone(), Arc::new(recorded.clone()), QUEUE_APPENDS_MAX).await?;
    let performed = async {
        let opened = opening::open(&log, &recorded, seed, plan.opened).await?;
        let stage = Stage { seed, plan, log: log.clone(), recorded, opened: &opened };
        stage.perform(stop).await?;
        Ok(opened)
    }
    .await;
    tasks.drain().await;
    performed
}

impl Filled {
    /// What `demo.json` says.
    fn describe(
        &self,
        at: Whereabouts<'_>,
        access_tokens: &AccessTokens,
        now: DateTime<Utc>,
    ) -> Result<Value, DemoError> {
        let opened = &self.opened;
        let users = MEMBERS.iter().zip(&opened.users).zip(&self.credentials).map(|((member, id), credentials)| {
            json!({
                "_id": id,
                "userName": member.user_name,
                "firstName": member.first_name,
                "lastName": member.last_name,
                "password": credentials.password,
                "role": member.role,
                "accesstoken": credentials.token,
            })
        });
        let channels = OUTLETS
            .iter()
            .zip(&opened.channels)
            .map(|(outlet, id)| json!({ "_id": id, "name": outlet.name, "socialNetwork": outlet.network }));
        let teams = CREWS.iter().zip(&opened.teams).map(|(crew, id)| json!({ "_id": id, "name": crew.name }));
        // The first member runs the account.
        let (Some(member), Some(admin)) = (MEMBERS.first(), self.credentials.first()) else {
            return Err(DemoError::Plan("nobody runs the account"));
        };
        let end = now + BEARER_LIFETIME;
        let signed = access_tokens.sign_until(end, admin.token_hash(), opened.user(0), now)?;
        Ok(json!({
            "url": at.url,
            "nats": at.nats,
            "accountId": opened.account,
            "users": users.collect::<Vec<_>>(),
            "teams": teams.collect::<Vec<_>>(),
            "channels": channels.collect::<Vec<_>>(),
            "marketing": { "email": member.user_name, "password": admin.password, "bearer": signed },
            "bots": { "appId": opened.app.id, "apiKey": self.app_key.expose(), "bearer": admin.token },
            "botOpenApi": { "appId": opened.app.id, "appSecret": self.app_secret.expose() },
        }))
    }
}
