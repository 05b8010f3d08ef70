//! `palaver replay`: whether a read model is what the log makes of it.

use std::io::Write;

use palaver_projections::engine::{
    DifferentRow, FieldDifference, LeftOut, ReplayOptions, ReplayReport, TableComparison,
};

use super::{
    RunError,
    database::Tool,
    progress::{Otherwise, Progress},
};
use crate::{app::App, cli::ReplayArgs, server::Shutdown, settings::Settings};

pub(super) async fn run(settings: &Settings, args: &ReplayArgs, out: &mut impl Write) -> Result<(), RunError> {
    if args.until.is_some_and(|until| until < args.from) {
        return Err(RunError::Misused("--until lies before --from".to_owned()));
    }
    let tool = Tool::open(settings).await?;
    let app = App::open(tool.database.clone(), settings).await?;
    let shutdown = Shutdown::default();
    shutdown.on_signals()?;
    let options = ReplayOptions { from: args.from, until: args.until, shown_max: args.limit_differences };
    let mut progress = Progress::begin(format!("replaying {}", args.projection), Otherwise::Silence);
    let told = |at: palaver_projections::engine::ReplayProgress| progress.tell(at.position, at.until);
    let report = app.engine.replay(&args.projection, options, &shutdown.stop, told).await;
    drop(progress);
    app.close().await;
    tool.close().await?;
    let report = report?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        print(&report, out)?;
    }
    if report.same { Ok(()) } else { Err(RunError::ReadModelDiffers { projection: report.projection }) }
}

fn print(report: &ReplayReport, out: &mut impl Write) -> Result<(), RunError> {
    let ReplayReport { projection, version, from, until, live_position, events, seconds, .. } = report;
    writeln!(
        out,
        "{projection} version {version}, positions {from} to {until}: {events} events replayed in {seconds:.1} s, \
         compared with the tables as of position {live_position}\n"
    )?;
    writeln!(
        out,
        "{:<20} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "TABLE", "COMPARED", "MISSING", "EXTRA", "DIFFERENT", "LEFT OUT"
    )?;
    for table in &report.tables {
        writeln!(
            out,
            "{:<20} {:>10} {:>10} {:>10} {:>10} {:>10}",
            table.table, table.compared, table.missing, table.extra, table.different, table.left_out
        )?;
    }
    print_left_out(report, out)?;
    for table in &report.tables {
        print_differences(table, out)?;
    }
    Ok(())
}

fn print_left_out(report: &ReplayReport, out: &mut impl Write) -> Result<(), RunError> {
    let LeftOut { began_before, went_on_after, poisoned, quarantined } = report.left_out;
    for (count, why) in [
        (began_before, format!("began before position {}", report.from)),
        (went_on_after, format!("went on after position {}", report.until)),
        (poisoned, "have an event that can not be applied".to_owned()),
        (quarantined, "are in quarantine, and could be followed here".to_owned()),
    ] {
        if count > 0 {
            writeln!(out, "\nleft out: {count} streams that {why}")?;
        }
    }
    for one in &report.poison {
        writeln!(
            out,
            "    {}/{} at position {} ({}, sequence {}): {}",
            one.aggregate_type, one.aggregate_id, one.position, one.event_type, one.sequence, one.error
        )?;
    }
    Ok(())
}

fn print_differences(table: &TableComparison, out: &mut impl Write) -> Result<(), RunError> {
    for DifferentRow { kind, key, fields } in &table.differences {
        let key: Vec<String> = key.iter().map(|(column, value)| format!("{column}={value}")).collect();
        writeln!(out, "\n{} {kind}: {}", table.table, key.join(" "))?;
        for FieldDifference { column, path, live, replayed } in fields {
            let path = path.as_deref().unwrap_or_default();
            let say = |value: &Option<String>| value.as_deref().unwrap_or("(none)").to_owned();
            writeln!(out, "    {column}{path}: in use {}, replayed {}", say(live), say(replayed))?;
        }
    }
    let shown = i64::try_from(table.differences.len()).unwrap_or(i64::MAX);
    let hidden = table.missing + table.extra + table.different - shown;
    if hidden > 0 {
        writeln!(out, "\n{}: {hidden} more rows differ; --limit-differences shows more", table.table)?;
    }
    Ok(())
}
