//! The server's main process: what its pid file tells, how one is started, watched and stopped, and how one that a
//! killed run left behind is brought to an end. What it serves is not known here.

use std::{
    fs,
    fs::File,
    io,
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use tokio::sync::{oneshot, watch};

use super::ManagedError;

pub(super) const POLL: Duration = Duration::from_millis(10);
/// How long clients' transactions and the last checkpoint may take.
const FAST_SHUTDOWN_MAX: Duration = Duration::from_secs(30);
/// PostgreSQL itself kills what has not ended 5 s after an immediate shutdown began.
const IMMEDIATE_SHUTDOWN_MAX: Duration = Duration::from_secs(10);
/// A handle that is dropped blocks its thread, so it waits less.
const DROP_SHUTDOWN_MAX: Duration = Duration::from_secs(5);
/// PostgreSQL's "fast" shutdown: clients are disconnected, data is written.
const FAST: Signal = Signal::INT;
/// PostgreSQL's "immediate" shutdown: the next start recovers.
const IMMEDIATE: Signal = Signal::QUIT;

/// What the postmaster writes about itself, as far as it has come.
pub(super) struct PidFile {
    pub(super) pid: Pid,
    pub(super) socket_directory: Option<PathBuf>,
    pub(super) status: Option<String>,
}

impl PidFile {
    pub(super) fn path(cluster: &Path) -> PathBuf {
        cluster.join("postmaster.pid")
    }

    /// `None` when there is none, or nothing readable in it yet.
    pub(super) fn read(cluster: &Path) -> Result<Option<Self>, ManagedError> {
        let path = Self::path(cluster);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ManagedError::io("read", &path)(error)),
        }
    }

    /// Lines: pid, data directory, start time, port, socket directory, listen address, shared memory, status.
    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let filled = |index: usize| lines.get(index).copied().filter(|line| !line.is_empty());
        Some(Self {
            // PostgreSQL in single-user mode writes its number negated; it ends by itself.
            pid: filled(0)?.parse().ok().filter(|number| *number > 0).and_then(Pid::from_raw)?,
            socket_directory: filled(4).map(PathBuf::from),
            status: filled(7).map(str::to_owned),
        })
    }

    pub(super) fn is_ready(&self) -> bool {
        self.status.as_deref() == Some("ready")
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.status.as_deref() == Some("stopping")
    }
}

/// A process that can be signalled without hitting a later one of the same number.
struct Target {
    pid: Pid,
    /// Absent only where the kernel is older than Linux 5.3 or forbids it.
    handle: Option<OwnedFd>,
}

impl Target {
    /// The caller makes sure afterwards that the process is the one it means.
    fn open(pid: Pid) -> Self {
        Self { pid, handle: pidfd_open(pid, PidfdFlags::empty()).ok() }
    }

    fn signal(&self, signal: Signal) {
        let sent = match &self.handle {
            Some(handle) => pidfd_send_signal(handle, signal),
            None => kill_process(self.pid, signal),
        };
        // A process that has ended needs no signal; that it ended is seen elsewhere.
        if let Err(error) = sent
            && error != rustix::io::Errno::SRCH
        {
            tracing::warn!(pid = self.pid.as_raw_nonzero(), %error, "the private PostgreSQL could not be signalled");
        }
    }
}

/// Whether a process is a PostgreSQL that works in this cluster: the server makes it its working directory.
pub(super) fn serves(pid: Pid, cluster: &Path) -> io::Result<bool> {
    let process = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let seen = |result: io::Result<fs::Metadata>| match result {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) || is_gone(&error) => Ok(None),
        other => other.map(Some),
    };
    let Some(works_in) = seen(fs::metadata(process.join("cwd")))? else { return Ok(false) };
    let Some(cluster) = seen(fs::metadata(cluster))? else { return Ok(false) };
    let name = match fs::read_to_string(process.join("comm")) {
        Ok(name) => name,
        Err(error) if error.kind() == io::ErrorKind::NotFound || is_gone(&error) => return Ok(false),
        Err(error) => return Err(error),
    };
    let same_place = (works_in.dev(), works_in.ino()) == (cluster.dev(), cluster.ino());
    Ok(same_place && name.trim().starts_with("postgres"))
}

/// A process that ends while it is looked at.
fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

