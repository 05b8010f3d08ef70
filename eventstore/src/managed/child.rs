//! A server's main process: how one is started, watched and stopped, and how one that a killed run left behind is
//! brought to an end. What it serves is not known here.

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

use super::{ManagedError, POLL, Server};

/// A handle that is dropped blocks its thread, so it waits less.
const DROP_SHUTDOWN_MAX: Duration = Duration::from_secs(5);

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
            tracing::warn!(pid = self.pid.as_raw_nonzero(), %error, "a private server could not be signalled");
        }
    }
}

/// Whether a process is such a server and works in this directory: it makes its data its working directory.
pub(super) fn works_in(pid: Pid, server: Server, directory: &Path) -> io::Result<bool> {
    let process = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let seen = |result: io::Result<fs::Metadata>| match result {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) || is_gone(&error) => Ok(None),
        other => other.map(Some),
    };
    let Some(works_in) = seen(fs::metadata(process.join("cwd")))? else { return Ok(false) };
    let Some(directory) = seen(fs::metadata(directory))? else { return Ok(false) };
    let name = match fs::read_to_string(process.join("comm")) {
        Ok(name) => name,
        Err(error) if error.kind() == io::ErrorKind::NotFound || is_gone(&error) => return Ok(false),
        Err(error) => return Err(error),
    };
    let same_place = (works_in.dev(), works_in.ino()) == (directory.dev(), directory.ino());
    Ok(same_place && name.trim().starts_with(server.program()))
}

/// A process that ends while it is looked at.
fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

/// What the number in a pid file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leftover {
    /// A server that an earlier run had left; it has been ended.
    Ended,
    /// No such server: nothing, or another process.
    Stale,
    /// A process of another user, of which nothing can be known.
    Foreign,
}

/// Ends the server that an earlier, killed process left: it is usually on its way already. The caller holds the lock of
/// the directory, so nobody else has an interest in it.
pub(super) async fn end_leftover(
    server: Server,
    pid: Pid,
    directory: &Path,
    pid_file: &Path,
) -> Result<Leftover, ManagedError> {
    let target = Target::open(pid);
    match works_in(pid, server, directory) {
        Ok(true) => {}
        Ok(false) => return Ok(Leftover::Stale),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(Leftover::Foreign),
        Err(error) => return Err(ManagedError::io("look at the process named in", pid_file)(error)),
    }
    tracing::info!(pid = pid.as_raw_nonzero(), %server, "ending the server that an earlier run left");
    for (signal, bound) in server.shutdown() {
        target.signal(signal);
        let since = Instant::now();
        while since.elapsed() < bound {
            if !works_in(pid, server, directory).unwrap_or(false) {
                return Ok(Leftover::Ended);
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Err(ManagedError::StillRunning { server, pid: pid.as_raw_nonzero().get(), directory: directory.to_owned() })
}

/// A running server. It ends with this handle, and with this process, however that ends.
pub(super) struct Child {
    server: Server,
    target: Target,
    directory: PathBuf,
    ended: watch::Receiver<Option<String>>,
}

impl Child {
    /// Starts it from a thread of its own that waits for its end and keeps the lock until then: the kernel tells a
    /// child of its parent's death when the *thread* that started it ends.
    pub(super) async fn spawn(
        server: Server,
        mut command: Command,
        directory: &Path,
        lock: Arc<File>,
    ) -> Result<Self, ManagedError> {
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
            .name(server.program().to_owned())
            .spawn(body)
            .map_err(|error| ManagedError::Interrupted(format!("no thread: {error}")))?;
        let target = start
            .await
            .map_err(|_| ManagedError::Interrupted("the server's thread ended".to_owned()))?
            .map_err(ManagedError::io("start", &program))?;
        Ok(Self { server, target, directory: directory.to_owned(), ended })
    }

    pub(super) fn pid(&self) -> Pid {
        self.target.pid
    }

    /// Where it keeps its data.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
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

    /// Ends it in good order, or at least ends it; returns when it has ended.
    pub(super) async fn stop(&self) -> Result<(), ManagedError> {
        for (signal, bound) in self.server.shutdown() {
            if self.has_ended().is_some() {
                return Ok(());
            }
            self.target.signal(signal);
            if tokio::time::timeout(bound, self.ended()).await.is_ok() {
                return Ok(());
            }
        }
        Err(ManagedError::StillRunning {
            server: self.server,
            pid: self.pid().as_raw_nonzero().get(),
            directory: self.directory.clone(),
        })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        for (signal, _) in self.server.shutdown() {
            if self.has_ended().is_none() {
                self.target.signal(signal);
            }
            let since = Instant::now();
            while self.has_ended().is_none() && since.elapsed() < DROP_SHUTDOWN_MAX {
                thread::sleep(POLL);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unrelated_process_is_not_taken_for_a_server() {
        let here = std::env::current_dir().unwrap();
        for server in [Server::Postgres, Server::Nats] {
            assert!(!works_in(rustix::process::getpid(), server, &here).unwrap());
        }
    }
}
