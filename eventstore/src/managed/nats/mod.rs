//! A private nats-server with JetStream, for running without a cluster of NATS. It listens on the loopback address
//! alone, and asks for a password that only the owner of the data directory can read. One that ends is started again,
//! on the same port, for as long as its owner runs: unlike the database, nothing but the relay depends on it, and the
//! relay waits.

mod address;
mod files;
mod program;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use self::address::NatsAddress;
use self::{
    files::{CONFIG, Files},
    program::Candidates,
};
use super::{
    ManagedError, POLL, Server,
    account::Account,
    blocking,
    child::{self, Child},
    home::Home,
};
use crate::ids::{Ids, SystemIds};

/// Includes reading what JetStream holds.
const READY_MAX: Duration = Duration::from_secs(60);
/// Between the end of one and the start of the next; doubled each time.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// One that has run for so long has not failed because of how it was started.
const STEADY: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub struct NatsOptions {
    /// The data directory; nats-server's files go to its subfolder `nats`.
    pub directory: PathBuf,
    /// The program (`PALAVER_NATS_SERVER`), when it is not to be searched for.
    pub program: Option<PathBuf>,
}

/// A running private nats-server, this process's own. Call [`stop`](Self::stop) when done; dropping it stops it too.
pub struct ManagedNats {
    address: NatsAddress,
    pid: watch::Receiver<Option<i32>>,
    stop: CancellationToken,
    supervisor: JoinHandle<Result<(), ManagedError>>,
}

impl ManagedNats {
    /// Starts nats-server on the directory, making what is missing, and returns when it takes connections. From then on
    /// it is watched: when it ends, it is started again.
    ///
    /// One process at a time owns a directory: the next gets [`ManagedError::InUse`]. Whatever an earlier process that
    /// was killed left running is ended first. Without any program to run, nothing is made, and the error is
    /// [`ManagedError::NoNatsServer`].
    pub async fn start(options: NatsOptions) -> Result<Self, ManagedError> {
        let (launcher, remembered) = blocking(move || Launcher::new(&options)).await?;
        if let Some(pid) = launcher.files.pid()? {
            let home = &launcher.files.home.path;
            child::end_leftover(Server::Nats, pid, home, &launcher.files.pid_file()).await?;
        }
        let password = remembered.as_ref().map_or_else(|| SystemIds.secret(), |address| address.password().to_owned());
        let (child, port) = launcher.first_launch(remembered.map(|address| address.port()), &password).await?;
        let address = NatsAddress::new(port, &password);
        launcher.files.write_address(&address)?;
        let (pid_sender, pid) = watch::channel(Some(raw(&child)));
        let stop = CancellationToken::new();
        let supervisor = Supervisor { launcher, port, password, pid: pid_sender, stop: stop.clone() };
        Ok(Self { address, pid, stop, supervisor: tokio::spawn(supervisor.run(child)) })
    }

    /// The program that would be run.
    pub fn find_program(options: &NatsOptions) -> Result<PathBuf, ManagedError> {
        let account = Account::for_paths([options.directory.as_path()]);
        Candidates::look(options.program.as_deref())?.choose(account)
    }

    /// Where it listens and how clients get in. It stays the same for as long as this process runs, and is tried again
    /// by the next one on the directory.
    pub fn address(&self) -> &NatsAddress {
        &self.address
    }

    /// The server's process id, for the log; `None` while there is none.
    pub fn pid(&self) -> Option<i32> {
        *self.pid.borrow()
    }

    /// Returns when the server is gone and the directory free.
    pub async fn stop(mut self) -> Result<(), ManagedError> {
        self.stop.cancel();
        (&mut self.supervisor).await.map_err(|error| ManagedError::Interrupted(error.to_string()))?
    }

    /// How to reach the nats-server that another process runs on this directory; `None` when none does.
    pub fn attach(directory: &Path) -> Result<Option<NatsAddress>, ManagedError> {
        let Some(home) = Home::existing(directory, Server::Nats)? else { return Ok(None) };
        let files = Files { home };
        let Some(pid) = files.pid()? else { return Ok(None) };
        let alive = child::works_in(pid, Server::Nats, &files.home.path)
            .map_err(ManagedError::io("look at the process named in", &files.pid_file()))?;
        if alive { files.address() } else { Ok(None) }
    }
}

impl Drop for ManagedNats {
    fn drop(&mut self) {
        // The child is dropped with its task, and ended thereby.
        self.supervisor.abort();
    }
}

