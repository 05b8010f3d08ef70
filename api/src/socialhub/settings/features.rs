//! `/settings/features`: what the account has, may switch on, and may ask for.

use axum::{extract::State, http::StatusCode, response::IntoResponse};
use palaver_commands::{
    identity::AccountAnswer,
    mail::{MailMessage, NewMail},
};
use palaver_domain::{
    Locale,
    identity::{AccountState, Bundle, Feature, FeatureGroup, Package},
};
use palaver_projections::accounts;
use serde::{Deserialize, Serialize};

use crate::{
    auth::Caller,
    http::{ApiError, ErrorBody, Json, ReadAfter, chain},
    socialhub::{
        SocialhubState,
        context::{Asked, written},
    },
};

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::socialhub) struct Group {
    /// `inbox`, `contentPlanner`, `analytics`, `ai` or `account`.
    #[schema(value_type = String)]
    group: FeatureGroup,
    items: Vec<Item>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Item {
    key: &'static str,
    /// Whether there is a page of help.
    help_link: bool,
    bundle_status: BundleStatus,
    state: Standing,
}

/// `included`, `offered` or `onRequest`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct BundleStatus {
    #[schema(value_type = String)]
    enterprise: Bundle,
    #[schema(value_type = String)]
    professional: Bundle,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = FeatureState)]
struct Standing {
    /// `toggle`: the account switches it. `request`: it has to be asked for. `requested`: it was.
    #[serde(rename = "type")]
    kind: &'static str,
    active: bool,
    /// Nothing can be done about it here and now.
    disabled: bool,
    /// Why not: a key that the client translates.
    #[serde(skip_serializing_if = "Option::is_none")]
    tooltip: Option<&'static str>,
}

fn item(account: &AccountState, feature: Feature) -> Item {
    let (active, available) = (account.has(feature), account.may_use(feature));
    let met = feature.requires().iter().all(|required| account.has(*required));
    let (kind, disabled, tooltip) = match (active || available, account.requested_features.contains(&feature)) {
        (true, _) if !met => ("toggle", !active, Some("features.tooltip.requiresOther")),
        (true, _) => ("toggle", false, None),
        (false, true) => ("requested", true, Some("features.tooltip.requested")),
        (false, false) => ("request", false, None),
    };
    Item {
        key: feature.as_str(),
        help_link: false,
        bundle_status: BundleStatus {
            enterprise: feature.bundle(Package::Enterprise),
            professional: feature.bundle(Package::Professional),
        },
        state: Standing { kind, active, disabled, tooltip },
    }
}

fn groups(account: &AccountState) -> Vec<Group> {
    let items = |group| Feature::ALL.iter().filter(move |feature| feature.group() == group);
    let groups = FeatureGroup::SHOWN.into_iter();
    groups.map(|group| Group { group, items: items(group).map(|feature| item(account, *feature)).collect() }).collect()
}

/// List the features, by group, and how each stands.
#[utoipa::path(get, path = "/api2/settings/features", tag = "settings", operation_id = "listFeatures",
    responses((status = 200, description = "The groups of the features' page.", body = Vec<Group>)))]
pub(in crate::socialhub) async fn list(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
) -> Result<impl IntoResponse, ApiError> {
    state.caught_up(&["accounts"], after).await?;
    let account = accounts::find(&state.pool, caller.tenant).await?;
    let account = account.ok_or_else(|| ApiError::not_found("there is no such account"))?;
    Ok(Json(groups(&account)))
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::socialhub) struct FeatureRequest {
    /// As the account's `features` call it.
    feature_name: String,
}

/// The request stands in the log by now, and on the account for those who sell; a mail that can not be queued takes
/// nothing of that back.
async fn tell_support(state: &SocialhubState, user_name: &str, answer: &AccountAnswer, feature: Feature) {
    let Some(recipient) = state.support_email.clone() else { return };
    let message = MailMessage::FeatureRequest {
        account_name: answer.account.name.clone(),
        account_id: answer.account.id,
        user_name: user_name.to_owned(),
        feature: feature.as_str().to_owned(),
    };
    let mail = NewMail { tenant: answer.account.id, recipient, locale: Locale::default(), message };
    if let Err(error) = state.outbox.queue(&state.pool, mail).await {
        tracing::error!(%feature, cause = %chain(&error), "nobody was told that a feature was asked for");
    }
}

/// Ask for a feature. Whoever runs the service is told by mail, when an address for that is set.
#[utoipa::path(post, path = "/api2/settings/features/request", tag = "settings", operation_id = "requestFeature",
    request_body = FeatureRequest,
    responses((status = 200, description = "It is asked for."),
        (status = 404, description = "There is no such feature.", body = ErrorBody),
        (status = 409, description = "It is active, or was asked for already.", body = ErrorBody)))]
pub(in crate::socialhub) async fn request(
    State(state): State<SocialhubState>,
    Caller { user_name, .. }: Caller,
    asked: Asked,
    Json(body): Json<FeatureRequest>,
) -> Result<impl IntoResponse, ApiError> {
    let feature = body.feature_name.parse().ok().filter(|feature: &Feature| feature.is_offered());
    let feature = feature.ok_or_else(|| ApiError::not_found("there is no such feature; see GET /settings/features"))?;
    let outcome = state.commander.request_feature(&asked.context, feature).await?;
    if !outcome.replayed {
        tell_support(&state, &user_name, &outcome.value, feature).await;
    }
    Ok((StatusCode::OK, written(&outcome), ()))
}
