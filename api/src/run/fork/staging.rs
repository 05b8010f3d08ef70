//! Where a fork is made before it is whole: beside its place, to be renamed at the end. A cut leaves nothing in that
//! place, and the next try clears away what it left beside it.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use palaver_eventstore::managed::{ManagedOptions, ManagedPostgres};

use crate::run::RunError;

const PRIVATE: u32 = 0o700;

pub(super) struct Staging {
    /// Where the fork is to be.
    target: PathBuf,
    path: PathBuf,
    /// Keeps a second process out.
    _lock: File,
}

impl Staging {
    /// # Errors
    /// When the target is there and not empty, another process makes a fork of the same place, or a file can not be
    /// made.
    pub async fn begin(target: &Path, binaries: Option<&Path>) -> Result<Self, RunError> {
        let target = free(target)?;
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(RunError::Misused(format!("{} can not be made", target.display())));
        };
        fs::create_dir_all(parent).map_err(failed("create", parent))?;
        let path = parent.join(format!(".{}.unfinished", name.to_string_lossy()));
        match DirBuilder::new().mode(PRIVATE).create(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed("create", &path)(error)),
            _ => {}
        }
        let lock = File::open(&path).map_err(failed("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(RunError::Misused(format!("another process makes a fork in {}", target.display())));
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
        }
        clear(&path, binaries).await?;
        Ok(Self { target, path, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the whole fork in its place, and tells where that is.
    pub fn finish(self) -> Result<PathBuf, RunError> {
        fs::rename(&self.path, &self.target).map_err(failed("put in place", &self.path))?;
        // The rename is part of what must survive a power cut.
        let parent = self.target.parent().unwrap_or(&self.target);
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed("write", parent))?;
        Ok(self.target)
    }

    /// Takes away what will never be whole.
    pub fn discard(self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "an unfinished fork was left behind; the next try removes it");
        }
    }
}

/// The target by its full name; it must be missing or an empty directory.
fn free(target: &Path) -> Result<PathBuf, RunError> {
    match fs::read_dir(target) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                let message = format!("{} is not empty; --data names the fork's new directory", target.display());
                return Err(RunError::Misused(message));
            }
            target.canonicalize().map_err(failed("resolve", target))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            std::path::absolute(target).map_err(failed("resolve", target))
        }
        Err(error) => Err(failed("read", target)(error)),
    }
}

/// Removes what a killed run left. Its PostgreSQL may still be on its way out: whoever starts one there waits for the
/// end of the other.
async fn clear(path: &Path, binaries: Option<&Path>) -> Result<(), RunError> {
    if ManagedPostgres::is_made(path) {
        let options = ManagedOptions { directory: path.to_owned(), binaries: binaries.map(Path::to_owned) };
        ManagedPostgres::start(options).await?.stop().await?;
    }
    for entry in fs::read_dir(path).map_err(failed("read", path))? {
        let entry = entry.map_err(failed("read", path))?.path();
        let removed = if entry.is_dir() { fs::remove_dir_all(&entry) } else { fs::remove_file(&entry) };
        removed.map_err(failed("remove", &entry))?;
    }
    Ok(())
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RunError + use<> {
    let path = path.display().to_string();
    move |source| RunError::File { action, path, source }
}
