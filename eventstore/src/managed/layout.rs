//! What lies where in the data directory, whose it is, and the lock that keeps a second process out.

use std::{
    env,
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::{ManagedError, account::Account, binaries};

/// The port names the socket's file; nothing listens on a network.
pub(super) const PORT: u16 = 5432;
/// `sun_path` has 108 bytes on Linux, the last of them NUL.
const SOCKET_PATH_BYTES_MAX: usize = 107;
const SOCKET_FILE: &str = ".s.PGSQL.5432";
/// A log longer than this is put aside at the next start; one old log is kept.
const LOG_BYTES_MAX: u64 = 10 * 1024 * 1024;
const LOG_TAIL_BYTES_MAX: u64 = 2000;
const PRIVATE: u32 = 0o700;

#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The data directory, as the operator named it, made absolute.
    pub(super) directory: PathBuf,
    /// `<data>/postgres`: everything of PostgreSQL, its user's alone.
    home: PathBuf,
    /// PostgreSQL's own data directory.
    pub(super) cluster: PathBuf,
    /// The same while initdb fills it.
    pub(super) unfinished: PathBuf,
    pub(super) log: PathBuf,
    pub(super) account: Account,
}

impl Layout {
    /// What is there, unchanged; `None` when no PostgreSQL was ever started in the directory.
    pub(super) fn existing(directory: &Path) -> Result<Option<Self>, ManagedError> {
        let home = directory.join("postgres");
        match home.metadata() {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ManagedError::io("look at", &home)(error)),
        }
        let layout = Self::over(directory)?;
        layout.ensure_owned()?;
        Ok(Some(layout))
    }

    /// Makes what is missing.
    pub(super) fn prepare(directory: &Path) -> Result<Self, ManagedError> {
        create_data_directory(directory)?;
        create_private(&directory.join("postgres"))?;
        let layout = Self::over(directory)?;
        // Fresh from root's hand; whatever is somebody's already stays theirs.
        if layout.account.is_dropped() && owner_of(&layout.home)? == 0 {
            layout.account.give(&layout.home)?;
        }
        layout.ensure_owned()?;
        layout.let_account_pass()?;
        Ok(layout)
    }

    fn over(directory: &Path) -> Result<Self, ManagedError> {
        let directory = directory.canonicalize().map_err(ManagedError::io("resolve", directory))?;
        let home = directory.join("postgres");
        let home = home.canonicalize().map_err(ManagedError::io("resolve", &home))?;
        let cluster = home.join("cluster");
        let account = Account::for_paths([cluster.as_path(), home.as_path(), directory.as_path()]);
        Ok(Self {
            unfinished: home.join("cluster.unfinished"),
            log: home.join("postgres.log"),
            directory,
            home,
            cluster,
            account,
        })
    }

    fn ensure_owned(&self) -> Result<(), ManagedError> {
        let (owner, user) = (owner_of(&self.home)?, self.account.uid());
        // What is still root's was made a moment ago and is about to be handed over.
        if owner == user || (owner == 0 && self.account.is_dropped()) {
            return Ok(());
        }
        Err(ManagedError::NotOwner { directory: self.home.clone(), owner, user })
    }

    /// The data directory itself is ours to open for passing through, as `mktemp -d` makes it closed; what is above
    /// it is not.
    fn let_account_pass(&self) -> Result<(), ManagedError> {
        let account = self.account;
        if account.blocked_at(&self.home).as_ref() == Some(&self.directory) {
            let mode = self.directory.metadata().map_err(ManagedError::io("look at", &self.directory))?.mode();
            fs::set_permissions(&self.directory, Permissions::from_mode(mode & 0o7777 | 0o001))
                .map_err(ManagedError::io("open for passage", &self.directory))?;
        }
        match account.blocked_at(&self.home) {
            None => Ok(()),
            Some(blocked_by) => {
                Err(ManagedError::Unreachable { directory: self.home.clone(), blocked_by, user: account.uid() })
            }
        }
    }

    /// Kept as long as the file that is returned, and at most as long as this process.
    pub(super) fn lock(&self) -> Result<File, ManagedError> {
        let path = self.home.join("lock");
        let mut file = self.open(&path, OpenOptions::new().read(true).write(true).create(true))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The holder may be about to write its number: then nothing is known, which is said so.
                let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(ManagedError::InUse { directory: self.directory.clone(), pid });
            }
            Err(TryLockError::Error(error)) => return Err(ManagedError::io("lock", &path)(error)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(ManagedError::io("write", &path))?;
        Ok(file)
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

    /// The log to append to, at a size that is bounded from start to start.
    pub(super) fn open_log(&self) -> Result<File, ManagedError> {
        if self.log.metadata().is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX) {
            let old = self.home.join("postgres.log.old");
            fs::rename(&self.log, &old).map_err(ManagedError::io("put aside", &self.log))?;
        }
        self.open(&self.log, OpenOptions::new().append(true).create(true))
    }

    /// The end of the log, from `offset` on.
    pub(super) fn log_tail(&self, offset: u64) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(&self.log)?;
            let length = file.metadata()?.len();
            file.seek(io::SeekFrom::Start(offset.max(length.saturating_sub(LOG_TAIL_BYTES_MAX))))?;
            let mut bytes = Vec::new();
            file.take(LOG_TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
        };
        read().unwrap_or_else(|error| format!("(the log cannot be read: {error})"))
    }

    /// Makes the directory of the socket: in the data directory where the path is short enough, else a private one
    /// with a stable name among the system's temporary files.
    pub(super) fn socket_directory(&self) -> Result<PathBuf, ManagedError> {
        let near = self.home.join("socket");
        let path = if fits(&near) { near } else { self.far_socket_directory() };
        create_private(&path)?;
        let metadata = path.symlink_metadata().map_err(ManagedError::io("look at", &path))?;
        let wrong = |reason| Err(ManagedError::SocketDirectory { path: path.clone(), reason });
        if !metadata.is_dir() {
            return wrong("it is not a directory");
        }
        if metadata.uid() == 0 && self.account.is_dropped() {
            self.account.give(&path)?;
        } else if metadata.uid() != self.account.uid() {
            return wrong("it is somebody else's");
        }
        if metadata.mode() & 0o077 != 0 {
            return wrong("it is open to others");
        }
        Ok(path)
    }

    fn far_socket_directory(&self) -> PathBuf {
        let digest = Sha256::digest(self.home.as_os_str().as_bytes());
        let name = format!("palaver-{}", hex::encode(digest.get(..8).unwrap_or_default()));
        let path = env::temp_dir().join(&name);
        if fits(&path) { path } else { Path::new("/tmp").join(name) }
    }

    /// Opens a file in a directory that another user may write to: no link is followed.
    fn open(&self, path: &Path, options: &mut OpenOptions) -> Result<File, ManagedError> {
        let file = options
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)
            .map_err(ManagedError::io("open", path))?;
        self.account.give_file(&file).map_err(ManagedError::io("change the owner of", path))?;
        Ok(file)
    }
}

