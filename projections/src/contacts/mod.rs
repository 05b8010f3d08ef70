//! The contacts of an account.

mod projector;
mod queries;

pub use projector::{ContactRow, ContactsProjector};
pub use queries::{CONTACTS_PAGE_MAX, Contact, list};
