//! What can go wrong with a private server. Each message says what to do about it.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::Server;

#[derive(Debug, thiserror::Error)]
pub enum ManagedError {
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },

    #[error(
        "{} is in use by {}; stop it first, or choose another data directory with --data",
        directory.display(),
        pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}")),
    )]
    InUse { directory: PathBuf, pid: Option<u32> },

    #[error(
        "no PostgreSQL {oldest} or newer was found. Looked at:\n{}\nRun scripts/setup, install the package `postgresql`, \
         set PALAVER_PG_BIN to the directory of `postgres` and `initdb`, or use a server with --database-url",
        list(looked)
    )]
    NoBinaries { oldest: u32, looked: Vec<String> },

    #[error("{} does not hold a usable PostgreSQL: {reason}; correct PALAVER_PG_BIN", directory.display())]
    BadBinaries { directory: PathBuf, reason: String },

    #[error(
        "{} was made by PostgreSQL {cluster}, and that version was not found. Looked at:\n{}\nInstall PostgreSQL \
         {cluster} or set PALAVER_PG_BIN to its `bin` directory; to move to another version, use pg_upgrade or \
         pg_dump with {cluster} at hand",
        directory.display(), list(looked)
    )]
    OtherMajor { directory: PathBuf, cluster: u32, looked: Vec<String> },

    #[error(
        "{} belongs to user {owner}, and this process runs as user {user}; run as user {owner}, or choose another data \
         directory with --data",
        directory.display()
    )]
    NotOwner { directory: PathBuf, owner: u32, user: u32 },

    #[error(
        "{server} is not run as root, and user {user}, whom it would run as, cannot reach {}: {} is closed to \
         others. Run as an ordinary user, choose a data directory elsewhere with --data (for example \
         /var/lib/palaver), or allow the passage: chmod o+x {}",
        directory.display(), blocked_by.display(), blocked_by.display()
    )]
    Unreachable { server: Server, directory: PathBuf, blocked_by: PathBuf, user: u32 },

    #[error("{} cannot hold the socket: {reason}; remove it, or set TMPDIR to a directory of your own", path.display())]
    SocketDirectory { path: PathBuf, reason: &'static str },

    #[error("initdb failed:\n{output}")]
    Initdb { output: String },

    #[error("{server} ended before it was ready ({how}); the end of {}:\n{tail}", log.display())]
    Exited { server: Server, how: String, log: PathBuf, tail: String },

    #[error("{server} was not ready within {seconds} s; see {}", log.display())]
    NotReady { server: Server, seconds: u64, log: PathBuf },

    #[error("{server} (process {pid}) on {} does not stop; end it by hand and start again", directory.display())]
    StillRunning { server: Server, pid: i32, directory: PathBuf },

    #[error(
        "no nats-server {oldest} or newer was found. Looked at:\n{}\nRun scripts/setup, install nats-server, set \
         PALAVER_NATS_SERVER to the program, or use a server with --nats-url",
        list(looked)
    )]
    NoNatsServer { oldest: String, looked: Vec<String> },

    #[error(
        "{} is not a usable nats-server: {reason}; correct PALAVER_NATS_SERVER, or set it to `none` to run without",
        program.display()
    )]
    BadNatsServer { program: PathBuf, reason: String },

    #[error("the private PostgreSQL refused: {0}")]
    Database(#[from] sqlx::Error),

    #[error("a task of a private server was cut off: {0}")]
    Interrupted(String),
}

impl ManagedError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  - {line}")).collect::<Vec<_>>().join("\n")
}
