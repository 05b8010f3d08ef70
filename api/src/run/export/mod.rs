//! `palaver export`: the log, or some of it, on its way into a file. Memory is bounded by a page of the log and a row group
//! of the file.

pub(super) mod ndjson;
mod output;
mod parquet;

use std::{io::Write, time::Instant};

use futures::TryStreamExt;
use palaver_eventstore::{
    EventFilter, LogError, Position,
    transfer::{RawEvent, read_matching},
};
use serde_json::json;

use super::{
    RunError,
    database::Tool,
    progress::{Otherwise, Progress, Reached, tell},
    stream::stream_type,
};
use crate::{
    app::App,
    cli::{ExportArgs, ExportFormat},
    server::Shutdown,
    settings::Settings,
};

use output::{Output, OutputError};

const LEFT_OUT: &str = "Exported is the log alone: no passwords, tokens, keys, second factors, secrets of the vault, mail, or \
                        what sandbox channels have accepted.";

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("the log can not be exported")]
    Log(#[from] LogError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("the event at position {position} has {column} that is no JSON")]
    NotJson { position: Position, column: &'static str, source: serde_json::Error },
    #[error("the event at position {position} can not be written as JSON")]
    Json { position: Position, source: serde_json::Error },
    #[error("the events can not be written as Parquet")]
    Parquet(#[from] ::parquet::errors::ParquetError),
    #[error("stopped at position {0}; there is no file")]
    Stopped(Position),
}

impl From<OutputError> for RunError {
    fn from(error: OutputError) -> Self {
        Self::Export(error.into())
    }
}

/// How events become bytes, in order.
enum Encoder {
    Ndjson,
    Parquet(Box<parquet::Rows>),
}

impl Encoder {
    fn new(format: ExportFormat) -> Result<Self, ExportError> {
        Ok(match format {
            ExportFormat::Ndjson => Self::Ndjson,
            ExportFormat::Parquet => Self::Parquet(Box::new(parquet::Rows::begin()?)),
        })
    }

    /// Adds what is complete to `bytes`.
    fn encode(&mut self, events: Vec<RawEvent>, bytes: &mut Vec<u8>) -> Result<(), ExportError> {
        match self {
            Self::Ndjson => events.iter().try_for_each(|event| ndjson::write(event, bytes)),
            Self::Parquet(rows) => Ok(events.into_iter().try_for_each(|event| rows.push(event, bytes))?),
        }
    }

    fn end(self, bytes: &mut Vec<u8>) -> Result<(), ExportError> {
        match self {
            Self::Ndjson => Ok(()),
            Self::Parquet(rows) => Ok(rows.end(bytes)?),
        }
    }
}

pub(super) async fn run(settings: &Settings, args: &ExportArgs, out: &mut impl Write) -> Result<(), RunError> {
    let filter = filter(args)?;
    if args.until.is_some_and(|until| until < args.from) {
        return Err(RunError::Misused("--until is before --from".to_owned()));
    }
    let mut output = Output::open(&args.output, args.force, args.format == ExportFormat::Parquet)?;
    let tool = Tool::open(settings).await?;
    let app = App::open(tool.database.clone(), settings).await?;
    let exported = export(&app, args, filter, &mut output, out).await;
    app.close().await;
    tool.close().await?;
    let exported = exported?;
    let bytes = output.bytes();
    if output.keep()? {
        let report = json!({
            "events": exported.events,
            "from": args.from,
            "until": exported.until,
            "file": args.output.display().to_string(),
            "bytes": bytes,
            "seconds": exported.seconds,
        });
        writeln!(out, "{report}")?;
    }
    tell(LEFT_OUT);
    Ok(())
}

fn filter(args: &ExportArgs) -> Result<EventFilter, RunError> {
    let tenant = args.tenant.as_deref().map(str::parse).transpose();
    Ok(EventFilter {
        tenant: tenant.map_err(|error| RunError::Misused(format!("--tenant: {error}")))?,
        aggregate_types: args.aggregate_type.iter().map(|given| stream_type(given)).collect(),
        aggregate_id: args.aggregate_id.clone(),
        event_types: args.event_type.clone(),
    })
}

struct Exported {
    events: u64,
    until: Position,
    seconds: f64,
}

async fn export(
    app: &App,
    args: &ExportArgs,
    filter: EventFilter,
    output: &mut Output,
    out: &mut impl Write,
) -> Result<Exported, RunError> {
    let shutdown = Shutdown::default();
    shutdown.on_signals()?;
    let began = Instant::now();
    // What is appended meanwhile is left for another export, or this one might never end.
    let head = app.log.head().await?;
    let until = args.until.map_or(head, |until| until.min(head));
    let after = args.from - 1;
    let mut encoder = Encoder::new(args.format)?;
    let mut progress = Progress::begin("export", if args.progress { Otherwise::Lines } else { Otherwise::Silence });
    let mut reached = Reached { done: 0, total: Some(counted(until - after)), events: 0 };
    let mut pages = std::pin::pin!(read_matching(&app.database, filter, after, until));
    let mut bytes = Vec::new();
    while let Some(events) = pages.try_next().await.map_err(ExportError::from)? {
        let last = events.last().map_or(until, |event| event.position);
        reached.events += events.len() as u64;
        reached.done = counted(last - after);
        encoder.encode(events, &mut bytes)?;
        output.write(&bytes, out)?;
        bytes.clear();
        progress.reached(reached);
        if shutdown.stop.is_cancelled() {
            progress.end(reached);
            return Err(ExportError::Stopped(last).into());
        }
    }
    encoder.end(&mut bytes)?;
    output.write(&bytes, out)?;
    reached.done = counted(until - after);
    progress.end(reached);
    Ok(Exported { events: reached.events, until, seconds: began.elapsed().as_secs_f64() })
}

/// How many positions lie between two; none when the log ends before the first.
fn counted(positions: Position) -> u64 {
    u64::try_from(positions).unwrap_or_default()
}
