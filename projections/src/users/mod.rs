//! The users of an account, as needed to tell who calls and what they may do. They are looked up with their tokens, where
//! tokens are.

mod projector;

pub use projector::UsersProjector;
