//! `/accounts`: the caller's own account, and every account for those who run the service. Source: seed 003.
//!
//! Somebody else's account does not exist for an ordinary user. An operator's command on one is written in that account,
//! in the operator's name.

mod body;
mod linked;
mod operation;
mod own;
mod register;

pub(super) use linked::{__path_linked, linked};
pub(super) use operation::{
    __path_archive, __path_create, __path_custom_tags, __path_reactivate, archive, create, custom_tags, reactivate,
};
pub(super) use own::{__path_get, __path_list, __path_patch, __path_thresholds, get, list, patch, thresholds};
pub(super) use register::{__path_register, register};

use axum::response::IntoResponse;
use palaver_commands::{CommandContext, Outcome, identity::AccountAnswer};
use palaver_domain::{
    AccountId,
    identity::{Permission, Permissions},
};
use palaver_projections::accounts::render;

use super::context::{Asked, written};
use crate::http::{ApiError, EntityTag, Json};

/// The context of a command on an account: the caller's own with one permission, any other with another. Without it,
/// there is no such account.
fn within(asked: &Asked, account: AccountId, own: Permission, others: Permission) -> Result<CommandContext, ApiError> {
    let held: Permissions = asked.planner.permissions;
    let permission = if account == asked.context.tenant { own } else { others };
    if !held.contains(permission) && !held.contains(others) {
        return Err(ApiError::not_found("there is no such account"));
    }
    Ok(CommandContext { tenant: account, ..asked.context.clone() })
}

/// An account as commands leave it, looking as it does in a list.
fn answer(outcome: &Outcome<AccountAnswer>) -> impl IntoResponse + use<> {
    let AccountAnswer { account, created_at, sequence } = &outcome.value;
    (written(outcome), EntityTag(*sequence), Json(render(account, *created_at)))
}
