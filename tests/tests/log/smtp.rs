//! Mail by SMTP, to a server that speaks it and can be told to misbehave: what arrives, and what a mail counts as when
//! the conversation breaks off.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::DateTime;
use palaver_commands::mail::{Content, Mailer, MailerError, Outgoing, SmtpMailer};
use palaver_tests::{Conversation, SmtpBehaviour, SmtpServer, eventually};
use quoted_printable::ParseMode;

const LINK: &str = "https://palaver.example/reset/0123456789abcdef";

fn mailer(url: &str) -> SmtpMailer {
    SmtpMailer::new(url.parse().unwrap(), "Palaver Grüße <palaver@example.com>").unwrap()
}

fn outgoing() -> Outgoing {
    Outgoing {
        message_id: "<1@example.com>".to_owned(),
        recipient: "ada@example.com".to_owned(),
        date: DateTime::UNIX_EPOCH,
        content: Content {
            subject: "Neues Passwort wählen".to_owned(),
            text: format!("Grüße\n\n{LINK}\n\n.\n.. und Punkte\n"),
            html: format!("<!DOCTYPE html>\n<p>Grüße</p>\n<p><a href=\"{LINK}\">{LINK}</a></p>\n"),
        },
    }
}

/// The headers of a message or part, unfolded, and what follows them.
fn apart(text: &str) -> (Vec<String>, &str) {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.replace("\r\n ", " ").lines().map(str::to_owned).collect(), body)
}

fn header<'a>(headers: &'a [String], name: &str) -> &'a str {
    let mut found = headers.iter().filter_map(|line| line.strip_prefix(&format!("{name}: ")));
    let value = found.next().unwrap_or_else(|| panic!("no {name} in {headers:?}"));
    assert_eq!(found.next(), None, "{name} is there twice");
    value
}

fn decoded(part: &str) -> (String, String) {
    let (headers, body) = apart(part);
    let bytes = match header(&headers, "Content-Transfer-Encoding") {
        "7bit" => body.as_bytes().to_vec(),
        "quoted-printable" => quoted_printable::decode(body, ParseMode::Strict).unwrap(),
        "base64" => STANDARD.decode(body.replace("\r\n", "")).unwrap(),
        other => panic!("{other}"),
    };
    let text = String::from_utf8(bytes).unwrap().replace("\r\n", "\n");
    (header(&headers, "Content-Type").to_owned(), text)
}

/// How the one conversation went, when it has ended.
async fn conversation(server: &SmtpServer) -> Conversation {
    eventually("the end of the conversation", || async { server.conversations().pop() }).await
}

