//! What a post says and shows. Source: seed 003, `Post.content`.
//!
//! Names are written as the API writes them (camelCase). A field that is empty is left out, so an event holds
//! what was said and nothing else.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::MediaId;

/// What kind of post it is. Source: seed 003, `Post.content.type` and the `type` filter of `GET /cp/posts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ContentType {
    #[default]
    Post,
    Carousel,
    Slideshow,
    Album,
    Tweet,
    Media,
    Story,
    StoryWorkaround,
    PostWorkaround,
    Pin,
    Igtv,
    Reel,
}

impl ContentType {
    pub const ALL: [Self; 12] = [
        Self::Post,
        Self::Carousel,
        Self::Slideshow,
        Self::Album,
        Self::Tweet,
        Self::Media,
        Self::Story,
        Self::StoryWorkaround,
        Self::PostWorkaround,
        Self::Pin,
        Self::Igtv,
        Self::Reel,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Carousel => "CAROUSEL",
            Self::Slideshow => "SLIDESHOW",
            Self::Album => "ALBUM",
            Self::Tweet => "TWEET",
            Self::Media => "MEDIA",
            Self::Story => "STORY",
            Self::StoryWorkaround => "STORY_WORKAROUND",
            Self::PostWorkaround => "POST_WORKAROUND",
            Self::Pin => "PIN",
            Self::Igtv => "IGTV",
            Self::Reel => "REEL",
        }
    }

    /// Published by a person with the publisher app: no network is called.
    pub const fn via_publisher_app(self) -> bool {
        matches!(self, Self::StoryWorkaround | Self::PostWorkaround)
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no kind of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a content type")]
pub struct UnknownContentType;

impl FromStr for ContentType {
    type Err = UnknownContentType;

    fn from_str(text: &str) -> Result<Self, UnknownContentType> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownContentType)
    }
}

/// All that goes to the network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Content {
    #[serde(rename = "type")]
    pub kind: ContentType,
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Mention>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub videos: Vec<Video>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub animations: Vec<Animation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inline_links: Vec<InlineLink>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_comment: Option<String>,
    /// Settings of one network alone, kept and handed on as they came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facebook: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linkedin: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiktok: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinterest: Option<serde_json::Value>,
}

/// Somebody mentioned in a text; `offset` and `length` count characters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Mention {
    pub offset: u32,
    pub length: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Image {
    pub id: MediaId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alt_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<MediaTag>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub product_tags: Vec<ProductTag>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Video {
    pub id: MediaId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail_id: Option<MediaId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub product_tags: Vec<ProductTag>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Animation {
    pub id: MediaId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<MediaTag>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub product_tags: Vec<ProductTag>,
}

/// A person at a place of a picture; `x` and `y` run from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MediaTag {
    pub id: String,
    pub x: f64,
    pub y: f64,
}

/// A product shown on a picture or in a video; only pictures have a place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ProductTag {
    pub id: String,
    pub title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<f64>,
}

/// A link with its preview.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Link {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_customize: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_image: Option<MediaId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facebook_link: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct InlineLink {
    pub offset: u32,
    pub length: u32,
    pub anchor: String,
    pub href: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Location {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}
