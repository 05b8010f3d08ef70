//! What each network takes: seed 003's `ValidationError` codes, and when each applies.
//!
//! | code | field | where |
//! | --- | --- | --- |
//! | `requireTextLinkImageOrVideo` | `content` | everywhere: some text, link, image, video or animation |
//! | `max1VideoForPostOrTweet` | `content.videos` | types that hold one medium, and every tweet |
//! | `max1AnimationForPostOrTweet` | `content.animations` | types that hold one medium, and every tweet |
//! | `noImageAndVideoAtOnce` | `content` | every type but those that mix media, and every tweet |
//! | `noOtherEntitiesWithAnimation` | `content.animations` | an animation beside an image, a video or a link preview |
//! | `noAnimationsForstagram` | `content.animations` | Instagram |
//! | `max4ImagesForTwitterTweet` | `content.images` | Twitter |
//! | `twitterTweetCharacterCountTooBig` | `content.text` | Twitter |
//! | `max1ImageForFacebookPosts` | `content.images` | Facebook, type `POST`; albums, carousels, slideshows take more |
//! | `noTargetingForAlbumPosts` | `content.facebook.targeting`, `.feedTargeting` | Facebook, type `ALBUM` |
//!
//! On placeholders, and for the workaround types, a person publishes by hand and sorts the media out: there only
//! the first code applies, and Instagram's refusal of animations.

use serde_json::Value;

use super::tweet_length;
use crate::{
    TWEET_IMAGES_MAX, TWEET_LENGTH_MAX,
    channels::Network,
    findings::Findings,
    posts::{Content, ContentType},
};

pub(super) fn check(network: Network, content: &Content, findings: &mut Findings) {
    findings.check(says_something(content), "content", "requireTextLinkImageOrVideo");
    if network == Network::InstagramBusiness {
        findings.check(content.animations.is_empty(), "content.animations", "noAnimationsForstagram");
    }
    if network == Network::Placeholders || content.kind.via_publisher_app() {
        return;
    }
    media(network, content, findings);
    match network {
        Network::Twitter => twitter(content, findings),
        Network::Facebook => facebook(content, findings),
        _ => {}
    }
}

fn says_something(content: &Content) -> bool {
    !content.text.trim().is_empty()
        || !content.links.is_empty()
        || !content.images.is_empty()
        || !content.videos.is_empty()
        || !content.animations.is_empty()
}

/// Which media go together. A tweet is a tweet, whatever type it was given.
fn media(network: Network, content: &Content, findings: &mut Findings) {
    let holding = if network == Network::Twitter { Holding::One } else { Holding::of(content.kind) };
    if holding == Holding::One {
        findings.check(content.videos.len() <= 1, "content.videos", "max1VideoForPostOrTweet");
        findings.check(content.animations.len() <= 1, "content.animations", "max1AnimationForPostOrTweet");
    }
    if holding != Holding::Mixed {
        let both = !content.images.is_empty() && !content.videos.is_empty();
        findings.check(!both, "content", "noImageAndVideoAtOnce");
    }
    let others = content.images.len() + content.videos.len() + content.links.len();
    let alone = content.animations.is_empty() || others == 0;
    findings.check(alone, "content.animations", "noOtherEntitiesWithAnimation");
}

/// How many media a type of post holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holding {
    /// One video or animation. Images are counted by the networks themselves.
    One,
    /// Several, all of one sort.
    Several,
    /// Several, images beside videos.
    Mixed,
}

impl Holding {
    const fn of(kind: ContentType) -> Self {
        match kind {
            ContentType::Post
            | ContentType::Tweet
            | ContentType::Pin
            | ContentType::Story
            | ContentType::Igtv
            | ContentType::Reel => Self::One,
            ContentType::Slideshow | ContentType::Album => Self::Several,
            ContentType::Carousel | ContentType::Media | ContentType::StoryWorkaround | ContentType::PostWorkaround => {
                Self::Mixed
            }
        }
    }
}

fn twitter(content: &Content, findings: &mut Findings) {
    findings.check(content.images.len() <= TWEET_IMAGES_MAX, "content.images", "max4ImagesForTwitterTweet");
    let fits = tweet_length(&content.text) <= TWEET_LENGTH_MAX;
    findings.check(fits, "content.text", "twitterTweetCharacterCountTooBig");
}

fn facebook(content: &Content, findings: &mut Findings) {
    if content.kind == ContentType::Post {
        findings.check(content.images.len() <= 1, "content.images", "max1ImageForFacebookPosts");
    }
    if content.kind == ContentType::Album {
        for name in ["targeting", "feedTargeting"] {
            let targeting = content.facebook.as_ref().and_then(|settings| settings.get(name));
            findings.check(
                !targeting.is_some_and(is_set),
                &format!("content.facebook.{name}"),
                "noTargetingForAlbumPosts",
            );
        }
    }
}

