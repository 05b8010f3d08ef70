//! A private nats-server is started, found, lost and found again; set PALAVER_NATS_SERVER to try another one.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use palaver_eventstore::managed::{ManagedError, ManagedNats, NatsAddress, NatsOptions};
use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::{OWNED_DIRECTORY, POLL, Process, SOON, closed, is_alive, passable};

/// The test below that is the body of a process to kill.
const OWNER: &str = "nats::owner";
const TALK_MAX: Duration = Duration::from_secs(10);

fn options(directory: &Path) -> NatsOptions {
    NatsOptions { directory: directory.to_owned(), program: env::var_os("PALAVER_NATS_SERVER").map(PathBuf::from) }
}

async fn start(directory: &Path) -> ManagedNats {
    ManagedNats::start(options(directory)).await.unwrap()
}

async fn start_error(options: NatsOptions) -> (ManagedError, String) {
    let error = ManagedNats::start(options).await.err().unwrap();
    let message = error.to_string();
    (error, message)
}

/// `nats://user:password@host:port`, apart.
fn parts(address: &NatsAddress) -> (String, String, String) {
    let url = address.expose();
    let (credentials, place) = url.strip_prefix("nats://").unwrap().split_once('@').unwrap();
    let (user, password) = credentials.split_once(':').unwrap();
    (user.to_owned(), password.to_owned(), place.to_owned())
}

/// What the server says to a client that says this of itself and asks whether it is there. `None` when it is not.
fn greet(place: &str, credentials: &str) -> Option<String> {
    let mut stream = TcpStream::connect(place).ok()?;
    stream.set_read_timeout(Some(TALK_MAX)).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).ok()?;
    assert!(line.starts_with("INFO ") && line.contains("\"jetstream\":true"), "{line}");
    stream.write_all(format!("CONNECT {{\"verbose\":false{credentials}}}\r\nPING\r\n").as_bytes()).ok()?;
    line.clear();
    lines.read_line(&mut line).ok()?;
    Some(line.trim().to_owned())
}

fn greet_by(address: &NatsAddress) -> Option<String> {
    let (user, password, place) = parts(address);
    greet(&place, &format!(",\"user\":\"{user}\",\"pass\":\"{password}\""))
}

async fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(since.elapsed() < SOON, "{what}");
        tokio::time::sleep(POLL).await;
    }
}

#[tokio::test]
async fn only_who_can_read_the_data_directory_gets_in() {
    let directory = closed();
    let managed = start(directory.path()).await;
    let (_, _, place) = parts(managed.address());
    assert!(place.starts_with("127.0.0.1:"), "{place}");
    assert_eq!(greet_by(managed.address()).as_deref(), Some("PONG"));
    for credentials in ["", ",\"user\":\"palaver\",\"pass\":\"\"", ",\"auth_token\":\"palaver\""] {
        let answer = greet(&place, credentials).unwrap();
        assert!(answer.contains("Authorization Violation"), "{answer}");
    }

    let server = fs::metadata(format!("/proc/{}", managed.pid().unwrap())).unwrap();
    assert_ne!(server.uid(), 0);
    for (path, mode) in [("nats", 0o700), ("nats/nats.conf", 0o600), ("nats/url", 0o600), ("nats/nats.log", 0o600)] {
        let metadata = fs::metadata(directory.path().join(path)).unwrap();
        assert_eq!((metadata.uid(), metadata.mode() & 0o777), (server.uid(), mode), "{path}");
    }
    // Nothing but the one address: no monitoring, no cluster.
    let inodes = listening(managed.pid().unwrap());
    assert_eq!(inodes, [place]);
    managed.stop().await.unwrap();
}

/// The IPv4 addresses that a process listens at; IPv6 ones are told as they stand in the kernel's table.
fn listening(pid: i32) -> Vec<String> {
    const LISTENS: &str = "0A";
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()?.to_str().map(str::to_owned))
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields[3] == LISTENS && sockets.iter().any(|inode| inode == fields[9]) {
                let (host, port) = fields[1].split_once(':').unwrap();
                let host = if host == "0100007F" { "127.0.0.1" } else { host };
                found.push(format!("{host}:{}", u16::from_str_radix(port, 16).unwrap()));
            }
        }
    }
    found
}

