//! The teams of an account. Who and what is in them stands with the members, in the tables of `users` and `channels`.

mod projector;
mod queries;

pub use projector::{TeamRow, TeamsProjector};
pub use queries::{Members, TEAMS_LISTED_MAX, Team, list, members, summary};
