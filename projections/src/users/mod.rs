//! The users of an account: who they are, what they may do, and how the API shows them. Deleted users are not in it. Who
//! calls is looked up with the tokens, where tokens are.

mod first;
mod locale;
mod projector;
mod queries;

pub use first::{FirstAdministrator, first_administrators};
pub use locale::locale;
pub use projector::{UsersProjector, render};
pub use queries::{
    USERS_MAX, UserFilter, UserSummary, administrators, count, list, name_by_email, names, only_with_email, summary,
};
