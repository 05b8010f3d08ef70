//! The limits of a content's fields, on whatever network and in whatever status.

use serde_json::Value;

use crate::{
    DESCRIPTION_CHARS_MAX, FIRST_COMMENT_CHARS_MAX, FOREIGN_ID_CHARS_MAX, MARKS_PER_MEDIUM_MAX, MEDIA_INDEX_MAX,
    MEDIA_PER_POST_MAX, NETWORK_SETTINGS_BYTES_MAX, NETWORK_SETTINGS_DEPTH_MAX, POST_TEXT_CHARS_MAX,
    REFERENCES_PER_POST_MAX, TITLE_CHARS_MAX,
    findings::Findings,
    posts::{Content, MediaTag, ProductTag},
};

pub(super) fn check(content: &Content, findings: &mut Findings) {
    findings.text("content.text", &content.text, POST_TEXT_CHARS_MAX);
    optional_text(findings, "content.title", content.title.as_deref(), TITLE_CHARS_MAX);
    optional_text(findings, "content.firstComment", content.first_comment.as_deref(), FIRST_COMMENT_CHARS_MAX);
    images(content, findings);
    videos(content, findings);
    animations(content, findings);
    references(content, findings);
    if let Some(location) = &content.location {
        findings.text("content.location.id", &location.id, FOREIGN_ID_CHARS_MAX);
        findings.text("content.location.name", &location.name, FOREIGN_ID_CHARS_MAX);
        optional_text(findings, "content.location.address", location.address.as_deref(), DESCRIPTION_CHARS_MAX);
        optional_url(findings, "content.location.link", location.link.as_deref());
    }
    for (field, settings) in [
        ("content.facebook", &content.facebook),
        ("content.linkedin", &content.linkedin),
        ("content.tiktok", &content.tiktok),
        ("content.pinterest", &content.pinterest),
    ] {
        if let Some(settings) = settings {
            network_settings(findings, field, settings);
        }
    }
}

/// Only as many as there may be are looked at one by one, so that an answer stays short.
fn images(content: &Content, findings: &mut Findings) {
    order(findings, "content.images", content.images.iter().map(|image| image.index));
    for (at, image) in content.images.iter().take(MEDIA_PER_POST_MAX).enumerate() {
        let field = |name: &str| format!("content.images.{at}.{name}");
        optional_url(findings, &field("link"), image.link.as_deref());
        optional_text(findings, &field("name"), image.name.as_deref(), TITLE_CHARS_MAX);
        optional_text(findings, &field("description"), image.description.as_deref(), DESCRIPTION_CHARS_MAX);
        optional_text(findings, &field("altText"), image.alt_text.as_deref(), DESCRIPTION_CHARS_MAX);
        optional_text(findings, &field("note"), image.note.as_deref(), DESCRIPTION_CHARS_MAX);
        tags(findings, &field("tags"), &image.tags);
        product_tags(findings, &field("productTags"), &image.product_tags);
    }
}

fn videos(content: &Content, findings: &mut Findings) {
    order(findings, "content.videos", content.videos.iter().map(|video| video.index));
    for (at, video) in content.videos.iter().take(MEDIA_PER_POST_MAX).enumerate() {
        let field = |name: &str| format!("content.videos.{at}.{name}");
        optional_url(findings, &field("link"), video.link.as_deref());
        optional_text(findings, &field("note"), video.note.as_deref(), DESCRIPTION_CHARS_MAX);
        product_tags(findings, &field("productTags"), &video.product_tags);
    }
}

fn animations(content: &Content, findings: &mut Findings) {
    order(findings, "content.animations", content.animations.iter().map(|animation| animation.index));
    for (at, animation) in content.animations.iter().take(MEDIA_PER_POST_MAX).enumerate() {
        let field = |name: &str| format!("content.animations.{at}.{name}");
        tags(findings, &field("tags"), &animation.tags);
        product_tags(findings, &field("productTags"), &animation.product_tags);
    }
}

/// Media of one kind: not too many, and those that say their place have one each. Source: seed 003, `index`.
fn order(findings: &mut Findings, field: &str, indexes: impl Iterator<Item = Option<u8>> + Clone) {
    findings.length(field, indexes.clone().count(), MEDIA_PER_POST_MAX);
    for (at, index) in indexes.clone().enumerate().take(MEDIA_PER_POST_MAX) {
        findings.check(
            index.is_none_or(|index| index <= MEDIA_INDEX_MAX),
            &format!("{field}.{at}.index"),
            "outOfRange",
        );
    }
    findings.unique(field, indexes.flatten());
}

