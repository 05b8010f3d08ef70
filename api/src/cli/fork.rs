//! `palaver fork`

use std::path::PathBuf;

use clap::Args;

use crate::settings;

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct ForkArgs {
    /// The last position that the fork holds
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(1..))]
    pub until: i64,
    /// Data directory to take the log from, when no --database-url names a database
    #[arg(long, env = "PALAVER_DATA", hide_env_values = true, value_name = "DIR", default_value = settings::DATA_DEFAULT)]
    pub source: PathBuf,
    /// A user to look as, by name, who gets an access token for the fork; may be repeated. Default: the first
    /// administrator of each account
    #[arg(long = "as", value_name = "NAME")]
    pub users: Vec<String>,
}
