//! How Twitter counts a text, by its published configuration (version 3) of weighted counting: the text in NFC,
//! light code points count 1 and all others 2, an emoji counts 2 however many code points it takes, an address of
//! the web counts 23 however long it is.

use std::ops::RangeInclusive;

use linkify::{LinkFinder, LinkKind};
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;
use url::{Host, Url};

const LIGHT: [RangeInclusive<u32>; 4] = [0..=4351, 8192..=8205, 8208..=8223, 8242..=8247];
const LIGHT_WEIGHT: usize = 1;
const HEAVY_WEIGHT: usize = 2;
const EMOJI_WEIGHT: usize = 2;
const URL_WEIGHT: usize = 23;
/// The network makes no link of an address that is longer.
const URL_BYTES_MAX: usize = 4_096;
/// What joins several emoji into one.
const JOINER: char = '\u{200d}';
/// No listed emoji is longer in UTF-8; what is longer need not be looked up.
const EMOJI_BYTES_MAX: usize = 64;
/// The scripts after this one are not part of an address, as they are often written right behind one.
const FIRST_OUTSIDE_URL: char = '\u{0530}';

/// What `text` weighs as a tweet; at most `TWEET_LENGTH_MAX` may be sent.
pub fn tweet_length(text: &str) -> usize {
    let text: String = text.nfc().collect();
    let mut finder = LinkFinder::new();
    finder.url_must_have_scheme(false);
    let weights = finder.spans(&text).map(|span| match span.kind() {
        Some(LinkKind::Url) => {
            let (address, behind) = split_behind_address(span.as_str());
            if is_linked(address, text[..span.start()].chars().next_back()) {
                URL_WEIGHT + plain_weight(behind)
            } else {
                plain_weight(span.as_str())
            }
        }
        _ => plain_weight(span.as_str()),
    });
    weights.sum()
}

fn split_behind_address(span: &str) -> (&str, &str) {
    span.split_at(span.find(|c| c >= FIRST_OUTSIDE_URL).unwrap_or(span.len()))
}

/// Whether the network makes a link of `address`: http or https or nothing before a domain whose last label exists.
fn is_linked(address: &str, before: Option<char>) -> bool {
    if address.len() > URL_BYTES_MAX {
        return false;
    }
    let has_scheme = address.contains("://");
    if !has_scheme && before.is_some_and(|c| matches!(c, '@' | '＠' | '$' | '#' | '＃' | '-' | '_' | '.' | '/')) {
        return false;
    }
    let parsed = if has_scheme { Url::parse(address) } else { Url::parse(&format!("https://{address}")) };
    let Ok(url) = parsed else { return false };
    if !matches!(url.scheme(), "http" | "https") {
        return false;
    }
    match url.host() {
        Some(Host::Domain(domain)) => domain.rsplit_once('.').is_some_and(|(_, last)| tld::exist(last)),
        _ => false,
    }
}

fn plain_weight(text: &str) -> usize {
    text.graphemes(true).map(cluster_weight).sum()
}

/// A cluster that Unicode lists as one emoji counts as one. Emoji that are joined but not listed count one by one,
/// for the network does not know them as one either. A cluster may be as long as the text: nothing here recurses.
fn cluster_weight(cluster: &str) -> usize {
    if let Some(weight) = symbol_weight(cluster) {
        return weight;
    }
    let joiners = cluster.matches(JOINER).count() * point_weight(JOINER);
    let joined = cluster.split(JOINER);
    let parts = joined.map(|part| symbol_weight(part).unwrap_or_else(|| part.chars().map(point_weight).sum()));
    joiners + parts.sum::<usize>()
}

/// The weight of what is one code point, or one emoji that Unicode lists.
fn symbol_weight(text: &str) -> Option<usize> {
    let mut points = text.chars();
    match (points.next(), points.next()) {
        (None, _) => Some(0),
        (Some(only), None) => Some(point_weight(only)),
        _ => (text.len() <= EMOJI_BYTES_MAX && emojis::get(text).is_some()).then_some(EMOJI_WEIGHT),
    }
}

