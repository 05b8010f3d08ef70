//! A private PostgreSQL is started, found, lost and found again; set PALAVER_PG_BIN to try another PostgreSQL.

use std::{
    env, fs,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use palaver_eventstore::managed::{ManagedError, ManagedOptions, ManagedPostgres};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use sqlx::{
    Connection, Executor,
    postgres::{PgConnectOptions, PgConnection},
};

use crate::{OWNED_DIRECTORY, POLL, Process, SOON, closed, is_alive, passable};

/// The test below that is the body of a process to kill.
const OWNER: &str = "postgres::owner";

fn options(directory: &Path) -> ManagedOptions {
    ManagedOptions { directory: directory.to_owned(), binaries: env::var_os("PALAVER_PG_BIN").map(PathBuf::from) }
}

async fn start(directory: &Path) -> ManagedPostgres {
    ManagedPostgres::start(options(directory)).await.unwrap()
}

async fn start_error(directory: &Path) -> (ManagedError, String) {
    let error = ManagedPostgres::start(options(directory)).await.err().unwrap();
    let message = error.to_string();
    (error, message)
}

async fn run(options: &PgConnectOptions, sql: &str) {
    let mut connection = PgConnection::connect_with(options).await.unwrap();
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}

async fn ask<T>(options: &PgConnectOptions, sql: &str) -> T
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let mut connection = PgConnection::connect_with(options).await.unwrap();
    let value = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    value
}

#[tokio::test]
async fn data_outlives_a_stop_and_settings_are_durable_and_local() {
    let directory = tempfile::tempdir().unwrap();
    let since = Instant::now();
    let first = start(directory.path()).await;
    println!("first start: {:?}", since.elapsed());
    run(&first.connect_options(), "CREATE TABLE kept (value int); INSERT INTO kept VALUES (42)").await;
    for (setting, expected) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("listen_addresses", ""),
        ("max_connections", "100"),
        ("server_encoding", "UTF8"),
    ] {
        let value: String = ask(&first.connect_options(), &format!("SHOW {setting}")).await;
        assert_eq!(value, expected, "{setting}");
    }
    let who: String = ask(&first.connect_options(), "SELECT current_user || '@' || current_database()").await;
    assert_eq!(who, "palaver@palaver");
    let pid = first.pid();
    let since = Instant::now();
    first.stop().await.unwrap();
    println!("stop: {:?}", since.elapsed());
    assert!(!is_alive(pid));

    let since = Instant::now();
    let second = start(directory.path()).await;
    println!("second start: {:?}", since.elapsed());
    assert_eq!(ask::<i32>(&second.connect_options(), "SELECT value FROM kept").await, 42);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn the_server_is_never_root_and_its_files_are_its_users_alone() {
    let directory = closed();
    let managed = start(directory.path()).await;
    let server = fs::metadata(format!("/proc/{}", managed.pid())).unwrap();
    assert_ne!(server.uid(), 0);
    for path in ["postgres", "postgres/cluster", "postgres/socket"] {
        let metadata = fs::metadata(directory.path().join(path)).unwrap();
        assert_eq!((metadata.uid(), metadata.mode() & 0o777), (server.uid(), 0o700), "{path}");
    }
    managed.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_start_on_the_same_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = start(directory.path()).await;
    let (error, message) = start_error(directory.path()).await;
    let ManagedError::InUse { pid, .. } = error else { panic!("{message}") };
    assert_eq!(pid, Some(std::process::id()));
    assert!(message.contains("--data"), "{message}");
    assert_eq!(ask::<i32>(&first.connect_options(), "SELECT 1").await, 1);
    first.stop().await.unwrap();
}

#[tokio::test]
async fn dropping_it_stops_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let managed = start(directory.path()).await;
    let pid = managed.pid();
    drop(managed);
    assert!(!is_alive(pid));
    start(directory.path()).await.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_server_is_noticed_and_the_next_start_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let managed = start(directory.path()).await;
    run(&managed.connect_options(), "CREATE TABLE kept (value int); INSERT INTO kept VALUES (7)").await;
    kill_process(Pid::from_raw(managed.pid()).unwrap(), Signal::KILL).unwrap();
    let how = tokio::time::timeout(SOON, managed.ended()).await.unwrap();
    assert!(how.contains("signal"), "{how}");
    drop(managed);
    let again = start(directory.path()).await;
    assert_eq!(ask::<i32>(&again.connect_options(), "SELECT value FROM kept").await, 7);
    again.stop().await.unwrap();
}

/// Starts PostgreSQL and commits numbers until it is killed; writes down each, once acknowledged, and the server's pid.
#[tokio::test]
#[ignore = "the body of a process that other tests start and kill"]
async fn owner() {
    let directory = PathBuf::from(env::var_os(OWNED_DIRECTORY).unwrap());
    let managed = start(&directory).await;
    run(&managed.connect_options(), "CREATE TABLE IF NOT EXISTS acknowledged (value bigint)").await;
    let mut connection = PgConnection::connect_with(&managed.connect_options()).await.unwrap();
    for value in 1_i64.. {
        sqlx::query("INSERT INTO acknowledged VALUES ($1)").bind(value).execute(&mut connection).await.unwrap();
        fs::write(directory.join("written"), format!("{value} {}", managed.pid())).unwrap();
        fs::rename(directory.join("written"), directory.join("acknowledged")).unwrap();
    }
}

