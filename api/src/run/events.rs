//! `palaver events`: what happened, of whatever matches, in the order of the log; and what happens from now on.

use std::{
    io::{self, Write},
    ops::ControlFlow,
};

use futures::{StreamExt, pin_mut};
use palaver_domain::AGGREGATE_TYPES;
use palaver_eventstore::{
    EventFilter, Position, RecordedEvent,
    timeline::{Moment, UnknownAggregateType},
};

use super::{RunError, database::Tool, lines, stream::stream_type};
use crate::{app::App, cli::EventsArgs, settings::Settings};

pub(super) async fn run(settings: &Settings, args: &EventsArgs, out: &mut impl Write) -> Result<(), RunError> {
    let tool = Tool::open(settings).await?;
    let app = App::open(tool.database.clone(), settings).await?;
    let printed = Printed { args, left: args.limit };
    let result = tokio::select! {
        result = act(&app, args, printed, out) => result,
        // Who has seen enough was not failed.
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(RunError::from),
    };
    app.close().await;
    tool.close().await?;
    result
}

async fn act(app: &App, args: &EventsArgs, mut printed: Printed<'_>, out: &mut impl Write) -> Result<(), RunError> {
    let aggregate_types: Vec<String> = args.aggregate_types.iter().map(|given| stream_type(given)).collect();
    if let Some(unknown) = aggregate_types.iter().find(|given| !AGGREGATE_TYPES.contains(&given.as_str())) {
        return Err(UnknownAggregateType(unknown.clone()).into());
    }
    let filter = EventFilter {
        tenant: args.tenant,
        aggregate_types,
        event_types: args.event_types.clone(),
        aggregate_id: args.aggregate_id.clone(),
    };
    let after: Position = match args.from {
        Some(from) => (from - 1).max(0),
        None if args.follow && args.since.is_none() => app.log.head().await?,
        None => 0,
    };
    if args.follow {
        let mut subscription = app.log.subscribe(after, filter);
        loop {
            let events = subscription.next().await?;
            if printed.page(&events, out)?.is_break() {
                return Ok(());
            }
        }
    }
    let pages = app.log.read_all(after, filter);
    pin_mut!(pages);
    while let Some(events) = pages.next().await {
        if printed.page(&events?, out)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// What was printed so far counts.
struct Printed<'a> {
    args: &'a EventsArgs,
    left: Option<u64>,
}

impl Printed<'_> {
    fn page(&mut self, events: &[RecordedEvent], out: &mut impl Write) -> io::Result<ControlFlow<()>> {
        for event in events {
            if self.args.to.is_some_and(|to| event.position > to) {
                return Ok(ControlFlow::Break(()));
            }
            if !self.decided_in_time(event) {
                continue;
            }
            if self.args.json {
                writeln!(out, "{}", lines::event(event))?;
            } else {
                line(event, out)?;
            }
            if let Some(left) = &mut self.left {
                *left -= 1;
                if *left == 0 {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        out.flush()?;
        Ok(ControlFlow::Continue(()))
    }

    /// Times need not rise with the position, so one that is too late says nothing of what comes behind it.
    fn decided_in_time(&self, event: &RecordedEvent) -> bool {
        let since = match self.args.since {
            Some(Moment::Time(since)) => event.metadata.time >= since,
            _ => true,
        };
        since && self.args.until.is_none_or(|until| until.includes(event))
    }
}

fn line(event: &RecordedEvent, out: &mut impl Write) -> io::Result<()> {
    let fault = if event.fault.is_some() { "  can not be read" } else { "" };
    writeln!(
        out,
        "{:>8}  {}  {:<28} {} #{}  {}{fault}",
        event.position,
        lines::time(event.metadata.time),
        event.event_type,
        event.stream,
        event.sequence,
        event.metadata.actor,
    )
}
