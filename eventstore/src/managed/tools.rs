//! Where programs lie that scripts/setup has unpacked.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The environment variable that names the folder of unpacked tools.
const TOOLS_VARIABLE: &str = "PALAVER_TOOLS";
const TOOLS_FOLDER: &str = ".tools";
/// Where scripts/setup unpacks when the project's folder is closed to the user whom the servers run as.
const SHARED_TOOLS: &str = "/var/lib/palaver/tools";

/// The folder that the environment names, else the one beside the program, seen from where it was built, and the
/// machine's.
pub(super) fn tools_folders() -> Vec<PathBuf> {
    if let Some(folder) = env::var_os(TOOLS_VARIABLE) {
        return vec![PathBuf::from(folder)];
    }
    let program = env::current_exe().unwrap_or_default();
    let beside = program.ancestors().skip(1).map(|above| above.join(TOOLS_FOLDER));
    beside.chain([PathBuf::from(SHARED_TOOLS)]).filter(|folder| folder.is_dir()).collect()
}

/// The `bin` directories of a folder with one subfolder a version, newest first.
pub(super) fn versions_in(place: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let mut versions: Vec<(Vec<u32>, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>()?;
            let directory = entry.path().join("bin");
            directory.is_dir().then_some((version, directory))
        })
        .collect();
    versions.sort_by(|left, right| right.cmp(left));
    versions.into_iter().map(|(_, directory)| directory).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_comes_first() {
        let place = tempfile::tempdir().unwrap();
        for version in ["9", "15", "18.6.3", "18.10.1", "not-a-version"] {
            fs::create_dir_all(place.path().join(version).join("bin")).unwrap();
        }
        fs::create_dir_all(place.path().join("19")).unwrap();
        let expected = ["18.10.1", "18.6.3", "15", "9"].map(|version| place.path().join(version).join("bin"));
        assert_eq!(versions_in(place.path()), expected);
    }
}
