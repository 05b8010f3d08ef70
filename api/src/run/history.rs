//! `palaver history`: how a thing came to be what it is, straight from its stream; what it was at some moment; and what
//! differs between two.

use std::io::Write;

use palaver_eventstore::{
    StreamId,
    timeline::{Moment, Timeline, changes_between},
};
use serde_json::json;

use super::{RunError, database::Tool, lines, stream::stream};
use crate::{app::App, cli::HistoryArgs, settings::Settings};

pub(super) async fn run(settings: &Settings, args: &HistoryArgs, out: &mut impl Write) -> Result<(), RunError> {
    let tool = Tool::open(settings).await?;
    let app = App::open(tool.database.clone(), settings).await?;
    let result = act(&app, args, out).await;
    app.close().await;
    tool.close().await?;
    result
}

async fn act(app: &App, args: &HistoryArgs, out: &mut impl Write) -> Result<(), RunError> {
    let stream = stream(&args.aggregate_type, &args.aggregate_id);
    let timeline = app.log.timeline(stream.clone())?;
    match (args.at.or(args.position), args.from, args.to) {
        (Some(moment), _, _) => state(timeline, &stream, moment, args, out).await,
        (None, None, None) => steps(timeline, &stream, args, out).await,
        (None, from, to) => {
            let moments = [from.unwrap_or(Moment::BEGINNING), to.unwrap_or(Moment::END)];
            differences(timeline, &stream, moments, args, out).await
        }
    }
}

/// Every event behind `--after`, with what it says or what it has changed.
async fn steps(
    mut timeline: Timeline,
    stream: &StreamId,
    args: &HistoryArgs,
    out: &mut impl Write,
) -> Result<(), RunError> {
    timeline.skip_to(args.after).await?;
    let mut seen = false;
    while let Some(step) = timeline.next().await? {
        seen = true;
        if args.json {
            writeln!(out, "{}", lines::step(&step, args.diff))?;
            continue;
        }
        lines::heading(&step.event, out)?;
        if let Some(fault) = step.fault() {
            writeln!(out, "        this event can not be read: {fault}")?;
        }
        match (args.diff, step.changes()) {
            (false, _) => lines::said(&step.event, out)?,
            (true, Ok(changes)) => lines::changes(&changes, out)?,
            (true, Err(unreadable)) => writeln!(out, "      {unreadable}")?,
        }
    }
    if seen { Ok(()) } else { Err(nothing(stream, args)) }
}

fn nothing(stream: &StreamId, args: &HistoryArgs) -> RunError {
    RunError::NotFound(format!("the log has no events of {stream} after {}", args.after))
}

async fn state(
    timeline: Timeline,
    stream: &StreamId,
    moment: Moment,
    args: &HistoryArgs,
    out: &mut impl Write,
) -> Result<(), RunError> {
    let [then] = timeline.states_at([moment]).await?.ok_or_else(|| nothing(stream, args))?;
    let state = then.state.as_deref().map_err(|unreadable| RunError::NotFound(unreadable.to_string()))?;
    if args.json {
        let mut line = lines::moment_json(&then);
        if let Some(line) = line.as_object_mut() {
            line.insert("state".to_owned(), state.clone());
        }
        writeln!(out, "{line}")?;
    } else if then.sequence == 0 {
        writeln!(out, "{stream} was not there yet")?;
    } else {
        writeln!(out, "{stream} after {}", lines::moment(&then))?;
        writeln!(out, "{state:#}")?;
    }
    Ok(())
}

async fn differences(
    timeline: Timeline,
    stream: &StreamId,
    moments: [Moment; 2],
    args: &HistoryArgs,
    out: &mut impl Write,
) -> Result<(), RunError> {
    let [from, to] = timeline.states_at(moments).await?.ok_or_else(|| nothing(stream, args))?;
    let changes = changes_between(&from, &to).map_err(|unreadable| RunError::NotFound(unreadable.to_string()))?;
    if args.json {
        let (from, to) = (lines::moment_json(&from), lines::moment_json(&to));
        writeln!(out, "{}", json!({ "from": from, "to": to, "changes": changes }))?;
        return Ok(());
    }
    writeln!(out, "{stream} from {} to {}", lines::moment(&from), lines::moment(&to))?;
    lines::changes(&changes, out)?;
    Ok(())
}
