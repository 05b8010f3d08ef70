//! Who there is: accounts (tenants) and their users, with the roles and permissions of seed 003.

mod account;
mod permission;
mod role;
mod user;

pub use account::{Account, AccountCommand, AccountError, AccountEvent, AccountState};
pub use permission::Permission;
pub use role::Role;
pub use user::{User, UserCommand, UserError, UserEvent, UserState};
