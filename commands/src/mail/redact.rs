//! What a mail server said, fit to be kept and logged. Servers quote what they refuse: the recipient, or a link that
//! they take for a bad one, and that link may open an account.

use super::template::Content;

const ERROR_CHARS_MAX: usize = 500;
/// A word of so many characters that is also in the mail may be a token; words of the language are shorter, mostly.
const TOKEN_CHARS_MIN: usize = 16;
const REDACTED: &str = "[…]";

/// The text without addresses, links, and whatever long word the mail also has.
pub(super) fn without_secrets(text: &str, content: &Content) -> String {
    let secret = |word: &str| {
        let bare = word.trim_matches(|char: char| !char.is_alphanumeric());
        word.contains(['/', '@', '\\', '%'])
            || bare.chars().count() >= TOKEN_CHARS_MIN && (content.text.contains(bare) || content.html.contains(bare))
    };
    let spaced: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    let words: Vec<&str> = spaced.split_whitespace().map(|word| if secret(word) { REDACTED } else { word }).collect();
    words.join(" ").chars().take(ERROR_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_quotes_is_left_out() {
        let content = Content {
            subject: "s".to_owned(),
            text: "open\n\nhttps://palaver.example/reset?token=0123456789abcdef0123\n".to_owned(),
            html: String::new(),
        };
        for (said, kept) in [
            ("550 5.1.1 <ada@example.com>: no such user", "550 5.1.1 […] no such user"),
            ("554 bad link https://palaver.example/reset?token=0123456789abcdef0123!", "554 bad link […]"),
            ("554 palaver.example/reset\r\nis listed", "554 […] is listed"),
            ("554 (0123456789abcdef0123) looks odd", "554 […] looks odd"),
            ("421 too many connections, slow down", "421 too many connections, slow down"),
        ] {
            assert_eq!(without_secrets(said, &content), kept);
        }
        assert_eq!(without_secrets(&"x ".repeat(1_000), &content).chars().count(), ERROR_CHARS_MAX);
    }
}
