//! The settings of mail: by which server, from whom, and where its links lead.

use std::net::SocketAddr;

use palaver_commands::mail::{SmtpUrl, is_address, is_sender};
use url::Url;

use super::{Check, Secret, Settings};

/// What mail is sent by.
#[derive(Clone)]
pub struct MailServer {
    pub server: SmtpUrl,
    pub from: String,
}

impl std::fmt::Debug for MailServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let server = self.server.without_credentials();
        f.debug_struct("MailServer").field("server", &server).field("from", &self.from).finish()
    }
}

impl Settings {
    /// What links to this service begin with, without a slash at its end.
    pub fn public_url(&self) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{}", self.listen))
    }

    /// The same, with the address that is in fact listened at: port 0 is a question, and this its answer.
    pub fn listening_at(&self, listen: SocketAddr) -> Self {
        Self { listen, ..self.clone() }
    }
}

/// An address that paths are appended to, without a slash at its end.
pub(super) fn base_url(check: &mut Check, name: &'static str, given: Option<String>) -> Option<String> {
    let given = given?;
    let problem = match Url::parse(&given) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") || !url.has_host() => {
            "must begin with http:// or https://"
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => "must have no query and no fragment",
        Ok(url) if !url.username().is_empty() || url.password().is_some() => "must have no user and no password",
        Ok(url) => return Some(url.as_str().trim_end_matches('/').to_owned()),
        Err(_) => "must be like https://palaver.example.com",
    };
    check.fail(name, problem);
    None
}

pub(super) fn support(check: &mut Check, given: Option<String>) -> Option<String> {
    let given = given?;
    if !is_address(&given) {
        check.fail("support_email", "must be an address alone, such as support@example.com");
    }
    Some(given)
}

pub(super) fn server(check: &mut Check, url: Option<&Secret>, from: Option<String>) -> Option<MailServer> {
    let server = url.and_then(|url| {
        url.expose().parse::<SmtpUrl>().map_err(|error| check.fail("smtp_url", &error.to_string())).ok()
    });
    match (&from, url) {
        (Some(from), _) if !is_sender(from) => {
            check.fail("mail_from", "must be an address, such as `Palaver <palaver@example.com>`");
        }
        (Some(_), _) | (None, None) => {}
        (None, Some(_)) => check.fail("mail_from", "is needed with smtp_url: mail must come from somebody"),
    }
    Some(MailServer { server: server?, from: from? })
}

#[cfg(test)]
mod tests {
    use super::super::{Given, SettingsError};

    fn given(public_url: Option<&str>, smtp_url: Option<&str>, mail_from: Option<&str>) -> Given {
        Given {
            data: Some("/nowhere".into()),
            public_url: public_url.map(str::to_owned),
            smtp_url: smtp_url.map(|url| url.parse().unwrap()),
            mail_from: mail_from.map(str::to_owned),
            ..Given::default()
        }
    }

    #[test]
    fn links_begin_with_what_is_given_or_else_where_it_listens() {
        let settings = given(None, None, None).resolve().unwrap();
        assert_eq!(settings.public_url(), "http://127.0.0.1:8080");
        let listening = settings.listening_at("127.0.0.1:4711".parse().unwrap());
        assert_eq!(listening.public_url(), "http://127.0.0.1:4711");
        for (text, url) in [
            ("https://palaver.example.com", "https://palaver.example.com"),
            ("https://example.com:8443/palaver/", "https://example.com:8443/palaver"),
        ] {
            let settings = given(Some(text), None, None).resolve().unwrap();
            assert_eq!(settings.listening_at("127.0.0.1:4711".parse().unwrap()).public_url(), url);
        }
        for text in ["palaver.example.com", "javascript:alert(1)", "https://u:p@x/", "https://x/?y", "https://x/#y"] {
            assert!(given(Some(text), None, None).resolve().is_err(), "{text}");
            let keycloak = Given { keycloak_url: Some(text.to_owned()), ..given(None, None, None) };
            let SettingsError::Invalid(problems) = keycloak.resolve().unwrap_err() else { panic!() };
            assert!(problems[0].starts_with("keycloak_url (--keycloak-url, PALAVER_KEYCLOAK_URL) "), "{problems:?}");
        }
    }

    #[test]
    fn a_mail_server_needs_a_sender_and_shows_no_password() {
        assert!(given(None, None, None).resolve().unwrap().mail.is_none());
        assert!(given(None, None, Some("palaver@example.com")).resolve().unwrap().mail.is_none());
        let url = "smtps://ada:sesame@mail.example";
        let settings = given(None, Some(url), Some("Palaver <palaver@example.com>")).resolve().unwrap();
        let shown = crate::telemetry::capture(|| settings.log());
        for text in [shown, format!("{settings:?}")] {
            assert!(text.contains("smtps://***@mail.example:465") && !text.contains("sesame"), "{text}");
        }
        for (url, from, named) in [
            (url, None, "mail_from"),
            (url, Some("nobody"), "mail_from"),
            ("smtp://ada:sesame@mail.example", Some("palaver@example.com"), "smtp_url"),
            ("sesame", Some("palaver@example.com"), "smtp_url"),
        ] {
            let SettingsError::Invalid(problems) = given(None, Some(url), from).resolve().unwrap_err() else {
                panic!()
            };
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].starts_with(named) && !problems[0].contains("sesame"), "{problems:?}");
        }
    }
}
