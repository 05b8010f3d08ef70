//! Everything that is wrong with an input, gathered so that one answer tells all of it. Which rules there are
//! stands with each aggregate; here are the few checks that they share.

use email_address::{EmailAddress, Options};
use serde_json::Value;
use url::Url;

use crate::{FieldErrors, URL_CHARS_MAX};

const EMAIL: Options = Options { minimum_sub_domains: 2, allow_domain_literal: false, allow_display_text: false };

/// Field path to codes. A path is dotted, with places of lists as numbers: `content.images.0.link`.
#[derive(Debug, Default)]
pub(crate) struct Findings(FieldErrors);

impl Findings {
    pub fn add(&mut self, field: &str, code: &str) {
        self.0.entry(field.to_owned()).or_default().push(code.to_owned());
    }

    pub fn check(&mut self, holds: bool, field: &str, code: &str) {
        if !holds {
            self.add(field, code);
        }
    }

    /// A text that may be empty: `tooLong`, or `unsupportedCharacter` for the one character that JSON documents in
    /// Postgres can not hold.
    pub fn text(&mut self, field: &str, text: &str, chars_max: usize) {
        self.check(text.chars().count() <= chars_max, field, "tooLong");
        self.check(!text.contains('\0'), field, "unsupportedCharacter");
    }

    /// A text that has to say something.
    pub fn required_text(&mut self, field: &str, text: &str, chars_max: usize) {
        self.check(!text.trim().is_empty(), field, "required");
        self.text(field, text, chars_max);
    }

    pub fn length(&mut self, field: &str, length: usize, length_max: usize) {
        self.check(length <= length_max, field, "tooMany");
    }

    pub fn unique<T: Ord>(&mut self, field: &str, items: impl IntoIterator<Item = T>) {
        let mut items: Vec<T> = items.into_iter().collect();
        items.sort();
        self.check(items.windows(2).all(|pair| pair.first() != pair.last()), field, "notUnique");
    }

    /// A web address that a browser would open: http or https, with a host.
    pub fn url(&mut self, field: &str, text: &str) {
        self.text(field, text, URL_CHARS_MAX);
        let has_scheme = ["http://", "https://"]
            .iter()
            .any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
        let printable = !text.contains(|c: char| c.is_control() || c.is_whitespace());
        let holds = has_scheme && printable && Url::parse(text).is_ok_and(|url| url.has_host());
        self.check(holds, field, "invalidUrl");
    }

    /// The bare address of a mailbox at a domain with a dot.
    pub fn email(&mut self, field: &str, text: &str) {
        self.check(EmailAddress::parse_with_options(text, EMAIL).is_ok(), field, "invalidEmail");
    }

    /// What somebody else's program wants kept: of a bounded size and depth, without NUL.
    pub fn json(&mut self, field: &str, value: &Value, bytes_max: usize, depth_max: usize) {
        self.check(value.to_string().len() <= bytes_max, field, "tooLong");
        self.check(depth(value) <= depth_max, field, "tooDeep");
        self.check(!holds_nul(value), field, "unsupportedCharacter");
    }

    /// Refuses with what was found, if anything was.
    pub fn refuse<E>(self, error: impl FnOnce(FieldErrors) -> E) -> Result<(), E> {
        if self.0.is_empty() { Ok(()) } else { Err(error(self.0)) }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(check: impl FnOnce(&mut Findings)) -> Vec<String> {
        let mut findings = Findings::default();
        check(&mut findings);
        findings.0.remove("field").unwrap_or_default()
    }

    #[test]
    fn a_url_is_one_that_a_browser_opens() {
        for url in ["https://example.com", "HTTP://example.com:8080/a?b=c#d", "https://müller.example/straße"] {
            assert!(codes(|found| found.url("field", url)).is_empty(), "{url}");
        }
        for url in [
            "",
            "example.com",
            "ftp://example.com",
            "javascript:alert(1)",
            "data:text/html,hi",
            "http:example.com",
            "http://",
            "https://exa mple.com",
            " https://example.com",
            "https://example.com/\n",
            "https://[::1",
            "http:ü//example.com",
        ] {
            assert_eq!(codes(|found| found.url("field", url)), ["invalidUrl"], "{url:?}");
        }
        let long = format!("https://example.com/{}", "a".repeat(URL_CHARS_MAX));
        assert_eq!(codes(|found| found.url("field", &long)), ["tooLong"]);
    }

    #[test]
    fn an_email_is_a_bare_mailbox() {
        for address in ["ann@example.com", "ann.b+posts@mail.example.com", "o'neil@example.co.uk"] {
            assert!(codes(|found| found.email("field", address)).is_empty(), "{address}");
        }
        for address in [
            "",
            "ann",
            "ann@",
            "@example.com",
            "ann@example",
            "ann@@example.com",
            "ann@exa mple.com",
            "Ann <ann@example.com>",
            "ann@[127.0.0.1]",
            "ann@example.com\r\nBcc: all@example.com",
            "ann@example.com, bob@example.com",
            ".ann@example.com",
        ] {
            assert_eq!(codes(|found| found.email("field", address)), ["invalidEmail"], "{address:?}");
        }
    }
}
