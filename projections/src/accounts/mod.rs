//! The accounts there are: as the API shows them, when they end, and whom they link to.

mod document;
mod projector;
mod queries;

pub use document::render;
pub use projector::{AccountRow, AccountsProjector};
pub use queries::{
    ACCOUNTS_PAGE_MAX, CUSTOM_TAGS_LISTED_MAX, LINKED_CHANNELS_MAX, LinkedAccount, custom_tags, document, find, linked,
    linked_with_realm, list,
};