fn raw(child: &Child) -> i32 {
    child.pid().as_raw_nonzero().get()
}

/// A directory that is ours, and the program to serve it with.
struct Launcher {
    files: Files,
    program: PathBuf,
    lock: Arc<File>,
}

enum Launched {
    Ready(Child, u16),
    /// Somebody else listens on the port that was asked for.
    PortTaken(ManagedError),
}

impl Launcher {
    fn new(options: &NatsOptions) -> Result<(Self, Option<NatsAddress>), ManagedError> {
        let candidates = Candidates::look(options.program.as_deref())?;
        let home = Home::prepare(&options.directory, Server::Nats)?;
        let lock = Arc::new(home.lock()?);
        let program = candidates.choose(home.account)?;
        let files = Files { home };
        let remembered = files.address()?;
        Ok((Self { files, program, lock }, remembered))
    }

    /// On the port of the last time if it is still free, so that clients find it where it was.
    async fn first_launch(&self, port: Option<u16>, password: &str) -> Result<(Child, u16), ManagedError> {
        match self.launch(port, password).await? {
            Launched::Ready(child, port) => Ok((child, port)),
            Launched::PortTaken(_) => match self.launch(None, password).await? {
                Launched::Ready(child, port) => Ok((child, port)),
                Launched::PortTaken(error) => Err(error),
            },
        }
    }

    /// Starts the server and waits until it listens.
    async fn launch(&self, port: Option<u16>, password: &str) -> Result<Launched, ManagedError> {
        let (files, home) = (&self.files, &self.files.home);
        files.forget_ports()?;
        files.write_config(port, password)?;
        let log = home.open_log()?;
        let log_start = log.metadata().map_err(ManagedError::io("look at", &home.log))?.len();
        let mut command = home.account.command(&self.program, Signal::TERM);
        command.current_dir(&home.path).args(["--config", CONFIG]).stderr(log);
        let since = Instant::now();
        let child = Child::spawn(Server::Nats, command, &home.path, Arc::clone(&self.lock)).await?;
        loop {
            if let Some(port) = files.port(child.pid())? {
                return Ok(Launched::Ready(child, port));
            }
            if let Some(how) = child.has_ended() {
                let tail = home.log_tail(log_start);
                let taken = tail.contains("address already in use");
                let error = ManagedError::Exited { server: Server::Nats, how, log: home.log.clone(), tail };
                return if taken { Ok(Launched::PortTaken(error)) } else { Err(error) };
            }
            if since.elapsed() > READY_MAX {
                child.stop().await?;
                let (seconds, log) = (READY_MAX.as_secs(), home.log.clone());
                return Err(ManagedError::NotReady { server: Server::Nats, seconds, log });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Keeps a server running until it is told to stop.
struct Supervisor {
    launcher: Launcher,
    port: u16,
    password: String,
    pid: watch::Sender<Option<i32>>,
    stop: CancellationToken,
}

impl Supervisor {
    async fn run(self, mut child: Child) -> Result<(), ManagedError> {
        let mut backoff = BACKOFF_MIN;
        loop {
            let since = Instant::now();
            let Some(how) = self.stop.run_until_cancelled(child.ended()).await else {
                return child.stop().await;
            };
            self.pid.send_replace(None);
            let log = self.launcher.files.home.log.display();
            tracing::error!(how, %log, "the private nats-server has ended; it is started again");
            if since.elapsed() > STEADY {
                backoff = BACKOFF_MIN;
            }
            let Some(again) = self.stop.run_until_cancelled(self.start_again(&mut backoff)).await else {
                return Ok(());
            };
            child = again;
            self.pid.send_replace(Some(raw(&child)));
            tracing::info!(pid = raw(&child), "private nats-server is running again");
        }
    }

    /// On the same port, for that is where its clients look for it.
    async fn start_again(&self, backoff: &mut Duration) -> Child {
        loop {
            tokio::time::sleep(*backoff).await;
            *backoff = (*backoff * 2).min(BACKOFF_MAX);
            match self.launcher.launch(Some(self.port), &self.password).await {
                Ok(Launched::Ready(child, _)) => return child,
                Ok(Launched::PortTaken(error)) | Err(error) => {
                    tracing::error!(%error, retry_in = ?backoff, "the private nats-server can not be started");
                }
            }
        }
    }
}
