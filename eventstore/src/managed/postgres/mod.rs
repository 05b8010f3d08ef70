//! A private PostgreSQL, for running without a database server. It listens on a Unix socket alone.

mod binaries;
mod cluster;
mod layout;
mod postmaster;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{
    Connection,
    postgres::{PgConnectOptions, PgConnection},
};

use self::{binaries::Binaries, layout::Layout, postmaster::PidFile};
use super::{
    ManagedError, POLL, Server, blocking,
    child::{self, Child},
};

/// Includes recovery after a crash.
const READY_MAX: Duration = Duration::from_secs(60);
/// How long a tool waits for a database that is just starting, or that another tool is about to let go.
const ATTACH_MAX: Duration = Duration::from_secs(15);
/// Between two attempts while processes of a killed server still hold its shared memory.
const RETRY: Duration = Duration::from_millis(100);

/// The largest pool that a private server has room for: the log, each projection, a rebuild and every tool beside the
/// process have connections of their own.
pub const POOL_CONNECTIONS_MAX: u32 = cluster::CONNECTIONS_MAX - 40;

#[derive(Clone, Debug)]
pub struct ManagedOptions {
    /// The data directory; PostgreSQL's files go to its subfolder `postgres`.
    pub directory: PathBuf,
    /// The directory of `postgres` and `initdb` (`PALAVER_PG_BIN`), when it is not to be searched for.
    pub binaries: Option<PathBuf>,
}

/// A running private PostgreSQL, this process's own. Call [`stop`](Self::stop) when done; dropping it stops it too, and
/// blocks the thread meanwhile.
pub struct ManagedPostgres {
    postmaster: Child,
    connect_options: PgConnectOptions,
}

impl ManagedPostgres {
    /// Starts PostgreSQL on the directory, making what is missing, and returns when it takes connections.
    ///
    /// One process at a time owns a directory: the next gets [`ManagedError::InUse`]. Whatever an earlier process that
    /// was killed left running is ended first.
    pub async fn start(options: ManagedOptions) -> Result<Self, ManagedError> {
        let prepared = blocking({
            let options = options.clone();
            move || Prepared::new(&options)
        })
        .await?;
        postmaster::end_leftover(&prepared.layout.cluster).await?;
        let prepared = blocking(move || {
            cluster::ensure_made(&prepared.layout, &prepared.binaries)?;
            Ok(prepared)
        })
        .await?;
        let (postmaster, socket_directory) = prepared.launch().await?;
        let connect_options = cluster::connect_options(&socket_directory);
        let managed = Self { postmaster, connect_options };
        if let Err(error) = cluster::ensure_database(&managed.connect_options).await {
            managed.stop().await?;
            return Err(error);
        }
        Ok(managed)
    }

    /// How to connect: over the Unix socket, as `palaver`, to the database `palaver`.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.connect_options.clone()
    }

    /// The server's process id, for the log.
    pub fn pid(&self) -> i32 {
        self.postmaster.pid().as_raw_nonzero().get()
    }

    /// Waits until the server ends, by whatever cause, and tells how: a process that lives on it cannot go on then.
    pub async fn ended(&self) -> String {
        self.postmaster.ended().await
    }

    /// Disconnects every client, writes everything, and returns when the server is gone and the directory free.
    pub async fn stop(self) -> Result<(), ManagedError> {
        self.postmaster.stop().await
    }

    /// Whether there is a private PostgreSQL below this data directory, running or not.
    pub fn is_made(directory: &Path) -> bool {
        directory.join("postgres").is_dir()
    }

    /// How to connect to the PostgreSQL that another process runs on this directory; `None` when none does.
    pub async fn attach(options: &ManagedOptions) -> Result<Option<PgConnectOptions>, ManagedError> {
        let Some(layout) = Layout::existing(&options.directory)? else { return Ok(None) };
        let since = Instant::now();
        loop {
            match look(&layout.cluster).await? {
                Presence::Answers { socket_directory } => return Ok(Some(cluster::connect_options(&socket_directory))),
                Presence::Starting if since.elapsed() < ATTACH_MAX => tokio::time::sleep(POLL).await,
                Presence::Starting | Presence::Absent => return Ok(None),
            }
        }
    }

    /// For a tool that needs the database whether or not a service is running on the directory.
    pub async fn attach_or_start(options: ManagedOptions) -> Result<DatabaseAccess, ManagedError> {
        let since = Instant::now();
        loop {
            if let Some(connect_options) = Self::attach(&options).await? {
                return Ok(DatabaseAccess { connect_options, started: None });
            }
            match Self::start(options.clone()).await {
                Ok(started) => {
                    return Ok(DatabaseAccess { connect_options: started.connect_options(), started: Some(started) });
                }
                // Its holder is either about to answer or about to go.
                Err(ManagedError::InUse { .. }) if since.elapsed() < ATTACH_MAX => tokio::time::sleep(RETRY).await,
                Err(error) => return Err(error),
            }
        }
    }
}