fn tags(findings: &mut Findings, field: &str, tags: &[MediaTag]) {
    findings.length(field, tags.len(), MARKS_PER_MEDIUM_MAX);
    for (at, tag) in tags.iter().take(MARKS_PER_MEDIUM_MAX).enumerate() {
        findings.text(&format!("{field}.{at}.id"), &tag.id, FOREIGN_ID_CHARS_MAX);
        place(findings, &format!("{field}.{at}.x"), Some(tag.x));
        place(findings, &format!("{field}.{at}.y"), Some(tag.y));
    }
}

fn product_tags(findings: &mut Findings, field: &str, tags: &[ProductTag]) {
    findings.length(field, tags.len(), MARKS_PER_MEDIUM_MAX);
    for (at, tag) in tags.iter().take(MARKS_PER_MEDIUM_MAX).enumerate() {
        findings.text(&format!("{field}.{at}.id"), &tag.id, FOREIGN_ID_CHARS_MAX);
        findings.text(&format!("{field}.{at}.title"), &tag.title, TITLE_CHARS_MAX);
        place(findings, &format!("{field}.{at}.x"), tag.x);
        place(findings, &format!("{field}.{at}.y"), tag.y);
    }
}

/// A share of the width or height. What is no number is in no range.
fn place(findings: &mut Findings, field: &str, share: Option<f64>) {
    findings.check(share.is_none_or(|share| (0.0..=1.0).contains(&share)), field, "outOfRange");
}

/// Mentions and links. A range of the text is measured by the longest count that a client may use (UTF-16 units),
/// so that only what lies outside by every count is refused.
fn references(content: &Content, findings: &mut Findings) {
    let units = content.text.encode_utf16().count() as u64;
    let within = |offset: u32, length: u32| u64::from(offset) + u64::from(length) <= units;

    findings.length("content.mentions", content.mentions.len(), REFERENCES_PER_POST_MAX);
    for (at, mention) in content.mentions.iter().take(REFERENCES_PER_POST_MAX).enumerate() {
        let field = format!("content.mentions.{at}");
        findings.check(within(mention.offset, mention.length), &field, "outOfRange");
        optional_text(findings, &format!("{field}.id"), mention.id.as_deref(), FOREIGN_ID_CHARS_MAX);
        optional_text(findings, &format!("{field}.meta"), mention.meta.as_deref(), DESCRIPTION_CHARS_MAX);
    }

    findings.length("content.inlineLinks", content.inline_links.len(), REFERENCES_PER_POST_MAX);
    for (at, link) in content.inline_links.iter().take(REFERENCES_PER_POST_MAX).enumerate() {
        let field = format!("content.inlineLinks.{at}");
        findings.check(within(link.offset, link.length), &field, "outOfRange");
        findings.text(&format!("{field}.anchor"), &link.anchor, TITLE_CHARS_MAX);
        findings.url(&format!("{field}.href"), &link.href);
    }

    findings.length("content.links", content.links.len(), REFERENCES_PER_POST_MAX);
    for (at, link) in content.links.iter().take(REFERENCES_PER_POST_MAX).enumerate() {
        let field = |name: &str| format!("content.links.{at}.{name}");
        findings.text(&field("id"), &link.id, FOREIGN_ID_CHARS_MAX);
        optional_text(findings, &field("customTitle"), link.custom_title.as_deref(), TITLE_CHARS_MAX);
        optional_text(findings, &field("customDescription"), link.custom_description.as_deref(), DESCRIPTION_CHARS_MAX);
    }
}

/// Kept as it came, so it is only made sure that it can be kept: an object, of a bounded size and depth, without NUL.
fn network_settings(findings: &mut Findings, field: &str, settings: &Value) {
    findings.check(settings.is_object(), field, "invalidSettings");
    findings.json(field, settings, NETWORK_SETTINGS_BYTES_MAX, NETWORK_SETTINGS_DEPTH_MAX);
}

fn optional_text(findings: &mut Findings, field: &str, text: Option<&str>, chars_max: usize) {
    if let Some(text) = text {
        findings.text(field, text, chars_max);
    }
}

