//! The applications of an account, with their keys as their owner sees them. What a credential opens is not asked here.

mod projector;
mod queries;

pub use projector::{AppRow, AppsProjector, render, render_key};
pub use queries::{APPS_PAGE_MAX, Apps, list};
