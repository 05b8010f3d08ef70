//! The posts of an account: list, counts and calendar. One projection keeps all three from the same changes, so they
//! agree at every moment.

mod calendar;
mod filter;
mod list;
mod projector;
mod render;
mod tallies;
mod words;

pub use calendar::{CALENDAR_DAYS_MAX, DayCount, calendar_days};
pub use filter::{Grouping, Order, Page, PostFilter, SortBy, Viewer};
pub use list::{Listed, PAGE_POSTS_MAX, counts, list};
pub use projector::{PostRow, PostsProjector};
pub use render::render;
