//! What goes into a post: phrases and media put together as each network takes them, and what goes around them (tags,
//! an assignee, who publishes a story by hand).

use palaver_domain::{
    CategoryId, MediaId, TagId,
    channels::Network,
    posts::{Content, ContentType, Image, Link, Video},
};
use rand::{Rng, RngCore, rngs::StdRng, seq::SliceRandom};
use serde_json::json;

use super::{
    plan::{Purpose, chance},
    texts::{Language, Phrases},
};

/// The account's vocabulary: tags and categories that its posts share.
const TAGS_KNOWN: u64 = 8;
const CATEGORIES_KNOWN: u64 = 4;

fn drawn(rng: &mut StdRng, from: &'static [&'static str]) -> &'static str {
    from.choose(rng).copied().unwrap_or_default()
}

fn id(rng: &mut StdRng) -> [u8; 12] {
    let mut bytes = [0; 12];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// A few of the account's tags.
pub(super) fn tags(rng: &mut StdRng, seed: u64) -> Vec<TagId> {
    let known: Vec<u64> = (0..TAGS_KNOWN).collect();
    let number = rng.gen_range(0..=3);
    known.choose_multiple(rng, number).map(|&tag| TagId::from_bytes(id(&mut chance(seed, Purpose::Tag, tag)))).collect()
}

/// One of the account's categories, or none.
pub(super) fn categories(rng: &mut StdRng, seed: u64) -> Vec<CategoryId> {
    let category = rng.gen_range(0..2 * CATEGORIES_KNOWN);
    let known = (category < CATEGORIES_KNOWN).then(|| id(&mut chance(seed, Purpose::Category, category)));
    known.into_iter().map(CategoryId::from_bytes).collect()
}

pub(super) fn comment(rng: &mut StdRng, language: Language) -> String {
    drawn(rng, language.phrases().comments).to_owned()
}

pub(super) fn rejection(rng: &mut StdRng, language: Language) -> String {
    drawn(rng, language.phrases().rejections).to_owned()
}

/// What a group is about: its posts say the same on every network, at the length that each is used to.
pub(super) struct Message {
    phrases: &'static Phrases,
    opening: &'static str,
    title: &'static str,
    hashtag: &'static str,
    long: String,
}

impl Message {
    pub fn draw(rng: &mut StdRng, language: Language) -> Self {
        let phrases = language.phrases();
        let (opening, title) = (drawn(rng, phrases.openings), drawn(rng, phrases.titles));
        let (detail, hashtag) = (drawn(rng, phrases.details), drawn(rng, phrases.hashtags));
        let long = match rng.gen_range(0..4) {
            0 => format!("{opening}\n\n{detail}"),
            1 => format!("{opening} {detail} {hashtag}"),
            _ => format!("{opening}\n\n{detail}\n\n{} {hashtag}", drawn(rng, phrases.endings)),
        };
        Self { phrases, opening, title, hashtag, long }
    }

    fn short(&self) -> String {
        format!("{} {}", self.opening, self.hashtag)
    }

    /// A content that `network` takes.
    pub fn compose(&self, rng: &mut StdRng, network: Network) -> Content {
        let phrases = self.phrases;
        let mut content = Content { text: self.long.clone(), ..Content::default() };
        match network {
            Network::Twitter => {
                content.kind = ContentType::Tweet;
                content.text = self.short();
                content.images = images(rng, phrases, 0..=2);
            }
            Network::Facebook => facebook(rng, phrases, &mut content),
            Network::InstagramBusiness => instagram(rng, phrases, &mut content),
            Network::Linkedin => {
                if rng.gen_bool(0.5) {
                    content.links = vec![link(rng, self.title)];
                } else {
                    content.images = images(rng, phrases, 1..=3);
                }
                content.linkedin = Some(json!({ "visibility": "PUBLIC" }));
            }
            Network::Youtube => {
                content.title = Some(self.title.to_owned());
                content.videos = vec![video(rng, true)];
            }
            Network::Tiktok => {
                content.text = self.short();
                content.videos = vec![video(rng, false)];
                content.tiktok = Some(json!({ "allowComments": rng.gen_bool(0.9) }));
            }
            Network::Pinterest => {
                content.kind = ContentType::Pin;
                content.title = Some(self.title.to_owned());
                content.text = self.opening.to_owned();
                content.images = images(rng, phrases, 1..=1);
                content.pinterest = Some(json!({ "board": "Workshop" }));
            }
            Network::Wordpress => {
                content.title = Some(self.title.to_owned());
                content.text = format!("{}\n\n{}", self.long, drawn(rng, phrases.details));
                content.images = images(rng, phrases, 0..=3);
            }
            Network::Placeholders => {
                if rng.gen_bool(0.5) {
                    content.kind = ContentType::PostWorkaround;
                }
                content.images = images(rng, phrases, 0..=1);
            }
        }
        content
    }

    /// A content that says this instead of what it said before.
    pub fn replace(&self, before: &Content) -> Content {
        let text = match before.kind {
            ContentType::Tweet => self.short(),
            _ => self.long.clone(),
        };
        Content { text, ..before.clone() }
    }
}

fn facebook(rng: &mut StdRng, phrases: &Phrases, content: &mut Content) {
    match rng.gen_range(0..10) {
        0..=3 => content.images = images(rng, phrases, 1..=1),
        4..=5 => {
            let title = drawn(rng, phrases.titles);
            content.links = vec![link(rng, title)];
        }
        6 => content.videos = vec![video(rng, false)],
        7 => {
            content.kind = ContentType::Album;
            content.images = images(rng, phrases, 3..=6);
        }
        8 => {
            content.kind = ContentType::Carousel;
            content.images = images(rng, phrases, 2..=5);
        }
        _ => content.facebook = Some(json!({ "targeting": { "countries": ["DE", "FR", "US"] } })),
    }
}

fn instagram(rng: &mut StdRng, phrases: &Phrases, content: &mut Content) {
    match rng.gen_range(0..10) {
        0..=4 => {
            content.kind = ContentType::Media;
            content.images = images(rng, phrases, 1..=4);
            content.first_comment = Some(phrases.hashtags.join(" "));
        }
        5..=6 => {
            content.kind = ContentType::Reel;
            content.videos = vec![video(rng, true)];
        }
        7..=8 => {
            content.kind = ContentType::Story;
            content.images = images(rng, phrases, 1..=1);
        }
        _ => {
            content.kind = ContentType::StoryWorkaround;
            content.images = images(rng, phrases, 1..=2);
        }
    }
}

fn images(rng: &mut StdRng, phrases: &Phrases, number: std::ops::RangeInclusive<u8>) -> Vec<Image> {
    let number = rng.gen_range(number);
    let image = |index| Image {
        id: MediaId::from_bytes(id(rng)),
        index: Some(index),
        alt_text: Some(drawn(rng, phrases.titles).to_owned()),
        ..Image::default()
    };
    (0..number).map(image).collect()
}

fn video(rng: &mut StdRng, with_thumbnail: bool) -> Video {
    Video {
        id: MediaId::from_bytes(id(rng)),
        thumbnail_id: with_thumbnail.then(|| MediaId::from_bytes(id(rng))),
        index: Some(0),
        ..Video::default()
    }
}

fn link(rng: &mut StdRng, title: &str) -> Link {
    Link {
        id: hex::encode(id(rng)),
        can_customize: Some(true),
        custom_title: Some(title.to_owned()),
        ..Link::default()
    }
}

#[cfg(test)]
mod tests {
    use palaver_domain::posts::validation;

    use super::*;

    /// Every phrase in every language, many times over: what is written by hand here must pass as it is.
    #[test]
    fn every_network_takes_what_is_composed_for_it() {
        use Language::*;
        for language in [English, German, French, Spanish, Portuguese, Japanese] {
            for network in Network::ALL {
                for number in 0..200 {
                    let mut rng = chance(number, Purpose::Doing, 0);
                    let content = Message::draw(&mut rng, language).compose(&mut rng, network);
                    validation::for_network(network, &content).unwrap();
                    let replaced = Message::draw(&mut rng, language).replace(&content);
                    validation::for_network(network, &replaced).unwrap();
                }
            }
            let mut rng = chance(7, Purpose::Doing, 0);
            validation::comment(&comment(&mut rng, language), 1).unwrap();
            validation::comment(&rejection(&mut rng, language), 0).unwrap();
        }
    }
}
