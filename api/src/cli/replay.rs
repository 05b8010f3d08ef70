//! `palaver replay`

use clap::Args;
use palaver_projections::engine::{REPLAY_SHOWN_DEFAULT, REPLAY_SHOWN_MAX};

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct ReplayArgs {
    /// Its name, as `palaver projections` shows it
    pub projection: String,
    /// Begin at this position; rows of what began before it are not compared
    #[arg(long, value_name = "POSITION", default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..))]
    pub from: i64,
    /// End at this position; rows of what has gone on since are not compared. Default: where the live tables are
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(1..))]
    pub until: Option<i64>,
    /// Rows to show of each kind of difference in each table; all are counted
    #[arg(long, value_name = "COUNT", default_value_t = REPLAY_SHOWN_DEFAULT,
        value_parser = clap::value_parser!(u32).range(0..=i64::from(REPLAY_SHOWN_MAX)))]
    pub limit_differences: u32,
    /// The whole report as one JSON object, for programs
    #[arg(long)]
    pub json: bool,
}
