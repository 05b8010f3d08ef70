//! A consumer of the event stream as anybody would write it with a plain client of NATS: a durable pull consumer that
//! keeps what it has seen, then acknowledges it, and knows by its id what comes again. It runs in a process of its own,
//! so that it can be killed at any moment.

use std::{
    collections::HashSet,
    env, fs,
    fs::{File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, pull},
};
use futures::StreamExt;

use crate::{nats::connect, place::fresh_path};

const SERVERS: &str = "PALAVER_TEST_CONSUMER_SERVERS";
const FILE: &str = "PALAVER_TEST_CONSUMER_FILE";
const NAME: &str = "analytics";
/// A message that was not acknowledged comes again after this.
const ACK_WAIT: Duration = Duration::from_secs(1);
const PULL_EXPIRES: Duration = Duration::from_secs(2);
const HEARTBEAT: Duration = Duration::from_millis(500);
const RETRY: Duration = Duration::from_millis(100);

/// A process that consumes, ended with this value.
#[derive(Debug)]
pub struct ConsumerProcess {
    test: &'static str,
    servers: Vec<String>,
    file: PathBuf,
    running: Option<Child>,
}

impl ConsumerProcess {
    /// `test` is the ignored test of this binary that is the process's body: it calls [`consume`].
    pub fn start(test: &'static str, servers: &[String]) -> Self {
        let mut process = Self { test, servers: servers.to_vec(), file: fresh_path("consumed"), running: None };
        process.restart();
        process
    }

    /// It goes on where it was.
    pub fn restart(&mut self) {
        assert!(self.running.is_none(), "it is still running");
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([self.test, "--exact", "--ignored", "--nocapture"]);
        command.env(SERVERS, self.servers.join(",")).env(FILE, &self.file);
        self.running = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
    }

    /// SIGKILL: no goodbye.
    pub fn kill9(&mut self) {
        let mut child = self.running.take().expect("it is running");
        assert!(child.try_wait().unwrap().is_none(), "the consumer has ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// The ids of the events it has, each once, in the order in which they came.
    pub fn consumed(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        // What has no end of line is being written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(str::to_owned).collect()
    }
}

impl Drop for ConsumerProcess {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            // It may have ended by itself.
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// The body of the process. Never returns.
pub async fn consume(stream: &str) {
    let servers: Vec<String> = env::var(SERVERS).unwrap().split(',').map(str::to_owned).collect();
    let mut kept = Kept::open(env::var_os(FILE).unwrap().into());
    loop {
        // NATS may be away, or the stream not yet be made.
        if let Err(error) = session(&servers, stream, &mut kept).await {
            eprintln!("consumer: {error}");
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Consumes until something goes wrong.
async fn session(servers: &[String], stream: &str, kept: &mut Kept) -> Result<(), async_nats::Error> {
    let client = connect(servers).await?;
    let stream = jetstream::new(client).get_stream(stream).await?;
    let config = pull::Config {
        durable_name: Some(NAME.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        // One at a time: otherwise what comes again after a kill would come behind what was never sent.
        max_ack_pending: 1,
        ..pull::Config::default()
    };
    let consumer = stream.get_or_create_consumer(NAME, config).await?;
    let mut messages = consumer.stream().expires(PULL_EXPIRES).heartbeat(HEARTBEAT).messages().await?;
    while let Some(message) = messages.next().await {
        let message = message?;
        let id =
            message.headers.as_ref().and_then(|headers| headers.get("Nats-Msg-Id")).ok_or("an event without id")?;
        kept.keep(id.as_str());
        message.ack().await?;
    }
    Ok(())
}

/// What the consumer has seen, in a file.
struct Kept {
    file: File,
    ids: HashSet<String>,
}

impl Kept {
    fn open(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap_or_default();
        // A kill may have cut the last line; its event was not acknowledged, and comes again.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(path).unwrap();
        file.set_len(whole as u64).unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        Self { file, ids: text[..whole].lines().map(str::to_owned).collect() }
    }

    fn keep(&mut self, id: &str) {
        if self.ids.insert(id.to_owned()) {
            self.file.write_all(format!("{id}\n").as_bytes()).unwrap();
        }
    }
}