fn optional_url(findings: &mut Findings, field: &str, url: Option<&str>) {
    if let Some(url) = url {
        findings.url(field, url);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::FieldErrors;

    fn found(content: serde_json::Value) -> Vec<String> {
        let content: Content = serde_json::from_value(content).unwrap();
        let mut findings = Findings::default();
        check(&content, &mut findings);
        let fields = findings.refuse(|fields| fields).err().unwrap_or_else(FieldErrors::new);
        fields.into_iter().map(|(field, codes)| format!("{field}: {}", codes.join(", "))).collect()
    }

    const MEDIUM: &str = "00000000000000000000000a";

    #[test]
    fn a_full_content_within_its_limits_is_taken() {
        let full = json!({
            "type": "POST", "text": "Grüße 😀 an @ann", "title": "t", "firstComment": "c".repeat(2000),
            "mentions": [{"offset": 12, "length": 4, "id": "ann"}],
            "images": [{
                "id": MEDIUM, "index": 9, "link": "https://example.com/a", "altText": "a",
                "tags": [{"id": "1", "x": 0.0, "y": 1.0}], "productTags": [{"id": "1", "title": "t", "x": 0.5}],
            }],
            "videos": [{"id": MEDIUM, "index": 0, "thumbnailId": MEDIUM, "productTags": [{"id": "1", "title": "t"}]}],
            "animations": [{"id": MEDIUM, "index": 0}],
            "links": [{"id": "1", "customTitle": "t"}],
            "inlineLinks": [{"offset": 0, "length": 5, "anchor": "a", "href": "http://example.com"}],
            "location": {"id": "1", "name": "n", "link": "https://example.com"},
            "facebook": {"targeting": {"countries": ["DE"]}}, "linkedin": {}, "tiktok": {}, "pinterest": {},
        });
        assert!(found(full.clone()).is_empty(), "{:?}", found(full));
        assert!(found(json!({})).is_empty());
    }

    fn nested(depth: usize) -> Value {
        (0..depth).fold(json!(1), |inner, _| json!({ "a": inner }))
    }

    #[test]
    fn settings_may_be_as_deep_as_the_limit_says() {
        assert_eq!(found(json!({"pinterest": nested(NETWORK_SETTINGS_DEPTH_MAX)})), Vec::<String>::new());
        assert_eq!(found(json!({"pinterest": nested(NETWORK_SETTINGS_DEPTH_MAX + 1)})), ["content.pinterest: tooDeep"]);
    }

    #[test]
    fn everything_out_of_bounds_is_told_at_once() {
        let wrong = json!({
            "text": "a\0", "title": "t".repeat(501), "firstComment": "c".repeat(2001),
            "mentions": [{"offset": 2, "length": 1}, {"offset": u32::MAX, "length": u32::MAX}],
            "images": [
                {"id": MEDIUM, "index": 10, "link": "javascript:alert(1)", "tags": [{"id": "1", "x": -0.1, "y": 1.1}]},
                {"id": MEDIUM, "index": 3, "productTags": [{"id": "1", "title": "t", "x": 2.0}]},
                {"id": MEDIUM, "index": 3},
            ],
            "videos": vec![json!({"id": MEDIUM}); 11],
            "inlineLinks": [{"offset": 0, "length": 1, "anchor": "a", "href": "mailto:ann@example.com"}],
            "location": {"id": "1", "name": "n", "link": "example.com"},
            "facebook": "all", "pinterest": nested(17), "linkedin": {"a": ["\0"]}, "tiktok": {"a": "a".repeat(65_536)},
        });
        assert_eq!(
            found(wrong),
            [
                "content.facebook: invalidSettings",
                "content.firstComment: tooLong",
                "content.images: notUnique",
                "content.images.0.index: outOfRange",
                "content.images.0.link: invalidUrl",
                "content.images.0.tags.0.x: outOfRange",
                "content.images.0.tags.0.y: outOfRange",
                "content.images.1.productTags.0.x: outOfRange",
                "content.inlineLinks.0.href: invalidUrl",
                "content.linkedin: unsupportedCharacter",
                "content.location.link: invalidUrl",
                "content.mentions.0: outOfRange",
                "content.mentions.1: outOfRange",
                "content.pinterest: tooDeep",
                "content.text: unsupportedCharacter",
                "content.tiktok: tooLong",
                "content.title: tooLong",
                "content.videos: tooMany",
            ]
        );
        let mut findings = Findings::default();
        place(&mut findings, "x", Some(f64::NAN));
        assert!(findings.refuse(|fields| fields).is_err(), "no number at all");
    }
}