/// Targeting that names nobody (`null`, `{}`) targets nobody.
fn is_set(targeting: &Value) -> bool {
    match targeting {
        Value::Null => false,
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        FieldErrors,
        posts::{Animation, Image, Link, PostError, Video, validation::for_network},
    };
    use ContentType::*;
    use Network::*;

    /// A content of `images`, `videos`, `animations` and a text.
    fn of(kind: ContentType, images: usize, videos: usize, animations: usize) -> Content {
        Content {
            kind,
            text: "hello".to_owned(),
            images: vec![Image::default(); images],
            videos: vec![Video::default(); videos],
            animations: vec![Animation::default(); animations],
            ..Content::default()
        }
    }

    fn found(network: Network, content: &Content) -> Vec<String> {
        let fields = match for_network(network, content) {
            Ok(()) => FieldErrors::new(),
            Err(PostError::Invalid(fields)) => fields,
            Err(other) => panic!("{other}"),
        };
        let lines =
            fields.into_iter().flat_map(|(field, codes)| codes.into_iter().map(move |code| (field.clone(), code)));
        lines.map(|(field, code)| format!("{field}: {code}")).collect()
    }

    #[test]
    fn media_go_together_as_the_network_and_the_type_allow() {
        let cases: &[(Network, Content, &[&str])] = &[
            (Facebook, of(Post, 1, 0, 0), &[]),
            (Facebook, of(Post, 2, 0, 0), &["content.images: max1ImageForFacebookPosts"]),
            (Facebook, of(Album, 9, 0, 0), &[]),
            (Facebook, of(Slideshow, 9, 0, 0), &[]),
            (Facebook, of(Slideshow, 1, 1, 0), &["content: noImageAndVideoAtOnce"]),
            (Facebook, of(Carousel, 3, 2, 0), &[]),
            (Facebook, of(Post, 0, 2, 0), &["content.videos: max1VideoForPostOrTweet"]),
            (Facebook, of(Post, 1, 1, 0), &["content: noImageAndVideoAtOnce"]),
            (Facebook, of(Post, 0, 0, 1), &[]),
            (Facebook, of(Post, 0, 0, 2), &["content.animations: max1AnimationForPostOrTweet"]),
            (Facebook, of(Post, 1, 0, 1), &["content.animations: noOtherEntitiesWithAnimation"]),
            (Linkedin, of(Post, 9, 0, 0), &[]),
            (Linkedin, of(Post, 0, 1, 1), &["content.animations: noOtherEntitiesWithAnimation"]),
            (InstagramBusiness, of(Media, 5, 5, 0), &[]),
            (InstagramBusiness, of(Reel, 0, 2, 0), &["content.videos: max1VideoForPostOrTweet"]),
            (InstagramBusiness, of(Post, 0, 0, 1), &["content.animations: noAnimationsForstagram"]),
            (InstagramBusiness, of(StoryWorkaround, 2, 2, 0), &[]),
            (InstagramBusiness, of(StoryWorkaround, 0, 0, 1), &["content.animations: noAnimationsForstagram"]),
            (Twitter, of(Tweet, 4, 0, 0), &[]),
            (Twitter, of(Post, 5, 0, 0), &["content.images: max4ImagesForTwitterTweet"]),
            (Twitter, of(Carousel, 0, 2, 0), &["content.videos: max1VideoForPostOrTweet"]),
            (Twitter, of(Media, 1, 1, 0), &["content: noImageAndVideoAtOnce"]),
            (Placeholders, of(Post, 9, 9, 9), &[]),
            (
                Twitter,
                of(Tweet, 5, 2, 2),
                &[
                    "content: noImageAndVideoAtOnce",
                    "content.animations: max1AnimationForPostOrTweet",
                    "content.animations: noOtherEntitiesWithAnimation",
                    "content.images: max4ImagesForTwitterTweet",
                    "content.videos: max1VideoForPostOrTweet",
                ],
            ),
        ];
        for (network, content, expected) in cases {
            assert_eq!(found(*network, content), *expected, "{network} {content:?}");
        }
    }

    #[test]
    fn a_post_says_or_shows_something_on_every_network() {
        for network in Network::ALL {
            let empty = Content { text: " \n\u{3000}".to_owned(), ..Content::default() };
            assert_eq!(found(network, &empty), ["content: requireTextLinkImageOrVideo"], "{network}");
            for content in [
                Content { text: "hi".to_owned(), ..Content::default() },
                Content { links: vec![Link::default()], ..Content::default() },
                Content { text: String::new(), ..of(Post, 1, 0, 0) },
                Content { text: String::new(), ..of(Post, 0, 1, 0) },
            ] {
                assert!(found(network, &content).is_empty(), "{network} {content:?}");
            }
        }
        let animated_link = Content { links: vec![Link::default()], ..of(Post, 0, 0, 1) };
        assert_eq!(found(Facebook, &animated_link), ["content.animations: noOtherEntitiesWithAnimation"]);
    }

    #[test]
    fn only_tweets_are_counted() {
        let fits = Content { text: "a".repeat(280), ..Content::default() };
        let too_long = Content { text: "a".repeat(281), ..Content::default() };
        assert!(found(Twitter, &fits).is_empty());
        assert_eq!(found(Twitter, &too_long), ["content.text: twitterTweetCharacterCountTooBig"]);
        for network in Network::ALL.into_iter().filter(|network| *network != Twitter) {
            assert!(found(network, &too_long).is_empty(), "{network}");
        }
    }

    #[test]
    fn only_facebook_albums_refuse_targeting() {
        let targeted = |kind, targeting, feed| Content {
            facebook: Some(json!({"targeting": targeting, "feedTargeting": feed})),
            ..of(kind, 1, 0, 0)
        };
        let some = || json!({"countries": ["DE"]});
        assert_eq!(
            found(Facebook, &targeted(Album, some(), some())),
            [
                "content.facebook.feedTargeting: noTargetingForAlbumPosts",
                "content.facebook.targeting: noTargetingForAlbumPosts",
            ]
        );
        assert!(found(Facebook, &targeted(Album, json!(null), json!({}))).is_empty());
        assert!(found(Facebook, &targeted(Post, some(), some())).is_empty());
        assert!(found(Linkedin, &targeted(Album, some(), some())).is_empty());
    }
}
