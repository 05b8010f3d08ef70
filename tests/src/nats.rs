//! NATS as others run it: one nats-server with JetStream, or a cluster of three, on loopback, to be killed and started
//! again on the same data and ports.

use std::{
    env,
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
    time::{Duration, Instant},
};

use async_nats::{
    Client, ConnectError, ConnectOptions,
    jetstream::{self, consumer::pull::OrderedConfig},
};
use futures::StreamExt;
use palaver_eventstore::managed::{ManagedNats, NatsOptions};
use serde_json::{Value, json};

use crate::{
    eventually_within,
    place::{fresh_path, place},
};

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// Times that other ports are tried: somebody may take one between the choice and the start.
const ATTEMPTS: usize = 5;
const NODES: usize = 3;
/// Asks for a password, so that what the tests see holds for servers that do.
const USER: &str = "test";
const PASSWORD: &str = "sesame";

/// The same as `palaver up` would take.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = env::var_os("PALAVER_NATS_SERVER").map(PathBuf::from);
    let options = NatsOptions { directory: place().to_owned(), program };
    ManagedNats::find_program(&options).unwrap_or_else(|error| panic!("this test needs a nats-server: {error}"))
});

/// The directory of the nats-server that tests use.
pub fn nats_program_directory() -> &'static Path {
    PROGRAM.parent().expect("a program is in a directory")
}

/// A nats-server with JetStream, ended with this value.
#[derive(Debug)]
pub struct NatsServer {
    name: String,
    port: u16,
    directory: PathBuf,
    running: Option<Child>,
}

impl NatsServer {
    pub async fn start() -> Self {
        for _ in 0..ATTEMPTS {
            let [port] = free_ports();
            let mut server = Self::new("single", port, None);
            server.spawn();
            if server.is_up().await {
                return server;
            }
        }
        panic!("nats-server does not start; see its log below {}", place().display());
    }

    fn new(name: &str, port: u16, cluster: Option<Value>) -> Self {
        let directory = fresh_path("nats");
        fs::create_dir_all(&directory).unwrap();
        let mut config = json!({
            "server_name": name,
            "host": "127.0.0.1",
            "port": port,
            "authorization": { "user": USER, "password": PASSWORD },
            "jetstream": { "store_dir": "." },
        });
        if let Some(cluster) = cluster {
            config["cluster"] = cluster;
        }
        fs::write(directory.join("nats.conf"), config.to_string()).unwrap();
        Self { name: name.to_owned(), port, directory, running: None }
    }

