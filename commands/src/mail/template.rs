//! From a message to the words of a mail. Each kind has one text a language, in `templates/<language>/<kind>.txt`: its
//! first paragraph is the subject, the others are the body. The HTML part is the same paragraphs in `layout.html`, so
//! the two parts can not say different things.
//!
//! Templates only fill in and choose; values are put into HTML escaped, and have no control characters, so none of them
//! can add a paragraph, a header or an element.

use minijinja::{Environment, Error, UndefinedBehavior, Value, context};
use serde::{Deserialize, Serialize};

use palaver_domain::Locale;

use super::message::{MailKind, MailMessage};

/// A mail as it is sent, but for its addresses.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Names may be long; a subject is read in a list.
const SUBJECT_CHARS_MAX: usize = 150;

const LAYOUT: (&str, &str) = ("layout.html", include_str!("templates/layout.html"));

/// The text of every kind, for one language.
macro_rules! texts {
    ($language:literal, $kind:expr) => {
        match $kind {
            MailKind::PasswordReset => include_str!(concat!("templates/", $language, "/password_reset.txt")),
            MailKind::Invitation => include_str!(concat!("templates/", $language, "/invitation.txt")),
            MailKind::AccountVerification => {
                include_str!(concat!("templates/", $language, "/account_verification.txt"))
            }
            MailKind::FeatureRequest => include_str!(concat!("templates/", $language, "/feature_request.txt")),
        }
    };
}

const fn text(kind: MailKind, locale: Locale) -> &'static str {
    match locale {
        Locale::En => texts!("en", kind),
        Locale::De => texts!("de", kind),
        Locale::Fr => texts!("fr", kind),
    }
}

/// Puts a message into words.
///
/// # Errors
/// When a template is broken; the tests render all of them.
pub(super) fn render(message: &MailMessage, locale: Locale) -> Result<Content, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // The name's ending decides what is escaped.
    let written = environment.template_from_named_str("mail.txt", text(message.kind(), locale))?;
    let written = written.render(values(message))?;
    let mut paragraphs =
        written.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    let subject: String = paragraphs.next().unwrap_or_default().chars().take(SUBJECT_CHARS_MAX).collect();
    let paragraphs: Vec<String> = paragraphs.filter(|paragraph| !paragraph.is_empty()).collect();
    let (_, body) = written.split_once("\n\n").unwrap_or_default();
    let (name, source) = LAYOUT;
    let html = environment.template_from_named_str(name, source)?.render(context! {
        language => locale.as_str(),
        subject => subject.as_str(),
        link => link(message),
        paragraphs => paragraphs,
    })?;
    Ok(Content { subject, text: format!("{}\n", body.trim()), html })
}

fn values(message: &MailMessage) -> Value {
    match message {
        MailMessage::PasswordReset { user_name, link, valid_for_hours } => context! {
            user_name => plain(user_name), link => plain(link), valid_for_hours => *valid_for_hours,
        },
        MailMessage::Invitation { user_name, account_name, link, valid_for_hours }
        | MailMessage::AccountVerification { user_name, account_name, link, valid_for_hours } => context! {
            user_name => plain(user_name), account_name => plain(account_name), link => plain(link),
            valid_for_hours => *valid_for_hours,
        },
        MailMessage::FeatureRequest { account_name, account_id, user_name, feature } => context! {
            account_name => plain(account_name), account_id => account_id.to_string(), user_name => plain(user_name),
            feature => plain(feature),
        },
    }
}

/// The link that the mail is about, which stands in a paragraph of its own.
fn link(message: &MailMessage) -> Option<String> {
    match message {
        MailMessage::PasswordReset { link, .. }
        | MailMessage::Invitation { link, .. }
        | MailMessage::AccountVerification { link, .. } => Some(plain(link)),
        MailMessage::FeatureRequest { .. } => None,
    }
}

