//! Mail, from the outbox of a running service to a server, and to the operator who looks after it.

use std::sync::Arc;

use palaver_commands::mail::{MailId, MailMessage, NewMail, Outbox};
use palaver_domain::{AccountId, Locale};
use palaver_eventstore::{clock::SystemClock, ids::SystemIds, vault::MasterKey};
use palaver_tests::{MASTER_KEY, Service, ServiceOptions, SmtpBehaviour, SmtpServer, eventually};
use serde_json::Value;
use sqlx::PgPool;

const LINK: &str = "http://palaver.example/canary/0123456789abcdef";
const TENANT: AccountId = AccountId::from_bytes([1; 12]);

/// Somebody asked for a new password.
async fn queue(pool: &PgPool, recipient: &str) -> MailId {
    let key: MasterKey = MASTER_KEY.parse().unwrap();
    let outbox = Outbox::new(pool.clone(), Some(&key), Arc::new(SystemClock), Arc::new(SystemIds));
    let message =
        MailMessage::PasswordReset { user_name: "Ada".to_owned(), link: LINK.to_owned(), valid_for_hours: 24 };
    let mail = NewMail { tenant: TENANT, recipient: recipient.to_owned(), locale: Locale::En, message };
    outbox.queue(pool, mail).await.unwrap()
}

async fn listed(service: &Service, id: MailId) -> Value {
    let lines = service.tool(&["mail", "--json"]).await;
    let mut mails = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    mails.find(|mail| mail["id"] == id.to_string()).unwrap()
}

async fn becomes(service: &Service, id: MailId, state: &str) -> Value {
    eventually(state, || async { Some(listed(service, id).await).filter(|mail| mail["state"] == state) }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_goes_out_by_smtp_and_leaves_no_link_in_the_log() {
    let server = SmtpServer::start([SmtpBehaviour::AnswerContent("554 5.7.1 {link} is listed")]);
    let options = ServiceOptions::new("up").setting("smtp-url", &server.url("ada:sesame@", ""));
    let mut service = options.setting("mail-from", "Palaver <palaver@example.com>").start().await;
    let pool = service.pool().await;

    let refused = queue(&pool, "ada@example.com").await;
    let failed = becomes(&service, refused, "failed").await;
    assert_eq!(failed["lastError"], "refused: permanent error (554): 5.7.1 […] is listed");
    let told = service.tool(&["mail", "resend", &refused.to_string()]).await;
    assert_eq!(told, format!("{refused} is queued\n"));
    let sent = becomes(&service, refused, "sent").await;
    assert_eq!((&sent["attempts"], &sent["recipient"]), (&2.into(), &"ada@example.com".into()));
    assert_eq!(server.mails().len(), 1);
    assert!(server.mails()[0].contains("canary") && server.mails()[0].contains(&format!("<{refused}@example.com>")));

    let metrics = service.anonymous().get("/metrics").await.ok().body;
    for line in [r#"palaver_mails_total{outcome="sent"} 1"#, r#"palaver_mails_total{outcome="failed"} 1"#] {
        assert!(metrics.as_str().unwrap().lines().any(|found| found == line), "no {line}");
    }
    assert!(metrics.as_str().unwrap().contains("\npalaver_mail_queued "));
    service.stop().await;
    let log = service.log();
    assert!(log.contains(&format!("\"mail\":\"{refused}\"")) && log.contains("a mail was sent"), "{log}");
    for secret in ["canary", "sesame", "ada@example.com"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_server_mail_is_read_by_the_operator() {
    let service = Service::up().await;
    let pool = service.pool().await;
    let (first, second) = (queue(&pool, "ada@example.com").await, queue(&pool, "bob@example.com").await);
    becomes(&service, first, "kept").await;
    becomes(&service, second, "kept").await;
    assert!(service.log().contains("no mail server is configured: mail is kept and not sent"));

    let table = service.tool(&["mail"]).await;
    assert!(table.contains("ada@example.com") && table.contains("bob@example.com"), "{table}");
    assert!(table.contains("no mail server was configured") && !table.contains("canary"), "{table}");
    assert_eq!(service.tool(&["mail", "list", "--limit", "1", "--json"]).await.lines().count(), 1);
    assert_eq!(service.tool(&["mail", "--state", "sent", "--json"]).await, "");

    let shown = service.tool(&["mail", "show", &first.to_string()]).await;
    for said in ["To:      ada@example.com\n", "Subject: Choose a new password\n", "State:   kept since ", LINK] {
        assert!(shown.contains(said), "no {said:?} in\n{shown}");
    }
    let shown = service.tool(&["mail", "show", &first.to_string(), "--json"]).await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert!(shown["content"]["text"].as_str().unwrap().contains(LINK));
    assert!(shown["content"]["html"].as_str().unwrap().contains("<a href="));

    let nobody = "00000000-0000-4000-8000-000000000000";
    for (arguments, code, says) in [
        (&["mail", "show", nobody][..], 1, "there is no mail 00000000"),
        (&["mail", "resend", nobody], 1, "there is no mail 00000000"),
        (&["mail", "resend", "x"], 2, "the mail's id"),
        (&["mail", "--state", "lost"], 2, "states are queued, sending, sent, failed, unknown, kept"),
    ] {
        let refused = service.tool_output(arguments).await;
        assert_eq!(refused.status.code(), Some(code), "{arguments:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(says), "{arguments:?}: {}", refused.stderr);
    }
}