    fn spawn(&mut self) {
        assert!(self.running.is_none(), "it is still running");
        let log = File::options().create(true).append(true).open(self.directory.join("log")).unwrap();
        let mut command = Command::new(&*PROGRAM);
        command.args(["--config", "nats.conf"]).current_dir(&self.directory);
        self.running = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    /// Whether it comes to answer; otherwise it has ended by itself, as it does when its port is taken.
    async fn is_up(&mut self) -> bool {
        let since = Instant::now();
        loop {
            let child = self.running.as_mut().expect("it was started");
            if child.try_wait().unwrap().is_some() {
                self.running = None;
                return false;
            }
            if connect(&[self.url()]).await.is_ok() {
                return true;
            }
            assert!(since.elapsed() < PATIENCE, "nats-server {} does not answer", self.name);
            tokio::time::sleep(POLL).await;
        }
    }

    /// With user and password.
    pub fn url(&self) -> String {
        format!("nats://{USER}:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    /// SIGKILL: no goodbye.
    pub fn kill9(&mut self) {
        let mut child = self.running.take().expect("it is running");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// On the same data and port as before.
    pub async fn restart(&mut self) {
        // Whoever has its port goes away again.
        let since = Instant::now();
        loop {
            self.spawn();
            if self.is_up().await {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "nats-server {} does not come back", self.name);
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.kill9();
        }
        if std::thread::panicking() {
            eprintln!("the log of nats-server {} is {}", self.name, self.directory.join("log").display());
        }
    }
}

/// Three of them as one cluster.
#[derive(Debug)]
pub struct NatsCluster {
    pub nodes: Vec<NatsServer>,
}

impl NatsCluster {
    pub async fn start() -> Self {
        for _ in 0..ATTEMPTS {
            let ports: [u16; 2 * NODES] = free_ports();
            let (clients, routes) = ports.split_at(NODES);
            let nodes = clients.iter().enumerate().map(|(node, port)| {
                let others = (0..NODES).filter(|other| *other != node);
                let cluster = json!({
                    "name": "test",
                    "host": "127.0.0.1",
                    "port": routes[node],
                    "routes": others.map(|other| format!("nats://127.0.0.1:{}", routes[other])).collect::<Vec<_>>(),
                });
                NatsServer::new(&format!("node-{}", node + 1), *port, Some(cluster))
            });
            let mut cluster = Self { nodes: nodes.collect() };
            cluster.nodes.iter_mut().for_each(NatsServer::spawn);
            let mut up = true;
            for node in &mut cluster.nodes {
                up &= node.is_up().await;
            }
            if up {
                cluster.agrees().await;
                return cluster;
            }
        }
        panic!("a cluster does not start; see the logs below {}", place().display());
    }

    /// Waits until JetStream has a leader.
    async fn agrees(&self) {
        let client = connect(&self.urls()).await.unwrap();
        eventually_within(PATIENCE, "JetStream's leader", || async {
            jetstream::new(client.clone()).query_account().await.ok()
        })
        .await;
    }

    /// All addresses, with user and password.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(NatsServer::url).collect()
    }

    /// The node that leads a stream.
    pub async fn leader_of(&mut self, stream: &str) -> &mut NatsServer {
        let client = connect(&self.urls()).await.unwrap();
        let leader = eventually_within(PATIENCE, "the stream's leader", || async {
            let mut stream = jetstream::new(client.clone()).get_stream(stream).await.ok()?;
            stream.info().await.ok()?.cluster.as_ref()?.leader.clone()
        })
        .await;
        self.nodes.iter_mut().find(|node| node.name == leader).expect("it is one of ours")
    }
}

/// An event as it stands in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamedEvent {
    pub event_id: String,
    pub subject: String,
    pub event: Value,
}

/// Everything a stream holds, from its first message to its last; read by a consumer that JetStream keeps in order.
pub async fn streamed(servers: &[String], stream: &str) -> Vec<StreamedEvent> {
    let client = connect(servers).await.unwrap();
    let mut stream = jetstream::new(client).get_stream(stream).await.unwrap();
    let count = usize::try_from(stream.info().await.unwrap().state.messages).unwrap();
    let consumer = stream.create_consumer(OrderedConfig::default()).await.unwrap();
    let mut messages = consumer.messages().await.unwrap().take(count);
    let mut events = Vec::with_capacity(count);
    while let Some(message) = tokio::time::timeout(PATIENCE, messages.next()).await.expect("the stream goes on") {
        let message = message.unwrap();
        let id = message.headers.as_ref().and_then(|headers| headers.get("Nats-Msg-Id"));
        events.push(StreamedEvent {
            event_id: id.expect("it names its event").to_string(),
            subject: message.subject.to_string(),
            event: serde_json::from_slice(&message.payload).unwrap(),
        });
    }
    events
}

/// A plain client of the cluster at these addresses, with the user and password of the first: the client takes none from
/// an address.
pub(crate) async fn connect(servers: &[String]) -> Result<Client, ConnectError> {
    let first = servers.first().and_then(|server| server.strip_prefix("nats://")?.split_once('@'));
    let (user, password) = first.and_then(|(who, _)| who.split_once(':')).expect("an address with user and password");
    ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned()).connect(servers).await
}

/// Ports that are free now, all different.
fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let listeners = std::array::from_fn::<_, COUNT, _>(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
