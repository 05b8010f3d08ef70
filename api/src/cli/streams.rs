//! What can be said of the streams that the log is relayed to.

use clap::Args;

#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct StreamsArgs {
    /// One JSON object, for programs
    #[arg(long)]
    pub json: bool,
}
