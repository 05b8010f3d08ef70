//! Channels: the places that posts go to. A channel belongs to one account and plays one network.

mod channel;
mod commands;
mod errors;
mod events;
mod network;

pub use channel::{Channel, ChannelState};
pub use commands::ChannelCommand;
pub use errors::ChannelError;
pub use events::ChannelEvent;
pub use network::{Connection, Network};
