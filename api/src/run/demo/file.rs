//! The files of a demo below the data directory: `demo.json`, which tells how to get in, and the mark of a filling that
//! is under way.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use palaver_domain::AccountId;
use serde_json::{Value, json};

use super::{DemoError, Whereabouts};

const FILE: &str = "demo.json";
const MARK: &str = "demo.unfinished";
const DRAFT: &str = "demo.json.new";
/// Credentials are their owner's alone.
const MODE: u32 = 0o600;

pub(super) struct DemoFiles {
    path: PathBuf,
    mark: PathBuf,
    draft: PathBuf,
}

impl DemoFiles {
    /// # Errors
    /// When the data directory can not be made, or the working directory can not be told.
    pub fn below(data: &Path) -> Result<Self, DemoError> {
        fs::create_dir_all(data).map_err(failed("make", data))?;
        // Whoever reads the ready line need not be where this process is.
        let data = std::path::absolute(data).map_err(failed("find", data))?;
        Ok(Self { path: data.join(FILE), mark: data.join(MARK), draft: data.join(DRAFT) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn mark(&self) -> &Path {
        &self.mark
    }

    /// A filling begins: whatever file is left of another database's demo is none of this one.
    ///
    /// # Errors
    /// When a file can not be written or removed.
    pub fn begin(&self, account: AccountId) -> Result<(), DemoError> {
        self.write(&self.mark, &json!({ "accountId": account }))?;
        remove(&self.path)
    }

    /// A filling has come to its end.
    ///
    /// # Errors
    /// When a file can not be written or removed.
    pub fn finish(&self, demo: &Value) -> Result<(), DemoError> {
        self.write(&self.path, demo)?;
        remove(&self.mark)
    }

    /// Tells the file of the demo of `account` where the service is this time; whatever else is in it stays. Returns
    /// whether there is one.
    ///
    /// # Errors
    /// When the file can not be read or written.
    pub fn refresh(&self, account: AccountId, at: Whereabouts<'_>) -> Result<bool, DemoError> {
        let Some(mut demo) = read_of(&self.path, account)? else { return Ok(false) };
        if let Some(fields) = demo.as_object_mut() {
            fields.insert("url".to_owned(), at.url.into());
            fields.insert("nats".to_owned(), at.nats.into());
        }
        self.write(&self.path, &demo)?;
        Ok(true)
    }

    /// Whether a demo of `account` was begun and not finished.
    ///
    /// # Errors
    /// When the mark can not be read.
    pub fn is_unfinished(&self, account: AccountId) -> Result<bool, DemoError> {
        Ok(read_of(&self.mark, account)?.is_some())
    }

    /// In full beside its place, and then there: nobody ever reads half a file.
    fn write(&self, path: &Path, value: &Value) -> Result<(), DemoError> {
        remove(&self.draft)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(MODE);
        let written = options.open(&self.draft).and_then(|mut file| {
            writeln!(file, "{value:#}")?;
            file.sync_all()
        });
        written.map_err(failed("write", &self.draft))?;
        fs::rename(&self.draft, path).map_err(failed("write", path))
    }
}

/// The JSON of a file, when there is one and it is of `account`.
fn read_of(path: &Path, account: AccountId) -> Result<Option<Value>, DemoError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path)(error)),
    };
    let value: Value =
        serde_json::from_str(&text).map_err(|source| DemoError::Malformed { path: path.to_owned(), source })?;
    let same = value.get("accountId").and_then(Value::as_str) == Some(&account.to_string());
    Ok(same.then_some(value))
}

fn remove(path: &Path) -> Result<(), DemoError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DemoError {
    let path = path.to_owned();
    move |source| DemoError::File { action, path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const OURS: AccountId = AccountId::from_bytes([1; 12]);
    const OTHER: AccountId = AccountId::from_bytes([2; 12]);

    fn at(url: &str) -> Whereabouts<'_> {
        Whereabouts { url, nats: None }
    }

    #[test]
    fn a_filling_is_unfinished_until_its_file_is_there() {
        let data = tempfile::tempdir().unwrap();
        let files = DemoFiles::below(&data.path().join("new")).unwrap();
        assert!(!files.is_unfinished(OURS).unwrap());
        files.finish(&json!({ "accountId": OURS, "url": "of another database" })).unwrap();

        files.begin(OURS).unwrap();
        assert!(files.is_unfinished(OURS).unwrap() && !files.is_unfinished(OTHER).unwrap());
        assert!(!files.refresh(OURS, at("http://b")).unwrap(), "the old file is gone");

        files.finish(&json!({ "accountId": OURS, "url": "http://a", "users": [], "later": 1 })).unwrap();
        assert!(!files.is_unfinished(OURS).unwrap());
        assert!(files.refresh(OURS, at("http://b")).unwrap() && !files.refresh(OTHER, at("http://c")).unwrap());
        let demo: Value = serde_json::from_str(&fs::read_to_string(files.path()).unwrap()).unwrap();
        assert_eq!(demo, json!({ "accountId": OURS, "url": "http://b", "nats": null, "users": [], "later": 1 }));
        let nats = Some("nats://palaver:secret@127.0.0.1:4222");
        assert!(files.refresh(OURS, Whereabouts { url: "http://b", nats }).unwrap());
        let demo: Value = serde_json::from_str(&fs::read_to_string(files.path()).unwrap()).unwrap();
        assert_eq!(demo["nats"].as_str(), nats);
        let mode = fs::metadata(files.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(data.path().join("new")).unwrap().count(), 1, "nothing else is left");
    }
}