#[tokio::test]
async fn clients_find_it_where_it_was_after_a_stop() {
    let directory = passable();
    let first = start(directory.path()).await;
    let (address, pid) = (first.address().clone(), first.pid().unwrap());
    assert_eq!(ManagedNats::attach(directory.path()).unwrap(), Some(address.clone()));
    first.stop().await.unwrap();
    assert!(!is_alive(pid));
    assert_eq!(ManagedNats::attach(directory.path()).unwrap(), None);

    let second = start(directory.path()).await;
    assert_eq!(*second.address(), address);
    assert_eq!(greet_by(&address).as_deref(), Some("PONG"));
    second.stop().await.unwrap();

    // Somebody else has taken the port meanwhile.
    let (_, password, place) = parts(&address);
    let squatter = TcpListener::bind(&place).unwrap();
    let third = start(directory.path()).await;
    let (_, same_password, other_place) = parts(third.address());
    assert_eq!(same_password, password);
    assert_ne!(other_place, place);
    assert_eq!(greet_by(third.address()).as_deref(), Some("PONG"));
    assert_eq!(ManagedNats::attach(directory.path()).unwrap().as_ref(), Some(third.address()));
    third.stop().await.unwrap();
    drop(squatter);
}

#[tokio::test]
async fn a_second_start_on_the_same_directory_is_refused() {
    let directory = passable();
    let first = start(directory.path()).await;
    let (error, message) = start_error(options(directory.path())).await;
    let ManagedError::InUse { pid, .. } = error else { panic!("{message}") };
    assert_eq!(pid, Some(std::process::id()));
    assert!(message.contains("--data"), "{message}");
    assert_eq!(greet_by(first.address()).as_deref(), Some("PONG"));
    first.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_it_stops_the_server() {
    let directory = passable();
    let managed = start(directory.path()).await;
    let pid = managed.pid().unwrap();
    drop(managed);
    wait_for("the server outlives its handle", || (!is_alive(pid)).then_some(())).await;
    start(directory.path()).await.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_server_comes_back_where_it_was() {
    let directory = passable();
    let managed = start(directory.path()).await;
    for _ in 0..3 {
        let pid = managed.pid().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        let again = wait_for("it is not started again", || managed.pid().filter(|again| *again != pid)).await;
        assert!(!is_alive(pid) && is_alive(again));
        assert_eq!(greet_by(managed.address()).as_deref(), Some("PONG"));
    }
    let pid = managed.pid().unwrap();
    managed.stop().await.unwrap();
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn it_can_be_stopped_while_it_is_down() {
    let directory = passable();
    let managed = start(directory.path()).await;
    let (_, _, place) = parts(managed.address());
    let mut squatter = None;
    // Whoever takes its port keeps it from coming back.
    let pid = managed.pid().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    let taken = wait_for("its port is not free", || {
        squatter = TcpListener::bind(&place).ok();
        (squatter.is_some() || managed.pid().is_some_and(|again| again != pid)).then_some(squatter.is_some())
    })
    .await;
    assert!(taken, "it was back before its port could be taken");
    tokio::time::timeout(SOON, managed.stop()).await.unwrap().unwrap();
    drop(squatter);
    start(directory.path()).await.stop().await.unwrap();
}

/// Starts nats-server, writes down its pid, and waits to be killed.
#[tokio::test]
#[ignore = "the body of a process that other tests start and kill"]
async fn owner() {
    let directory = PathBuf::from(env::var_os(OWNED_DIRECTORY).unwrap());
    let managed = start(&directory).await;
    fs::write(directory.join("written"), managed.pid().unwrap().to_string()).unwrap();
    fs::rename(directory.join("written"), directory.join("started")).unwrap();
    std::future::pending::<()>().await;
}

async fn owned_pid(directory: &Path) -> i32 {
    let started = directory.join("started");
    let pid = wait_for("the owner starts nothing", || fs::read_to_string(&started).ok()?.parse().ok()).await;
    fs::remove_file(started).unwrap();
    pid
}

#[tokio::test]
async fn a_killed_owner_takes_its_server_along_and_the_next_start_needs_no_help() {
    let directory = passable();
    for _ in 0..3 {
        let mut owner = Process::owner(OWNER, directory.path());
        let pid = owned_pid(directory.path()).await;
        let (error, message) = start_error(options(directory.path())).await;
        assert!(matches!(error, ManagedError::InUse { pid: Some(_), .. }), "{message}");
        owner.kill();
        // At once, whatever is left of the one before.
        let managed = start(directory.path()).await;
        assert!(!is_alive(pid), "the old server lives beside the new one");
        assert_eq!(greet_by(managed.address()).as_deref(), Some("PONG"));
        managed.stop().await.unwrap();
    }
    let mut owner = Process::owner(OWNER, directory.path());
    let pid = owned_pid(directory.path()).await;
    owner.kill();
    wait_for("the server outlives its owner", || (!is_alive(pid)).then_some(())).await;
}

#[tokio::test]
async fn a_server_that_was_left_running_is_ended_first() {
    let directory = passable();
    let first = start(directory.path()).await;
    let (address, home) = (first.address().clone(), directory.path().join("nats"));
    let server = fs::read_link(format!("/proc/{}/exe", first.pid().unwrap())).unwrap();
    first.stop().await.unwrap();

    // One that nobody owns, as if the signal on its owner's death had been lost.
    let mut orphan = Command::new(&server);
    orphan.args(["--config", "nats.conf"]).current_dir(&home).stdout(Stdio::null()).stderr(Stdio::null());
    if geteuid().is_root() {
        let user = fs::metadata(&home).unwrap();
        orphan.uid(user.uid()).gid(user.gid());
    }
    let mut orphan = Process(orphan.spawn().unwrap());
    let log = home.join("nats.log");
    wait_for("the orphan does not listen", || listening(orphan.0.id().cast_signed()).first().cloned()).await;
    assert!(log.exists());

    // An orphan of a killed process is reaped by init; this one is by us.
    let (next, ended) = tokio::join!(
        start(directory.path()),
        tokio::task::spawn_blocking(move || {
            let status = orphan.0.wait().unwrap();
            std::mem::forget(orphan);
            status
        })
    );
    assert!(ended.unwrap().success(), "it ends well");
    assert_eq!(*next.address(), address);
    assert_eq!(greet_by(&address).as_deref(), Some("PONG"));
    next.stop().await.unwrap();
}

#[tokio::test]
async fn a_program_that_is_none_is_named_in_the_error_and_an_unreadable_address_is_made_anew() {
    let directory = passable();
    let program = directory.path().join("nats-server");
    let wrong = NatsOptions { program: Some(program.clone()), ..options(directory.path()) };
    let (error, message) = start_error(wrong).await;
    assert!(matches!(error, ManagedError::BadNatsServer { .. }), "{message}");
    assert!(message.contains(&*program.to_string_lossy()) && message.contains("PALAVER_NATS_SERVER"), "{message}");

    // The failed start keeps nothing locked.
    let managed = start(directory.path()).await;
    let address = managed.address().clone();
    managed.stop().await.unwrap();
    fs::write(directory.path().join("nats/url"), "nats://palaver:sesame@127.0.0.1:4222\n").unwrap();
    let managed = start(directory.path()).await;
    assert_ne!(parts(managed.address()).1, parts(&address).1);
    assert_eq!(greet_by(managed.address()).as_deref(), Some("PONG"));
    managed.stop().await.unwrap();
}

#[tokio::test]
async fn a_failure_of_the_server_shows_the_end_of_its_log() {
    let directory = passable();
    start(directory.path()).await.stop().await.unwrap();
    // JetStream wants a directory there.
    let store = directory.path().join("nats/jetstream");
    fs::remove_dir_all(&store).unwrap();
    fs::write(&store, "").unwrap();
    let (error, message) = start_error(options(directory.path())).await;
    let ManagedError::Exited { tail, .. } = &error else { panic!("{message}") };
    assert!(tail.contains("not a directory"), "{message}");
}