/// PostgreSQL reads a list there, so a separator in the path would split it.
fn fits(directory: &Path) -> bool {
    let bytes = directory.as_os_str().as_bytes();
    bytes.len() + 1 + SOCKET_FILE.len() <= SOCKET_PATH_BYTES_MAX
        && !bytes.iter().any(|byte| matches!(byte, b',' | b'"') || byte.is_ascii_whitespace())
}

fn create_data_directory(directory: &Path) -> Result<(), ManagedError> {
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent() {
        fs::create_dir_all(parent).map_err(ManagedError::io("create", parent))?;
    }
    create_private(directory)
}

fn create_private(path: &Path) -> Result<(), ManagedError> {
    match DirBuilder::new().mode(PRIVATE).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(ManagedError::io("create", path)),
    }
}

fn owner_of(path: &Path) -> Result<u32, ManagedError> {
    path.metadata().map(|metadata| metadata.uid()).map_err(ManagedError::io("look at", path))
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

    #[test]
    fn a_long_log_is_put_aside() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::prepare(&directory.path().join("data")).or_else(|error| match error {
            // As root, below a closed temporary directory: the log is not touched by anybody else here.
            ManagedError::Unreachable { .. } => Layout::over(&directory.path().join("data")),
            other => Err(other),
        });
        let layout = layout.unwrap();
        layout.open_log().unwrap().set_len(LOG_BYTES_MAX + 1).unwrap();
        let mut log = layout.open_log().unwrap();
        assert_eq!(log.metadata().unwrap().len(), 0);
        log.write_all(b"first\nsecond\n").unwrap();
        assert_eq!(layout.log_tail(6), "second");
        layout.open_log().unwrap();
        assert_eq!(layout.log_tail(0), "first\nsecond");
    }
}
