//! `/channels`: what there is to post to, one by one and in lists, and placeholders for what Palaver does not reach.

use axum::{extract::State, http::StatusCode, response::IntoResponse};
use palaver_commands::{
    Outcome,
    channels::{ChannelAnswer, NewChannel},
};
use palaver_domain::{
    ChannelId, TeamId,
    channels::{Channel, Connection, Network},
};
use palaver_eventstore::StreamId;
use palaver_projections::channels::{self, ChannelFilter, ChannelSort, ChannelStatus, Product};
use serde::Deserialize;

use super::{
    SocialhubState,
    context::{Asked, AskedOrder, gone, teams_of, written},
    posts::list::check_search,
    schemas,
};
use crate::{
    auth::Caller,
    http::{ApiError, EntityTag, ErrorBody, ErrorCode, IfMatch, Json, Paging, PathId, Query, ReadAfter, one_or_many},
};

/// The read models that lists of channels stand on: the channels, and the teams of who asks.
const MODELS: [&str; 2] = ["channels", "users"];

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum AskedSort {
    Name,
    Network,
    CreatedTime,
    Expires,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum AskedStatus {
    Active,
    Expiring,
    Expired,
    Disabled,
    NeedsAttention,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum AskedProduct {
    Inbox,
    Cp,
    Ml,
}

impl From<AskedProduct> for Product {
    fn from(asked: AskedProduct) -> Self {
        match asked {
            AskedProduct::Inbox => Self::Inbox,
            AskedProduct::Cp => Self::Cp,
            AskedProduct::Ml => Self::Ml,
        }
    }
}

/// Which channels, and in what order.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", default)]
#[into_params(parameter_in = Query)]
pub(super) struct Asking {
    /// `createdTime` (default), `name`, `network` or `expires`.
    #[param(value_type = Option<String>)]
    sort_by: Option<AskedSort>,
    /// `desc` (default) or `asc`.
    #[param(value_type = Option<String>)]
    order: Option<AskedOrder>,
    /// Anywhere in a name.
    search: Option<String>,
    /// A network, such as `twitter`.
    network: Option<String>,
    #[serde(deserialize_with = "one_or_many")]
    networks: Vec<String>,
    #[serde(deserialize_with = "one_or_many")]
    excluded_networks: Vec<String>,
    /// `active`, `disabled`, `needsAttention`, `expiring` or `expired`.
    #[param(value_type = Option<String>)]
    status: Option<AskedStatus>,
    /// Whose tokens connect the channel. No connection has an owner yet, so no channel matches.
    #[serde(deserialize_with = "one_or_many")]
    token_owner_ids: Vec<String>,
    #[serde(deserialize_with = "one_or_many")]
    #[param(value_type = Vec<String>)]
    team_ids: Vec<TeamId>,
    /// `cp`, `inbox` or `ml`.
    #[param(value_type = Option<String>)]
    product: Option<AskedProduct>,
    /// Whether to list deactivated channels; yes when left out.
    include_inactive: Option<bool>,
}

/// Names of networks. A name of none matches nothing, so that a filter for what does not exist yet finds nothing.
fn networks(names: &[String]) -> Vec<Network> {
    names.iter().filter_map(|name| name.parse().ok()).collect()
}

/// List channels.
#[utoipa::path(get, path = "/api2/channels", tag = "channels", operation_id = "listChannels", params(Asking,
        ("offset" = Option<i64>, Query, description = "Channels to skip, at most 100,000."),
        ("count" = Option<i64>, Query, description = "Channels to return, 0 to 500; 50 when left out.")),
    responses((status = 200, description = "A page of channels, and how many match in all.", body = schemas::ChannelList),
        (status = 400, description = "A filter is not understood.", body = ErrorBody)))]
