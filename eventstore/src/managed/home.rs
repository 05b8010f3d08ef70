//! A server's folder below the data directory: whose it is, the lock that keeps a second process out, and its log.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::fs::OFlags;

use super::{ManagedError, Server, account::Account};

/// A log longer than this is put aside at the next start; one old log is kept.
const LOG_BYTES_MAX: u64 = 10 * 1024 * 1024;
const LOG_TAIL_BYTES_MAX: u64 = 2000;
const PRIVATE: u32 = 0o700;
const LOCK_TRIES_MAX: u32 = 20;
const LOCK_RETRY_PAUSE: Duration = Duration::from_millis(10);

#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) server: Server,
    /// The data directory, as the operator named it, made absolute.
    pub(super) directory: PathBuf,
    /// Its folder for the server, such as `<data>/postgres`: everything of the server, its user's alone.
    pub(super) path: PathBuf,
    pub(super) log: PathBuf,
    pub(super) account: Account,
}

impl Home {
    /// What is there, unchanged; `None` when no such server was ever started in the directory.
    pub(super) fn existing(directory: &Path, server: Server) -> Result<Option<Self>, ManagedError> {
        let path = directory.join(server.folder());
        match path.metadata() {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ManagedError::io("look at", &path)(error)),
        }
        let home = Self::over(directory, server)?;
        home.ensure_owned()?;
        Ok(Some(home))
    }

    /// Makes what is missing.
    pub(super) fn prepare(directory: &Path, server: Server) -> Result<Self, ManagedError> {
        create_data_directory(directory)?;
        create_private(&directory.join(server.folder()))?;
        let home = Self::over(directory, server)?;
        // Fresh from root's hand; whatever is somebody's already stays theirs.
        if home.account.is_dropped() && owner_of(&home.path)? == 0 {
            home.account.give(&home.path)?;
        }
        home.ensure_owned()?;
        home.let_account_pass()?;
        Ok(home)
    }

    fn over(directory: &Path, server: Server) -> Result<Self, ManagedError> {
        let directory = directory.canonicalize().map_err(ManagedError::io("resolve", directory))?;
        let path = directory.join(server.folder());
        let path = path.canonicalize().map_err(ManagedError::io("resolve", &path))?;
        let account = Account::for_paths([path.join(server.store()).as_path(), path.as_path(), directory.as_path()]);
        let log = path.join(format!("{}.log", server.folder()));
        Ok(Self { server, log, directory, path, account })
    }

    fn ensure_owned(&self) -> Result<(), ManagedError> {
        let (owner, user) = (owner_of(&self.path)?, self.account.uid());
        // What is still root's was made a moment ago and is about to be handed over.
        if owner == user || (owner == 0 && self.account.is_dropped()) {
            return Ok(());
        }
        Err(ManagedError::NotOwner { directory: self.path.clone(), owner, user })
    }

    /// The data directory itself is ours to open for passing through, as `mktemp -d` makes it closed; what is above
    /// it is not.
    fn let_account_pass(&self) -> Result<(), ManagedError> {
        let account = self.account;
        if account.blocked_at(&self.path).as_ref() == Some(&self.directory) {
            let mode = self.directory.metadata().map_err(ManagedError::io("look at", &self.directory))?.mode();
            fs::set_permissions(&self.directory, Permissions::from_mode(mode & 0o7777 | 0o001))
                .map_err(ManagedError::io("open for passage", &self.directory))?;
        }
        match account.blocked_at(&self.path) {
            None => Ok(()),
            Some(blocked_by) => Err(ManagedError::Unreachable {
                server: self.server,
                directory: self.path.clone(),
                blocked_by,
                user: account.uid(),
            }),
        }
    }

    /// Kept as long as the file that is returned, and at most as long as this process.
    pub(super) fn lock(&self) -> Result<File, ManagedError> {
        let path = self.path.join("lock");
        let mut file = self.open(&path, OpenOptions::new().read(true).write(true).create(true))?;
        let mut taken = file.try_lock();
        // A process that this one is just starting has all that is open here until it is another program.
        for _ in 0..LOCK_TRIES_MAX {
            if !matches!(taken, Err(TryLockError::WouldBlock)) {
                break;
            }
            thread::sleep(LOCK_RETRY_PAUSE);
            taken = file.try_lock();
        }
        match taken {
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

    /// The log to append to, at a size that is bounded from start to start.
    pub(super) fn open_log(&self) -> Result<File, ManagedError> {
        if self.log.metadata().is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX) {
            let old = self.log.with_extension("log.old");
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

    /// Opens a file in a directory that another user may write to: no link is followed.
    pub(super) fn open(&self, path: &Path, options: &mut OpenOptions) -> Result<File, ManagedError> {
        let file = options
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)
            .map_err(ManagedError::io("open", path))?;
        self.account.give_file(&file).map_err(ManagedError::io("change the owner of", path))?;
        Ok(file)
    }
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

pub(super) fn create_private(path: &Path) -> Result<(), ManagedError> {
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
    fn a_long_log_is_put_aside() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::prepare(&directory.path().join("data"), Server::Postgres).or_else(|error| match error {
            // As root, below a closed temporary directory: the log is not touched by anybody else here.
            ManagedError::Unreachable { .. } => Home::over(&directory.path().join("data"), Server::Postgres),
            other => Err(other),
        });
        let home = home.unwrap();
        home.open_log().unwrap().set_len(LOG_BYTES_MAX + 1).unwrap();
        let mut log = home.open_log().unwrap();
        assert_eq!(log.metadata().unwrap().len(), 0);
        log.write_all(b"first\nsecond\n").unwrap();
        assert_eq!(home.log_tail(6), "second");
        home.open_log().unwrap();
        assert_eq!(home.log_tail(0), "first\nsecond");
    }
}
