//! Where an export goes: stdout, or a file that has its name only when it is whole. It is written beside its place under
//! another name, which is gone when the export fails, and is still another one when the process is killed.

use std::{
    fs::{self, File},
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    #[error("{} is there already; --force replaces it", .0.display())]
    Exists(PathBuf),
    #[error("{} is no file; `--output -` writes to stdout", .0.display())]
    NotAFile(PathBuf),
    #[error("Parquet is nothing to look at; name a file by --output, or send stdout elsewhere")]
    Terminal,
    #[error("can not {action} {}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("can not write to stdout")]
    Stdout(#[source] io::Error),
}

pub(super) struct Output {
    place: Option<Place>,
    bytes: u64,
}

struct Place {
    path: PathBuf,
    directory: PathBuf,
    force: bool,
    beside: NamedTempFile,
}

impl Output {
    /// Refuses at once what could not be kept in the end.
    pub fn open(path: &Path, force: bool, binary: bool) -> Result<Self, OutputError> {
        if path == Path::new("-") {
            if binary && io::stdout().is_terminal() {
                return Err(OutputError::Terminal);
            }
            return Ok(Self { place: None, bytes: 0 });
        }
        // What a link leads to stays where it is; the link is what would be replaced.
        match fs::symlink_metadata(path) {
            Ok(found) if !found.is_file() => return Err(OutputError::NotAFile(path.to_owned())),
            Ok(_) if !force => return Err(OutputError::Exists(path.to_owned())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(file("look at", path)(source)),
        }
        let Some(name) = path.file_name() else { return Err(OutputError::NotAFile(path.to_owned())) };
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        // Readable by its owner alone.
        let beside = tempfile::Builder::new()
            .prefix(&format!(".{}.", name.to_string_lossy()))
            .suffix(".partial")
            .tempfile_in(&directory)
            .map_err(file("write into", &directory))?;
        let place = Place { path: path.to_owned(), directory, force, beside };
        Ok(Self { place: Some(place), bytes: 0 })
    }

    pub fn write(&mut self, bytes: &[u8], stdout: &mut impl Write) -> Result<(), OutputError> {
        match &mut self.place {
            None => stdout.write_all(bytes).map_err(OutputError::Stdout)?,
            Some(place) => place.beside.write_all(bytes).map_err(file("write", &place.path))?,
        }
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Gives the file its name, once all of it is on the disk. Whether there is one.
    pub fn keep(self) -> Result<bool, OutputError> {
        let Some(Place { path, directory, force, beside }) = self.place else { return Ok(false) };
        beside.as_file().sync_all().map_err(file("write", &path))?;
        let kept = if force { beside.persist(&path) } else { beside.persist_noclobber(&path) };
        kept.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => OutputError::Exists(path.clone()),
            _ => file("write", &path)(error.error),
        })?;
        // The name, too, must outlive a loss of power.
        File::open(&directory).and_then(|directory| directory.sync_all()).map_err(file("write into", &directory))?;
        Ok(true)
    }
}

fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OutputError + use<> {
    let path = path.to_owned();
    move |source| OutputError::File { action, path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_its_name_when_it_is_whole_and_not_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.ndjson");
        let mut output = Output::open(&path, false, false).unwrap();
        output.write(b"half", &mut io::sink()).unwrap();
        let [beside] = &names(directory.path())[..] else { panic!() };
        assert!(beside.starts_with(".log.ndjson.") && beside.ends_with(".partial"), "{beside}");
        drop(output);
        assert_eq!(names(directory.path()), Vec::<String>::new(), "nothing is left of half a file");

        let mut output = Output::open(&path, false, false).unwrap();
        output.write(b"all ", &mut io::sink()).unwrap();
        output.write(b"of it", &mut io::sink()).unwrap();
        assert_eq!(output.bytes(), 9);
        assert!(output.keep().unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"all of it");
        assert_eq!(names(directory.path()), ["log.ndjson"]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_there_is_replaced_only_when_that_was_said() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.ndjson");
        let late = Output::open(&path, false, false).unwrap();
        fs::write(&path, "before").unwrap();
        assert!(matches!(Output::open(&path, false, false), Err(OutputError::Exists(_))));
        assert!(matches!(late.keep(), Err(OutputError::Exists(_))), "it came meanwhile");
        assert_eq!(fs::read(&path).unwrap(), b"before");
        let mut output = Output::open(&path, true, false).unwrap();
        output.write(b"after", &mut io::sink()).unwrap();
        output.keep().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"after");
        assert_eq!(names(directory.path()), ["log.ndjson"]);

        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        for no_file in [directory.path(), Path::new("/dev/null"), &link] {
            assert!(matches!(Output::open(no_file, true, false), Err(OutputError::NotAFile(_))), "{no_file:?}");
        }
        let nowhere = directory.path().join("nowhere/log.ndjson");
        assert!(matches!(Output::open(&nowhere, false, false), Err(OutputError::File { .. })));
    }

    #[test]
    fn stdout_is_written_to_as_it_comes() {
        let mut output = Output::open(Path::new("-"), false, false).unwrap();
        let mut stdout = Vec::new();
        output.write(b"a line\n", &mut stdout).unwrap();
        assert!(!output.keep().unwrap());
        assert_eq!(stdout, b"a line\n");
    }
}