pub(super) async fn list(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
    Query(asking): Query<Asking>,
    paging: Paging,
) -> Result<impl IntoResponse, ApiError> {
    check_search(asking.search.as_deref())?;
    let wanted: Vec<String> = asking.networks.iter().chain(&asking.network).cloned().collect();
    let known = networks(&wanted);
    // Asked for what no channel has: an empty filter would answer with everything instead.
    let nothing = (known.is_empty() && !wanted.is_empty()) || !asking.token_owner_ids.is_empty();
    let filter = ChannelFilter {
        visible: teams_of(&caller),
        search: asking.search,
        networks: known,
        excluded_networks: networks(&asking.excluded_networks),
        status: asking.status.map(|status| match status {
            AskedStatus::Active => ChannelStatus::Active,
            AskedStatus::Expiring => ChannelStatus::Expiring,
            AskedStatus::Expired => ChannelStatus::Expired,
            AskedStatus::Disabled => ChannelStatus::Disabled,
            AskedStatus::NeedsAttention => ChannelStatus::NeedsAttention,
        }),
        teams: asking.team_ids,
        product: asking.product.map(Into::into),
        active_only: asking.include_inactive == Some(false),
    };
    let sort = match asking.sort_by {
        Some(AskedSort::Name) => ChannelSort::Name,
        Some(AskedSort::Network) => ChannelSort::Network,
        Some(AskedSort::Expires) => ChannelSort::Expires,
        Some(AskedSort::CreatedTime) | None => ChannelSort::CreatedTime,
    };
    let order = asking.order.unwrap_or_default().into();
    state.caught_up(&MODELS, after).await?;
    if nothing {
        return Ok(Json(schemas::Listed { count: 0, data: Vec::new() }));
    }
    let found =
        channels::list(&state.pool, caller.tenant, &filter, (sort, order), (paging.offset, paging.count)).await?;
    Ok(Json(schemas::Listed { count: found.count, data: found.data }))
}

/// Which channels to sum up.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", default)]
#[into_params(parameter_in = Query)]
pub(super) struct SummaryAsking {
    /// Networks, such as `twitter`.
    #[serde(deserialize_with = "one_or_many")]
    network: Vec<String>,
    #[serde(deserialize_with = "one_or_many")]
    excluded_networks: Vec<String>,
    #[serde(deserialize_with = "one_or_many")]
    #[param(value_type = Vec<String>)]
    team_ids: Vec<TeamId>,
    /// `cp`, `inbox` or `ml`.
    #[param(value_type = Option<String>)]
    product: Option<AskedProduct>,
    /// Whether to list deactivated channels; yes when left out.
    include_inactive: Option<bool>,
}

/// All channels at once, as a client wants them when it starts.
#[utoipa::path(get, path = "/api2/channels/summary", tag = "channels", operation_id = "summarizeChannels",
    params(SummaryAsking),
    responses((status = 200, description = "Every channel that matches; of more than 10,000, the first connected.", body = Vec<schemas::Channel>),
        (status = 400, description = "A filter is not understood.", body = ErrorBody)))]
pub(super) async fn summary(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
    Query(asking): Query<SummaryAsking>,
) -> Result<impl IntoResponse, ApiError> {
    let known = networks(&asking.network);
    let nothing = known.is_empty() && !asking.network.is_empty();
    let filter = ChannelFilter {
        visible: teams_of(&caller),
        networks: known,
        excluded_networks: networks(&asking.excluded_networks),
        teams: asking.team_ids,
        product: asking.product.map(Into::into),
        active_only: asking.include_inactive == Some(false),
        ..ChannelFilter::default()
    };
    state.caught_up(&MODELS, after).await?;
    if nothing {
        return Ok(Json(Vec::new()));
    }
    Ok(Json(channels::summary(&state.pool, caller.tenant, &filter).await?))
}

/// A channel that the caller may see, active or not.
pub(super) async fn seen(state: &SocialhubState, asked: &Asked, id: ChannelId) -> Result<ChannelAnswer, ApiError> {
    Ok(state.commander.channel(&asked.context, &asked.planner, id).await?)
}

/// Read a channel.
#[utoipa::path(get, path = "/api2/channels/{id}", tag = "channels", operation_id = "getChannel",
    params(("id" = String, Path, description = "The channel's id.")),
    responses((status = 200, description = "The channel.", body = schemas::Channel),
        (status = 404, description = "There is no such channel.", body = ErrorBody)))]
pub(super) async fn get(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<ChannelId>,
) -> Result<impl IntoResponse, ApiError> {
    let answer = seen(&state, &asked, id).await?;
    Ok((EntityTag(answer.sequence), Json(channels::render(&answer.channel))))
}

/// How far a deletion goes.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", default)]
#[into_params(parameter_in = Query)]
pub(super) struct Deletion {
    /// Leave nothing of the channel. Refused: it is for super administrators, and no user is one.
    full_deletion: bool,
}

