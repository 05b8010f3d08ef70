//! Where the nats-server is found, and which of several is taken.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::process::Signal;

use super::super::{
    ManagedError,
    account::Account,
    tools::{tools_folders, versions_in},
};

/// The oldest version that knows all that the relay asks for.
const OLDEST: Version = Version { major: 2, minor: 12 };
/// The environment variable by which only unpacked tools are looked at, as by scripts/setup.
const SKIP_SYSTEM_VARIABLE: &str = "PALAVER_NATS_SKIP_SYSTEM";
const NAME: &str = "nats-server";
/// Where packages put it, on `PATH` or not.
const SYSTEM: [&str; 2] = ["/usr/sbin", "/usr/local/bin"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    /// Reads `nats-server: v2.15.1`.
    fn read(text: &str) -> Option<Self> {
        let (_, version) = text.trim().split_once("nats-server: v")?;
        let mut numbers = version.split(|character: char| !character.is_ascii_digit()).map(str::parse);
        let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else { return None };
        Some(Self { major, minor })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Files that may be a nats-server, best first.
#[derive(Clone, Debug)]
pub(super) enum Candidates {
    /// The one that was named.
    Named(PathBuf),
    Found(Vec<PathBuf>),
}

impl Candidates {
    /// The named program alone when one is named; else what is there on `PATH`, in the system's places, and among the
    /// unpacked tools.
    pub(super) fn look(named: Option<&Path>) -> Result<Self, ManagedError> {
        if let Some(program) = named {
            return Ok(Self::Named(program.to_owned()));
        }
        let skip = env::var_os(SKIP_SYSTEM_VARIABLE).is_some_and(|value| !value.is_empty());
        let path = env::var_os("PATH").filter(|_| !skip).unwrap_or_default();
        let on_path =
            env::split_paths(&path).filter(|directory| directory.is_absolute()).map(|directory| directory.join(NAME));
        let system: Vec<PathBuf> = SYSTEM.iter().filter(|_| !skip).map(|place| Path::new(place).join(NAME)).collect();
        let tools: Vec<PathBuf> = tools_folders().into_iter().map(|tools| tools.join("nats")).collect();
        let unpacked = tools.iter().flat_map(|place| versions_in(place)).map(|directory| directory.join(NAME));
        let mut found: Vec<PathBuf> = Vec::new();
        for file in on_path.chain(system.clone()).chain(unpacked) {
            if file.is_file() && !found.contains(&file) {
                found.push(file);
            }
        }
        if found.is_empty() {
            let mut looked = vec![if skip { "the system: passed over".to_owned() } else { format!("PATH: no {NAME}") }];
            let absent = system.into_iter().chain(tools.iter().map(|place| place.join("*/bin").join(NAME)));
            looked.extend(absent.map(|file| format!("{}: not there", file.display())));
            return Err(Self::none(looked));
        }
        Ok(Self::Found(found))
    }

    /// The first that runs for this user and is new enough.
    pub(super) fn choose(self, account: Account) -> Result<PathBuf, ManagedError> {
        match self {
            Self::Named(program) => match fitness(&program, account) {
                Ok(()) => Ok(program),
                Err(reason) => Err(ManagedError::BadNatsServer { program, reason }),
            },
            Self::Found(programs) => {
                let mut looked = Vec::new();
                for program in programs {
                    match fitness(&program, account) {
                        Ok(()) => return Ok(program),
                        Err(reason) => looked.push(format!("{}: {reason}", program.display())),
                    }
                }
                Err(Self::none(looked))
            }
        }
    }

    fn none(looked: Vec<String>) -> ManagedError {
        ManagedError::NoNatsServer { oldest: OLDEST.to_string(), looked }
    }
}

/// Whether the program runs for this user and is new enough.
fn fitness(program: &Path, account: Account) -> Result<(), String> {
    let output = account
        .command(program, Signal::KILL)
        .arg("--version")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| match program.parent().and_then(|directory| account.blocked_at(directory)) {
            Some(blocked) => format!("user {} cannot reach it: {} is closed", account.uid(), blocked.display()),
            None => format!("does not run: {error}"),
        })?;
    if !output.status.success() {
        return Err(format!("does not run: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    match Version::read(&text) {
        None => Err(format!("tells no version of nats-server: {}", text.trim())),
        Some(version) if version < OLDEST => Err(format!("is version {version}, older than {OLDEST}")),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A program that only tells a version. A shell writes it: were it open here while another test forks, it could not
    /// be run.
    fn pretend(place: &Path, name: &str, says: &str) -> PathBuf {
        let file = place.join(name);
        let write = r#"printf '#!/bin/sh\necho "%s"\n' "$1" >"$0" && chmod 755 "$0""#;
        assert!(Command::new("sh").arg("-c").arg(write).arg(&file).arg(says).status().unwrap().success());
        file
    }

    #[test]
    fn the_first_that_is_new_enough_is_taken_and_what_does_not_fit_is_told() {
        let place = tempfile::tempdir().unwrap();
        let account = Account::for_paths([place.path()]);
        let old = pretend(place.path(), "old", "nats-server: v2.9.10");
        let other = pretend(place.path(), "other", "something else");
        let good = pretend(place.path(), "good", "nats-server: v2.15.1");
        // As root, below a closed temporary directory, nobody else could run them.
        let account = if account.is_dropped() { Account::Own { uid: 0 } } else { account };
        let missing = place.path().join("missing");

        let all = Candidates::Found(vec![old.clone(), other.clone(), missing.clone(), good.clone()]);
        assert_eq!(all.choose(account).unwrap(), good);
        let error = Candidates::Found(vec![old.clone(), other, missing]).choose(account).unwrap_err();
        let ManagedError::NoNatsServer { looked, .. } = error else { panic!("{error}") };
        for (line, expected) in
            looked.iter().zip(["is version 2.9, older than 2.12", "tells no version", "No such file"])
        {
            assert!(line.contains(expected), "{line}");
        }
        assert_eq!(looked.len(), 3);
        let error = Candidates::look(Some(&old)).unwrap().choose(account).unwrap_err();
        assert!(matches!(&error, ManagedError::BadNatsServer { program, .. } if *program == old), "{error}");
        assert!(error.to_string().contains("PALAVER_NATS_SERVER"), "{error}");
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(Version::read("nats-server: v2.15.1\n"), Some(Version { major: 2, minor: 15 }));
        assert_eq!(Version::read("nats-server: v2.12.0-RC.1"), Some(Version { major: 2, minor: 12 }));
        assert_eq!(Version::read("postgres (PostgreSQL) 15.8"), None);
        assert!(Version { major: 2, minor: 9 } < OLDEST && Version { major: 3, minor: 0 } > OLDEST);
    }
}
