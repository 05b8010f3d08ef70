//! The parts of a process, put together: the log, the commands, the projections, the publisher, the HTTP surfaces.
//! Which of them run where is decided in [`crate::run`].

use std::{fmt, sync::Arc, time::Duration};

use axum::Router;
use futures::future::BoxFuture;
use palaver_commands::{
    Commander,
    mail::{MailWorker, MailWorkerSettings, Mailer, Outbox, SmtpMailer, SmtpMailerError},
    publishing::{DuePost, Networks, PublishSchedule, Publisher, PublisherSettings, SandboxNetwork, UnresolvedPost},
};
use palaver_eventstore::{
    Database, EventLog, Fork, LogTasks,
    clock::{Clock, SystemClock},
    ids::{Ids, SystemIds},
    relay::Relay,
    vault::{MasterKey, MasterKeyError, Vault},
};
use palaver_projections::{
    engine::{Engine, ProjectionStatus},
    publish_schedule,
};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use zeroize::Zeroizing;

use crate::{
    audit::{self, Audit},
    auth::{AccessTokens, DatabaseAppCredentials, DatabaseCredentials, keycloak::Keycloak},
    bot_open_api::{self, BotOpenApi},
    bots::{self, Bots},
    contract::{self, Contract},
    events::{self, Events},
    http::{Claims, LastWrites, Meters, Shell, enclose},
    mkt_x::{self, MktX},
    openapi,
    ops::{self, Ops, Rebuilds},
    permissions::{ROUTES, RouteTable},
    run::RunError,
    settings::Settings,
    socialhub::{self, Socialhub},
    system::{self, Readiness},
    telemetry::Metrics,
};

/// The embedded default's master key, below the data directory.
const MASTER_KEY_FILE: &str = "master.key";

/// What is known to whoever has the master key.
#[derive(Clone, Debug)]
pub struct Secrets {
    pub vault: Vault,
    pub signing_key: SigningKey,
}

/// What the tokens that Palaver signs are signed with (HMAC-SHA256), the same in all processes of one master key.
#[derive(Clone)]
pub struct SigningKey(Zeroizing<[u8; 32]>);

impl SigningKey {
    pub(crate) fn of(key: &MasterKey) -> Result<Self, MasterKeyError> {
        Ok(Self(key.derive("palaver signed tokens")?))
    }

    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

fn kept_key(settings: &Settings, ids: &dyn Ids) -> Result<MasterKey, RunError> {
    Ok(MasterKey::load_or_create(&settings.data.join(MASTER_KEY_FILE), ids)?)
}

/// One process's share of the system.
pub struct App {
    pub database: Database,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub log: EventLog,
    pub commander: Commander,
    pub engine: Engine,
    /// `None` for a tool on a shared database that was given no master key.
    pub secrets: Option<Secrets>,
    /// Takes mail when there are secrets.
    pub outbox: Outbox,
    sandbox: SandboxNetwork,
    rebuilds: Rebuilds,
    tasks: LogTasks,
}

impl App {
    /// Opens the log of a database that has this version's schema.
    ///
    /// # Errors
    /// When the database can not be reached, or a migration is missing.
    pub async fn open(database: Database, settings: &Settings) -> Result<Self, RunError> {
        let pending = database.migrations_pending().await?;
        if pending > 0 {
            return Err(RunError::NotMigrated { pending });
        }
        let database = Fork::guard(database).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ids: Arc<dyn Ids> = Arc::new(SystemIds);
        let (log, tasks) = EventLog::open(database.clone(), clock.clone(), settings.append_queue_max).await?;
        let commander = Commander::new(log.clone(), clock.clone(), ids.clone());
        let engine = Engine::new(log.clone(), clock.clone(), palaver_projections::all());
        engine.install().await?;
        let sandbox = SandboxNetwork::new(database.clone(), clock.clone());
        let outbox = Outbox::new(database.pool().clone(), None, clock.clone(), ids.clone());
        let rebuilds = Rebuilds::default();
        let mut app =
            Self { database, clock, ids, log, commander, engine, secrets: None, outbox, sandbox, rebuilds, tasks };
        let key = match &settings.master_key {
            Some(key) => Some(key.expose().parse().map_err(RunError::from)?),
            None if settings.database_url.is_none() => Some(kept_key(settings, &*app.ids)?),
            None => None,
        };
        if let Some(key) = key {
            app.unlock(&key).await?;
        }
        Ok(app)
    }

    /// Takes the master key kept in the data directory, or makes it, for the one process of a shared database that was
    /// given none. Another process would not know it.
    ///
    /// # Errors
    /// When the file can not be read or made, or its key is not the one that what is in the vault was sealed under.
    pub async fn unlock_by_kept_key(&mut self, settings: &Settings) -> Result<(), RunError> {
        let key = kept_key(settings, &*self.ids)?;
        self.unlock(&key).await
    }

