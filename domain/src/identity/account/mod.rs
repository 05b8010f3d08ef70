//! The account: the tenant that owns channels, users and posts; what it has bought, and how it wants things done.

mod commands;
mod errors;
mod events;
mod feature;
mod state;
mod threshold;

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

pub use commands::{AccountChanges, AccountCommand, SalesChanges};
pub use errors::AccountError;
pub use events::AccountEvent;
pub use feature::{Bundle, Feature, FeatureGroup, UnknownFeature};
pub use state::{
    AccountState, DeleteBy, Keycloak, Limits, ML_STORAGE_BYTES_DEFAULT, Package, Privacy, Product, Products, Shortener,
    ShortenerMode, Support, SupportAccess,
};
pub use threshold::{AI_THRESHOLD_RANGE, AI_THRESHOLD_STEP, AiThreshold, UnknownThreshold};

use crate::{Circumstances, IDENTITY_NAME_CHARS_MAX, findings::Findings};

/// The aggregate. Empty until `Registered`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Account(pub Option<AccountState>);

impl Account {
    /// # Errors
    /// `NotFound` when nobody has registered it.
    pub fn existing(&self) -> Result<&AccountState, AccountError> {
        self.0.as_ref().ok_or(AccountError::NotFound)
    }

    fn decide(
        &self,
        command: AccountCommand,
        circumstances: &Circumstances,
    ) -> Result<Vec<AccountEvent>, AccountError> {
        if let AccountCommand::Register { id, name } = command {
            if self.0.is_some() {
                return Err(AccountError::AlreadyExists);
            }
            let mut findings = Findings::default();
            findings.required_text("name", &name, IDENTITY_NAME_CHARS_MAX);
            findings.refuse(AccountError::Invalid)?;
            return Ok(vec![AccountEvent::Registered { id, name }]);
        }
        let state = self.existing()?;
        let now = circumstances.now;
        match command {
            AccountCommand::Register { .. } => Err(AccountError::AlreadyExists),
            AccountCommand::Change { changes, sales } => changes.against(state, sales, now),
            AccountCommand::SetAiThreshold { threshold, value } => {
                let mut findings = Findings::default();
                findings.check(AI_THRESHOLD_RANGE.contains(&value), "value", "outOfRange");
                findings.refuse(AccountError::Invalid)?;
                if !state.has(threshold.feature()) {
                    return Err(AccountError::ThresholdIdle(threshold));
                }
                let same = state.ai_threshold(threshold).total_cmp(&value).is_eq();
                Ok(if same { Vec::new() } else { vec![AccountEvent::AiThresholdChanged { threshold, value }] })
            }
            AccountCommand::RequestFeature { feature } => {
                if state.has(feature) {
                    return Err(AccountError::FeatureActive(feature));
                }
                if state.requested_features.contains(&feature) {
                    return Err(AccountError::FeatureRequested(feature));
                }
                Ok(vec![AccountEvent::FeatureRequested { feature }])
            }
            AccountCommand::Reactivate if state.is_open_at(now) => Err(AccountError::NotExpired),
            AccountCommand::Reactivate => Ok(vec![AccountEvent::Reactivated]),
            AccountCommand::ArchiveTickets { channel_id, until } => {
                let mut findings = Findings::default();
                findings.check(until.is_none_or(|until| until <= now), "until", "inFuture");
                findings.refuse(AccountError::Invalid)?;
                Ok(vec![AccountEvent::TicketsArchived { channel_id, until: until.unwrap_or(now) }])
            }
        }
    }
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Command = AccountCommand;
    type Event = AccountEvent;
    type Error = AccountError;
    type Services = Circumstances;

    async fn handle(
        &mut self,
        command: AccountCommand,
        circumstances: &Circumstances,
        sink: &EventSink<Self>,
    ) -> Result<(), AccountError> {
        for event in self.decide(command, circumstances)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: AccountEvent) {
        if let AccountEvent::Registered { id, name } = event {
            self.0 = Some(AccountState::registered(id, name));
            return;
        }
        let Some(state) = &mut self.0 else { return };
        match event {
            // What was archived is the tickets' matter.
            AccountEvent::Registered { .. } | AccountEvent::TicketsArchived { .. } => {}
            AccountEvent::Renamed { name } => state.name = name,
            AccountEvent::LocaleChanged { locale } => state.locale = locale,
            AccountEvent::PackageChanged { package } => state.package = package,
            AccountEvent::ProductsChanged { products } => state.products = products,
            AccountEvent::LimitsChanged { limits } => state.limits = limits,
            AccountEvent::ExpirationSet { expiration_time } => state.expiration_time = expiration_time,
            AccountEvent::TagsChanged { tags } => state.tags = tags,
            AccountEvent::CustomTagsChanged { custom_tags } => state.custom_tags = custom_tags,
            AccountEvent::SalesforceIdSet { salesforce_id } => state.salesforce_id = salesforce_id,
            AccountEvent::FeaturesChanged { features } => {
                // A wish that was granted may be made again, should it be taken back.
                state.requested_features.retain(|feature| features.get(feature) != Some(&true));
                state.switched_features.extend(features);
            }
            AccountEvent::AvailableFeaturesChanged { features } => {
                state.requested_features.retain(|feature| features.get(feature) != Some(&true));
                state.available_features.extend(features);
            }
            AccountEvent::FeatureRequested { feature } => drop(state.requested_features.insert(feature)),
            AccountEvent::LinkedAccountsChanged { linked_accounts } => state.linked_accounts = linked_accounts,
            AccountEvent::KeycloakSet { keycloak } => state.keycloak = keycloak,
            AccountEvent::SupportAccessChanged { support } => state.support = support,
            AccountEvent::PrivacyChanged { privacy } => state.privacy = privacy,
            AccountEvent::ShortenerChanged { shortener } => state.shortener = shortener,
            AccountEvent::AiThresholdChanged { threshold, value } => {
                state.ai_thresholds.insert(threshold, value);
            }
            AccountEvent::Reactivated => state.expiration_time = None,
        }
    }
}
