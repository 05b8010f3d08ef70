//! Where the files of a test process go: a directory of its own below the target directory, named by its process id.
//! What processes that are gone have left is removed at the start.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

const PREFIX: &str = "palaver-tests-";

static PLACE: LazyLock<PathBuf> = LazyLock::new(|| {
    let above = target_directory().join("tmp");
    fs::create_dir_all(&above).expect("the target directory can be written to");
    remove_leftovers(&above);
    let place = above.join(format!("{PREFIX}{}", std::process::id()));
    // A process before us may have had the same id.
    let _absent = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).expect("the target directory can be written to");
    place
});

/// The directory of this test process.
pub fn place() -> &'static Path {
    &PLACE
}

/// A path in it that nobody else of this process gets.
pub fn fresh_path(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    place().join(format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Where cargo puts what it builds, as told by where this test's own binary is: `<target>/<profile>/deps/<binary>`.
pub fn target_directory() -> PathBuf {
    let binary = env::current_exe().expect("a process knows its binary");
    binary.ancestors().nth(3).expect("cargo runs a test from <target>/<profile>/deps").to_owned()
}

/// Directories of processes that do not run any more. What can not be removed yet is left for the next time.
fn remove_leftovers(above: &Path) {
    let Ok(entries) = fs::read_dir(above) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|id| id.parse::<u32>().ok());
        if owner.is_some_and(|id| !Path::new("/proc").join(id.to_string()).exists())
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            eprintln!("{} is left behind: {error}", entry.path().display());
        }
    }
}
