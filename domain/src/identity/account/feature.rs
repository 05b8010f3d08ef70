//! The features of an account, what each package says of them, and how the features page groups them. One table: a
//! feature without a row does not exist.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Package;

/// What a package says of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Bundle {
    /// On, unless the account switches it off.
    Included,
    /// Off, until the account switches it on.
    Offered,
    /// Has to be asked for.
    OnRequest,
}

/// Where the features page shows a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FeatureGroup {
    Inbox,
    ContentPlanner,
    Analytics,
    Ai,
    Account,
    /// On no page: how an account is served, not what it buys. Only those who sell may switch these.
    Operation,
}

impl FeatureGroup {
    /// Those of the page, in its order.
    pub const SHOWN: [Self; 5] = [Self::Inbox, Self::ContentPlanner, Self::Analytics, Self::Ai, Self::Account];
}

macro_rules! features {
    ($($name:ident $text:literal $group:ident $professional:ident $enterprise:ident $([$($required:ident),+])?),+ $(,)?) => {
        /// Source: seed 003, `Account.features` and `Account.availableFeatures`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Feature { $(#[serde(rename = $text)] $name),+ }

        impl Feature {
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            pub const fn group(self) -> FeatureGroup {
                match self { $(Self::$name => FeatureGroup::$group),+ }
            }

            /// What the package says of it. The two smaller packages and the trial are the professional one in this.
            pub const fn bundle(self, package: Package) -> Bundle {
                let (professional, enterprise) = match self {
                    $(Self::$name => (Bundle::$professional, Bundle::$enterprise)),+
                };
                match package {
                    Package::Trial | Package::Awesome | Package::Professional => professional,
                    Package::Enterprise => enterprise,
                }
            }

            /// Whether an account may know of it and ask for it.
            pub const fn is_offered(self) -> bool {
                !matches!(self.group(), FeatureGroup::Operation)
            }

            /// Without these it does nothing.
            pub const fn requires(self) -> &'static [Self] {
                match self { $(Self::$name => &[$($(Self::$required),+)?]),+ }
            }
        }
    };
}

// Feature, name, group, professional, enterprise, what it requires.
features! {
    ApprovalProcess "approvalProcess" Inbox Included Included,
    Rules "rules" Inbox Included Included,
    Categories "categories" Inbox Included Included,
    CategoriesForceUserToTag "categoriesForceUserToTag" Inbox Offered Offered [Categories],
    CategoriesForceUserToTagOne "categoriesForceUserToTagOne" Inbox Offered Offered [Categories],
    MultiTagging "multiTagging" Inbox Offered Included [Categories],
    Templates "templates" Inbox Included Included,
    SwitchReplyChannel "switchReplyChannel" Inbox Offered Offered,
    PostBasedbox "postBasedbox" Inbox Offered Offered,
    Sentiments "sentiments" Inbox Offered Included,
    SnoozeTickets "snoozeTickets" Inbox Included Included,
    InboxAlerts "inboxAlerts" Inbox OnRequest Offered,
    CustomFolders "customFolders" Inbox Offered Included,
    TicketTranslations "ticketTranslations" Inbox OnRequest Offered,
    CustomChannels "customChannels" Inbox OnRequest Offered,
    Coworking "coworking" ContentPlanner Included Included,
    CpApprovalProcess "cpApprovalProcess" ContentPlanner Included Included,
    CpEmailApprovalProcess "cpEmailApprovalProcess" ContentPlanner OnRequest Offered [CpApprovalProcess],
    LinkShortener "linkShortener" ContentPlanner Included Included,
    LinkedinPrivateProfile "linkedinPrivateProfile" ContentPlanner OnRequest OnRequest,
    AnalyticsReports "analyticsReports" Analytics Included Included,
    CustomDashboards "customDashboards" Analytics OnRequest Included,
    ShareDashboardsViaLink "shareDashboardsViaLink" Analytics OnRequest Offered [CustomDashboards],
    Benchmarking "benchmarking" Analytics OnRequest OnRequest,
    SmartSentiments "smartSentiments" Ai OnRequest OnRequest [Sentiments],
    SmartAutoArchive "smartAutoArchive" Ai OnRequest OnRequest,
    SmartActions "smartActions" Ai OnRequest OnRequest,
    SmartCategories "smartCategories" Ai OnRequest OnRequest [Categories],
    Smartbox "smartbox" Ai OnRequest OnRequest,
    SmartContentPlanner "smartContentPlanner" Ai OnRequest OnRequest,
    SentimentBasedLikePrediction "sentimentBasedLikePrediction" Ai OnRequest OnRequest [SmartSentiments],
    Teams "teams" Account Included Included,
    Contacts "contacts" Account Included Included,
    CustomPermissions "customPermissions" Account OnRequest Included,
    Security "security" Account OnRequest Included,
    PersonalCsm "personalCSM" Account OnRequest Included,
    Onboarding "shOnboarding" Account Included Included,
    HidePlaces "hidePlaces" Operation OnRequest OnRequest,
    Beta "beta" Operation OnRequest OnRequest,
    Canary "canary" Operation OnRequest OnRequest,
    DontIgnoreSearchResults "dontIgnoreSearchResults" Operation OnRequest OnRequest,
    UseSocketCounters "useSocketCounters" Operation OnRequest OnRequest,
    SkipPublishingRetries "skipPublishingRetries" Operation OnRequest OnRequest,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a feature")]
pub struct UnknownFeature;

impl FromStr for Feature {
    type Err = UnknownFeature;

    fn from_str(text: &str) -> Result<Self, UnknownFeature> {
        Self::ALL.iter().copied().find(|feature| feature.as_str() == text).ok_or(UnknownFeature)
    }
}
