//! `/api2/cp`: the content planner.

mod aggregates;
mod feed;
mod life;
mod moves;
mod post_groups;
mod posts;