    /// A key that does not open what is sealed is found out now, not when a secret is needed.
    async fn unlock(&mut self, key: &MasterKey) -> Result<(), RunError> {
        let (pool, clock, ids) = (self.database.pool(), &self.clock, &self.ids);
        let vault = Vault::new(pool.clone(), key.clone(), clock.clone(), ids.clone());
        vault.verify().await?;
        let outbox = Outbox::new(pool.clone(), Some(key), clock.clone(), ids.clone());
        outbox.verify().await?;
        self.outbox = outbox;
        self.secrets = Some(Secrets { vault, signing_key: SigningKey::of(key)? });
        Ok(())
    }

    /// The process manager that sends mail, or keeps it when no server is configured.
    ///
    /// # Errors
    /// When TLS can not be set up.
    pub fn mail_worker(&self, settings: &Settings) -> Result<MailWorker, SmtpMailerError> {
        let mailer = match &settings.mail {
            Some(mail) => Some(Arc::new(SmtpMailer::new(mail.server.clone(), &mail.from)?) as Arc<dyn Mailer>),
            None => None,
        };
        Ok(MailWorker::new(self.outbox.clone(), mailer, MailWorkerSettings::default()))
    }

    /// The process manager that publishes what is due.
    pub fn publisher(&self, settings: &Settings) -> Publisher {
        let networks = Networks { sandbox: Arc::new(self.sandbox.clone()) };
        let schedule = Arc::new(Schedule { pool: self.database.pool().clone() });
        let publisher = PublisherSettings {
            poll: settings.publisher_poll,
            call_timeout: settings.network_call_timeout,
            settle: settings.outcome_settle,
            late_max: settings.publish_late_max,
        };
        Publisher::new(self.commander.clone(), networks, schedule, publisher)
    }

    /// The event streams of this process, which end at `stop`.
    pub fn events(&self, settings: &Settings, stop: CancellationToken) -> Events {
        let schemas_url = format!("{}/schemas", settings.public_url());
        Events::new(self.log.clone(), settings.event_streams, schemas_url, stop)
    }

    /// Everything that is served over HTTP.
    ///
    /// # Errors
    /// When a route is not in the permission table, or a row of the table has no route; or without a master key.
    pub fn router(
        &self,
        settings: &Settings,
        readiness: Readiness,
        metrics: Metrics,
        events: Events,
    ) -> Result<Router, RunError> {
        let secrets = self.secrets.clone().ok_or(RunError::MasterKeyMissing("serve"))?;
        let access_tokens = AccessTokens::new(&secrets.signing_key);
        let socialhub = Socialhub {
            commander: self.commander.clone(),
            projections: self.engine.projections(),
            sandbox: self.sandbox.clone(),
            pool: self.database.pool().clone(),
            secrets: secrets.clone(),
            outbox: self.outbox.clone(),
            keycloak: settings.keycloak_url.clone().map(Keycloak::new).transpose()?,
            public_url: settings.public_url(),
            mail_is_sent: settings.mail.is_some(),
            support_email: settings.support_email.clone(),
            read_wait: settings.read_wait,
        };
        let router = OpenApiRouter::with_openapi(openapi::base())
            .merge(system::router(readiness, metrics))
            .merge(audit::router(Audit { commander: self.commander.clone(), pool: self.database.pool().clone() }))
            .merge(events::router(events))
            .merge(contract::router(Contract::new(&settings.public_url())?))
            .merge(socialhub::router(socialhub))
            .merge(mkt_x::router(MktX {
                commander: self.commander.clone(),
                second_factors: self.commander.second_factors(secrets.vault.clone()),
                access_tokens: access_tokens.clone(),
                pool: self.database.pool().clone(),
            }))
            .merge(bots::router(Bots { commander: self.commander.clone() }))
            .merge(bot_open_api::router(BotOpenApi { commander: self.commander.clone() }))
            .merge(ops::router(Ops {
                engine: self.engine.clone(),
                rebuilds: self.rebuilds.clone(),
                // To ask how the relay stands; which process runs it is another matter. Of a fork, none does.
                relay: settings
                    .relay()
                    .filter(|_| self.log.fork().is_none())
                    .map(|options| Relay::new(self.log.clone(), self.clock.clone(), options)),
            }));
        let (router, document) = openapi::publish(router, ROUTES)?;
        Ok(enclose(
            router,
            Shell {
                clock: self.clock.clone(),
                ids: self.ids.clone(),
                credentials: Arc::new(DatabaseCredentials::new(self.database.pool().clone())),
                app_credentials: Arc::new(DatabaseAppCredentials::new(self.database.pool().clone())),
                access_tokens,
                fingerprint_key: secrets.signing_key.clone(),
                routes: RouteTable::new(ROUTES).with_query_parameters(&document),
                last_writes: LastWrites::default(),
                meters: Arc::new(Meters::new(settings.rate_limits, settings.proxy_trusted)),
                claims: Claims::default(),
                cors_origins: settings.cors_origins.clone(),
                body_limit_bytes: settings.body_limit_bytes,
                request_timeout: settings.request_timeout,
                fork: self.log.fork().cloned(),
            },
        ))
    }

