//! What a post has to keep to. Here is what holds on every network; [`network`] has what each network takes,
//! [`content`] the limits of single fields, [`tweet_length`] how Twitter counts.
//!
//! Codes are those of seed 003's `ValidationError`, and beside them: `required`, `tooLong`, `tooMany`,
//! `notUnique`, `outOfRange`, `invalidUrl`, `invalidSettings`, `unknownTimeZone`, `unsupportedCharacter`.

mod content;
mod network;
mod tweet_length;

use chrono::{DateTime, Datelike, Utc};

pub use tweet_length::tweet_length;

use super::{Content, PostEdit, PostError};
use crate::{
    CHANNELS_PER_GROUP_MAX, COMMENT_CHARS_MAX, ChannelId, MENTIONS_PER_COMMENT_MAX, PUBLISH_TIME_YEARS,
    TAGS_PER_POST_MAX, channels::Network, findings::Findings,
};

/// When a post is planned: a time that may be past, but one that every reader can write, and a zone that exists.
pub(super) fn planned(time: Option<DateTime<Utc>>, zone: Option<&str>) -> Result<(), PostError> {
    let mut findings = Findings::default();
    time_and_zone(time, zone, &mut findings);
    findings.refuse(PostError::Invalid)
}

/// A zone is a name of the IANA database, as `moment.tz.names()` lists them. Source: seed 003, `publishTimeZone`.
fn time_and_zone(time: Option<DateTime<Utc>>, zone: Option<&str>, findings: &mut Findings) {
    readable_time("publishTime", time, findings);
    let known = zone.is_none_or(|name| name.parse::<chrono_tz::Tz>().is_ok());
    findings.check(known, "publishTimeZone", "unknownTimeZone");
}

fn readable_time(field: &str, time: Option<DateTime<Utc>>, findings: &mut Findings) {
    findings.check(time.is_none_or(|time| PUBLISH_TIME_YEARS.contains(&time.year())), field, "outOfRange");
}

/// A comment says something, and not too much.
pub fn comment(message: &str, mentions: usize) -> Result<(), PostError> {
    let mut findings = Findings::default();
    findings.required_text("message", message, COMMENT_CHARS_MAX);
    findings.length("mentions", mentions, MENTIONS_PER_COMMENT_MAX);
    findings.refuse(PostError::Invalid)
}

/// A group has at least one channel, and one post for each.
pub fn channels(channels: &[ChannelId]) -> Result<(), PostError> {
    let mut findings = Findings::default();
    findings.check(!channels.is_empty(), "channelIds", "required");
    findings.length("channelIds", channels.len(), CHANNELS_PER_GROUP_MAX);
    findings.unique("channelIds", channels);
    findings.refuse(PostError::Invalid)
}

/// Whether `network` would take `content`; asked before a post is scheduled, and again when a scheduled one changes.
pub fn for_network(network: Network, content: &Content) -> Result<(), PostError> {
    let mut findings = Findings::default();
    network::check(network, content, &mut findings);
    findings.refuse(PostError::Invalid)
}

/// Whether a post can be scheduled as it is: everything that speaks against it, of the content and of the time.
pub(super) fn for_schedule(
    network: Network,
    content: &Content,
    publish_time: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), PostError> {
    let mut findings = Findings::default();
    network::check(network, content, &mut findings);
    in_future(publish_time, now, &mut findings);
    findings.refuse(PostError::Invalid)
}

/// Whether an edit is sound by itself and, where the post is scheduled, leaves it one that can be published.
pub(super) fn edit(edit: &PostEdit, scheduled_on: Option<Network>, now: DateTime<Utc>) -> Result<(), PostError> {
    let mut findings = Findings::default();
    if let Some(content) = &edit.content {
        content::check(content, &mut findings);
    }
    if let Some(tags) = &edit.tags {
        findings.length("tags", tags.len(), TAGS_PER_POST_MAX);
        findings.unique("tags", tags);
    }
    if let Some(categories) = &edit.categories {
        findings.length("categories", categories.len(), TAGS_PER_POST_MAX);
        findings.unique("categories", categories);
    }
    let publish_time = edit.publish_time.flatten();
    time_and_zone(publish_time, edit.publish_time_zone.as_ref().and_then(|zone| zone.as_deref()), &mut findings);
    if let Some(Some(story)) = &edit.story_workaround {
        readable_time("storyWorkaround.reminderTime", story.reminder_time, &mut findings);
    }
    if let Some(network) = scheduled_on {
        if let Some(content) = &edit.content {
            network::check(network, content, &mut findings);
        }
        if let Some(publish_time) = publish_time {
            in_future(publish_time, now, &mut findings);
        }
    }
    findings.refuse(PostError::Invalid)
}

/// Source: seed 003, `publishTimeNotInFuture`.
fn in_future(publish_time: DateTime<Utc>, now: DateTime<Utc>, findings: &mut Findings) {
    findings.check(publish_time > now, "publishTime", "publishTimeNotInFuture");
}