#[tokio::test]
async fn a_mail_arrives_whole_and_once() {
    let server = SmtpServer::start([]);
    let outgoing = outgoing();
    mailer(&server.url("ada:se%2Fsame@", "/greeting.example")).send(&outgoing).await.unwrap();
    let Conversation { commands, content, taken } = conversation(&server).await;
    assert!(taken);
    let auth = format!("AUTH PLAIN {}", STANDARD.encode("\0ada\0se/same"));
    let expected = [
        "EHLO greeting.example",
        &auth,
        "MAIL FROM:<palaver@example.com>",
        "RCPT TO:<ada@example.com>",
        "DATA",
        "QUIT",
    ];
    assert_eq!(commands, expected);

    let content = content.unwrap();
    assert!(content.is_ascii() && content.lines().all(|line| line.len() <= 998), "{content}");
    let (headers, body) = apart(&content);
    assert_eq!(header(&headers, "To"), "ada@example.com");
    assert!(header(&headers, "From").ends_with(" <palaver@example.com>"), "{headers:?}");
    assert_eq!(header(&headers, "Message-ID"), "<1@example.com>");
    assert_eq!(header(&headers, "Date"), "Thu, 01 Jan 1970 00:00:00 +0000");
    assert_eq!(header(&headers, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(&headers, "MIME-Version"), "1.0");
    let subject = header(&headers, "Subject").replace("=?utf-8?b?", "").replace("?=", "").replace(' ', "");
    assert!(header(&headers, "Subject").starts_with("Neues Passwort ") && subject.is_ascii(), "{headers:?}");
    let kind = header(&headers, "Content-Type");
    assert!(kind.starts_with("multipart/alternative;"), "{kind}");
    let boundary = kind.split('"').nth(1).unwrap();
    let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
    assert_eq!(parts.len(), 4, "what is before, two parts, and what is after: {body}");
    assert_eq!(parts[3].trim_end(), "--");
    let part = |index: usize| decoded(parts[index].strip_prefix("\r\n").unwrap());
    let (text, html) = (part(1), part(2));
    assert_eq!((text.0.as_str(), html.0.as_str()), ("text/plain; charset=utf-8", "text/html; charset=utf-8"));
    assert_eq!(text.1.trim_end(), outgoing.content.text.trim_end());
    assert_eq!(html.1.trim_end(), outgoing.content.html.trim_end());
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn a_conversation_counts_by_where_it_broke_off() {
    #[derive(Debug, PartialEq, Eq)]
    enum Counts {
        Refused,
        Unavailable,
        Unanswered,
    }
    for (behaviour, counts, says) in [
        (SmtpBehaviour::HangUpAtOnce, Counts::Unavailable, ""),
        (SmtpBehaviour::AnswerSender("451 4.3.0 busy"), Counts::Unavailable, "busy"),
        // Who may send is between the server and the settings, not about this mail.
        (SmtpBehaviour::AnswerSender("530 5.7.0 who are you"), Counts::Unavailable, "who are you"),
        (SmtpBehaviour::AnswerRecipient("450 4.2.1 greylisted"), Counts::Unavailable, "greylisted"),
        (SmtpBehaviour::AnswerRecipient("550 5.1.1 no such user"), Counts::Refused, "no such user"),
        (SmtpBehaviour::AnswerContent("452 4.3.1 full"), Counts::Unavailable, "full"),
        (SmtpBehaviour::AnswerContent("554 5.7.1 spam"), Counts::Refused, "spam"),
        (SmtpBehaviour::AnswerContent("354 what"), Counts::Unanswered, "354"),
        (SmtpBehaviour::AnswerContent("nonsense"), Counts::Unanswered, ""),
        (SmtpBehaviour::HangUpAfterContent, Counts::Unanswered, ""),
        (SmtpBehaviour::HangUpWithinContent, Counts::Unanswered, ""),
    ] {
        let server = SmtpServer::start([behaviour.clone()]);
        let error = mailer(&server.url("", "")).send(&outgoing()).await.unwrap_err();
        let counted = match &error {
            MailerError::Refused(_) => Counts::Refused,
            MailerError::Unavailable(_) => Counts::Unavailable,
            MailerError::Unanswered(_) => Counts::Unanswered,
        };
        assert_eq!(counted, counts, "{behaviour:?}: {error}");
        assert!(error.to_string().contains(says), "{behaviour:?}: {error}");
        assert!(!conversation(&server).await.taken);
    }
    // Nobody listens there any more.
    let url = SmtpServer::start([]).url("", "");
    eventually("the server's end", || async {
        matches!(mailer(&url).send(&outgoing()).await, Err(MailerError::Unavailable(_))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_is_said_in_the_clear_that_was_to_be_encrypted() {
    let server = SmtpServer::start([]);
    // It offers no STARTTLS, and does not speak TLS.
    for url in [server.url("ada:sesame@", "?tls=required"), server.url("ada:sesame@", "").replace("smtp:", "smtps:")] {
        let error = mailer(&url).send(&outgoing()).await.unwrap_err();
        assert!(matches!(error, MailerError::Unavailable(_)), "{url}: {error}");
    }
    eventually("both conversations", || async { (server.conversations().len() == 2).then_some(()) }).await;
    for conversation in server.conversations() {
        let said = conversation.commands.join("\n");
        assert!(!said.contains("AUTH") && !said.contains("MAIL"), "{said}");
        assert_eq!(conversation.content, None);
    }
    // Where it is only preferred, mail goes without.
    mailer(&server.url("", "?tls=opportunistic")).send(&outgoing()).await.unwrap();
}
