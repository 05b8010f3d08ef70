//! Connections that the engine keeps to itself, and the leases that live and die with them.

use futures::{FutureExt, future::BoxFuture};
use palaver_eventstore::{Database, LEASE_KEEPALIVES, try_lease};
use sqlx::{Executor, PgConnection};

pub(super) use palaver_eventstore::give_back as close;

use super::{Context, Generation, IDLE_IN_TRANSACTION_SECONDS_MAX};

/// What a lease is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lease {
    Work,
    Rebuild,
}

impl Lease {
    /// What its advisory lock is named.
    pub fn name(self, projection: &str) -> String {
        match self {
            Self::Work => format!("palaver projection {projection}"),
            Self::Rebuild => format!("palaver rebuild {projection}"),
        }
    }

    /// # Errors
    /// When the database can not be asked.
    pub async fn try_take(self, db: &mut PgConnection, projection: &str) -> Result<bool, sqlx::Error> {
        try_lease(db, &self.name(projection)).await
    }
}

/// A connection of its own, whose unqualified tables are those of `generation`.
///
/// Commits do not wait for the disk: a crash of PostgreSQL may undo the last of them, but then the checkpoint with
/// the tables, and the events are applied again. A peer that is gone is noticed within seconds, so that its lease is
/// free for others.
pub(super) async fn open(
    context: &Context,
    application_name: &str,
    generation: Generation,
) -> Result<PgConnection, sqlx::Error> {
    open_with(context, application_name, &format!("public, {}", generation.schema())).await
}

/// A connection of its own, whose unqualified tables are temporary: nobody else sees what is made there, and all of it
/// goes with the connection, however that ends. A statement ends soon after whoever asked for it is gone.
pub(super) async fn open_scratch(context: &Context, application_name: &str) -> Result<PgConnection, sqlx::Error> {
    let mut db = open_with(context, application_name, "pg_temp, public").await?;
    run(&mut db, "SET client_connection_check_interval = '1s'; SET temp_buffers = '64MB'").await?;
    Ok(db)
}

async fn open_with(context: &Context, application_name: &str, search_path: &str) -> Result<PgConnection, sqlx::Error> {
    let database: &Database = &context.database;
    let mut db = database.dedicated(application_name).await?;
    let settings = format!(
        "SET search_path = {search_path}; SET synchronous_commit = off; \
         SET idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION_SECONDS_MAX}s'; {LEASE_KEEPALIVES}"
    );
    run(&mut db, &settings).await?;
    Ok(db)
}

/// Runs statements without parameters, such as those that create and move tables. Boxed, because the compiler can not
/// see through the future of `raw_sql` that it may be sent between threads.
pub(super) fn run<'a>(db: &'a mut PgConnection, statements: &'a str) -> BoxFuture<'a, Result<(), sqlx::Error>> {
    db.execute(sqlx::raw_sql(statements)).map(|done| done.map(drop)).boxed()
}