/// Ends the postmaster that an earlier, killed process left: it is usually on its way already. The caller holds the
/// lock of the directory, so nobody else has an interest in that postmaster.
pub(super) async fn end_leftover(cluster: &Path) -> Result<(), ManagedError> {
    let Some(pid_file) = PidFile::read(cluster)? else { return Ok(()) };
    let target = Target::open(pid_file.pid);
    let alive = match serves(pid_file.pid, cluster) {
        Ok(alive) => alive,
        // Another user's process: PostgreSQL itself takes the file for a stale one.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
        Err(error) => return Err(ManagedError::io("look at the process named in", &PidFile::path(cluster))(error)),
    };
    if !alive {
        return forget_stale(cluster, pid_file.pid);
    }
    tracing::info!(pid = pid_file.pid.as_raw_nonzero(), "ending the PostgreSQL that an earlier run left");
    for (signal, bound) in [(FAST, FAST_SHUTDOWN_MAX), (IMMEDIATE, IMMEDIATE_SHUTDOWN_MAX)] {
        target.signal(signal);
        let since = Instant::now();
        while since.elapsed() < bound {
            if !serves(pid_file.pid, cluster).unwrap_or(false) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Err(ManagedError::StillRunning { pid: pid_file.pid.as_raw_nonzero().get(), directory: cluster.to_owned() })
}

/// A pid file whose number belongs to an unrelated process by now, as happens in containers, would keep PostgreSQL
/// from starting. Without such a process PostgreSQL clears the file itself.
fn forget_stale(cluster: &Path, pid: Pid) -> Result<(), ManagedError> {
    if !Path::new("/proc").join(pid.as_raw_nonzero().to_string()).exists() {
        return Ok(());
    }
    let path = PidFile::path(cluster);
    match fs::remove_file(&path) {
        // The postmaster ended while it was looked at, and took its file along.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(ManagedError::io("remove the stale", &path)),
    }
}

/// A running postmaster. It ends with this handle, and with this process, however that ends.
pub(super) struct Postmaster {
    target: Target,
    cluster: PathBuf,
    ended: watch::Receiver<Option<String>>,
}

impl Postmaster {
    /// Starts it from a thread of its own that waits for its end and keeps the lock until then: the kernel tells a
    /// child of its parent's death when the *thread* that started it ends.
    pub(super) async fn spawn(mut command: Command, cluster: &Path, lock: Arc<File>) -> Result<Self, ManagedError> {
        let program = PathBuf::from(command.get_program());
        let (started, start) = oneshot::channel();
        let (end, ended) = watch::channel(None);
        let body = move || match command.spawn() {
            Ok(mut child) => {
                let target = Pid::from_raw(child.id().cast_signed()).map(Target::open);
                // Nobody listening means that the start was given up: the handle in the message ends the child.
                drop(started.send(target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))));
                let how = child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
                drop(lock);
                end.send_replace(Some(how));
            }
            Err(error) => drop(started.send(Err(error))),
        };
        thread::Builder::new()
            .name("postmaster".to_owned())
            .spawn(body)
            .map_err(|error| ManagedError::Interrupted(format!("no thread: {error}")))?;
        let target = start
            .await
            .map_err(|_| ManagedError::Interrupted("the postmaster's thread ended".to_owned()))?
            .map_err(ManagedError::io("start", &program))?;
        Ok(Self { target, cluster: cluster.to_owned(), ended })
    }

    pub(super) fn pid(&self) -> Pid {
        self.target.pid
    }

    pub(super) fn cluster(&self) -> &Path {
        &self.cluster
    }

    /// How it ended, once it has.
    pub(super) fn has_ended(&self) -> Option<String> {
        self.ended.borrow().clone()
    }

    /// Waits for its end, whatever the cause, and tells how it ended.
    pub(super) async fn ended(&self) -> String {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(how) => how.clone().unwrap_or_default(),
            Err(_) => "its thread ended".to_owned(),
        }
    }

    /// A fast shutdown, then an immediate one; returns when it has ended.
    pub(super) async fn stop(&self) -> Result<(), ManagedError> {
        for (signal, bound) in [(FAST, FAST_SHUTDOWN_MAX), (IMMEDIATE, IMMEDIATE_SHUTDOWN_MAX)] {
            if self.has_ended().is_some() {
                return Ok(());
            }
            self.target.signal(signal);
            if tokio::time::timeout(bound, self.ended()).await.is_ok() {
                return Ok(());
            }
        }
        Err(ManagedError::StillRunning { pid: self.pid().as_raw_nonzero().get(), directory: self.cluster.clone() })
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        for (signal, bound) in [(FAST, DROP_SHUTDOWN_MAX), (IMMEDIATE, DROP_SHUTDOWN_MAX)] {
            if self.has_ended().is_none() {
                self.target.signal(signal);
            }
            let since = Instant::now();
            while self.has_ended().is_none() && since.elapsed() < bound {
                thread::sleep(POLL);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_is_read_as_far_as_it_is_written() {
        let whole = "4711\n/srv/cluster\n1763757600\n5432\n/srv/socket\n\n  1234   0\nready   \n";
        let file = PidFile::parse(whole).unwrap();
        assert_eq!(file.pid.as_raw_nonzero().get(), 4711);
        assert_eq!(file.socket_directory, Some(PathBuf::from("/srv/socket")));
        assert!(file.is_ready() && !file.is_stopping());

        let early = PidFile::parse("4711\n/srv/cluster\n1763757600\n5432\n\n").unwrap();
        assert!(early.socket_directory.is_none() && !early.is_ready());
        assert!(PidFile::parse("").is_none());
        assert!(PidFile::parse("-4711\n/srv/cluster\n").is_none());
    }

    #[test]
    fn an_unrelated_process_is_not_taken_for_a_postmaster() {
        let here = std::env::current_dir().unwrap();
        assert!(!serves(rustix::process::getpid(), &here).unwrap());
    }

    #[tokio::test]
    async fn a_stale_pid_file_that_names_an_unrelated_process_is_removed_and_the_process_left_alone() {
        let cluster = tempfile::tempdir().unwrap();
        let mut bystander = Command::new("sleep").arg("60").current_dir(cluster.path()).spawn().unwrap();
        fs::write(PidFile::path(cluster.path()), format!("{}\n", bystander.id())).unwrap();
        end_leftover(cluster.path()).await.unwrap();
        assert!(!PidFile::path(cluster.path()).exists());
        assert!(bystander.try_wait().unwrap().is_none(), "the bystander was ended");
        bystander.kill().unwrap();
        bystander.wait().unwrap();
    }
}