/// A database to work with for a while: somebody else's, or one that was started for the purpose.
pub struct DatabaseAccess {
    connect_options: PgConnectOptions,
    started: Option<ManagedPostgres>,
}

impl DatabaseAccess {
    pub fn connect_options(&self) -> PgConnectOptions {
        self.connect_options.clone()
    }

    /// Whether another process runs the server, and may therefore also end it.
    pub fn is_attached(&self) -> bool {
        self.started.is_none()
    }

    /// Stops the server if it was started for this; one that another process runs is left alone.
    pub async fn release(self) -> Result<(), ManagedError> {
        match self.started {
            Some(started) => started.stop().await,
            None => Ok(()),
        }
    }
}

/// A directory that is ours, and the programs to serve it with.
struct Prepared {
    layout: Layout,
    binaries: Binaries,
    lock: Arc<File>,
}

impl Prepared {
    fn new(options: &ManagedOptions) -> Result<Self, ManagedError> {
        let layout = Layout::prepare(&options.directory)?;
        let lock = Arc::new(layout.home.lock()?);
        let major = layout.cluster_major()?;
        let binaries = Binaries::find(options.binaries.as_deref(), &layout.cluster, major, layout.home.account)?;
        Ok(Self { layout, binaries, lock })
    }

    /// Starts the server and waits until it says that it is ready; returns where its socket is, too.
    async fn launch(&self) -> Result<(Child, PathBuf), ManagedError> {
        let layout = &self.layout;
        let socket_directory = layout.socket_directory()?;
        let since = Instant::now();
        loop {
            let log = layout.home.open_log()?;
            let log_start = log.metadata().map_err(ManagedError::io("look at", &layout.home.log))?.len();
            let command = cluster::server_command(layout, &self.binaries, &socket_directory, log);
            let postmaster = Child::spawn(Server::Postgres, command, &layout.cluster, Arc::clone(&self.lock)).await?;
            match wait_until_ready(&postmaster, since).await? {
                Start::Ready => return Ok((postmaster, socket_directory)),
                Start::Late => {
                    postmaster.stop().await?;
                    return Err(ManagedError::NotReady {
                        server: Server::Postgres,
                        seconds: READY_MAX.as_secs(),
                        log: layout.home.log.clone(),
                    });
                }
                Start::Ended(how) => {
                    let tail = layout.home.log_tail(log_start);
                    if !is_still_held(&tail) || since.elapsed() > READY_MAX {
                        return Err(ManagedError::Exited {
                            server: Server::Postgres,
                            how,
                            log: layout.home.log.clone(),
                            tail,
                        });
                    }
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}

enum Start {
    Ready,
    Ended(String),
    Late,
}

async fn wait_until_ready(postmaster: &Child, since: Instant) -> Result<Start, ManagedError> {
    loop {
        let pid_file = PidFile::read(postmaster.directory())?;
        if pid_file.is_some_and(|file| file.pid == postmaster.pid() && file.is_ready()) {
            return Ok(Start::Ready);
        }
        if let Some(how) = postmaster.has_ended() {
            return Ok(Start::Ended(how));
        }
        if since.elapsed() > READY_MAX {
            return Ok(Start::Late);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// When a postmaster was killed, its last processes end a moment later; until then PostgreSQL refuses with these words.
fn is_still_held(log: &str) -> bool {
    log.contains("pre-existing shared memory block") || log.contains("\"postmaster.pid\" already exists")
}

enum Presence {
    Answers { socket_directory: PathBuf },
    Starting,
    Absent,
}

async fn look(cluster: &Path) -> Result<Presence, ManagedError> {
    let Some(pid_file) = PidFile::read(cluster)? else { return Ok(Presence::Absent) };
    let alive = child::works_in(pid_file.pid, Server::Postgres, cluster)
        .map_err(ManagedError::io("look at the process named in", &PidFile::path(cluster)))?;
    if !alive || pid_file.is_stopping() {
        return Ok(Presence::Absent);
    }
    let is_ready = pid_file.is_ready();
    let Some(socket_directory) = pid_file.socket_directory.filter(|_| is_ready) else { return Ok(Presence::Starting) };
    match PgConnection::connect_with(&cluster::connect_options(&socket_directory)).await {
        Ok(connection) => {
            connection.close().await?;
            Ok(Presence::Answers { socket_directory })
        }
        // Its owner makes the database right after the first start.
        Err(error) if cluster::is_missing_database(&error) || cluster::is_not_now(&error) => Ok(Presence::Starting),
        // It has gone since its file was read.
        Err(sqlx::Error::Io(_)) => Ok(Presence::Absent),
        Err(error) => Err(error.into()),
    }
}
