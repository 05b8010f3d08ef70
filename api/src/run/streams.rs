//! `palaver streams`: where NATS is, what its stream holds, how far the relay and the stream's consumers are.

use std::io::Write;

use palaver_eventstore::{
    managed::ManagedNats,
    relay::{ConsumerReport, Relay, RelayOptions, StreamReport, StreamsReport},
};

use super::{RunError, database::Tool};
use crate::{
    app::App,
    cli::StreamsArgs,
    settings::{NatsUrl, Settings},
};

pub(super) async fn run(settings: &Settings, args: &StreamsArgs, out: &mut impl Write) -> Result<(), RunError> {
    let tool = Tool::open(settings).await?;
    let app = App::open(tool.database.clone(), settings).await?;
    let report = Relay::new(app.log.clone(), app.clock.clone(), options(settings)?).report().await;
    app.close().await;
    tool.close().await?;
    let report = report?;
    if args.json { Ok(writeln!(out, "{}", serde_json::to_string(&report)?)?) } else { Ok(print(&report, out)?) }
}

/// The NATS that is named, or the private one that runs below the data directory; else none.
fn options(settings: &Settings) -> Result<RelayOptions, RunError> {
    if let Some(options) = settings.relay() {
        return Ok(options);
    }
    if let Some(address) = ManagedNats::attach(&settings.data)? {
        let server: NatsUrl = address.expose().parse().map_err(|_| RunError::NatsAddress)?;
        if let Some(options) = settings.relaying_to(server).relay() {
            return Ok(options);
        }
    }
    Ok(RelayOptions { stream: settings.nats.stream.clone(), ..RelayOptions::to(Vec::new(), String::new()) })
}

fn print(report: &StreamsReport, out: &mut impl Write) -> std::io::Result<()> {
    let StreamsReport { stream, head, lag_events, .. } = report;
    match (report.servers.as_slice(), &report.unreachable) {
        ([], _) => writeln!(out, "NATS        none is named, and none runs below the data directory")?,
        (servers, None) => writeln!(out, "NATS        {}", servers.join(", "))?,
        (servers, Some(why)) => writeln!(out, "NATS        {}: {why}", servers.join(", "))?,
    }
    match (report.position, report.checkpoint_at) {
        (Some(position), Some(at)) => {
            writeln!(out, "relayed     up to position {position} of {head}, {lag_events} to go, as of {at}")?;
        }
        _ => writeln!(out, "relayed     nothing to {stream} yet; the log ends at position {head}")?,
    }
    match &report.leader {
        Some(leader) => {
            let from = leader.address.as_ref().map(|address| format!(" from {address}")).unwrap_or_default();
            let since = leader.since.map(|since| format!(" since {since}")).unwrap_or_default();
            writeln!(out, "leader      connected to PostgreSQL{from}{since} (its process {})", leader.pid)?;
        }
        None => writeln!(out, "leader      none: nobody relays")?,
    }
    if let Some(standstill) = &report.standstill {
        let (attempts, since) = (standstill.attempts, standstill.since);
        writeln!(out, "stands still since {since}, tried {attempts} times:\n    {}", standstill.error)?;
    }
    if let Some(state) = &report.state {
        print_stream(stream, state, out)?;
        print_consumers(&report.consumers, out)?;
    }
    Ok(())
}

fn print_stream(name: &str, state: &StreamReport, out: &mut impl Write) -> std::io::Result<()> {
    let StreamReport { messages, bytes, first_sequence, last_sequence, replicas_wanted, .. } = state;
    writeln!(out, "stream      {name}, made {}, takes {}", state.created, state.subjects.join(", "))?;
    writeln!(out, "holds       {messages} messages, {bytes} bytes, sequences {first_sequence} to {last_sequence}")?;
    if let Some(position) = state.last_position {
        writeln!(out, "ends with   the event at position {position}")?;
    }
    let age = match state.max_age_seconds {
        0 => "for good".to_owned(),
        seconds => format!("for {seconds} s"),
    };
    let size = if state.max_bytes < 0 { "all".to_owned() } else { format!("at most {} bytes", state.max_bytes) };
    writeln!(out, "keeps       {size} {age}; knows duplicates for {} s", state.duplicate_window_seconds)?;
    let leader = state.leader.as_ref().map(|leader| format!(", led by {leader}")).unwrap_or_default();
    writeln!(out, "copies      {replicas_wanted}{leader}")?;
    for replica in &state.replicas {
        let current = match (replica.offline, replica.current) {
            (true, _) => "is away",
            (false, true) => "is up to date",
            (false, false) => "is behind",
        };
        writeln!(out, "            {} {current}", replica.server)?;
    }
    Ok(())
}

fn print_consumers(consumers: &[ConsumerReport], out: &mut impl Write) -> std::io::Result<()> {
    if consumers.is_empty() {
        return writeln!(out, "consumers   none");
    }
    writeln!(out, "\n{:<32} {:>12} {:>14} {:>12}", "CONSUMER", "PENDING", "UNACKNOWLEDGED", "REDELIVERED")?;
    for consumer in consumers {
        let ConsumerReport { name, pending, unacknowledged, redelivered, .. } = consumer;
        writeln!(out, "{name:<32} {pending:>12} {unacknowledged:>14} {redelivered:>12}")?;
    }
    Ok(())
}