/// One line, whatever it was: what people call themselves does not get to format a mail.
fn plain(text: &str) -> String {
    let spaced: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use palaver_domain::AccountId;

    use super::*;

    const LINK: &str = "https://palaver.example/reset?a=1&b=2";
    const ACCOUNT: AccountId = AccountId::from_bytes([7; 12]);

    /// One message of each kind, and every value that must be found in it.
    fn messages(name: &str, hours: u32) -> Vec<(MailMessage, Vec<String>)> {
        let (user_name, account_name, link) = (format!("user {name}"), format!("account {name}"), LINK.to_owned());
        let feature = format!("feature {name}");
        let opened = |values: &[&String]| {
            values.iter().map(|value| (*value).clone()).chain([hours.to_string(), LINK.to_owned()]).collect::<Vec<_>>()
        };
        let reset =
            MailMessage::PasswordReset { user_name: user_name.clone(), link: link.clone(), valid_for_hours: hours };
        let invitation = MailMessage::Invitation {
            user_name: user_name.clone(),
            account_name: account_name.clone(),
            link: link.clone(),
            valid_for_hours: hours,
        };
        let verification = MailMessage::AccountVerification {
            user_name: user_name.clone(),
            account_name: account_name.clone(),
            link,
            valid_for_hours: hours,
        };
        let request = MailMessage::FeatureRequest {
            account_name: account_name.clone(),
            account_id: ACCOUNT,
            user_name: user_name.clone(),
            feature: feature.clone(),
        };
        let requested = vec![account_name.clone(), ACCOUNT.to_string(), user_name.clone(), feature];
        vec![
            (reset, opened(&[&user_name])),
            (invitation, opened(&[&user_name, &account_name])),
            (verification, opened(&[&user_name, &account_name])),
            (request, requested),
        ]
    }

    fn escaped(text: &str) -> String {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
    }

    #[test]
    fn every_value_stands_in_both_parts_in_every_language() {
        for locale in Locale::ALL {
            for (message, values) in messages("<b onclick=\"x\">&", 36) {
                let Content { subject, text, html } = render(&message, locale).unwrap();
                let kind = message.kind().as_str();
                for value in values {
                    assert!(text.contains(&value), "{kind} {locale:?}: no {value:?} in\n{text}");
                    // Slashes may be escaped as well, so they are compared unescaped.
                    let html = html.replace("&#x2f;", "/");
                    assert!(html.contains(&escaped(&value)), "{kind} {locale:?}: no {value:?} in\n{html}");
                }
                assert!(!subject.is_empty() && !subject.contains(['\n', '\r']), "{subject:?}");
                assert!(!text.contains(&subject), "{kind} {locale:?}: the subject is no part of the body");
                assert!(!html.contains("<b "), "{kind} {locale:?}: not escaped in\n{html}");
                assert!(html.contains(&format!("<html lang=\"{}\">", locale.as_str())));
                assert!(!format!("{subject}{text}{html}").contains("{{"), "{kind} {locale:?}");
            }
        }
    }

    #[test]
    fn a_link_can_be_followed_in_both_parts() {
        for locale in Locale::ALL {
            for (message, values) in messages("x", 2) {
                let Content { text, html, .. } = render(&message, locale).unwrap();
                let links = usize::from(values.iter().any(|value| value == LINK));
                assert_eq!(text.lines().filter(|line| *line == LINK).count(), links);
                let anchor = format!("<a href=\"{}\"", escaped(LINK));
                assert_eq!(html.replace("&#x2f;", "/").matches(&anchor).count(), links, "{html}");
            }
        }
    }

    #[test]
    fn languages_differ_and_count() {
        for (index, (one, _)) in messages("x", 1).into_iter().enumerate() {
            let texts = Locale::ALL.map(|locale| render(&one, locale).unwrap().text);
            assert!(texts[0] != texts[1] && texts[1] != texts[2] && texts[0] != texts[2]);
            if one.kind() != MailKind::FeatureRequest {
                let (many, _) = messages("x", 5).swap_remove(index);
                for (locale, one_hour, hours) in [
                    (Locale::En, " 1 hour.", " 5 hours."),
                    (Locale::De, " 1 Stunde ", " 5 Stunden "),
                    (Locale::Fr, " 1 heure.", " 5 heures."),
                ] {
                    assert!(render(&one, locale).unwrap().text.contains(one_hour));
                    assert!(render(&many, locale).unwrap().text.contains(hours));
                }
            }
        }
    }

    #[test]
    fn a_value_adds_neither_lines_nor_headers() {
        let name = "x\r\nBcc: eve@example.com\n\nOpen https://eve.example \u{1b}[2J{{ link }}";
        for locale in Locale::ALL {
            for ((message, _), (harmless, _)) in messages(name, 2).into_iter().zip(messages("x", 2)) {
                let (content, expected) = (render(&message, locale).unwrap(), render(&harmless, locale).unwrap());
                assert!(!content.subject.contains(char::is_control), "{:?}", content.subject);
                assert_eq!(content.text.lines().count(), expected.text.lines().count(), "{}", content.text);
                assert_eq!(content.html.matches("<p>").count(), expected.html.matches("<p>").count());
                assert!(!content.text.contains('\u{1b}') && !content.html.contains('\u{1b}'));
                assert!(content.text.contains("{{ link }}"), "values are no templates: {}", content.text);
            }
        }
    }

    #[test]
    fn a_subject_stays_within_its_bound() {
        for (message, _) in messages(&"x".repeat(1_000), 2) {
            let subject = render(&message, Locale::En).unwrap().subject;
            assert!(subject.chars().count() <= SUBJECT_CHARS_MAX, "{subject}");
        }
    }
}
