//! What every handler of the surface starts from: who asks, as the commands know them; a read model that has come far
//! enough; and what several lists ask alike.

use axum::{extract::FromRequestParts, http::request::Parts, response::IntoResponse};
use palaver_commands::{CommandContext, Outcome, posts::Planner};
use palaver_domain::ChannelId;
use palaver_eventstore::StreamId;
use palaver_projections::{
    channels::{self, Teams},
    engine::Waited,
    posts::Order,
};
use serde::{Deserialize, Serialize};

use super::Socialhub;
use crate::{
    auth::Caller,
    http::{ApiError, CommandKey, IfMatch, ReadAfter, RequestId, Written},
};

/// The direction of a list, the last first unless asked otherwise.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum AskedOrder {
    Asc,
    #[default]
    Desc,
}

impl From<AskedOrder> for Order {
    fn from(asked: AskedOrder) -> Self {
        match asked {
            AskedOrder::Asc => Self::Ascending,
            AskedOrder::Desc => Self::Descending,
        }
    }
}

/// Who asks, as a command needs it.
pub(super) struct Asked {
    pub context: CommandContext,
    pub planner: Planner,
    if_match: IfMatch,
}

impl Asked {
    /// Has the command carried out only if this stream stands where `If-Match` says. The use case must look at it.
    pub fn only_if_unchanged(mut self, stream: StreamId) -> Self {
        self.context.precondition = std::mem::take(&mut self.if_match).on(stream);
        self
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let key = parts.extensions.get::<CommandKey>().cloned();
        let context = CommandContext {
            tenant: caller.tenant,
            actor: caller.actor(),
            key: key.map(|key| palaver_commands::CommandKey { key: key.id, fingerprint: key.fingerprint }),
            precondition: None,
            request_id: parts.extensions.get::<RequestId>().map(ToString::to_string),
            correlation_id: None,
            causation_id: None,
            masked_by: caller.masked_by,
        };
        let Caller { user, role, permissions, .. } = caller;
        let planner = Planner { user, role, permissions };
        Ok(Self { context, planner, if_match: IfMatch::from_request_parts(parts, state).await? })
    }
}

/// The headers that tell of a mutation.
pub(super) fn written<T>(outcome: &Outcome<T>) -> Written {
    Written { position: outcome.position, replayed: outcome.replayed }
}

/// 204 with the headers that tell of a mutation.
pub(super) fn gone<T>(outcome: &Outcome<T>) -> impl IntoResponse + use<T> {
    (axum::http::StatusCode::NO_CONTENT, written(outcome), ())
}

impl Socialhub {
    /// Waits until the read models include what this reader has written. A reader who named a position does not get
    /// an older answer; one who did not gets what there is.
    pub(super) async fn caught_up(&self, models: &[&str], after: ReadAfter) -> Result<(), ApiError> {
        match self.projections.wait_for(models, after.minimum, self.read_wait).await {
            Waited::Behind { at } if after.explicit => Err(ApiError::read_model_behind(format!(
                "the read model is at position {at}, not yet at {}; try again",
                after.minimum
            ))),
            Waited::Reached | Waited::Behind { .. } => Ok(()),
        }
    }

    /// The active channels that a caller may see, by the read models `channels` and `users`.
    pub(super) async fn channels_of(&self, caller: &Caller) -> Result<Vec<ChannelId>, ApiError> {
        let visible = channels::visible(&self.pool, caller.tenant, &teams_of(caller)).await?;
        Ok(visible.into_iter().filter(|(_, active)| *active).map(|(id, _)| id).collect())
    }
}

/// Which channels a caller's teams open. It is the rule of `ChannelState::visible_to`, said to the read models: they look
/// the teams up themselves, so that an answer which has waited for a change of teams goes by it.
pub(super) fn teams_of(caller: &Caller) -> Teams {
    if caller.role.sees_all_channels() { Teams::All } else { Teams::Of(caller.user) }
}