/// Take a channel out of use. Its posts stay.
#[utoipa::path(delete, path = "/api2/channels/{id}", tag = "channels", operation_id = "deleteChannel",
    params(("id" = String, Path, description = "The channel's id."), Deletion, IfMatch),
    responses((status = 204, description = "It is not active any more."),
        (status = 403, description = "Only super administrators may delete it fully.", body = ErrorBody),
        (status = 404, description = "There is no such channel.", body = ErrorBody)))]
pub(super) async fn delete(
    State(state): State<SocialhubState>,
    asked: Asked,
    PathId(id): PathId<ChannelId>,
    Query(deletion): Query<Deletion>,
) -> Result<impl IntoResponse, ApiError> {
    if deletion.full_deletion {
        let message = "only super administrators may delete a channel fully; leave `fullDeletion` out to deactivate it";
        return Err(ApiError::new(ErrorCode::AccessDenied, message));
    }
    seen(&state, &asked, id).await?;
    let asked = asked.only_if_unchanged(StreamId::of::<Channel>(id));
    let outcome = state.commander.deactivate_channel(&asked.context, id).await?;
    Ok((EntityTag(outcome.value.sequence), gone(&outcome)))
}

/// A channel as commands leave it, looking as it does in a list.
pub(super) fn answer(outcome: &Outcome<ChannelAnswer>) -> impl IntoResponse + use<> {
    let tag = EntityTag(outcome.value.sequence);
    (StatusCode::CREATED, written(outcome), tag, Json(channels::render(&outcome.value.channel)))
}

/// A placeholder: a reminder for people who publish by hand.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NewPlaceholder)]
pub(super) struct Placeholder {
    /// Required, unless a channel is reactivated.
    #[serde(default)]
    #[schema(max_length = 50)]
    name: String,
    image_url: Option<String>,
    /// Who is told, by mail.
    #[serde(default)]
    recipients: Vec<String>,
    #[serde(default)]
    cc: Vec<String>,
    /// Minutes before publication.
    #[schema(minimum = 0, maximum = 1440)]
    email_advance: Option<u16>,
    /// Where it will be published: `INSTAGRAM`, `YOUTUBE`, `GOOGLEPLUS`, `WORDPRESS` or `LINKEDIN`.
    network: Option<String>,
}

/// Whether an old placeholder is wanted back.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", default)]
#[into_params(parameter_in = Query)]
pub(super) struct Reactivation {
    /// A deactivated placeholder to bring back as it was; the body is not looked at then.
    #[param(value_type = Option<String>)]
    channel_id: Option<ChannelId>,
    /// The teams of a new placeholder.
    #[serde(deserialize_with = "one_or_many")]
    #[param(value_type = Vec<String>)]
    team_ids: Vec<TeamId>,
}

/// Create a placeholder channel, or bring one back.
#[utoipa::path(post, path = "/api2/channels/placeholder", tag = "channels", operation_id = "createPlaceholder",
    params(Reactivation), request_body = Placeholder,
    responses((status = 201, description = "The channel.", body = schemas::Channel),
        (status = 400, description = "The placeholder is not valid.", body = ErrorBody),
        (status = 404, description = "There is no such placeholder.", body = ErrorBody),
        (status = 409, description = "It is active already.", body = ErrorBody)))]
pub(super) async fn placeholder(
    State(state): State<SocialhubState>,
    asked: Asked,
    Query(reactivation): Query<Reactivation>,
    Json(body): Json<Placeholder>,
) -> Result<impl IntoResponse, ApiError> {
    let outcome = match reactivation.channel_id {
        Some(id) => {
            seen(&state, &asked, id).await?;
            state.commander.reactivate_placeholder(&asked.context, id).await?
        }
        None => {
            let new = NewChannel {
                network: Network::Placeholders,
                connection: Connection::Placeholder {
                    network: body.network,
                    recipients: body.recipients,
                    cc: body.cc,
                    email_advance_minutes: body.email_advance,
                },
                name: body.name,
                unique_name: None,
                image_url: body.image_url,
                team_ids: reactivation.team_ids,
            };
            state.commander.connect_channel(&asked.context, new).await?
        }
    };
    Ok(answer(&outcome))
}
