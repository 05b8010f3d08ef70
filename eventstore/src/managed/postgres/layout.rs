//! What of PostgreSQL lies where.

use std::{
    env, fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    super::{
        ManagedError, Server,
        home::{Home, create_private},
    },
    binaries,
};

/// The port names the socket's file; nothing listens on a network.
pub(super) const PORT: u16 = 5432;
/// `sun_path` has 108 bytes on Linux, the last of them NUL.
const SOCKET_PATH_BYTES_MAX: usize = 107;
const SOCKET_FILE: &str = ".s.PGSQL.5432";

#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) home: Home,
    /// PostgreSQL's own data directory.
    pub(super) cluster: PathBuf,
    /// The same while initdb fills it.
    pub(super) unfinished: PathBuf,
}

impl Layout {
    /// What is there, unchanged; `None` when no PostgreSQL was ever started in the directory.
    pub(super) fn existing(directory: &Path) -> Result<Option<Self>, ManagedError> {
        Ok(Home::existing(directory, Server::Postgres)?.map(Self::over))
    }

    /// Makes what is missing.
    pub(super) fn prepare(directory: &Path) -> Result<Self, ManagedError> {
        Home::prepare(directory, Server::Postgres).map(Self::over)
    }

    fn over(home: Home) -> Self {
        Self {
            cluster: home.path.join(Server::Postgres.store()),
            unfinished: home.path.join("cluster.unfinished"),
            home,
        }
    }

    /// The major version of the cluster; `None` when there is none yet.
    pub(super) fn cluster_major(&self) -> Result<Option<u32>, ManagedError> {
        let path = self.cluster.join("PG_VERSION");
        match fs::read_to_string(&path) {
            Ok(text) => match binaries::major_of(&text) {
                Some(major) => Ok(Some(major)),
                None => Err(ManagedError::io("understand", &path)(io::ErrorKind::InvalidData.into())),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ManagedError::io("read", &path)(error)),
        }
    }

    /// Makes the directory of the socket: in the data directory where the path is short enough, else a private one
    /// with a stable name among the system's temporary files.
    pub(super) fn socket_directory(&self) -> Result<PathBuf, ManagedError> {
        let near = self.home.path.join("socket");
        let path = if fits(&near) { near } else { self.far_socket_directory() };
        create_private(&path)?;
        let metadata = path.symlink_metadata().map_err(ManagedError::io("look at", &path))?;
        let wrong = |reason| Err(ManagedError::SocketDirectory { path: path.clone(), reason });
        if !metadata.is_dir() {
            return wrong("it is not a directory");
        }
        if metadata.uid() == 0 && self.home.account.is_dropped() {
            self.home.account.give(&path)?;
        } else if metadata.uid() != self.home.account.uid() {
            return wrong("it is somebody else's");
        }
        if metadata.mode() & 0o077 != 0 {
            return wrong("it is open to others");
        }
        Ok(path)
    }

    fn far_socket_directory(&self) -> PathBuf {
        let digest = Sha256::digest(self.home.path.as_os_str().as_bytes());
        let name = format!("palaver-{}", hex::encode(digest.get(..8).unwrap_or_default()));
        let path = env::temp_dir().join(&name);
        if fits(&path) { path } else { Path::new("/tmp").join(name) }
    }
}

/// PostgreSQL reads a list there, so a separator in the path would split it.
fn fits(directory: &Path) -> bool {
    let bytes = directory.as_os_str().as_bytes();
    bytes.len() + 1 + SOCKET_FILE.len() <= SOCKET_PATH_BYTES_MAX
        && !bytes.iter().any(|byte| matches!(byte, b',' | b'"') || byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_or_odd_path_holds_no_socket() {
        assert!(fits(Path::new("/srv/palaver/postgres/socket")));
        assert!(fits(&Path::new("/").join("x".repeat(92))));
        assert!(!fits(&Path::new("/").join("x".repeat(93))));
        assert!(!fits(Path::new("/srv/a,b/socket")));
        assert!(!fits(Path::new("/srv/a b/socket")));
    }
}
