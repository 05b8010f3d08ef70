//! What a search finds: words, split and lower-cased here and not by PostgreSQL, so that the result depends neither on
//! its locale nor on its idea of what a word is.

use std::collections::BTreeSet;

use palaver_domain::{AccountId, posts::Content};

/// Characters of a word that count. Beyond them two words are the same.
const WORD_CHARS_MAX: usize = 64;
/// Words of one search; the rest is ignored.
const SEARCH_WORDS_MAX: usize = 20;

/// The different words of a text, lower-cased; a word is a run of letters and digits.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().flat_map(char::to_lowercase).take(WORD_CHARS_MAX).collect())
}

/// The lexeme that stands for the tenant; no word begins like this.
fn tenant_lexeme(tenant: AccountId) -> String {
    format!("={tenant}")
}

/// The lexemes of a post.
pub(super) fn lexemes(tenant: AccountId, content: &Content) -> BTreeSet<String> {
    let mut lexemes: BTreeSet<String> = words(&content.text).collect();
    lexemes.extend(content.title.iter().flat_map(|title| words(title).collect::<Vec<_>>()));
    lexemes.insert(tenant_lexeme(tenant));
    lexemes
}

/// The text as PostgreSQL reads a `tsvector`. Neither words nor tenants hold a quote or a backslash.
pub(super) fn tsvector(lexemes: &BTreeSet<String>) -> String {
    lexemes.iter().map(|lexeme| format!("'{lexeme}'")).collect::<Vec<_>>().join(" ")
}

/// A `tsquery` for posts of the tenant that have, for each word of `search`, a word that begins with it; `None` when
/// there is no word in it.
pub(super) fn tsquery(tenant: AccountId, search: &str) -> Option<String> {
    let terms: BTreeSet<String> = words(search).take(SEARCH_WORDS_MAX).collect();
    if terms.is_empty() {
        return None;
    }
    let terms = terms.into_iter().map(|term| format!(" & '{term}':*")).collect::<String>();
    Some(format!("'{}'{terms}", tenant_lexeme(tenant)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        let found: Vec<String> = words("Grüße, O'Neill! 24/7 — ÇA va_bien\0x").collect();
        assert_eq!(found, ["grüße", "o", "neill", "24", "7", "ça", "va", "bien", "x"]);
    }

    #[test]
    fn a_search_without_words_is_none() {
        assert_eq!(tsquery(AccountId::default(), " ': & | ! \\ "), None);
        let query = tsquery(AccountId::default(), "b a':* | !b").unwrap();
        assert_eq!(query, "'=000000000000000000000000' & 'a':* & 'b':*");
    }
}
