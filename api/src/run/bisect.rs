//! `palaver bisect`: the event that first made something true of a thing.

use std::io::Write;

use palaver_eventstore::timeline::{Condition, FirstError};
use serde_json::Value;

use super::{RunError, database::Tool, lines, stream::stream};
use crate::{app::App, cli::BisectArgs, settings::Settings};

pub(super) async fn run(settings: &Settings, args: &BisectArgs, out: &mut impl Write) -> Result<(), RunError> {
    let value = serde_json::from_str(&args.equals).unwrap_or_else(|_| Value::String(args.equals.clone()));
    let condition = Condition::new(&args.jsonpath, value).map_err(|error| RunError::Misused(error.to_string()))?;
    let tool = Tool::open(settings).await?;
    let app = App::open(tool.database.clone(), settings).await?;
    let result = act(&app, args, &condition, out).await;
    app.close().await;
    tool.close().await?;
    result
}

async fn act(app: &App, args: &BisectArgs, condition: &Condition, out: &mut impl Write) -> Result<(), RunError> {
    let stream = stream(&args.aggregate_type, &args.aggregate_id);
    let mut timeline = app.log.timeline(stream.clone())?;
    let asked = format!("{} equal to {}", args.jsonpath, condition.value());
    let step = match timeline.first(|state| condition.holds(state)).await {
        Ok(Some(step)) => step,
        Ok(None) if timeline.sequence() == 0 => {
            return Err(RunError::NotFound(format!("the log has no events of {stream}")));
        }
        Ok(None) => {
            let events = timeline.sequence();
            return Err(RunError::NotFound(format!("none of the {events} events of {stream} made {asked}")));
        }
        Err(FirstError::Log(error)) => return Err(error.into()),
        Err(FirstError::Unreadable(unreadable)) => {
            return Err(RunError::NotFound(format!(
                "no event of {stream} made {asked} as far as can be told: {unreadable}"
            )));
        }
    };
    if args.json {
        writeln!(out, "{}", lines::step(&step, true))?;
        return Ok(());
    }
    writeln!(out, "{stream} first had {asked} after")?;
    lines::heading(&step.event, out)?;
    if let Ok(changes) = step.changes() {
        lines::changes(&changes, out)?;
    }
    Ok(())
}
