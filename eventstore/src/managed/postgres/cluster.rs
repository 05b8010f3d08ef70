//! What is inside: a cluster is made once, runs with our settings, and holds one database of ours.

use std::{
    fs::{self, File},
    io,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use sqlx::{
    Connection, Executor,
    postgres::{PgConnectOptions, PgConnection, PgSslMode},
};

use super::{
    super::{ManagedError, POLL},
    binaries::Binaries,
    layout::{Layout, PORT},
};

const USER: &str = "palaver";
const DATABASE: &str = "palaver";
/// Byte order with UTF-8 character classes; the second serves where the C library does not know the first.
const LOCALES: [&str; 2] = ["C.UTF-8", "C"];
pub(super) const CONNECTIONS_MAX: u32 = 100;
const REMOVE_MAX: Duration = Duration::from_secs(5);

/// What the server runs with, given anew at each start so that an upgrade of this program brings its settings along.
fn settings(socket_directory: &Path) -> Vec<String> {
    vec![
        "listen_addresses=".to_owned(),
        format!("port={PORT}"),
        format!("unix_socket_directories={}", socket_directory.display()),
        "unix_socket_permissions=0700".to_owned(),
        format!("max_connections={CONNECTIONS_MAX}"),
        "shared_buffers=128MB".to_owned(),
        // What is acknowledged is on disk.
        "fsync=on".to_owned(),
        "synchronous_commit=on".to_owned(),
        "full_page_writes=on".to_owned(),
        "wal_compression=on".to_owned(),
        // Queries are short; compiling them costs more than it saves.
        "jit=off".to_owned(),
        "timezone=UTC".to_owned(),
        "log_timezone=UTC".to_owned(),
        "log_destination=stderr".to_owned(),
        "logging_collector=off".to_owned(),
        "log_line_prefix=%m [%p] ".to_owned(),
        // Why a start failed is recognised by the words in the log.
        "lc_messages=C".to_owned(),
    ]
}

pub(super) fn server_command(layout: &Layout, binaries: &Binaries, socket: &Path, log: File) -> Command {
    let mut command = layout.home.account.command(&binaries.program("postgres"), Signal::INT);
    command.arg("-D").arg(&layout.cluster).stderr(log);
    for setting in settings(socket) {
        command.arg("-c").arg(setting);
    }
    command
}

/// Makes the cluster where there is none: beside its place first, so that an interruption leaves nothing half-made.
/// Blocks for about a second.
pub(super) fn ensure_made(layout: &Layout, binaries: &Binaries) -> Result<(), ManagedError> {
    if layout.cluster.exists() {
        return Ok(());
    }
    let mut outcome = Ok(());
    for locale in LOCALES {
        remove(&layout.unfinished)?;
        outcome = initdb(layout, binaries, locale);
        match &outcome {
            Err(ManagedError::Initdb { output }) if output.contains("locale") => {}
            _ => break,
        }
    }
    outcome?;
    fs::rename(&layout.unfinished, &layout.cluster).map_err(ManagedError::io("put in place", &layout.unfinished))?;
    // The rename is part of what must survive a power cut.
    let home = layout.cluster.parent().unwrap_or(&layout.home.path);
    File::open(home).and_then(|directory| directory.sync_all()).map_err(ManagedError::io("write", home))
}

/// The last process of a killed initdb may still be adding files while they are removed.
fn remove(directory: &Path) -> Result<(), ManagedError> {
    let since = Instant::now();
    loop {
        match fs::remove_dir_all(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && since.elapsed() < REMOVE_MAX => {
                thread::sleep(POLL);
            }
            other => return other.map_err(ManagedError::io("remove the unfinished", directory)),
        }
    }
}

/// Nobody but the directory's owner and root reaches the socket, so the server asks for no password.
fn initdb(layout: &Layout, binaries: &Binaries, locale: &str) -> Result<(), ManagedError> {
    let program = binaries.program("initdb");
    let output = layout
        .home
        .account
        .command(&program, Signal::KILL)
        .arg("-D")
        .arg(&layout.unfinished)
        .args(["--username", USER, "--auth", "trust", "--encoding", "UTF8", "--locale", locale, "--no-instructions"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .map_err(ManagedError::io("start", &program))?;
    if output.status.success() {
        return Ok(());
    }
    let output = [output.stdout, output.stderr].concat();
    Err(ManagedError::Initdb { output: String::from_utf8_lossy(&output).trim().to_owned() })
}

pub(super) fn connect_options(socket_directory: &Path) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket_directory)
        .port(PORT)
        .username(USER)
        .database(DATABASE)
        .ssl_mode(PgSslMode::Disable)
}

/// Makes our database unless it is there.
pub(super) async fn ensure_database(options: &PgConnectOptions) -> Result<(), ManagedError> {
    match PgConnection::connect_with(options).await {
        Ok(connection) => Ok(connection.close().await?),
        Err(error) if is_missing_database(&error) => {
            let mut connection = PgConnection::connect_with(&options.clone().database("postgres")).await?;
            connection.execute(format!("CREATE DATABASE {DATABASE}").as_str()).await?;
            Ok(connection.close().await?)
        }
        Err(error) => Err(error.into()),
    }
}

/// `invalid_catalog_name`
pub(super) fn is_missing_database(error: &sqlx::Error) -> bool {
    has_code(error, "3D000")
}

/// `cannot_connect_now`: starting up or shutting down.
pub(super) fn is_not_now(error: &sqlx::Error) -> bool {
    has_code(error, "57P03")
}

fn has_code(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some(code)
}
