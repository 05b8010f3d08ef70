//! Who leads, among all processes on one database: whoever holds an advisory lock of a session. The lease ends with the
//! connection, however that ends.

use sqlx::{Connection, PgConnection};

/// A peer that is gone is noticed within seconds, so that its lease is free for others.
pub const LEASE_KEEPALIVES: &str =
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3";

/// Takes the lease of that name for as long as `db` is connected, unless somebody holds it.
///
/// # Errors
/// When the database can not be asked.
pub async fn try_lease(db: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS "taken!""#, name).fetch_one(db).await
}

/// Closes the connection in order, which frees its leases at once. When it is broken already, nothing is lost.
pub async fn give_back(db: PgConnection) {
    if let Err(error) = db.close().await {
        tracing::debug!(%error, "a connection was not closed in order");
    }
}
