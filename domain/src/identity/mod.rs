//! Who there is: accounts (tenants) and their users, with the roles and permissions of seed 003.

mod account;
mod claim;
mod permission;
mod role;
mod user;

pub use account::{Account, AccountCommand, AccountError, AccountEvent, AccountState};
pub use claim::{Claim, ClaimCommand, ClaimError, ClaimEvent, ClaimKind, ClaimState};
pub use permission::{Permission, Permissions, UnknownPermission};
pub use role::Role;
pub use user::{User, UserCommand, UserError, UserEvent, UserState};