/// Waits until the owner has written down a number of at least this; returns it, and the server's pid.
async fn acknowledged(directory: &Path, at_least: i64) -> (i64, i32) {
    let since = Instant::now();
    loop {
        let text = fs::read_to_string(directory.join("acknowledged")).unwrap_or_default();
        if let Some((value, pid)) = text.split_once(' ')
            && let (Ok(value), Ok(pid)) = (value.parse(), pid.parse())
            && value >= at_least
        {
            return (value, pid);
        }
        assert!(since.elapsed() < SOON, "the owner acknowledged nothing");
        tokio::time::sleep(POLL).await;
    }
}

#[tokio::test]
async fn after_a_kill_of_the_owner_nothing_acknowledged_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let mut owner = Process::owner(OWNER, directory.path());
        acknowledged(directory.path(), 5).await;
        owner.kill();
        let (value, pid) = acknowledged(directory.path(), 5).await;
        fs::remove_file(directory.path().join("acknowledged")).unwrap();

        let since = Instant::now();
        let managed = start(directory.path()).await;
        println!("start right after kill {round}: {:?}", since.elapsed());
        assert!(!is_alive(pid), "the old postmaster lives beside the new one");
        let kept: i64 = ask(&managed.connect_options(), "SELECT max(value) FROM acknowledged").await;
        assert!(kept >= value, "{kept} < {value}");
        run(&managed.connect_options(), "TRUNCATE acknowledged").await;
        managed.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_killed_owner_takes_its_server_along() {
    let directory = tempfile::tempdir().unwrap();
    let mut owner = Process::owner(OWNER, directory.path());
    let (_, pid) = acknowledged(directory.path(), 1).await;
    assert!(is_alive(pid));
    let (error, message) = start_error(directory.path()).await;
    let ManagedError::InUse { pid: holder, .. } = error else { panic!("{message}") };
    assert_eq!(holder, Some(owner.0.id()));

    owner.kill();
    let since = Instant::now();
    while is_alive(pid) {
        assert!(since.elapsed() < SOON, "the postmaster outlives its owner");
        tokio::time::sleep(POLL).await;
    }
}

#[tokio::test]
async fn a_postmaster_that_was_left_running_is_ended_first() {
    let directory = tempfile::tempdir().unwrap();
    let first = start(directory.path()).await;
    run(&first.connect_options(), "CREATE TABLE kept (value int); INSERT INTO kept VALUES (3)").await;
    let cluster = directory.path().join("postgres/cluster");
    let server = fs::read_link(format!("/proc/{}/exe", first.pid())).unwrap();
    first.stop().await.unwrap();

    // One that nobody owns, as if the signal on its owner's death had been lost.
    let mut orphan = Command::new(&server);
    orphan.arg("-D").arg(&cluster).args(["-c", "listen_addresses="]);
    orphan.arg("-c").arg(format!("unix_socket_directories={}", directory.path().join("postgres/socket").display()));
    orphan.current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
    if geteuid().is_root() {
        let user = fs::metadata(&cluster).unwrap();
        orphan.uid(user.uid()).gid(user.gid());
    }
    let mut orphan = Process(orphan.spawn().unwrap());
    let since = Instant::now();
    while ManagedPostgres::attach(&options(directory.path())).await.unwrap().is_none() {
        assert!(since.elapsed() < SOON, "the orphan does not answer");
        tokio::time::sleep(POLL).await;
    }

    // An orphan of a killed process is reaped by init; this one is by us.
    let (next, ended) = tokio::join!(
        start(directory.path()),
        tokio::task::spawn_blocking(move || {
            let status = orphan.0.wait().unwrap();
            std::mem::forget(orphan);
            status
        })
    );
    assert!(ended.unwrap().success(), "a fast shutdown ends well");
    assert_eq!(ask::<i32>(&next.connect_options(), "SELECT value FROM kept").await, 3);
    next.stop().await.unwrap();
}

#[tokio::test]
async fn a_kill_within_initdb_leaves_nothing_half_made() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("postgres");
    let mut owner = Process::owner(OWNER, directory.path());
    let since = Instant::now();
    while !is_populated(&home.join("cluster.unfinished")) {
        assert!(since.elapsed() < SOON, "initdb does not begin");
        tokio::time::sleep(POLL).await;
    }
    owner.kill();
    assert!(!home.join("cluster").exists());
    start(directory.path()).await.stop().await.unwrap();
    assert!(!home.join("cluster.unfinished").exists());
}

fn is_populated(directory: &Path) -> bool {
    fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some())
}

