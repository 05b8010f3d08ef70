//! What of nats-server lies where, and says what: its configuration, where it listens, and how clients get in.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use rustix::process::Pid;
use serde::Deserialize;
use serde_json::json;

use super::{
    super::{ManagedError, home::Home},
    NatsAddress,
};

pub(super) const CONFIG: &str = "nats.conf";
const PID: &str = "nats.pid";
const ADDRESS: &str = "url";
const PORTS_PREFIX: &str = "nats-server_";
const PORTS_SUFFIX: &str = ".ports";
/// An event with all that its envelope adds is far smaller than this.
const PAYLOAD_BYTES_MAX: u32 = 8 * 1024 * 1024;
/// A client that does not say who it is is cut off after this.
const AUTHORIZATION_SECONDS_MAX: u32 = 5;

#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) home: Home,
}

impl Files {
    pub(super) fn pid_file(&self) -> PathBuf {
        self.home.path.join(PID)
    }

    fn address_file(&self) -> PathBuf {
        self.home.path.join(ADDRESS)
    }

    /// Who ran here last; `None` when nobody did, or nothing readable is there.
    pub(super) fn pid(&self) -> Result<Option<Pid>, ManagedError> {
        let text = read(&self.pid_file())?.unwrap_or_default();
        Ok(text.trim().parse().ok().filter(|number| *number > 0).and_then(Pid::from_raw))
    }

    /// Where it was listening last, and how clients got in. What can not be read is as good as lost: it is made anew.
    pub(super) fn address(&self) -> Result<Option<NatsAddress>, ManagedError> {
        Ok(read(&self.address_file())?.and_then(|text| NatsAddress::parse(text.trim())))
    }

    pub(super) fn write_address(&self, address: &NatsAddress) -> Result<(), ManagedError> {
        self.write(&self.address_file(), &format!("{}\n", address.expose()))
    }

    /// Everything is named from the folder that the server works in, so no path needs to be quoted. Its syntax takes
    /// JSON.
    pub(super) fn write_config(&self, port: Option<u16>, password: &str) -> Result<(), ManagedError> {
        let config = json!({
            "server_name": "palaver",
            // Reachable from this machine alone, and by the password alone: other users of the machine get nothing.
            "host": "127.0.0.1",
            // -1 is a free one.
            "port": port.map_or(-1, i32::from),
            "authorization": {
                "user": NatsAddress::USER,
                "password": password,
                "timeout": AUTHORIZATION_SECONDS_MAX,
            },
            "jetstream": { "store_dir": "." },
            "max_payload": PAYLOAD_BYTES_MAX,
            "pid_file": PID,
            "ports_file_dir": ".",
            "logtime_utc": true,
        });
        self.write(&self.home.path.join(CONFIG), &format!("{config:#}\n"))
    }

    /// The port that the server of this number listens on, once it does.
    pub(super) fn port(&self, pid: Pid) -> Result<Option<u16>, ManagedError> {
        #[derive(Deserialize)]
        struct Ports {
            nats: Vec<String>,
        }

        let path = self.home.path.join(format!("{PORTS_PREFIX}{}{PORTS_SUFFIX}", pid.as_raw_nonzero()));
        let Some(text) = read(&path)? else { return Ok(None) };
        // It is not written at one go.
        let Ok(ports) = serde_json::from_str::<Ports>(&text) else { return Ok(None) };
        Ok(ports.nats.iter().find_map(|url| url.rsplit_once(':')?.1.parse().ok()))
    }

    /// What killed servers left: a later one could have the number of an earlier one.
    pub(super) fn forget_ports(&self) -> Result<(), ManagedError> {
        let failed = || ManagedError::io("look into", &self.home.path);
        for entry in fs::read_dir(&self.home.path).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(PORTS_PREFIX) && name.ends_with(PORTS_SUFFIX) {
                fs::remove_file(entry.path()).map_err(ManagedError::io("remove", &entry.path()))?;
            }
        }
        Ok(())
    }

    /// Replaces a file in one step; nobody but the user reads it.
    fn write(&self, path: &Path, text: &str) -> Result<(), ManagedError> {
        let unfinished = path.with_extension("new");
        let mut file = self.home.open(&unfinished, OpenOptions::new().write(true).create(true).truncate(true))?;
        file.write_all(text.as_bytes()).map_err(ManagedError::io("write", &unfinished))?;
        fs::rename(&unfinished, path).map_err(ManagedError::io("put in place", path))
    }
}

fn read(path: &Path) -> Result<Option<String>, ManagedError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ManagedError::io("read", path)(error)),
    }
}
