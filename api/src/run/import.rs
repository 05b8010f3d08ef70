//! `palaver import`: an empty log filled with what was exported. What a line must be is in [`super::export::ndjson`]; that
//! the events hold together is checked where they are written, in one transaction.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use futures::{Stream, stream};
use palaver_eventstore::{
    Database, Position, READ_PAGE_EVENTS_MAX,
    transfer::{RawEvent, TransferError, write_events},
};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    RunError,
    database::Tool,
    export::ndjson,
    progress::{Otherwise, Progress, Reached, tell},
};
use crate::{cli::ImportArgs, server::Shutdown, settings::Settings};

/// Bytes of one line: an append takes 4 MiB, and this is more than any form of it.
const LINE_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Bytes of lines, beside their number, at which a page goes on its way.
const PAGE_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// Pages that are read ahead.
const PAGES_AHEAD_MAX: usize = 2;

const LEFT_OUT: &str = "The log is all that came. Nobody has a password, a token, a key or a second factor until they get new \
                        ones; `palaver account user` makes the first. Read models are built when the service runs.";

/// A line's number is the position of its event, because a log begins at 1 and has no gaps.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("can not read {path}")]
    Open { path: String, source: io::Error },
    #[error("line {line} can not be read")]
    Read { line: u64, source: io::Error },
    #[error("line {line}: {problem}")]
    Line { line: u64, problem: String },
    #[error("line {line} is longer than {LINE_BYTES_MAX} bytes")]
    TooLong { line: u64 },
    #[error(
        "line {line} has position {found} where {line} is due: only a whole log can be imported, from its first event on; \
         this was exported with filters or --from, or lines are missing"
    )]
    Partial { line: u64, found: Position },
    #[error("line {position}: {fault}")]
    Event { position: Position, fault: TransferError },
    #[error("nothing was imported")]
    Transfer(#[source] TransferError),
    #[error("stopped before the end; nothing was imported")]
    Stopped,
}

impl From<TransferError> for ImportError {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::Source(source) => match source.downcast::<Self>() {
                Ok(error) => *error,
                Err(source) => Self::Transfer(TransferError::Source(source)),
            },
            TransferError::Sequence { position, .. } | TransferError::TooLarge { position } => {
                Self::Event { position, fault: error }
            }
            TransferError::DuplicateId { second, .. } => Self::Event { position: second, fault: error },
            other => Self::Transfer(other),
        }
    }
}

pub(super) async fn run(settings: &Settings, args: &ImportArgs, out: &mut impl Write) -> Result<(), RunError> {
    // Before a database is made for it.
    let source = Source::open(&args.file)?;
    let tool = Tool::open_or_make(settings).await?;
    tool.database.migrate().await?;
    let began = Instant::now();
    let imported = import(&tool.database, source, args).await;
    tool.close().await?;
    let events = imported?;
    writeln!(out, "{}", json!({ "events": events, "seconds": began.elapsed().as_secs_f64() }))?;
    tell(LEFT_OUT);
    Ok(())
}

async fn import(database: &Database, source: Source, args: &ImportArgs) -> Result<Position, RunError> {
    let shutdown = Shutdown::default();
    shutdown.on_signals()?;
    let mut progress = Progress::begin("import", if args.progress { Otherwise::Lines } else { Otherwise::Silence });
    let mut reached = Reached { done: 0, total: source.bytes, events: 0 };
    let read = Arc::new(AtomicU64::new(0));
    let pages = pages(source, Arc::clone(&read), shutdown.stop.clone())?;
    let imported = write_events(database, pages, |position| {
        reached.done = read.load(Ordering::Relaxed);
        reached.events = u64::try_from(position).unwrap_or_default();
        progress.reached(reached);
    })
    .await;
    progress.end(reached);
    Ok(imported.map_err(ImportError::from)?)
}

struct Source {
    input: Box<dyn Read + Send>,
    /// How many there are, when that can be known.
    bytes: Option<u64>,
}

impl Source {
    fn open(path: &Path) -> Result<Self, ImportError> {
        if path == Path::new("-") {
            return Ok(Self { input: Box::new(io::stdin()), bytes: None });
        }
        let open = || {
            let file = File::open(path)?;
            let found = file.metadata()?;
            if found.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Ok(Self { bytes: found.is_file().then_some(found.len()), input: Box::new(file) })
        };
        open().map_err(|source| ImportError::Open { path: path.display().to_string(), source })
    }
}

