//! `GET /settings/aiConfigPanel`: the thresholds of predictions as cards. Texts are keys that the client translates.

use axum::{extract::State, response::IntoResponse};
use palaver_domain::identity::{AI_THRESHOLD_RANGE, AI_THRESHOLD_STEP, AccountState, AiThreshold, Feature};
use palaver_projections::accounts;
use serde::Serialize;

use crate::{
    auth::Caller,
    http::{ApiError, ErrorBody, Json, ReadAfter},
    socialhub::SocialhubState,
};

/// A card: what one feature lets one set.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::socialhub) struct Card {
    /// `single-step`, with `settings`, or `multi-step`, with `steps`.
    #[serde(rename = "type")]
    kind: &'static str,
    feature: &'static str,
    is_enabled: bool,
    /// A feature that this one needs is off.
    is_blocked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tooltip: Option<&'static str>,
    label: String,
    icon: String,
    description: String,
    settings: Vec<Setting>,
    steps: Vec<Step>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Step {
    label: String,
    one_liner: String,
    description: String,
    settings_groups: Vec<SettingsGroup>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct SettingsGroup {
    description: String,
    settings: Vec<Setting>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct Setting {
    label: String,
    description: String,
    /// What `POST /accounts/updateAiThresholds` calls it.
    update_field: &'static str,
    is_disabled: bool,
    value: Threshold,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Threshold {
    #[serde(rename = "type")]
    kind: &'static str,
    format: &'static str,
    selected: f64,
    min: f64,
    max: f64,
    step: f64,
}

/// The cards in their order. Those of several steps have one for each threshold.
const CARDS: [(Feature, bool); 5] = [
    (Feature::SmartSentiments, false),
    (Feature::SentimentBasedLikePrediction, false),
    (Feature::SmartAutoArchive, false),
    (Feature::SmartCategories, false),
    (Feature::SmartActions, true),
];

fn key(path: &str, what: &str) -> String {
    format!("aiConfigPanel.{path}.{what}")
}

fn setting(account: &AccountState, threshold: AiThreshold) -> Setting {
    let path = threshold.path();
    Setting {
        label: key(path, "label"),
        description: key(path, "description"),
        update_field: path,
        is_disabled: !account.has(threshold.feature()),
        value: Threshold {
            kind: "drop-down",
            format: "percentage",
            selected: account.ai_threshold(threshold),
            min: *AI_THRESHOLD_RANGE.start(),
            max: *AI_THRESHOLD_RANGE.end(),
            step: AI_THRESHOLD_STEP,
        },
    }
}

fn step(account: &AccountState, threshold: AiThreshold) -> Step {
    let path = threshold.path();
    Step {
        label: key(path, "step.label"),
        one_liner: key(path, "step.oneLiner"),
        description: key(path, "step.description"),
        settings_groups: vec![SettingsGroup {
            description: key(path, "group.description"),
            settings: vec![setting(account, threshold)],
        }],
    }
}

fn card(account: &AccountState, feature: Feature, in_steps: bool) -> Card {
    let own = || AiThreshold::ALL.iter().copied().filter(move |threshold| threshold.feature() == feature);
    let (is_enabled, name) = (account.has(feature), feature.as_str());
    let is_blocked = !feature.requires().iter().all(|required| account.has(*required));
    Card {
        kind: if in_steps { "multi-step" } else { "single-step" },
        feature: name,
        is_enabled,
        is_blocked,
        tooltip: match (is_blocked, is_enabled) {
            (true, _) => Some("aiConfigPanel.tooltip.requiresOther"),
            (false, false) => Some("aiConfigPanel.tooltip.notActive"),
            (false, true) => None,
        },
        label: key(name, "label"),
        icon: key(name, "icon"),
        description: key(name, "description"),
        settings: if in_steps { Vec::new() } else { own().map(|threshold| setting(account, threshold)).collect() },
        steps: if in_steps { own().map(|threshold| step(account, threshold)).collect() } else { Vec::new() },
    }
}

/// Read the panel of predictions: which are on, and how sure each must be.
#[utoipa::path(get, path = "/api2/settings/aiConfigPanel", tag = "settings", operation_id = "getAiConfigPanel",
    responses((status = 200, description = "The panel's cards.", body = Vec<Card>),
        (status = 403, description = "The caller may not see the account's settings.", body = ErrorBody)))]
pub(in crate::socialhub) async fn get(
    State(state): State<SocialhubState>,
    caller: Caller,
    after: ReadAfter,
) -> Result<impl IntoResponse, ApiError> {
    state.caught_up(&["accounts"], after).await?;
    let account = accounts::find(&state.pool, caller.tenant).await?;
    let account = account.ok_or_else(|| ApiError::not_found("there is no such account"))?;
    Ok(Json(CARDS.map(|(feature, in_steps)| card(&account, feature, in_steps))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_threshold_is_on_the_panel() {
        for threshold in AiThreshold::ALL {
            assert!(CARDS.iter().any(|(feature, _)| *feature == threshold.feature()), "{threshold}");
        }
    }
}
