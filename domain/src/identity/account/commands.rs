//! What may be asked of an account, and what is checked before anything of it happens.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, SubsecRound, Utc};

use super::{
    AccountError, AccountEvent, AccountState, AiThreshold, Feature, Keycloak, Limits, Package, Privacy, Products,
    Shortener, ShortenerMode, Support, SupportAccess,
};
use crate::{
    ACCOUNT_TAGS_MAX, AccountId, ChannelId, EXPIRATION_YEARS, FOREIGN_ID_CHARS_MAX, IDENTITY_NAME_CHARS_MAX,
    KEYCLOAK_KEY_CHARS_MAX, LINKED_ACCOUNTS_MAX, Locale, PRIVACY_DAYS, PRIVACY_RECIPIENTS_MAX, findings::Findings,
};

#[derive(Clone, Debug)]
pub enum AccountCommand {
    Register {
        id: AccountId,
        name: String,
    },
    /// What does not differ from what is, changes nothing.
    Change {
        changes: Box<AccountChanges>,
        /// Whether whoever asks may change what the account has bought.
        sales: bool,
    },
    SetAiThreshold {
        threshold: AiThreshold,
        value: f64,
    },
    RequestFeature {
        feature: Feature,
    },
    Reactivate,
    ArchiveTickets {
        channel_id: Option<ChannelId>,
        /// `None`: until now.
        until: Option<DateTime<Utc>>,
    },
}

/// Changes to an account; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountChanges {
    pub name: Option<String>,
    pub locale: Option<Locale>,
    /// Some features, and whether each is to be on.
    pub features: BTreeMap<Feature, bool>,
    pub linked_accounts: Option<Vec<AccountId>>,
    pub keycloak: Option<Option<Keycloak>>,
    pub support: Option<Support>,
    pub privacy: Option<Privacy>,
    pub shortener: Option<Shortener>,
    /// What is agreed with whoever runs the service.
    pub sales: SalesChanges,
}

/// See [`AccountChanges`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SalesChanges {
    pub package: Option<Package>,
    pub products: Option<Products>,
    pub limits: Option<Limits>,
    pub expiration_time: Option<Option<DateTime<Utc>>>,
    pub tags: Option<Vec<String>>,
    pub custom_tags: Option<Vec<String>>,
    pub salesforce_id: Option<Option<String>>,
    /// Some features, and whether the account may switch each on by itself.
    pub available_features: BTreeMap<Feature, bool>,
}

/// The new value, when it is another one.
fn other<T: PartialEq>(new: Option<T>, old: &T) -> Option<T> {
    new.filter(|new| new != old)
}

/// As answers show it: whoever sends a time back as it was answered changes nothing.
fn shown(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(3)
}

/// What two sets of switches differ in.
fn flipped(wanted: &BTreeMap<Feature, bool>, is: impl Fn(Feature) -> bool) -> BTreeMap<Feature, bool> {
    wanted.iter().filter(|(feature, on)| is(**feature) != **on).map(|(feature, on)| (*feature, *on)).collect()
}

impl AccountChanges {
    /// What there is to change, or why none of it may be.
    pub(super) fn against(
        self,
        state: &AccountState,
        sales: bool,
        now: DateTime<Utc>,
    ) -> Result<Vec<AccountEvent>, AccountError> {
        let sold = self.sales.against(state);
        if !sales && !sold.is_empty() {
            return Err(AccountError::SalesOnly(sold.into_iter().map(|(field, _)| field).collect()));
        }
        let mut events: Vec<AccountEvent> = sold.into_iter().map(|(_, event)| event).collect();
        let features = flipped(&self.features, |feature| state.has(feature));
        let mut findings = Findings::default();
        if !sales {
            for (feature, _) in
                features.iter().filter(|(feature, on)| (**on && !state.may_use(**feature)) || !feature.is_offered())
            {
                findings.add(&format!("features.{feature}"), "notAvailable");
            }
        }
        events.extend(other(self.name, &state.name).map(|name| AccountEvent::Renamed { name }));
        events.extend(other(self.locale, &state.locale).map(|locale| AccountEvent::LocaleChanged { locale }));
        events.extend((!features.is_empty()).then_some(AccountEvent::FeaturesChanged { features }));
        let linked = other(self.linked_accounts, &state.linked_accounts);
        events.extend(linked.map(|linked_accounts| AccountEvent::LinkedAccountsChanged { linked_accounts }));
        events.extend(other(self.keycloak, &state.keycloak).map(|keycloak| AccountEvent::KeycloakSet { keycloak }));
        events
            .extend(other(self.support, &state.support).map(|support| AccountEvent::SupportAccessChanged { support }));
        events.extend(other(self.privacy, &state.privacy).map(|privacy| AccountEvent::PrivacyChanged { privacy }));
        let shortener = other(self.shortener, &state.shortener);
        events.extend(shortener.map(|shortener| AccountEvent::ShortenerChanged { shortener }));
        for event in &events {
            check(event, state.id, now, &mut findings);
        }
        findings.refuse(AccountError::Invalid)?;
        Ok(events)
    }
}