/// The events of the lines, in pages. Read by a thread of its own, since a read may wait for somebody's keyboard, and
/// stopping must not.
fn pages(
    source: Source,
    read: Arc<AtomicU64>,
    stop: CancellationToken,
) -> io::Result<impl Stream<Item = Result<Vec<RawEvent>, ImportError>> + use<>> {
    let (sender, receiver) = mpsc::channel(PAGES_AHEAD_MAX);
    thread::Builder::new().name("palaver import".to_owned()).spawn(move || {
        let mut lines = Lines { input: BufReader::new(source.input), line: 0, read };
        loop {
            let page = lines.page().transpose();
            let Some(page) = page else { return };
            let ended = page.is_err();
            // Nobody takes it any more when the import has failed or was stopped.
            if sender.blocking_send(page).is_err() || ended {
                return;
            }
        }
    })?;
    Ok(stream::unfold(Some((receiver, stop)), |state| async {
        let (mut receiver, stop) = state?;
        let next = tokio::select! {
            biased;
            () = stop.cancelled() => Some(Err(ImportError::Stopped)),
            page = receiver.recv() => page,
        };
        next.map(|page| (page, Some((receiver, stop))))
    }))
}

struct Lines<R> {
    input: BufReader<R>,
    line: u64,
    /// Bytes so far, for whoever watches.
    read: Arc<AtomicU64>,
}

impl<R: Read> Lines<R> {
    /// The next events; `None` at the end.
    fn page(&mut self) -> Result<Option<Vec<RawEvent>>, ImportError> {
        let mut events = Vec::new();
        let (mut line, mut bytes) = (Vec::new(), 0);
        while (events.len() as i64) < READ_PAGE_EVENTS_MAX && bytes < PAGE_BYTES_MAX {
            line.clear();
            self.line += 1;
            // One more than is allowed tells that there is one more.
            let mut bounded = self.input.by_ref().take(LINE_BYTES_MAX as u64 + 1);
            let length =
                bounded.read_until(b'\n', &mut line).map_err(|source| ImportError::Read { line: self.line, source })?;
            if length == 0 {
                break;
            }
            if length > LINE_BYTES_MAX {
                return Err(ImportError::TooLong { line: self.line });
            }
            bytes += length;
            let event = ndjson::read(line.trim_ascii_end())
                .map_err(|problem| ImportError::Line { line: self.line, problem })?;
            if u64::try_from(event.position) != Ok(self.line) {
                return Err(ImportError::Partial { line: self.line, found: event.position });
            }
            events.push(event);
        }
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok((!events.is_empty()).then_some(events))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(position: i64, payload: &str) -> String {
        format!(
            r#"{{"position":{position},"eventId":"6fa459ea-ee8a-4ca4-894e-db77e160355e","tenantId":"t","aggregateType":"post","aggregateId":"a","sequence":1,"eventType":"PostPlanned","eventVersion":"1","payload":{payload},"metadata":{{}},"recordedAt":"2031-05-01T10:00:00.000100Z"}}"#
        )
    }

    fn lines(text: &[u8]) -> Lines<&[u8]> {
        Lines { input: BufReader::new(text), line: 0, read: Arc::default() }
    }

    #[test]
    fn a_page_is_bounded_in_events_and_in_bytes() {
        let many: Vec<_> = (1..=2_500).map(|position| line(position, "{}")).collect();
        // The last line needs no end.
        let text = many.join("\n");
        let mut lines_read = lines(text.as_bytes());
        let mut lengths = Vec::new();
        while let Some(page) = lines_read.page().unwrap() {
            lengths.push(page.len());
        }
        assert_eq!(lengths, [1_000, 1_000, 500]);
        assert_eq!(lines_read.read.load(Ordering::Relaxed), text.len() as u64);

        let large = format!("\"{}\"", "x".repeat(PAGE_BYTES_MAX / 2));
        let text: String = (1..=5).map(|position| line(position, &large) + "\n").collect();
        let mut lines_read = lines(text.as_bytes());
        assert_eq!(lines_read.page().unwrap().map(|page| page.len()), Some(2));
        assert_eq!(lines(b"").page().unwrap(), None);
    }

    #[test]
    fn an_error_names_its_line() {
        let told = |text: &str| {
            let mut lines = lines(text.as_bytes());
            loop {
                match lines.page() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("{text} is fine"),
                    Err(error) => return error.to_string(),
                }
            }
        };
        let (one, two, three) = (line(1, "{}"), line(2, "{}"), line(3, "{}"));
        assert_eq!(told(&format!("{one}\n{{\n")), "line 2: EOF while parsing an object at column 1");
        assert!(told(&format!("{one}\n\n{two}\n")).starts_with("line 2: EOF while parsing"));
        assert!(told(&format!("{one}\n{}", &two[..40])).starts_with("line 2: EOF while parsing"));
        assert!(told(&two).starts_with("line 1 has position 2 where 1 is due: only a whole log"));
        assert!(told(&format!("{one}\n{three}\n")).starts_with("line 2 has position 3 where 2 is due"));
        assert!(told(&format!("{one}\n{one}\n")).starts_with("line 2 has position 1 where 2 is due"));
        let long = line(2, &format!("\"{}\"", "x".repeat(LINE_BYTES_MAX)));
        assert_eq!(told(&format!("{one}\n{long}\n")), format!("line 2 is longer than {LINE_BYTES_MAX} bytes"));
    }
}
