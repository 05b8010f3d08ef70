//! What the postmaster's pid file tells, and what is done about one that a killed run left behind.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::process::Pid;

use super::super::{
    ManagedError, Server,
    child::{self, Leftover},
};

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

/// Ends the postmaster that an earlier, killed process left: it is usually on its way already. The caller holds the
/// lock of the directory, so nobody else has an interest in that postmaster.
pub(super) async fn end_leftover(cluster: &Path) -> Result<(), ManagedError> {
    let Some(pid_file) = PidFile::read(cluster)? else { return Ok(()) };
    match child::end_leftover(Server::Postgres, pid_file.pid, cluster, &PidFile::path(cluster)).await? {
        Leftover::Stale => forget_stale(cluster, pid_file.pid),
        // PostgreSQL itself takes the file of another user's process for a stale one.
        Leftover::Ended | Leftover::Foreign => Ok(()),
    }
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

#[cfg(test)]
mod tests {
    use std::process::Command;

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
