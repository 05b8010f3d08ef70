//! Private servers are started, found, lost and found again. Runs as root and as an ordinary user.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod nats;
mod postgres;

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

/// Set for the process that is to be killed: the data directory to run on.
const OWNED_DIRECTORY: &str = "PALAVER_TEST_OWNED_DIRECTORY";
const SOON: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

fn place(mode: u32) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
    directory
}

/// One that a user to whom root steps down may pass through.
fn passable() -> TempDir {
    place(0o711)
}

/// As `mktemp -d` makes one.
fn closed() -> TempDir {
    place(0o700)
}

fn is_alive(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

/// A process that is ended with the test.
struct Process(Child);

impl Process {
    /// Runs a test of this binary in a process of its own.
    fn owner(test: &str, directory: &Path) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([test, "--exact", "--ignored", "--nocapture"]).env(OWNED_DIRECTORY, directory);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
