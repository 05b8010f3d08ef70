//! How events become answers: the engine, and one folder for each read model, with its projector, its queries and its
//! tables. Nothing here decides, appends or acts on the outside world.

pub mod accounts;
pub mod apps;
pub mod channels;
pub mod contacts;
pub mod engine;
pub mod post_feed;
pub mod posts;
pub mod publish_schedule;
pub mod teams;
pub mod times;
pub mod users;

use std::sync::Arc;

use engine::{Projector, Rows};

/// As PostgreSQL takes a list of them.
fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

/// Every projection there is. One that is not in this list does not exist.
pub fn all() -> Vec<Arc<dyn Projector>> {
    vec![
        Arc::new(Rows::<accounts::AccountsProjector>::new()),
        Arc::new(Rows::<apps::AppsProjector>::new()),
        Arc::new(Rows::<channels::ChannelsProjector>::new()),
        Arc::new(Rows::<post_feed::PostFeedProjector>::new()),
        Arc::new(Rows::<posts::PostsProjector>::new()),
        Arc::new(Rows::<publish_schedule::PublishScheduleProjector>::new()),
        Arc::new(Rows::<users::UsersProjector>::new()),
        Arc::new(Rows::<teams::TeamsProjector>::new()),
        Arc::new(Rows::<contacts::ContactsProjector>::new()),
    ]
}
