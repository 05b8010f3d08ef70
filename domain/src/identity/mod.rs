//! Who there is: accounts (tenants) and their users, with the roles and permissions of seed 003.

mod account;
mod app;
mod claim;
mod contact;
mod customizable;
mod locale;
mod permission;
mod role;
mod team;
mod user;

pub use account::{
    AI_THRESHOLD_RANGE, AI_THRESHOLD_STEP, Account, AccountChanges, AccountCommand, AccountError, AccountEvent,
    AccountState, AiThreshold, Bundle, DeleteBy, Feature, FeatureGroup, Keycloak, Limits, ML_STORAGE_BYTES_DEFAULT,
    Package, Privacy, Product, Products, SalesChanges, Shortener, ShortenerMode, Support, SupportAccess,
    UnknownFeature, UnknownThreshold,
};
pub use app::{App, AppCommand, AppError, AppEvent, AppKey, AppState};
pub use claim::{Claim, ClaimCommand, ClaimError, ClaimEvent, ClaimKind, ClaimState};
pub use contact::{Contact, ContactCommand, ContactError, ContactEvent, ContactState};
pub use customizable::{Customizable, CustomizableKind};
pub use locale::{Locale, UnknownLocale};
pub use permission::{Permission, Permissions, UnknownPermission};
pub use role::Role;
pub use team::{Team, TeamCommand, TeamError, TeamEvent, TeamState};
pub(crate) use user::created_with_details;
pub use user::{
    Details, Editor, FailedUpdate, MobileDevice, PasswordFacts, UpdateFacts, UpdateRefusal, User, UserCommand,
    UserCreated, UserError, UserEvent, UserState, UserUpdate, name_key,
};
