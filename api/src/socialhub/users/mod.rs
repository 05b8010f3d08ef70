//! `/api2/users`: who works in an account and how they are looked after, how they log in and out, and what they log in
//! with. Source: seed 003.

pub(super) mod change;
pub(super) mod create;
pub(super) mod keycloak;
pub(super) mod list;
pub(super) mod login;
pub(super) mod mask;
pub(super) mod password;
mod schemas;
mod session;
pub(super) mod totp;

use palaver_commands::{
    Outcome,
    identity::{UserAnswer, UserEditor},
};
use palaver_domain::{AccountId, FieldErrors, UserId, identity::Editor};
use palaver_projections::users;
use serde_json::Value;

use super::{Socialhub, context::Asked};
use crate::{
    auth::Caller,
    http::{ApiError, ErrorCode, ReadAfter},
};

/// Administrators who are looked at to see that one remains; an account has a few.
const ADMINISTRATORS_MAX: i64 = 100;

/// Who changes users, as the commands want to know them.
fn editor(caller: &Caller) -> UserEditor {
    UserEditor {
        editor: Editor { id: caller.user, role: caller.role, permissions: caller.permissions },
        team_ids: caller.team_ids.clone(),
        read_only_channel_ids: caller.read_only_channel_ids.clone(),
        session: *caller.credential.as_bytes(),
    }
}

fn render(answer: &UserAnswer) -> Value {
    users::render(&answer.user, answer.created_at, answer.updated_at)
}

/// Refuses a body that breaks rules which can be told without looking anything up.
fn check(errors: FieldErrors) -> Result<(), ApiError> {
    if errors.is_empty() {
        return Ok(());
    }
    let message = "the user is not valid; errors names each field and what is wrong with it";
    Err(ApiError::new(ErrorCode::ValidationError, message).with_fields(errors))
}

fn wrong(errors: &mut FieldErrors, field: &str, code: &str) {
    errors.entry(field.to_owned()).or_default().push(code.to_owned());
}

impl Socialhub {
    /// What is decided about users rests on all that is written of them, as far as the read model may be waited for.
    async fn users_caught_up(&self) -> Result<(), ApiError> {
        let head = self.commander.log().head().await.map_err(palaver_commands::CommandError::from)?;
        self.caught_up(&["users"], ReadAfter { minimum: head, explicit: false }).await
    }

    /// Returns when the change holds for whatever the user sends next: who may do what is looked up in the read model.
    async fn took_effect(&self, outcome: &Outcome<UserAnswer>) -> Result<(), ApiError> {
        self.caught_up(&["users"], ReadAfter { minimum: outcome.position, explicit: false }).await
    }

    async fn administrators(&self, tenant: AccountId) -> Result<Vec<UserId>, ApiError> {
        self.users_caught_up().await?;
        Ok(users::administrators(&self.pool, tenant, ADMINISTRATORS_MAX).await?)
    }
}

/// The command context of a request, for another account than the caller's.
fn within(asked: Asked, tenant: AccountId) -> palaver_commands::CommandContext {
    palaver_commands::CommandContext { tenant, ..asked.context }
}
