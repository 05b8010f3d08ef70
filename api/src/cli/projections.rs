//! What can be said of projections and their quarantine.

use std::time::Duration;

use clap::{Args, Subcommand};

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct ProjectionsArgs {
    /// One JSON object a line, for programs
    #[arg(long)]
    pub json: bool,
    /// Show them again every so many seconds, until interrupted [default: 2]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2",
        value_parser = clap::value_parser!(u64).range(1..=3_600))]
    watch: Option<u64>,
}

impl ProjectionsArgs {
    pub fn watch(&self) -> Option<Duration> {
        self.watch.map(Duration::from_secs)
    }
}

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct RebuildArgs {
    /// Its name, as `palaver projections` shows it
    pub projection: String,
}

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct QuarantineArgs {
    #[command(subcommand)]
    pub command: QuarantineCommand,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum QuarantineCommand {
    /// Show the streams that projections could not follow, oldest first
    List {
        /// Of this projection only
        #[arg(long, value_name = "PROJECTION")]
        projection: Option<String>,
        /// How many at most
        #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=500))]
        limit: i64,
        /// Leave out that many of the oldest
        #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
        offset: i64,
        /// One JSON object a line, for programs
        #[arg(long)]
        json: bool,
    },
    /// Show one with the event that failed, its payload, and the events that wait behind it
    Show {
        #[command(flatten)]
        which: QuarantinedStream,
        /// As one JSON object, for programs
        #[arg(long)]
        json: bool,
    },
    /// Try a stream again, from the event that failed
    Retry(QuarantinedStream),
    /// Give up on the event that failed, and go on behind it
    Skip(QuarantinedStream),
}

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct QuarantinedStream {
    /// The projection that could not follow
    pub projection: String,
    /// The stream's type, such as `post`
    #[arg(value_name = "TYPE")]
    pub aggregate_type: String,
    /// The stream's id
    #[arg(value_name = "ID")]
    pub aggregate_id: String,
}
