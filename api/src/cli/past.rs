//! What can be asked about the past: of one thing, or of the whole log.

use clap::Args;
use palaver_domain::AccountId;
use palaver_eventstore::{Position, timeline::Moment};

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct HistoryArgs {
    /// What it is, such as `post`, `postGroup` or `channel`
    #[arg(value_name = "TYPE")]
    pub aggregate_type: String,
    /// Its id
    #[arg(value_name = "ID")]
    pub aggregate_id: String,
    /// Leave out events up to this sequence number
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..),
        conflicts_with_all = ["at", "position", "from", "to"])]
    pub after: i64,
    /// Show what it was at that time instead, such as 2031-05-01T10:00:00Z
    ///
    /// It is the state after the last event that was decided by then. A time that is given to the millisecond includes
    /// all of it.
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with_all = ["position", "diff"])]
    pub at: Option<Moment>,
    /// Show what it was when the log had come to that position
    #[arg(long, value_name = "POSITION", value_parser = position, conflicts_with = "diff")]
    pub position: Option<Moment>,
    /// Show what each event has changed; with --from or --to, what differs between two moments
    #[arg(long)]
    pub diff: bool,
    /// Compare from here: a position (42), a sequence (#7) or a time. Default: before the first event
    #[arg(long, value_name = "MOMENT", requires = "diff")]
    pub from: Option<Moment>,
    /// Compare up to here. Default: now
    #[arg(long, value_name = "MOMENT", requires = "diff")]
    pub to: Option<Moment>,
    /// One JSON object a line, for programs; each event with the state after it
    #[arg(long)]
    pub json: bool,
}

fn time(text: &str) -> Result<Moment, String> {
    match text.parse() {
        Ok(moment @ Moment::Time(_)) => Ok(moment),
        Ok(_) | Err(_) => Err("not a time, such as 2031-05-01T10:00:00Z".to_owned()),
    }
}

fn position(text: &str) -> Result<Moment, String> {
    match text.parse() {
        Ok(moment @ Moment::Position(_)) => Ok(moment),
        Ok(_) | Err(_) => Err("not a position: a whole number, 0 or greater".to_owned()),
    }
}

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct BisectArgs {
    /// What it is, such as `post`, `postGroup` or `channel`
    #[arg(value_name = "TYPE")]
    pub aggregate_type: String,
    /// Its id
    #[arg(value_name = "ID")]
    pub aggregate_id: String,
    /// Where to look in the state, as a JSONPath (RFC 9535), such as $.status; `palaver history --json` shows states
    #[arg(long, value_name = "PATH")]
    pub jsonpath: String,
    /// What one of the places found has to be: JSON, such as 7, null or ["a"]; else a text
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub equals: String,
    /// One JSON object, for programs
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct EventsArgs {
    /// Of this account
    #[arg(long, value_name = "ID")]
    pub tenant: Option<AccountId>,
    /// Of this type of thing, such as `post` or `postGroup`; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    pub aggregate_types: Vec<String>,
    /// Of this type of event, such as `PostScheduled`; may be given several times
    #[arg(long = "event", value_name = "EVENT")]
    pub event_types: Vec<String>,
    /// Of the thing with this id
    #[arg(long, value_name = "ID")]
    pub aggregate_id: Option<String>,
    /// From this position on
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(0..))]
    pub from: Option<Position>,
    /// Up to this position
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(0..), conflicts_with = "follow")]
    pub to: Option<Position>,
    /// Decided at this time or later, such as 2031-05-01T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<Moment>,
    /// Decided at this time or earlier; one that is given to the millisecond includes all of it
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "follow")]
    pub until: Option<Moment>,
    /// How many at most; the first ones that match
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// One JSON object a line, for programs
    #[arg(long)]
    pub json: bool,
    /// Go on with what comes, until Ctrl-C; without --from and --since, with nothing before that
    #[arg(long)]
    pub follow: bool,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn history(line: &str) -> Result<HistoryArgs, String> {
        let words = ["palaver", "history", "post", "x"].into_iter().chain(line.split_whitespace());
        match Cli::try_parse_from(words).map_err(|error| error.to_string())?.command {
            Command::History(args) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn history_shows_one_thing_at_a_time() {
        assert_eq!(history("--position 7").unwrap().position, Some(Moment::Position(7)));
        assert_eq!(history("--diff --from #3").unwrap().from, Some(Moment::Sequence(3)));
        assert!(matches!(history("--at 2031-05-01T10:00:00Z").unwrap().at, Some(Moment::Time(_))));
        for wrong in [
            "--at 7",
            "--at yesterday",
            "--position #7",
            "--position -1",
            "--at 2031-05-01T10:00:00Z --position 7",
            "--position 7 --diff",
            "--position 7 --after 3",
            "--from 3",
            "--to 3",
            "--diff --from soon",
            "--diff --after 1 --from 3",
        ] {
            assert!(history(wrong).is_err(), "{wrong}");
        }
        assert!(history("--diff --after 1").unwrap().diff);
    }

    #[test]
    fn who_follows_has_no_end() {
        let parse = |line: &str| Cli::try_parse_from(line.split_whitespace());
        assert!(parse("palaver events --follow --from 3 --type post --type channel").is_ok());
        for wrong in
            ["--follow --to 3", "--follow --until 2031-05-01T10:00:00Z", "--limit 0", "--tenant x", "--since 3"]
        {
            assert!(parse(&format!("palaver events {wrong}")).is_err(), "{wrong}");
        }
    }
}
