//! The private servers of `palaver up`: a PostgreSQL where no database is named, a nats-server where no NATS is.

use palaver_eventstore::managed::{ManagedError, ManagedNats, ManagedPostgres, NatsOptions};
use sqlx::postgres::PgConnectOptions;

use super::{
    RunError,
    database::{managed_options, named},
};
use crate::settings::{NatsProgram, NatsUrl, Settings};

/// What runs below the data directory, for as long as this process does.
pub(super) struct PrivateServers {
    postgres: Option<ManagedPostgres>,
    nats: Option<ManagedNats>,
}

impl PrivateServers {
    /// Starts PostgreSQL unless a database is named. Returns where the database is, too.
    pub async fn start(settings: &Settings) -> Result<(Self, PgConnectOptions), RunError> {
        if let Some(options) = named(settings)? {
            return Ok((Self { postgres: None, nats: None }, options));
        }
        let postgres = ManagedPostgres::start(managed_options(settings)).await?;
        tracing::info!(pid = postgres.pid(), "private PostgreSQL is running");
        let options = postgres.connect_options();
        Ok((Self { postgres: Some(postgres), nats: None }, options))
    }

    /// Starts nats-server unless servers are named, or there is no program.
    pub async fn start_nats(&mut self, settings: &Settings) -> Result<(), RunError> {
        self.nats = nats(settings).await?;
        Ok(())
    }

    /// Settings under which events go to the private nats-server, if there is one.
    pub fn applied_to(&self, settings: &Settings) -> Result<Settings, RunError> {
        let Some(nats) = &self.nats else { return Ok(settings.clone()) };
        let server: NatsUrl = nats.address().expose().parse().map_err(|_| RunError::NatsAddress)?;
        Ok(settings.relaying_to(server))
    }

    pub fn nats(&self) -> Option<&ManagedNats> {
        self.nats.as_ref()
    }

    /// Waits for the end of what this process can not live without: never, when the database is another's. A
    /// nats-server that ends is started again, and whoever relays to it waits.
    pub async fn ended(&self) -> String {
        match &self.postgres {
            Some(postgres) => postgres.ended().await,
            None => std::future::pending().await,
        }
    }

    /// Stops both, whatever becomes of the other.
    pub async fn stop(self) -> Result<(), RunError> {
        let nats = match self.nats {
            Some(nats) => nats.stop().await,
            None => Ok(()),
        };
        if let Some(postgres) = self.postgres {
            postgres.stop().await?;
        }
        Ok(nats?)
    }
}

/// A nats-server where none is named and a program is there. Without one, everything else works.
async fn nats(settings: &Settings) -> Result<Option<ManagedNats>, RunError> {
    if !settings.nats.servers.is_empty() {
        return Ok(None);
    }
    let program = match &settings.nats.program {
        NatsProgram::Unwanted => {
            tracing::info!("running without NATS, as told: events are not relayed");
            return Ok(None);
        }
        NatsProgram::Named(program) => Some(program.clone()),
        NatsProgram::Searched => None,
    };
    let searched = program.is_none();
    match ManagedNats::start(NatsOptions { directory: settings.data.clone(), program }).await {
        Ok(nats) => {
            tracing::info!(pid = nats.pid(), address = %nats.address(), "private nats-server is running");
            Ok(Some(nats))
        }
        Err(error @ ManagedError::NoNatsServer { .. }) => {
            tracing::warn!(%error, "running without NATS: events are not relayed");
            Ok(None)
        }
        // On a shared database, processes may share a data directory too. The one that runs nats-server relays for all.
        Err(error @ ManagedError::InUse { .. }) if settings.database_url.is_some() => {
            tracing::warn!(%error, "running without NATS: another process has the private nats-server of this directory");
            Ok(None)
        }
        // Whoever named the database may have no data directory that can be written to, and has asked for no NATS.
        Err(error) if settings.database_url.is_some() && searched => {
            tracing::warn!(%error, "running without NATS: events are not relayed");
            Ok(None)
        }
        Err(error) => {
            tracing::error!("a private nats-server does not start; `--nats-server none` runs without");
            Err(error.into())
        }
    }
}