#[tokio::test]
async fn a_tool_attaches_to_what_runs_and_else_starts_it_for_a_while() {
    let directory = tempfile::tempdir().unwrap();
    assert!(ManagedPostgres::attach(&options(directory.path())).await.unwrap().is_none());
    assert!(!directory.path().join("postgres").exists(), "looking must not make anything");

    let service = start(directory.path()).await;
    run(&service.connect_options(), "CREATE TABLE kept (value int); INSERT INTO kept VALUES (5)").await;
    let attached = ManagedPostgres::attach(&options(directory.path())).await.unwrap().unwrap();
    assert_eq!(ask::<i32>(&attached, "SELECT value FROM kept").await, 5);
    let access = ManagedPostgres::attach_or_start(options(directory.path())).await.unwrap();
    assert!(access.is_attached());
    access.release().await.unwrap();
    assert_eq!(ask::<i32>(&service.connect_options(), "SELECT value FROM kept").await, 5);
    service.stop().await.unwrap();

    assert!(ManagedPostgres::attach(&options(directory.path())).await.unwrap().is_none());
    let access = ManagedPostgres::attach_or_start(options(directory.path())).await.unwrap();
    assert!(!access.is_attached());
    assert_eq!(ask::<i32>(&access.connect_options(), "SELECT value FROM kept").await, 5);
    access.release().await.unwrap();
    start(directory.path()).await.stop().await.unwrap();
}

#[tokio::test]
async fn tools_at_the_same_time_share_one_server() {
    let directory = tempfile::tempdir().unwrap();
    let (left, right) = tokio::join!(
        ManagedPostgres::attach_or_start(options(directory.path())),
        ManagedPostgres::attach_or_start(options(directory.path())),
    );
    let (left, right) = (left.unwrap(), right.unwrap());
    assert_ne!(left.is_attached(), right.is_attached());
    let (attached, started) = if left.is_attached() { (left, right) } else { (right, left) };
    assert_eq!(ask::<i32>(&attached.connect_options(), "SELECT 1").await, 1);
    attached.release().await.unwrap();
    started.release().await.unwrap();
}

#[tokio::test]
async fn a_path_too_long_or_too_odd_for_a_socket_works() {
    let place = passable();
    let directory = place.path().join("a directory, with a \"name\"").join("x".repeat(120)).join("data");
    let managed = start(&directory).await;
    assert_eq!(ask::<i32>(&managed.connect_options(), "SELECT 1").await, 1);
    let socket_directory = managed.connect_options().get_socket().unwrap().clone();
    assert!(!socket_directory.starts_with(place.path()));
    assert_eq!(fs::metadata(&socket_directory).unwrap().mode() & 0o777, 0o700);
    assert!(ManagedPostgres::attach(&options(&directory)).await.unwrap().is_some());
    managed.stop().await.unwrap();
    fs::remove_dir(socket_directory).unwrap();
}

#[tokio::test]
async fn a_directory_without_postgresql_is_named_in_the_error() {
    let directory = tempfile::tempdir().unwrap();
    let empty = passable();
    let wrong = ManagedOptions { directory: directory.path().to_owned(), binaries: Some(empty.path().to_owned()) };
    let error = ManagedPostgres::start(wrong).await.err().unwrap();
    let message = error.to_string();
    assert!(matches!(error, ManagedError::BadBinaries { .. }), "{message}");
    assert!(message.contains(&*empty.path().to_string_lossy()) && message.contains("PALAVER_PG_BIN"), "{message}");
    // The failed start keeps nothing locked.
    start(directory.path()).await.stop().await.unwrap();
}

#[tokio::test]
async fn a_cluster_of_another_major_version_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    start(directory.path()).await.stop().await.unwrap();
    fs::write(directory.path().join("postgres/cluster/PG_VERSION"), "14\n").unwrap();
    let (error, message) = start_error(directory.path()).await;
    assert!(matches!(error, ManagedError::OtherMajor { cluster: 14, .. }), "{message}");
}

#[tokio::test]
async fn a_failure_of_the_server_shows_the_end_of_its_log() {
    let directory = tempfile::tempdir().unwrap();
    start(directory.path()).await.stop().await.unwrap();
    fs::remove_file(directory.path().join("postgres/cluster/global/pg_control")).unwrap();
    let (error, message) = start_error(directory.path()).await;
    let ManagedError::Exited { tail, .. } = &error else { panic!("{message}") };
    assert!(tail.contains("pg_control"), "{message}");
}

#[tokio::test]
async fn root_is_told_which_directory_bars_the_way() {
    if !geteuid().is_root() {
        // An ordinary user runs PostgreSQL as itself: nothing can bar the way.
        return;
    }
    let closed = closed();
    let (error, message) = start_error(&closed.path().join("data")).await;
    let ManagedError::Unreachable { blocked_by, .. } = error else { panic!("{message}") };
    assert_eq!(blocked_by, closed.path().canonicalize().unwrap());
}
