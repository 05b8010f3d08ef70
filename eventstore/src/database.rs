//! The connection to PostgreSQL, and the schema it must have.

use std::{sync::LazyLock, time::Duration};

use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Migrations only ever add, so one that a newer version has made is no reason for this one to stop.
static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!("./migrations");
    migrations.set_ignore_missing(true);
    migrations
});

/// How long a request may wait for a connection of the pool.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a statement of the pool may run: as long as the longest request, and no longer than that.
const STATEMENT_TIMEOUT_MS: &str = "60000";

/// PostgreSQL: a pool for short statements, and the means to open a connection of one's own.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
    options: PgConnectOptions,
}

impl Database {
    /// Connects; read models are found by the search path, as are the tables of the next version of one when a
    /// rebuild puts its schema there instead.
    ///
    /// # Errors
    /// When PostgreSQL can not be reached or refuses.
    pub async fn connect(options: PgConnectOptions, connections_max: u32) -> Result<Self, sqlx::Error> {
        let options = options
            // Compiling a statement takes longer than any of ours runs, and where a plan is forced its cost, which is
            // what PostgreSQL decides by, means nothing.
            .options([("search_path", "public,read_model"), ("jit", "off")])
            .application_name("palaver")
            .log_slow_statements(tracing::log::LevelFilter::Warn, Duration::from_secs(1));
        let pool = PgPoolOptions::new()
            .max_connections(connections_max)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options.clone().options([("statement_timeout", STATEMENT_TIMEOUT_MS)]))
            .await?;
        Ok(Self { pool, options })
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The same database, with a pool that changes nothing, whatever it is asked.
    ///
    /// # Errors
    /// When PostgreSQL can not be reached or refuses.
    pub(crate) async fn read_only(&self) -> Result<Self, sqlx::Error> {
        let read_only = [("statement_timeout", STATEMENT_TIMEOUT_MS), ("default_transaction_read_only", "on")];
        let pool = self.pool.options().clone().connect_with(self.options.clone().options(read_only)).await?;
        Ok(Self { pool, options: self.options.clone() })
    }

    /// A connection outside the pool, for whoever keeps one for good.
    ///
    /// # Errors
    /// When PostgreSQL can not be reached or refuses.
    pub async fn dedicated(&self, application_name: &str) -> Result<PgConnection, sqlx::Error> {
        self.options.clone().application_name(application_name).connect().await
    }

    /// Brings the schema up to this version. Safe to run from many processes at once.
    ///
    /// # Errors
    /// When a migration fails, or differs from the one that was applied under its number.
    pub async fn migrate(&self) -> Result<(), MigrateError> {
        // A connection without the pool's time limit: a migration takes as long as it takes.
        let mut connection = self.dedicated("palaver-migrate").await?;
        MIGRATIONS.run(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// Migrations that this version has and the database has not.
    ///
    /// # Errors
    /// When the database can not be asked.
    pub async fn migrations_pending(&self) -> Result<usize, sqlx::Error> {
        let known: bool = sqlx::query_scalar("SELECT to_regclass('public._sqlx_migrations') IS NOT NULL")
            .fetch_one(&self.pool)
            .await?;
        let applied: Vec<i64> = if known {
            sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success").fetch_all(&self.pool).await?
        } else {
            Vec::new()
        };
        Ok(MIGRATIONS.iter().filter(|migration| !applied.contains(&migration.version)).count())
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }
}