    /// What must hold before this process gets traffic.
    pub fn readiness(&self) -> Readiness {
        let (pool, database, projections) =
            (self.database.pool().clone(), self.database.clone(), self.engine.projections());
        Readiness::default()
            .with("database", move || {
                let pool = pool.clone();
                async move { sqlx::query("SELECT 1").execute(&pool).await.map(drop).map_err(|error| error.to_string()) }
            })
            .with("migrations", move || {
                let database = database.clone();
                async move {
                    match database.migrations_pending().await {
                        Ok(0) => Ok(()),
                        Ok(pending) => Err(format!("{pending} are missing; run `palaver migrate`")),
                        Err(error) => Err(error.to_string()),
                    }
                }
            })
            .with("projections", move || {
                let projections = projections.clone();
                async move {
                    let all = projections.status().await.map_err(|error| error.to_string())?;
                    readable(&all)
                }
            })
    }

    /// Completes when the log's appender has ended; before [`App::close`], that is a fault.
    pub fn appender_ended(&self) -> impl Future<Output = ()> + Send + use<> {
        self.tasks.ended()
    }

    /// Stops rebuilds, writes what the log has accepted, and lets go of the database.
    pub async fn close(self) {
        self.rebuilds.end().await;
        self.tasks.drain().await;
        self.database.close().await;
    }
}

/// Whether the tables of every projection are the ones that this version reads. How far they lag behind is no matter of
/// readiness: all processes lag alike, and none of them would be left to take a write.
fn readable(projections: &[ProjectionStatus]) -> Result<(), String> {
    let other = projections.iter().filter(|one| one.stored_version != Some(one.version)).map(|one| {
        let stored = one.stored_version.map_or_else(|| "not there".to_owned(), |stored| format!("of version {stored}"));
        format!("{} is {stored}, this process reads version {}", one.name, one.version)
    });
    let other: Vec<_> = other.collect();
    if other.is_empty() { Ok(()) } else { Err(other.join("; ")) }
}

/// The publisher's schedule is a read model; this is how it gets at it.
struct Schedule {
    pool: PgPool,
}

impl PublishSchedule for Schedule {
    fn take_due(
        &self,
        now: chrono::DateTime<chrono::Utc>,
        limit: i64,
        lease: Duration,
    ) -> BoxFuture<'_, Result<Vec<DuePost>, sqlx::Error>> {
        Box::pin(async move {
            let due = publish_schedule::take_due(&self.pool, now, limit, lease).await?;
            Ok(due.into_iter().map(|due| DuePost { tenant: due.tenant_id, post: due.post_id }).collect())
        })
    }

    fn take_unresolved(
        &self,
        now: chrono::DateTime<chrono::Utc>,
        settle: Duration,
        limit: i64,
        lease: Duration,
    ) -> BoxFuture<'_, Result<Vec<UnresolvedPost>, sqlx::Error>> {
        Box::pin(async move {
            let open = publish_schedule::take_unresolved(&self.pool, now, settle, limit, lease).await?;
            let open = open.into_iter().map(|open| UnresolvedPost {
                tenant: open.tenant_id,
                post: open.post_id,
                key: open.key,
            });
            Ok(open.collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use palaver_projections::engine::ProjectionState;

    use super::*;

    fn status(name: &str, stored_version: Option<i32>, lag_seconds: f64) -> ProjectionStatus {
        ProjectionStatus {
            name: name.to_owned(),
            state: ProjectionState::CatchingUp,
            version: 2,
            stored_version,
            position: 0,
            head: 1_000_000,
            lag_events: 1_000_000,
            lag_seconds,
            events_per_second: 0.0,
            quarantined: 0,
            led_here: false,
            rebuild: None,
        }
    }

    #[test]
    fn a_projection_may_lag_but_must_be_of_the_version_that_is_read() {
        assert_eq!(readable(&[status("posts", Some(2), 86_400.0)]), Ok(()));
        let all = [status("channels", Some(1), 0.0), status("posts", Some(2), 0.0), status("users", None, 0.0)];
        let expected = "channels is of version 1, this process reads version 2; users is not there, this process reads \
                        version 2";
        assert_eq!(readable(&all), Err(expected.to_owned()));
    }
}
