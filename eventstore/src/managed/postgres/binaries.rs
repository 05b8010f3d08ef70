//! Where the programs of PostgreSQL are found, and which of several is taken.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::process::Signal;

use super::super::{
    ManagedError,
    account::Account,
    tools::{tools_folders, versions_in},
};

/// The oldest major version that the schema and the settings work with.
const OLDEST_MAJOR: u32 = 15;
/// Where Debian and its kin put each major version.
const SYSTEM: &str = "/usr/lib/postgresql";
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    directory: PathBuf,
    pub(super) major: u32,
}

impl Binaries {
    /// The explicit directory alone when one is given; else the first that can serve: the system's, newest first, the
    /// unpacked bundle, and `PATH`. A cluster that exists can only be served by the major version that made it.
    pub(super) fn find(
        explicit: Option<&Path>,
        cluster: &Path,
        cluster_major: Option<u32>,
        account: Account,
    ) -> Result<Self, ManagedError> {
        let other_major =
            |major, looked| ManagedError::OtherMajor { directory: cluster.to_owned(), cluster: major, looked };
        if let Some(directory) = explicit {
            let found = Self::at(directory, account)
                .map_err(|reason| ManagedError::BadBinaries { directory: directory.to_owned(), reason })?;
            return match cluster_major {
                Some(major) if major != found.major => Err(other_major(major, vec![found.to_string()])),
                _ => Ok(found),
            };
        }

        let mut looked = Vec::new();
        let directories = candidates(&mut looked);
        Self::first_fit(directories, &mut looked, cluster_major, account).ok_or_else(|| match cluster_major {
            Some(major) => other_major(major, looked),
            None => ManagedError::NoBinaries { oldest: OLDEST_MAJOR, looked },
        })
    }

    /// What was passed over, and why, is told in `looked`.
    fn first_fit(
        directories: Vec<PathBuf>,
        looked: &mut Vec<String>,
        cluster_major: Option<u32>,
        account: Account,
    ) -> Option<Self> {
        directories.into_iter().find_map(|directory| match Self::at(&directory, account) {
            Ok(found) if cluster_major.is_none_or(|major| major == found.major) => Some(found),
            Ok(found) => {
                looked.push(found.to_string());
                None
            }
            Err(reason) => {
                looked.push(format!("{}: {reason}", directory.display()));
                None
            }
        })
    }

    /// The programs in a directory, when they are there, run for this user, and are new enough.
    fn at(directory: &Path, account: Account) -> Result<Self, String> {
        let directory = directory.canonicalize().map_err(|error| error.to_string())?;
        for program in ["postgres", "initdb"] {
            if !directory.join(program).is_file() {
                return Err(format!("has no {program}"));
            }
        }
        let output = account
            .command(&directory.join("postgres"), Signal::KILL)
            .arg("--version")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .map_err(|error| match account.blocked_at(&directory) {
                Some(blocked) => format!("user {} cannot reach it: {} is closed", account.uid(), blocked.display()),
                None => format!("postgres does not run: {error}"),
            })?;
        if !output.status.success() {
            return Err(format!("postgres does not run: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        match major_of(&text) {
            None => Err(format!("postgres tells no version: {}", text.trim())),
            Some(major) if major < OLDEST_MAJOR => Err(format!("is PostgreSQL {major}, older than {OLDEST_MAJOR}")),
            Some(major) => Ok(Self { directory, major }),
        }
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl std::fmt::Display for Binaries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: PostgreSQL {}", self.directory.display(), self.major)
    }
}

/// Reads `postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)`, and a `PG_VERSION` file's `15`.
pub(super) fn major_of(text: &str) -> Option<u32> {
    let version = text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    let digits = version.split(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Directories worth a look, best first; a place that offers none is told in `looked`.
fn candidates(looked: &mut Vec<String>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut add = |place: &Path, directories: Vec<PathBuf>| {
        if directories.is_empty() {
            looked.push(format!("{}: nothing there", place.join("*/bin").display()));
        }
        found.extend(directories);
    };
    add(Path::new(SYSTEM), versions_in(Path::new(SYSTEM)));
    for tools in tools_folders() {
        let place = tools.join("postgres");
        add(&place, versions_in(&place));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|directory| directory.join("postgres")).find(|file| file.is_file());
    // A link on the way is followed: the other programs are beside the real one.
    match on_path.and_then(|file| file.canonicalize().ok()).as_deref().and_then(Path::parent) {
        Some(directory) => found.push(directory.to_owned()),
        None => looked.push("PATH: no postgres".to_owned()),
    }
    found
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    /// A directory whose programs only tell a version. A shell writes them: were they open here while another test
    /// forks, they could not be run.
    fn pretend(place: &Path, name: &str, version: &str) -> PathBuf {
        let directory = place.join(name);
        fs::create_dir_all(&directory).unwrap();
        for program in ["postgres", "initdb"] {
            let write = r#"printf '#!/bin/sh\necho "%s"\n' "$1" >"$0" && chmod 755 "$0""#;
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(write).arg(directory.join(program)).arg(format!("{program} (PostgreSQL) {version}"));
            assert!(shell.status().unwrap().success());
        }
        directory
    }

    #[test]
    fn the_version_that_made_the_cluster_is_preferred_and_what_does_not_fit_is_told() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path();
        let account = Account::for_paths([place]);
        let directories = vec![
            pretend(place, "old", "14.3"),
            place.join("missing"),
            pretend(place, "newest", "18.6"),
            pretend(place, "older", "15.8 (Debian 15.8-0+deb12u1)"),
        ];
        let fit = |major| {
            let mut looked = Vec::new();
            let found = Binaries::first_fit(directories.clone(), &mut looked, major, account);
            (found.map(|found| found.major), looked)
        };
        assert_eq!(fit(None).0, Some(18));
        assert_eq!(fit(Some(15)).0, Some(15));
        let (found, looked) = fit(Some(16));
        assert_eq!(found, None);
        for (line, expected) in looked.iter().zip(["older than 15", "No such file", "PostgreSQL 18", "PostgreSQL 15"]) {
            assert!(line.contains(expected), "{line}");
        }
        assert_eq!(looked.len(), directories.len());
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)\n"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_of("17\n"), Some(17));
        assert_eq!(major_of("no version here"), None);
    }
}