impl SalesChanges {
    /// What there is to change, with the name of its field.
    fn against(self, state: &AccountState) -> Vec<(&'static str, AccountEvent)> {
        let mut events = Vec::new();
        if let Some(package) = other(self.package, &state.package) {
            events.push(("package", AccountEvent::PackageChanged { package }));
        }
        if let Some(products) = other(self.products, &state.products) {
            events.push(("products", AccountEvent::ProductsChanged { products }));
        }
        if let Some(limits) = other(self.limits, &state.limits) {
            events.push(("limits", AccountEvent::LimitsChanged { limits }));
        }
        if let Some(expiration_time) = other(self.expiration_time.map(|end| end.map(shown)), &state.expiration_time) {
            events.push(("expirationTime", AccountEvent::ExpirationSet { expiration_time }));
        }
        if let Some(tags) = other(self.tags, &state.tags) {
            events.push(("tags", AccountEvent::TagsChanged { tags }));
        }
        if let Some(custom_tags) = other(self.custom_tags, &state.custom_tags) {
            events.push(("customTags", AccountEvent::CustomTagsChanged { custom_tags }));
        }
        if let Some(salesforce_id) = other(self.salesforce_id, &state.salesforce_id) {
            events.push(("salesforceId", AccountEvent::SalesforceIdSet { salesforce_id }));
        }
        let features = flipped(&self.available_features, |feature| state.may_use(feature));
        if !features.is_empty() {
            events.push(("availableFeatures", AccountEvent::AvailableFeaturesChanged { features }));
        }
        events
    }
}

/// What is wrong with what an event would say.
fn check(event: &AccountEvent, account: AccountId, now: DateTime<Utc>, findings: &mut Findings) {
    match event {
        AccountEvent::Renamed { name } => findings.required_text("name", name, IDENTITY_NAME_CHARS_MAX),
        AccountEvent::ExpirationSet { expiration_time: Some(end) } => {
            findings.check(EXPIRATION_YEARS.contains(&end.year()), "expirationTime", "outOfRange");
        }
        AccountEvent::TagsChanged { tags } => check_tags("tags", tags, findings),
        AccountEvent::CustomTagsChanged { custom_tags } => check_tags("customTags", custom_tags, findings),
        AccountEvent::SalesforceIdSet { salesforce_id: Some(id) } => {
            findings.required_text("salesforceId", id, FOREIGN_ID_CHARS_MAX);
        }
        AccountEvent::ProductsChanged { products } => {
            let storable = i64::try_from(products.ml_storage_limit_bytes).is_ok();
            findings.check(storable, "products.ml.storage.limit", "outOfRange");
        }
        AccountEvent::LinkedAccountsChanged { linked_accounts } => {
            findings.length("linkedAccounts", linked_accounts.len(), LINKED_ACCOUNTS_MAX);
            findings.unique("linkedAccounts", linked_accounts);
            findings.check(!linked_accounts.contains(&account), "linkedAccounts", "ownAccount");
        }
        AccountEvent::KeycloakSet { keycloak: Some(keycloak) } => {
            findings.required_text("keycloak.realm", &keycloak.realm, IDENTITY_NAME_CHARS_MAX);
            if let Some(key) = &keycloak.pub_key {
                findings.required_text("keycloak.pubKey", key, KEYCLOAK_KEY_CHARS_MAX);
            }
        }
        AccountEvent::SupportAccessChanged { support } => check_support(support, now, findings),
        AccountEvent::PrivacyChanged { privacy } => check_privacy(privacy, findings),
        AccountEvent::ShortenerChanged { shortener } => match &shortener.url {
            Some(url) => findings.url("shortener.url", url),
            None => findings.check(shortener.mode != ShortenerMode::Own, "shortener.url", "required"),
        },
        _ => {}
    }
}

fn check_tags(field: &str, tags: &[String], findings: &mut Findings) {
    findings.length(field, tags.len(), ACCOUNT_TAGS_MAX);
    findings.unique(field, tags);
    for (place, tag) in tags.iter().enumerate().take(ACCOUNT_TAGS_MAX) {
        findings.required_text(&format!("{field}.{place}"), tag, IDENTITY_NAME_CHARS_MAX);
    }
}

fn check_support(support: &Support, now: DateTime<Utc>, findings: &mut Findings) {
    let field = "support.accessUntil";
    match (support.access_status, support.access_until) {
        (SupportAccess::Temporary, None) => findings.add(field, "required"),
        (SupportAccess::Temporary, Some(until)) => {
            findings.check(until > now, field, "notInFuture");
            findings.check(EXPIRATION_YEARS.contains(&until.year()), field, "outOfRange");
        }
        (SupportAccess::Never | SupportAccess::Permanent, until) => {
            findings.check(until.is_none(), field, "notAllowed");
        }
    }
}

fn check_privacy(privacy: &Privacy, findings: &mut Findings) {
    findings.check(PRIVACY_DAYS.contains(&privacy.day_range), "privacy.dayRange", "outOfRange");
    findings.length("privacy.reportRecipients", privacy.report_recipients.len(), PRIVACY_RECIPIENTS_MAX);
    findings.unique("privacy.reportRecipients", &privacy.report_recipients);
    for (place, address) in privacy.report_recipients.iter().enumerate().take(PRIVACY_RECIPIENTS_MAX) {
        findings.email(&format!("privacy.reportRecipients.{place}"), address);
    }
    let sent = !privacy.report || !privacy.report_recipients.is_empty();
    findings.check(sent, "privacy.reportRecipients", "required");
}
