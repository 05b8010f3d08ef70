//! The real binary, started, killed and stopped as an operator or a bad day would.

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
    sync::LazyLock,
    time::Duration,
};

use palaver_eventstore::managed::{ManagedOptions, ManagedPostgres};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::{PgPool, postgres::PgConnectOptions, postgres::PgPoolOptions};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::{
    Account, Client, Endpoint, TestDatabase, eventually_within, fresh_database,
    place::{fresh_path, target_directory},
};

/// How long a start, with or without a PostgreSQL of its own, and a stop may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Lines of its log that are shown when a test fails.
const LOG_LINES_SHOWN: usize = 80;

/// Settings under which nothing takes long or is limited. Those of a test come after, and so win.
const SETTINGS: [(&str, &str); 11] = [
    ("listen", "127.0.0.1:0"),
    ("pool-size", "6"),
    ("publisher-poll-ms", "50"),
    ("network-call-timeout-ms", "500"),
    ("outcome-settle-ms", "300"),
    ("log-format", "json"),
    ("log", "info"),
    ("rate-limit-per-credential", "0"),
    ("rate-limit-per-tenant", "0"),
    ("rate-limit-mkt-x-per-tenant", "0"),
    ("rate-limit-per-address", "0"),
];

static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
    if let Some(binary) = env::var_os("PALAVER_BIN") {
        return binary.into();
    }
    let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "-p", "palaver-api", "--bin", "palaver"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the binary can not be built");
    target_directory().join("debug/palaver")
});

/// What a service stores its things in.
#[derive(Debug)]
enum Storage {
    Database(Box<TestDatabase>),
    /// A data directory, with a PostgreSQL of the service's own.
    Private(TempDir),
}

/// How to start a service.
#[derive(Debug)]
pub struct ServiceOptions {
    command: &'static str,
    storage: Option<Storage>,
    settings: Vec<(String, String)>,
    /// What is added to its environment, or taken out of it.
    environment: Vec<(String, Option<String>)>,
    demo: bool,
}

/// A running service, ended with this value. Its log is shown when the test fails.
#[derive(Debug)]
pub struct Service {
    options: ServiceOptions,
    endpoint: Endpoint,
    running: Option<Child>,
    ready: Value,
    log: PathBuf,
}

/// A service that ended by itself.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// Of every service on a database of its own, so that several can share one.
pub const MASTER_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

impl ServiceOptions {
    /// `up`, `serve` or `work`; the last two need a database that somebody migrated.
    pub fn new(command: &'static str) -> Self {
        Self { command, storage: None, settings: Vec::new(), environment: Vec::new(), demo: false }
    }

    /// On a database that the test has, rather than one of its own.
    pub fn on(mut self, database: &TestDatabase) -> Self {
        self.storage = Some(Storage::Database(Box::new(database.clone())));
        self
    }

    /// With a data directory and a private PostgreSQL in it.
    pub fn private(mut self) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // PostgreSQL's user must be able to pass.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).unwrap();
        self.storage = Some(Storage::Private(directory));
        self
    }

    /// On a data directory that somebody has filled.
    pub fn below(mut self, directory: TempDir) -> Self {
        self.storage = Some(Storage::Private(directory));
        self
    }

    /// A setting by its flag's name, such as `read-wait-ms`.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With the demo in its log; `demo.json` is in the data directory.
    pub fn with_demo(mut self) -> Self {
        self.demo = true;
        self
    }

    /// A variable of its environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), Some(value.to_owned())));
        self
    }

    /// Without a variable that the test has.
    pub fn without_variable(mut self, name: &str) -> Self {
        self.environment.push((name.to_owned(), None));
        self
    }

    pub async fn start(mut self) -> Service {
        if self.storage.is_none() {
            self.storage = Some(Storage::Database(Box::new(fresh_database().await)));
        }
        let (endpoint, log) = (Endpoint::default(), fresh_path("service.log"));
        let mut service = Service { options: self, endpoint, running: None, ready: Value::Null, log };
        service.restart().await;
        service
    }
}

impl Service {
    /// Everything in one process, on a database of its own.
    pub async fn up() -> Self {
        ServiceOptions::new("up").start().await
    }

    /// Everything in one process, PostgreSQL included.
    pub async fn up_private() -> Self {
        ServiceOptions::new("up").private().start().await
    }

    /// Starts it again on the same storage, when it is not running. Clients find it where it is then.
    pub async fn restart(&mut self) {
        assert!(self.running.is_none(), "it is still running");
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut command = self.command(self.options.command);
        if self.options.demo {
            command.arg("--demo");
        }
        command.stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("the binary runs");
        let stdout = child.stdout.take().unwrap();
        self.running = Some(child);
        // `work` has nothing to say; it is ready when it has a lease, which is for its tests to find out.
        if self.options.command != "work" {
            match tokio::time::timeout(PATIENCE, first_line(stdout)).await {
                Ok(Some(line)) => {
                    self.ready = ready(&line);
                    self.endpoint.moved(self.ready["url"].as_str().expect("it tells its URL"));
                }
                Ok(None) => panic!("the service ended before it was ready"),
                Err(_) => panic!("the service is not ready within {PATIENCE:?}"),
            }
        }
    }

    /// Tries to start another process on the same storage, which is expected to end by itself.
    pub async fn start_another(&self) -> Ended {
        self.tool_output(&[self.options.command]).await
    }

