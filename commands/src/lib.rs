//! How a request becomes events: load, decide, append, retry; one execution for one command id; and the process
//! managers that act on the outside world. HTTP, and how answers are read, live elsewhere.

pub mod channels;
pub mod identity;
pub mod mail;
pub mod posts;
pub mod publishing;

mod audit;
mod commander;
mod error;
mod precondition;
mod receipts;
mod work;

pub use commander::{CommandContext, CommandKey, Commander, Outcome};
pub use error::CommandError;
pub use precondition::Precondition;
pub use receipts::RECEIPTS_KEPT_DAYS;
pub use work::{MASKED_BY, Work};
