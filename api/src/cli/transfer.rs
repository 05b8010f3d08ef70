//! What can be said of the log going to a file and coming from one.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct ExportArgs {
    /// What to write
    #[arg(long, value_enum, default_value = "ndjson")]
    pub format: ExportFormat,
    /// Where to; `-` is stdout. A file is whole as soon as it has its name
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Replace the file when there is one
    #[arg(long)]
    pub force: bool,
    /// The first position
    #[arg(long, value_name = "POSITION", default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..))]
    pub from: i64,
    /// The last position, instead of where the log ends now
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(1..))]
    pub until: Option<i64>,
    /// Events of this account only
    #[arg(long, value_name = "ID")]
    pub tenant: Option<String>,
    /// Events of such things only, such as `post` or `channel`; may be repeated
    #[arg(long, value_name = "TYPE")]
    pub aggregate_type: Vec<String>,
    /// Events of the thing with this id only
    #[arg(long, value_name = "ID")]
    pub aggregate_id: Option<String>,
    /// Events of this type only, such as `PostScheduled`; may be repeated
    #[arg(long, value_name = "TYPE")]
    pub event_type: Vec<String>,
    /// Tell how far it is on stderr even when that is no terminal
    #[arg(long)]
    pub progress: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One JSON object a line, which `palaver import` takes
    Ndjson,
    /// For analytics; columns are typed and compressed
    Parquet,
}

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct ImportArgs {
    /// What `palaver export` wrote as NDJSON; `-` is stdin
    pub file: PathBuf,
    /// Tell how far it is on stderr even when that is no terminal
    #[arg(long)]
    pub progress: bool,
}
