//! How sure a prediction must be before something is done on it, setting by setting. Source: seed 003,
//! `POST /accounts/updateAiThresholds` and `ConfigPanel`.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Feature;

/// What a threshold may be. Source: seed 003.
pub const AI_THRESHOLD_RANGE: RangeInclusive<f64> = 0.15..=0.99;
/// By which the panel raises and lowers a threshold.
pub const AI_THRESHOLD_STEP: f64 = 0.01;

macro_rules! thresholds {
    ($($name:ident $path:literal $feature:ident $default:literal),+ $(,)?) => {
        /// A threshold, written as the path of its field.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum AiThreshold { $(#[serde(rename = $path)] $name),+ }

        impl AiThreshold {
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The path by which the panel names the field.
            pub const fn path(self) -> &'static str {
                match self { $(Self::$name => $path),+ }
            }

            /// The feature that acts on it.
            pub const fn feature(self) -> Feature {
                match self { $(Self::$name => Feature::$feature),+ }
            }

            /// What holds until the account says otherwise.
            pub const fn default_value(self) -> f64 {
                match self { $(Self::$name => $default),+ }
            }
        }
    };
}

// Threshold, path, feature, default.
thresholds! {
    SentimentPositive "smartSentiments.positive" SmartSentiments 0.8,
    SentimentNegative "smartSentiments.negative" SmartSentiments 0.8,
    AutoArchive "smartAutoArchive.archive" SmartAutoArchive 0.9,
    Category "smartCategories.assign" SmartCategories 0.8,
    ActionLike "smartActions.like" SmartActions 0.9,
    ActionHide "smartActions.hide" SmartActions 0.95,
    ActionDelete "smartActions.delete" SmartActions 0.99,
    LikeBySentiment "sentimentBasedLikePrediction.like" SentimentBasedLikePrediction 0.9,
}

impl fmt::Display for AiThreshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}

/// The text is no threshold's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a threshold")]
pub struct UnknownThreshold;

impl FromStr for AiThreshold {
    type Err = UnknownThreshold;

    fn from_str(text: &str) -> Result<Self, UnknownThreshold> {
        Self::ALL.iter().copied().find(|threshold| threshold.path() == text).ok_or(UnknownThreshold)
    }
}