fn point_weight(point: char) -> usize {
    if LIGHT.iter().any(|range| range.contains(&u32::from(point))) { LIGHT_WEIGHT } else { HEAVY_WEIGHT }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_weigh_what_the_network_says() {
        let cases: &[(&str, usize)] = &[
            ("", 0),
            ("hello", 5),
            ("Füße", 4),
            // The edges of the light ranges.
            ("\u{10ff}", 1),
            ("\u{1100}", 2),
            ("\u{2000}\u{200d}\u{2010}\u{201f}\u{2032}\u{2037}", 6),
            ("\u{200e}\u{200f}\u{2020}\u{2031}\u{2038}", 10),
            // CJK, and beyond the basic plane.
            ("日本語", 6),
            ("한국", 4),
            ("𝒳", 2),
            // Decomposed and composed weigh the same.
            ("cafe\u{301}", 4),
            ("café", 4),
            // One emoji is one, however it is made.
            ("😀", 2),
            ("☀", 2),
            ("☀\u{fe0f}", 2),
            ("👍🏽", 2),
            ("👨‍👩‍👧‍👦", 2),
            ("👩🏽‍🚀", 2),
            ("🏳\u{fe0f}‍🌈", 2),
            ("🏳‍🌈", 2),
            ("🇩🇪", 2),
            ("🇩🇪🇫🇷", 4),
            ("1\u{fe0f}\u{20e3}", 2),
            ("🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", 2),
            ("©", 1),
            ("©\u{fe0f}", 2),
            ("1", 1),
            // Joined, but no emoji of that kind exists: 2 + 1 + 2.
            ("😀‍😀", 5),
            // Text style asked for: the sign and the selector.
            ("☀\u{fe0e}", 4),
            // A line break as Windows writes it is two code points.
            ("a\r\nb", 4),
        ];
        for (text, weight) in cases {
            assert_eq!(tweet_length(text), *weight, "{text:?}");
        }
    }

    #[test]
    fn every_listed_emoji_weighs_two_and_is_short_enough_to_be_looked_up() {
        for emoji in emojis::iter() {
            assert!(emoji.as_str().len() <= EMOJI_BYTES_MAX, "{emoji}");
            assert_eq!(tweet_length(emoji.as_str()), EMOJI_WEIGHT, "{emoji}");
        }
    }

    #[test]
    fn a_hostile_text_is_counted_in_moderate_time() {
        let started = std::time::Instant::now();
        for (part, count) in [
            ("😀\u{200d}", 25_000),
            ("e\u{301}\u{323}", 30_000),
            ("a.", 50_000),
            ("http://", 14_000),
            ("a@", 50_000),
            ("x.de/(", 16_000),
        ] {
            assert!(tweet_length(&part.repeat(count)) > 280, "{part:?}");
        }
        assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    }

    #[test]
    fn an_address_weighs_23_however_long_it_is() {
        let long = format!("https://example.com/{}", "a".repeat(300));
        let cases: &[(&str, usize)] = &[
            ("https://t.co/a", 23),
            (&long, 23),
            ("see https://example.com/a?b=c#d.", 4 + 23 + 1),
            ("HTTPS://EXAMPLE.COM", 23),
            ("(https://example.com/a)", 1 + 23 + 1),
            ("https://example.com https://example.org", 23 + 1 + 23),
            ("example.com", 23),
            ("www.example.co.uk/path", 23),
            ("https://müller.de/straße", 23),
            // Text right behind an address in a script without spaces.
            ("https://example.comを見て", 23 + 6),
            ("https://example.com/日本", 23 + 4),
            // None of these is linked.
            ("end.Begin", 9),
            ("http://localhost/a", 18),
            ("http://127.0.0.1/a", 18),
            ("http://example.invalidtld/", 26),
            ("ftp://example.com/a", 19),
            ("ann@example.com", 15),
            ("@example.com", 12),
        ];
        for (text, weight) in cases {
            assert_eq!(tweet_length(text), *weight, "{text:?}");
        }
    }
}
