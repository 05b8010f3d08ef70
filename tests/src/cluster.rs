//! One private PostgreSQL for each test process, and a migrated database of its own for each test.

use std::{
    env, fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use palaver_eventstore::{
    Database,
    managed::{ManagedOptions, ManagedPostgres},
};
use sqlx::{Connection, Executor, PgConnection, PgPool, postgres::PgConnectOptions, postgres::PgPoolOptions};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::place::place;

/// Databases, and thereby tests with services on them, at one time. PostgreSQL takes 100 connections; a test may use
/// a fifth of them.
const DATABASES_MAX: usize = 4;
/// A test's own connections, beside those of the services it starts.
const POOL_CONNECTIONS_MAX: u32 = 4;
const TEMPLATE: &str = "template_palaver";

struct Cluster {
    postgres: ManagedPostgres,
    room: Arc<Semaphore>,
}

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

/// A database that belongs to one test. It takes one of a few places until its last clone is dropped, so a test that
/// wants two at a time could wait for itself.
#[derive(Clone)]
pub struct TestDatabase {
    pub url: String,
    pub options: PgConnectOptions,
    _room: Arc<OwnedSemaphorePermit>,
}

impl fmt::Debug for TestDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// An empty database with this version's schema. The test is a superuser in it.
pub async fn fresh_database() -> TestDatabase {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let cluster = CLUSTER.get_or_init(Cluster::start).await;
    let room = cluster.room.clone().acquire_owned().await.unwrap();
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let options = cluster.postgres.connect_options();
    let mut db = PgConnection::connect_with(&options).await.unwrap();
    // Nothing here has to outlive PostgreSQL.
    let create = format!(
        "CREATE DATABASE {name} TEMPLATE {TEMPLATE};\n\
         ALTER DATABASE {name} SET synchronous_commit = off"
    );
    for statement in create.split(";\n") {
        db.execute(statement).await.unwrap();
    }
    db.close().await.unwrap();
    let socket = options.get_socket().unwrap().display().to_string();
    let url = format!("postgres://{}@localhost:{}/{name}?host={socket}", options.get_username(), options.get_port());
    TestDatabase { url, options: options.database(&name), _room: Arc::new(room) }
}

impl Cluster {
    async fn start() -> Self {
        let options =
            ManagedOptions { directory: place().to_owned(), binaries: env::var_os("PALAVER_PG_BIN").map(Into::into) };
        let postgres = ManagedPostgres::start(options).await.unwrap();
        let mut db = PgConnection::connect_with(&postgres.connect_options()).await.unwrap();
        db.execute(format!("CREATE DATABASE {TEMPLATE}").as_str()).await.unwrap();
        db.close().await.unwrap();
        let template = Database::connect(postgres.connect_options().database(TEMPLATE), 1).await.unwrap();
        template.migrate().await.unwrap();
        // A template must have no visitors when it is copied.
        template.close().await;
        Self { postgres, room: Arc::new(Semaphore::new(DATABASES_MAX)) }
    }
}

impl TestDatabase {
    /// As the service connects, with a small pool.
    pub async fn connect(&self) -> Database {
        Database::connect(self.options.clone(), POOL_CONNECTIONS_MAX).await.unwrap()
    }

    /// For looking at tables; read models are found.
    pub async fn pool(&self) -> PgPool {
        let options = self.options.clone().options([("search_path", "public,read_model")]).application_name("test");
        PgPoolOptions::new().max_connections(POOL_CONNECTIONS_MAX).connect_with(options).await.unwrap()
    }
}
