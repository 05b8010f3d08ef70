//! Which database a command works on: the one that is named, or the private one below the data directory, whether or
//! not a service is running on it.

use std::str::FromStr;

use palaver_eventstore::{
    Database,
    managed::{DatabaseAccess, ManagedOptions, ManagedPostgres},
};
use sqlx::postgres::PgConnectOptions;

use super::RunError;
use crate::{settings::Settings, telemetry};

/// Connections of a command that does one thing.
const TOOL_CONNECTIONS_MAX: u32 = 4;

pub(super) fn managed_options(settings: &Settings) -> ManagedOptions {
    ManagedOptions { directory: settings.data.clone(), binaries: settings.pg_bin.clone() }
}

/// The database that is named, if one is.
pub(super) fn named(settings: &Settings) -> Result<Option<PgConnectOptions>, RunError> {
    let url = settings.database_url.as_ref();
    Ok(url.map(|url| PgConnectOptions::from_str(url.expose())).transpose()?)
}

/// A database for a command that does one thing and ends.
pub(super) struct Tool {
    pub database: Database,
    access: Option<DatabaseAccess>,
}

impl Tool {
    /// A database that is there. A mistyped data directory is not answered with a new, empty one.
    pub async fn open(settings: &Settings) -> Result<Self, RunError> {
        if settings.database_url.is_none() && !ManagedPostgres::is_made(&settings.data) {
            let data = settings.data.display();
            let message = format!("there is no database below {data}; name it by --data or --database-url");
            return Err(RunError::NotFound(message));
        }
        Self::open_or_make(settings).await
    }

    /// As [`Tool::open`], making a private database when there is none.
    pub async fn open_or_make(settings: &Settings) -> Result<Self, RunError> {
        telemetry::start_logging(&settings.log, settings.log_format)
            .map_err(|error| RunError::Telemetry(error.to_string()))?;
        let (options, access) = match named(settings)? {
            Some(options) => (options, None),
            None => {
                let access = ManagedPostgres::attach_or_start(managed_options(settings)).await?;
                (access.connect_options(), Some(access))
            }
        };
        let database = Database::connect(options, TOOL_CONNECTIONS_MAX).await?;
        Ok(Self { database, access })
    }

    pub async fn close(self) -> Result<(), RunError> {
        self.database.close().await;
        if let Some(access) = self.access {
            access.release().await?;
        }
        Ok(())
    }
}