    /// Runs another command of the binary on the same storage; must succeed. Returns what it printed.
    pub async fn tool(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "palaver {}: {}\n{stderr}", arguments.join(" "), output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, with something on its stdin.
    pub async fn tool_fed(&self, arguments: &[&str], input: &[u8]) -> String {
        let file = fresh_path("stdin");
        fs::write(&file, input).unwrap();
        let output = self.run_with(arguments, File::open(&file).unwrap().into()).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "palaver {}: {}\n{stderr}", arguments.join(" "), output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, when it is expected to fail.
    pub async fn tool_output(&self, arguments: &[&str]) -> Ended {
        let output = self.run(arguments).await;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ended { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// A command that goes on until it is told to end, with its output to be read.
    pub fn start_tool(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments[0]);
        command.args(&arguments[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        command.spawn().expect("the binary runs")
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, Stdio::null()).await
    }

    async fn run_with(&self, arguments: &[&str], stdin: Stdio) -> Output {
        let mut command = self.command(arguments[0]);
        command.args(&arguments[1..]).stdin(stdin);
        let run = tokio::task::spawn_blocking(move || command.output().expect("the binary runs"));
        tokio::time::timeout(PATIENCE, run).await.expect("a command ends").unwrap()
    }

    fn command(&self, command: &str) -> Command {
        let mut line = Command::new(&*BINARY);
        line.arg(command);
        match self.options.storage.as_ref().unwrap() {
            Storage::Database(database) => {
                if !self.options.settings.iter().any(|(name, _)| name.starts_with("nats-")) {
                    // Services that share a database share this process's folder, too.
                    line.args(["--nats-server", "none"]);
                }
                line.args(["--database-url", &database.url]).env("PALAVER_MASTER_KEY", MASTER_KEY)
            }
            // A fork's own directory is the new one.
            Storage::Private(directory) if command == "fork" => line.arg("--source").arg(directory.path()),
            Storage::Private(directory) => line.arg("--data").arg(directory.path()),
        };
        let given: Vec<&str> = self.options.settings.iter().map(|(name, _)| name.as_str()).collect();
        for (name, value) in SETTINGS.iter().filter(|(name, _)| !given.contains(name)) {
            line.arg(format!("--{name}")).arg(value);
        }
        for (name, value) in &self.options.settings {
            line.arg(format!("--{name}")).arg(value);
        }
        for (name, value) in &self.options.environment {
            match value {
                Some(value) => line.env(name, value),
                None => line.env_remove(name),
            };
        }
        line
    }

    /// SIGKILL: no goodbye. The service can be restarted afterwards.
    pub fn kill9(&mut self) {
        let mut child = self.running.take().expect("it is running");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM, without waiting for what follows.
    pub fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    /// SIGTERM: the service must end in good order. It can be restarted afterwards.
    pub async fn stop(&mut self) {
        self.terminate();
        self.ended_well().await;
    }

    /// Waits for the end of a service that was told to stop.
    pub async fn ended_well(&mut self) {
        let mut child = self.running.take().expect("it is running");
        let status = eventually_within(PATIENCE, "the service's end", || {
            let status = child.try_wait().unwrap();
            async move { status }
        })
        .await;
        assert_eq!(status.code(), Some(0), "it was to end well");
    }

    fn pid(&self) -> Pid {
        let child = self.running.as_ref().expect("it is running");
        Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
    }

    /// What it said when it was ready.
    pub fn ready(&self) -> &Value {
        &self.ready
    }

    /// Where clients reach it.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Somebody without a token.
    pub fn anonymous(&self) -> Client {
        Client::new(self.endpoint.clone(), None, None)
    }

    /// The data directory of a service that has one.
    pub fn data(&self) -> &Path {
        match self.options.storage.as_ref().unwrap() {
            Storage::Private(directory) => directory.path(),
            Storage::Database(_) => panic!("it has no data directory"),
        }
    }

    /// A new account with an administrator, known to the service when this returns. A worker must be running.
    pub async fn account(&self, name: &str) -> Account {
        Account::register(self.connect_options().await, self.endpoint.clone(), name).await
    }

    /// Its database. A private one is there only while the service runs.
    pub async fn connect_options(&self) -> PgConnectOptions {
        match self.options.storage.as_ref().unwrap() {
            Storage::Database(database) => database.options.clone(),
            Storage::Private(directory) => {
                let options = ManagedOptions { directory: directory.path().to_owned(), binaries: None };
                ManagedPostgres::attach(&options).await.unwrap().expect("its PostgreSQL runs")
            }
        }
    }

    /// A few connections to its database; read models are found.
    pub async fn pool(&self) -> PgPool {
        let options = self.connect_options().await.options([("search_path", "public,read_model")]);
        PgPoolOptions::new().max_connections(2).connect_with(options.application_name("test")).await.unwrap()
    }

    /// Everything it logged, since its first start.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            // It may have ended by itself.
            let _gone = child.kill();
            let _reaped = child.wait();
        }
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let shown = lines.get(lines.len().saturating_sub(LOG_LINES_SHOWN)..).unwrap_or_default();
            eprintln!("the end of {}:\n{}", self.log.display(), shown.join("\n"));
        }
    }
}

/// The first line on stdout; `None` when there is none. What follows is read and dropped, so that nobody waits.
async fn first_line(stdout: ChildStdout) -> Option<String> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines();
        if let Some(Ok(line)) = lines.next() {
            drop(tell.send(line));
        }
        lines.for_each(drop);
    });
    told.await.ok()
}

fn ready(line: &str) -> Value {
    let ready: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not the line of readiness: {line}"));
    assert_eq!(ready["ready"], true, "{line}");
    ready
}
