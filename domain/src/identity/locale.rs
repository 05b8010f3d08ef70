//! The languages that Palaver speaks to people in. Source: seed 003, `locale`.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A language that there are words in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Locale {
    #[default]
    En,
    De,
    Fr,
}

impl Locale {
    pub const ALL: [Self; 3] = [Self::En, Self::De, Self::Fr];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
        }
    }

    /// The language of a tag such as `de`, `de-CH` or `fr_FR`; English when there are no words in that language.
    pub fn of(tag: &str) -> Self {
        tag.split(['-', '_']).next().and_then(|language| language.parse().ok()).unwrap_or_default()
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no language that there are words in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a locale; locales are en, de, fr")]
pub struct UnknownLocale;

impl FromStr for Locale {
    type Err = UnknownLocale;

    fn from_str(text: &str) -> Result<Self, UnknownLocale> {
        Self::ALL.into_iter().find(|locale| locale.as_str().eq_ignore_ascii_case(text)).ok_or(UnknownLocale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_by_its_language_and_a_locale_by_its_name() {
        for (tag, locale) in [("de", Locale::De), ("de-CH", Locale::De), ("FR_fr", Locale::Fr), ("ja", Locale::En)] {
            assert_eq!(Locale::of(tag), locale, "{tag}");
        }
        for locale in Locale::ALL {
            assert_eq!(locale.as_str().parse(), Ok(locale));
            assert_eq!(serde_json::to_value(locale).unwrap(), locale.as_str());
        }
        assert_eq!("de-CH".parse::<Locale>(), Err(UnknownLocale));
    }
}
