//! Whom the servers run as: this process's own user, or an unprivileged one when this process is root, because
//! PostgreSQL refuses root and nats-server needs no rights. Also how their programs are started, so that none outlives
//! this process.

use std::{
    fs::File,
    io,
    os::unix::{
        fs::{MetadataExt, fchown, lchown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, geteuid, getpid, getppid, set_parent_process_death_signal};

use super::ManagedError;

/// `nobody`, on every Linux.
const NOBODY: u32 = 65534;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Account {
    /// The user that this process runs as.
    Own { uid: u32 },
    /// This process is root; the server is not.
    Dropped { uid: u32, gid: u32 },
}

impl Account {
    /// The first of these paths that exists and is not root's names the user when this process is root.
    pub(super) fn for_paths<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let uid = geteuid().as_raw();
        if uid != 0 {
            return Self::Own { uid };
        }
        paths.into_iter().filter_map(|path| path.metadata().ok()).find(|metadata| metadata.uid() != 0).map_or(
            Self::Dropped { uid: NOBODY, gid: NOBODY },
            |metadata| Self::Dropped { uid: metadata.uid(), gid: metadata.gid() },
        )
    }

    pub(super) fn uid(self) -> u32 {
        match self {
            Self::Own { uid } | Self::Dropped { uid, .. } => uid,
        }
    }

    pub(super) fn is_dropped(self) -> bool {
        matches!(self, Self::Dropped { .. })
    }

    /// Hands what root made to the user.
    pub(super) fn give(self, path: &Path) -> Result<(), ManagedError> {
        match self {
            Self::Own { .. } => Ok(()),
            Self::Dropped { uid, gid } => {
                lchown(path, Some(uid), Some(gid)).map_err(ManagedError::io("change the owner of", path))
            }
        }
    }

    pub(super) fn give_file(self, file: &File) -> io::Result<()> {
        match self {
            Self::Own { .. } => Ok(()),
            Self::Dropped { uid, gid } => fchown(file, Some(uid), Some(gid)),
        }
    }

    /// A program of a server, ready to be given arguments. It gets `on_death` when the thread that starts it ends:
    /// start it from one that lives until it has ended.
    pub(super) fn command(self, program: &Path, on_death: Signal) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // The same messages, zones and paths whoever calls.
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        // A Ctrl-C at the terminal is for this process, which stops the server in its own time.
        command.process_group(0);
        if let Self::Dropped { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        signal_on_death(&mut command, on_death);
        command
    }

    /// The highest directory on the way to `path` that the user cannot pass.
    pub(super) fn blocked_at(self, path: &Path) -> Option<PathBuf> {
        let Self::Dropped { uid, gid } = self else { return None };
        let mut way: Vec<&Path> = path.ancestors().collect();
        way.reverse();
        way.into_iter()
            .find(|directory| {
                directory.metadata().is_ok_and(|metadata| {
                    let passable = match () {
                        () if metadata.uid() == uid => 0o100,
                        () if metadata.gid() == gid => 0o010,
                        () => 0o001,
                    };
                    metadata.mode() & passable == 0
                })
            })
            .map(Path::to_owned)
    }
}

#[allow(unsafe_code, reason = "there is no safe way to set the parent death signal of a child")]
fn signal_on_death(command: &mut Command, signal: Signal) {
    let parent = getpid();
    let child_start = move || set_death_signal(parent, signal);
    // SAFETY: the closure runs in the forked child before exec, where only async-signal-safe calls are allowed. It
    // makes two system calls, prctl and getppid, on copied integers: no allocation, no lock, no shared state.
    unsafe { command.pre_exec(child_start) };
}

/// Runs in the child, after it has become the other user: the kernel forgets the signal when the user changes.
fn set_death_signal(parent: Pid, signal: Signal) -> io::Result<()> {
    set_parent_process_death_signal(Some(signal))?;
    // A parent that ended before the call above leaves nobody to signal for.
    if getppid() == Some(parent) { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_closed_directory_on_the_way_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let closed = root.path().join("closed");
        let inner = closed.join("inner");
        fs::create_dir_all(&inner).unwrap();
        let stranger = Account::Dropped { uid: NOBODY - 1, gid: NOBODY - 1 };

        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(stranger.blocked_at(&inner), Some(closed.clone()));
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o701)).unwrap();
        assert_eq!(stranger.blocked_at(&inner), None);
        let owner = Account::Dropped { uid: geteuid().as_raw(), gid: NOBODY - 1 };
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(owner.blocked_at(&inner), None);
    }
}
