//! The channels of an account: list, summary, and who may see which.

mod projector;
mod queries;

pub use projector::{ChannelRow, ChannelsProjector, render};
pub use queries::{
    CHANNELS_PAGE_MAX, ChannelFilter, ChannelSort, ChannelStatus, Channels, Product, Teams, ids, list, summary, visible,
};
