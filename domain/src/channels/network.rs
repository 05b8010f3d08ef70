//! The social networks, and how a channel is connected to one.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A social network. Source: seed 003, `socialNetwork`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Network {
    Facebook,
    Twitter,
    InstagramBusiness,
    Linkedin,
    Youtube,
    Pinterest,
    Tiktok,
    Wordpress,
    /// No network at all: a reminder for people who publish by hand.
    Placeholders,
}

impl Network {
    pub const ALL: [Self; 9] = [
        Self::Facebook,
        Self::Twitter,
        Self::InstagramBusiness,
        Self::Linkedin,
        Self::Youtube,
        Self::Pinterest,
        Self::Tiktok,
        Self::Wordpress,
        Self::Placeholders,
    ];

    /// As written in the API and in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Facebook => "FACEBOOK",
            Self::Twitter => "TWITTER",
            Self::InstagramBusiness => "INSTAGRAM_BUSINESS",
            Self::Linkedin => "LINKEDIN",
            Self::Youtube => "YOUTUBE",
            Self::Pinterest => "PINTEREST",
            Self::Tiktok => "TIKTOK",
            Self::Wordpress => "WORDPRESS",
            Self::Placeholders => "PLACEHOLDERS",
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a social network")]
pub struct UnknownNetwork;

impl FromStr for Network {
    type Err = UnknownNetwork;

    /// Either case is read: the API filters by `facebook`, the entities say `FACEBOOK`.
    fn from_str(text: &str) -> Result<Self, UnknownNetwork> {
        Self::ALL.into_iter().find(|network| network.as_str().eq_ignore_ascii_case(text)).ok_or(UnknownNetwork)
    }
}

/// What stands behind a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Connection {
    /// The built-in sandbox, playing the channel's network.
    Sandbox,
    /// Nothing but people: who is told, and how many minutes before.
    #[serde(rename_all = "camelCase")]
    Placeholder {
        /// The network the people will publish on, such as `INSTAGRAM`.
        network: Option<String>,
        recipients: Vec<String>,
        cc: Vec<String>,
        email_advance_minutes: Option<u16>,
    },
}
