//! What each network takes, with the codes of seed 003's `ValidationError`.

use chrono::{DateTime, Utc};

use super::{Content, PostEdit, PostError};
use crate::{
    COMMENT_CHARS_MAX, FIRST_COMMENT_CHARS_MAX, FieldErrors, MEDIA_PER_POST_MAX, MENTIONS_PER_COMMENT_MAX,
    POST_TEXT_CHARS_MAX, TAGS_PER_POST_MAX, channels::Network,
};

/// Gathers everything that is wrong, so that one answer tells all of it.
#[derive(Default)]
struct Findings(FieldErrors);

impl Findings {
    fn add(&mut self, field: &str, code: &str) {
        self.0.entry(field.to_owned()).or_default().push(code.to_owned());
    }

    fn check(&mut self, holds: bool, field: &str, code: &str) {
        if !holds {
            self.add(field, code);
        }
    }

    fn done(self) -> Result<(), PostError> {
        if self.0.is_empty() { Ok(()) } else { Err(PostError::Invalid(self.0)) }
    }
}

/// A post is scheduled into the future. Source: seed 003, `publishTimeNotInFuture`.
pub fn publish_time(publish_time: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), PostError> {
    let mut findings = Findings::default();
    findings.check(publish_time > now, "publishTime", "publishTimeNotInFuture");
    findings.done()
}

/// A zone is a name of the IANA database, as `moment.tz.names()` lists them. Source: seed 003, `publishTimeZone`.
pub fn time_zone(name: Option<&str>) -> Result<(), PostError> {
    let mut findings = Findings::default();
    findings.check(name.is_none_or(|name| name.parse::<chrono_tz::Tz>().is_ok()), "publishTimeZone", "unknownTimeZone");
    findings.done()
}

/// A comment says something, and not too much.
pub fn comment(message: &str, mentions: usize) -> Result<(), PostError> {
    let mut findings = Findings::default();
    findings.check(!message.trim().is_empty(), "message", "required");
    findings.check(message.chars().count() <= COMMENT_CHARS_MAX, "message", "tooLong");
    findings.check(mentions <= MENTIONS_PER_COMMENT_MAX, "mentions", "tooMany");
    findings.done()
}

/// What no post may have, on whatever network and in whatever status.
pub fn edit(edit: &PostEdit) -> Result<(), PostError> {
    let mut findings = Findings::default();
    if let Some(content) = &edit.content {
        findings.check(content.text.chars().count() <= POST_TEXT_CHARS_MAX, "content.text", "tooLong");
        findings.check(content.images.len() <= MEDIA_PER_POST_MAX, "content.images", "tooMany");
        findings.check(content.videos.len() <= MEDIA_PER_POST_MAX, "content.videos", "tooMany");
        findings.check(content.animations.len() <= MEDIA_PER_POST_MAX, "content.animations", "tooMany");
        let comment = content.first_comment.as_deref().unwrap_or_default();
        findings.check(comment.chars().count() <= FIRST_COMMENT_CHARS_MAX, "content.firstComment", "tooLong");
    }
    for (field, length) in
        [("tags", edit.tags.as_ref().map_or(0, Vec::len)), ("categories", edit.categories.as_ref().map_or(0, Vec::len))]
    {
        findings.check(length <= TAGS_PER_POST_MAX, field, "tooMany");
    }
    if let Some(Some(name)) = &edit.publish_time_zone {
        findings.check(name.parse::<chrono_tz::Tz>().is_ok(), "publishTimeZone", "unknownTimeZone");
    }
    findings.done()
}

/// Whether `network` would take `content`; asked before a post is scheduled, and again when a scheduled one changes.
pub fn for_network(network: Network, content: &Content) -> Result<(), PostError> {
    let _ = network;
    let mut findings = Findings::default();
    findings.check(!content.text.trim().is_empty(), "content", "requireTextLinkImageOrVideo");
    findings.done()
}
