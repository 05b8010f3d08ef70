//! The mail worker with a mailer that can be watched: what is sent, how often, and what is left to a person.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::TimeDelta;
use futures::future::{BoxFuture, pending};
use palaver_commands::mail::{
    CONTENT_KEPT_DAYS, ListedMail, MAILS_KEPT_DAYS, MailError, MailId, MailMessage, MailState, MailWorker,
    MailWorkerSettings, Mailer, MailerError, NewMail, Outbox, Outgoing,
};
use palaver_domain::Locale;
use palaver_eventstore::{
    clock::{Clock, ManualClock, SystemClock},
    ids::SystemIds,
    vault::MasterKey,
};
use palaver_tests::{TestDatabase, eventually, fresh_database};
use sqlx::PgPool;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::TENANT;

const LINK: &str = "https://palaver.example/reset/0123456789abcdefcanary";
/// Calls of one mail before it has failed.
const CALLS_MAX: usize = 8;

/// How a call of the mailer goes.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Take,
    /// Quotes what it refuses.
    Refuse,
    Away,
    Silence,
    /// Never ends.
    Hang,
    /// Takes it, when it is told to go on.
    Wait,
}

/// Notes every call, and answers as it is told; when it is told nothing more, like the last time.
struct Watched {
    answers: Mutex<VecDeque<Answer>>,
    calls: Mutex<Vec<Outgoing>>,
    go_on: Notify,
}

impl Watched {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        let answers = Mutex::new(answers.into_iter().collect());
        Arc::new(Self { answers, calls: Mutex::default(), go_on: Notify::new() })
    }

    fn calls(&self) -> Vec<Outgoing> {
        self.calls.lock().unwrap().clone()
    }

    fn next(&self) -> Answer {
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0] }
    }
}

impl Mailer for Watched {
    fn domain(&self) -> &'static str {
        "palaver.example"
    }

    fn send<'a>(&'a self, mail: &'a Outgoing) -> BoxFuture<'a, Result<(), MailerError>> {
        self.calls.lock().unwrap().push(mail.clone());
        let answer = self.next();
        Box::pin(async move {
            match answer {
                Answer::Take => Ok(()),
                Answer::Refuse => Err(MailerError::Refused(format!("554 <ada@example.com> {LINK} is listed"))),
                Answer::Away => Err(MailerError::Unavailable("421 come back".to_owned())),
                Answer::Silence => Err(MailerError::Unanswered("gone".to_owned())),
                Answer::Hang => pending().await,
                Answer::Wait => {
                    self.go_on.notified().await;
                    Ok(())
                }
            }
        })
    }
}

fn settings() -> MailWorkerSettings {
    MailWorkerSettings {
        poll: Duration::from_millis(10),
        call_timeout: Duration::from_secs(20),
        settle: Duration::from_secs(20),
        retry_delay: Duration::from_millis(1),
    }
}

/// So that what somebody left is soon old enough.
fn impatient() -> MailWorkerSettings {
    MailWorkerSettings { call_timeout: Duration::from_millis(200), settle: Duration::from_millis(200), ..settings() }
}

fn outbox_at(pool: &PgPool, key: Option<u8>, clock: Arc<dyn Clock>) -> Outbox {
    let key = key.map(|byte| MasterKey::from_bytes([byte; 32]));
    Outbox::new(pool.clone(), key.as_ref(), clock, Arc::new(SystemIds))
}

fn mail(recipient: &str) -> NewMail {
    let (user_name, link) = ("Ada".to_owned(), LINK.to_owned());
    NewMail {
        tenant: TENANT,
        recipient: recipient.to_owned(),
        locale: Locale::En,
        message: MailMessage::PasswordReset { user_name, link, valid_for_hours: 2 },
    }
}

struct Post {
    _database: TestDatabase,
    pool: PgPool,
    outbox: Outbox,
}

/// A worker that runs until it is told to stop, or is dropped where it stands.
struct Working {
    stop: CancellationToken,
    worker: JoinHandle<()>,
}

impl Working {
    async fn stop(self) {
        self.stop.cancel();
        self.worker.await.unwrap();
    }

    /// As a crash would.
    async fn kill(self) {
        self.worker.abort();
        assert!(self.worker.await.unwrap_err().is_cancelled());
    }
}

impl Post {
    async fn open() -> Self {
        let database = fresh_database().await;
        let pool = database.pool().await;
        let outbox = outbox_at(&pool, Some(7), Arc::new(SystemClock));
        Self { _database: database, pool, outbox }
    }

    async fn queue(&self, recipient: &str) -> MailId {
        self.outbox.queue(&self.pool, mail(recipient)).await.unwrap()
    }

    fn work(&self, mailer: Option<&Arc<Watched>>, settings: MailWorkerSettings) -> Working {
        let mailer = mailer.map(|mailer| mailer.clone() as Arc<dyn Mailer>);
        let worker = MailWorker::new(self.outbox.clone(), mailer, settings);
        let stop = CancellationToken::new();
        Working { stop: stop.clone(), worker: tokio::spawn(worker.run(stop)) }
    }

    async fn listed(&self, id: MailId) -> ListedMail {
        let all = self.outbox.list(None, 1_000).await.unwrap();
        all.into_iter().find(|mail| mail.id == id).unwrap()
    }

    async fn becomes(&self, id: MailId, state: MailState) -> ListedMail {
        eventually(state.as_str(), || async { Some(self.listed(id).await).filter(|mail| mail.state == state.as_str()) })
            .await
    }

    /// Returns when a worker has looked at the outbox at least once more and sent what it found.
    async fn another_is_sent(&self) {
        let another = self.queue("another@example.com").await;
        self.becomes(another, MailState::Sent).await;
    }
}

async fn called(mailer: &Watched, calls: usize) {
    eventually("the calls", || async { (mailer.calls().len() >= calls).then_some(()) }).await;
}

fn to(recipient: &str, calls: &[Outgoing]) -> usize {
    calls.iter().filter(|call| call.recipient == recipient).count()
}

#[tokio::test]
async fn a_mail_is_sent_once_when_its_transaction_commits() {
    let post = Post::open().await;
    let mailer = Watched::new([Answer::Take]);
    let working = post.work(Some(&mailer), settings());
    let mut undone = post.pool.begin().await.unwrap();
    post.outbox.queue(&mut *undone, mail("nobody@example.com")).await.unwrap();
    undone.rollback().await.unwrap();
    let mut done = post.pool.begin().await.unwrap();
    let id = post.outbox.queue(&mut *done, mail("ada@example.com")).await.unwrap();
    done.commit().await.unwrap();

    let sent = post.becomes(id, MailState::Sent).await;
    post.another_is_sent().await;
    post.another_is_sent().await;
    working.stop().await;
    let calls = mailer.calls();
    assert_eq!((calls.len(), to("ada@example.com", &calls), to("nobody@example.com", &calls)), (3, 1, 0));
    assert_eq!((sent.attempts, sent.kind.as_str(), sent.last_error.as_deref()), (1, "passwordReset", None));
    assert!(sent.sent_at.is_some());
    let call = calls.iter().find(|call| call.recipient == "ada@example.com").unwrap();
    assert_eq!(call.message_id, format!("<{id}@palaver.example>"));
    assert_eq!(sent.message_id.as_ref(), Some(&call.message_id));
    assert!(call.content.text.contains(LINK) && call.content.html.contains("<p>Hello Ada,</p>"));
    let (shown, content) = post.outbox.show(id).await.unwrap();
    assert!(shown == sent && content == call.content);
}

#[tokio::test]
async fn what_a_mail_says_is_sealed() {
    let post = Post::open().await;
    let id = post.queue("ada@example.com").await;
    let in_clear: Vec<bool> = sqlx::query_scalar(
        "SELECT position('canary'::bytea in sealed) > 0 OR position('Hello'::bytea in sealed) > 0
                OR (to_jsonb(m) - 'sealed')::text LIKE '%canary%' FROM mail_outbox m",
    )
    .fetch_all(&post.pool)
    .await
    .unwrap();
    assert_eq!(in_clear, [false]);
    post.outbox.verify().await.unwrap();

    let other = outbox_at(&post.pool, Some(8), Arc::new(SystemClock));
    assert!(matches!(other.verify().await, Err(MailError::Sealed(_))));
    assert!(matches!(other.show(id).await, Err(MailError::Sealed(_))));
    let keyless = outbox_at(&post.pool, None, Arc::new(SystemClock));
    assert!(matches!(keyless.queue(&post.pool, mail("ada@example.com")).await, Err(MailError::NoKey)));
    assert!(matches!(keyless.show(id).await, Err(MailError::NoKey)));
    assert_eq!(keyless.list(None, 10).await.unwrap().len(), 1);
    // Moved to another account, or to another mail, it does not open.
    sqlx::query("UPDATE mail_outbox SET tenant_id = repeat('2', 24)").execute(&post.pool).await.unwrap();
    assert!(matches!(post.outbox.show(id).await, Err(MailError::Sealed(_))));
}

#[tokio::test]
async fn only_an_address_is_a_recipient() {
    let post = Post::open().await;
    for recipient in [
        "",
        "ada",
        "ada@",
        "Ada <ada@example.com>",
        "ada@example.com, eve@example.com",
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@example.com>\r\nRCPT TO:<eve@example.com",
    ] {
        let refused = post.outbox.queue(&post.pool, mail(recipient)).await;
        assert!(matches!(refused, Err(MailError::Recipient)), "{recipient:?}");
    }
    assert!(post.outbox.list(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_crash_between_call_and_outcome_ends_unknown_and_is_not_sent_again() {
    let post = Post::open().await;
    let id = post.queue("ada@example.com").await;
    let hanging = Watched::new([Answer::Hang]);
    let crashed = post.work(Some(&hanging), settings());
    called(&hanging, 1).await;
    crashed.kill().await;
    assert_eq!(post.listed(id).await.state, "sending");
    assert!(matches!(post.outbox.resend(id).await, Err(MailError::OnItsWay(..))));

    let mailer = Watched::new([Answer::Take]);
    let working = post.work(Some(&mailer), impatient());
    let unknown = post.becomes(id, MailState::Unknown).await;
    post.another_is_sent().await;
    assert_eq!(to("ada@example.com", &mailer.calls()), 0);

    // A person decides; whoever has it already can tell that it is the same.
    post.outbox.resend(id).await.unwrap();
    let sent = post.becomes(id, MailState::Sent).await;
    working.stop().await;
    assert_eq!(to("ada@example.com", &mailer.calls()), 1);
    assert_eq!((sent.attempts, &sent.message_id), (2, &unknown.message_id));
    assert_eq!(hanging.calls()[0].message_id, sent.message_id.unwrap());
}

#[tokio::test]
async fn what_is_not_taken_is_tried_again_and_fails_in_the_end() {
    let post = Post::open().await;
    let mailer = Watched::new([Answer::Away, Answer::Away, Answer::Take]);
    let id = post.queue("ada@example.com").await;
    let working = post.work(Some(&mailer), settings());
    assert_eq!(post.becomes(id, MailState::Sent).await.attempts, 3);
    working.stop().await;

    let mailer = Watched::new([Answer::Away]);
    let id = post.queue("bob@example.com").await;
    let working = post.work(Some(&mailer), settings());
    let failed = post.becomes(id, MailState::Failed).await;
    assert_eq!((mailer.calls().len(), failed.attempts), (CALLS_MAX, CALLS_MAX as i32));
    assert_eq!(failed.last_error.as_deref(), Some("not taken: 421 come back"));
    // On a person's word it gets as many again.
    post.outbox.resend(id).await.unwrap();
    called(&mailer, 2 * CALLS_MAX).await;
    assert_eq!(post.becomes(id, MailState::Failed).await.attempts, 2 * CALLS_MAX as i32);
    working.stop().await;
    assert_eq!(mailer.calls().len(), 2 * CALLS_MAX);
}

#[tokio::test]
async fn a_refusal_and_a_silence_are_called_once_and_kept_without_what_they_quote() {
    let post = Post::open().await;
    for (answer, state, error) in [
        (Answer::Refuse, MailState::Failed, "refused: 554 […] […] is listed"),
        (Answer::Silence, MailState::Unknown, "no answer: gone"),
        (Answer::Hang, MailState::Unknown, "no answer: not in time"),
    ] {
        let mailer = Watched::new([answer, Answer::Take]);
        let id = post.queue("ada@example.com").await;
        let working = post.work(Some(&mailer), impatient());
        let ended = post.becomes(id, state).await;
        post.another_is_sent().await;
        working.stop().await;
        assert_eq!(to("ada@example.com", &mailer.calls()), 1, "{answer:?}");
        assert_eq!(ended.last_error.as_deref(), Some(error), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_share_the_outbox() {
    const MAILS: usize = 60;
    let post = Post::open().await;
    for number in 0..MAILS {
        post.queue(&format!("user{number}@example.com")).await;
    }
    let mailer = Watched::new([Answer::Take]);
    let working = [post.work(Some(&mailer), settings()), post.work(Some(&mailer), settings())];
    eventually("all sent", || async {
        let sent = post.outbox.list(Some(MailState::Sent), 1_000).await.unwrap();
        (sent.len() == MAILS).then_some(())
    })
    .await;
    for one in working {
        one.stop().await;
    }
    let mut calls = BTreeMap::new();
    for call in mailer.calls() {
        *calls.entry(call.recipient).or_insert(0) += 1;
    }
    assert_eq!((calls.len(), calls.values().sum::<usize>()), (MAILS, MAILS));
}

#[tokio::test]
async fn an_outcome_that_comes_late_counts_unless_the_mail_is_sent_anew() {
    let post = Post::open().await;
    for resent in [false, true] {
        let slow = Watched::new([Answer::Wait]);
        let id = post.queue("ada@example.com").await;
        let patient = post.work(Some(&slow), settings());
        called(&slow, 1).await;
        // Another process takes the first one for dead.
        let other = Watched::new([Answer::Hang]);
        let working = post.work(Some(&other), impatient());
        post.becomes(id, MailState::Unknown).await;
        if resent {
            working.stop().await;
            post.outbox.resend(id).await.unwrap();
            sqlx::query("UPDATE mail_outbox SET state = 'sending', attempts = attempts + 1 WHERE id = $1::uuid")
                .bind(id.to_string())
                .execute(&post.pool)
                .await
                .unwrap();
            slow.go_on.notify_one();
            patient.stop().await;
            assert_eq!(post.listed(id).await.state, "sending", "the outcome is of another call");
        } else {
            slow.go_on.notify_one();
            post.becomes(id, MailState::Sent).await;
            patient.stop().await;
            working.stop().await;
            assert!(other.calls().is_empty());
        }
    }
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_finishes_what_it_has_begun() {
    let post = Post::open().await;
    let mailer = Watched::new([Answer::Wait]);
    let id = post.queue("ada@example.com").await;
    let working = post.work(Some(&mailer), settings());
    called(&mailer, 1).await;
    working.stop.cancel();
    let later = post.queue("bob@example.com").await;
    mailer.go_on.notify_one();
    working.stop().await;
    assert_eq!(post.listed(id).await.state, "sent");
    assert_eq!(post.listed(later).await.state, "queued");
}

#[tokio::test]
async fn without_a_server_mail_is_kept_to_be_read_and_can_be_sent_later() {
    let post = Post::open().await;
    let id = post.queue("ada@example.com").await;
    let working = post.work(None, impatient());
    let kept = post.becomes(id, MailState::Kept).await;
    // What was being sent when there was a server is not kept: it may have arrived.
    sqlx::query("UPDATE mail_outbox SET state = 'sending' WHERE id = $1::uuid")
        .bind(id.to_string())
        .execute(&post.pool)
        .await
        .unwrap();
    post.becomes(id, MailState::Unknown).await;
    post.outbox.resend(id).await.unwrap();
    post.becomes(id, MailState::Kept).await;
    working.stop().await;
    assert_eq!((kept.attempts, kept.message_id), (0, None));
    assert!(post.outbox.show(id).await.unwrap().1.text.contains(LINK));

    // A server alone does not send what may be long out of date.
    let mailer = Watched::new([Answer::Take]);
    let working = post.work(Some(&mailer), settings());
    post.another_is_sent().await;
    assert_eq!(post.listed(id).await.state, "kept");
    post.outbox.resend(id).await.unwrap();
    post.becomes(id, MailState::Sent).await;
    working.stop().await;
}

#[tokio::test]
async fn what_mails_said_is_wiped_and_they_are_forgotten_in_the_end() {
    let post = Post::open().await;
    let clock = ManualClock::at(SystemClock.now());
    let outbox = outbox_at(&post.pool, Some(7), Arc::new(clock.clone()));
    let id = outbox.queue(&post.pool, mail("ada@example.com")).await.unwrap();
    let waiting = outbox.queue(&post.pool, mail("bob@example.com")).await.unwrap();
    // One is sent now, the other is not due until the end of time.
    sqlx::query("UPDATE mail_outbox SET state = 'sent', message_id = 'x' WHERE id = $1::uuid")
        .bind(id.to_string())
        .execute(&post.pool)
        .await
        .unwrap();
    let queued_at = clock.now();
    let forgotten_by = |days: i64| {
        clock.set(queued_at + TimeDelta::days(days) + TimeDelta::seconds(1));
        let (outbox, stop) = (outbox.clone(), CancellationToken::new());
        let asked = stop.clone();
        (stop, tokio::spawn(async move { outbox.forget_old_mail(asked).await }))
    };

    let (stop, forgetting) = forgotten_by(CONTENT_KEPT_DAYS);
    eventually("the content wiped", || async {
        matches!(outbox.show(id).await, Err(MailError::Wiped(_))).then_some(())
    })
    .await;
    stop.cancel();
    forgetting.await.unwrap();
    assert!(matches!(outbox.resend(id).await, Err(MailError::Wiped(_))));
    assert_eq!(outbox.list(None, 10).await.unwrap().len(), 2);
    assert!(outbox.show(waiting).await.is_ok(), "what is still to be sent is kept");

    let (stop, forgetting) = forgotten_by(MAILS_KEPT_DAYS);
    eventually("the mail forgotten", || async {
        matches!(outbox.show(id).await, Err(MailError::NotFound(_))).then_some(())
    })
    .await;
    stop.cancel();
    forgetting.await.unwrap();
    assert!(matches!(outbox.resend(id).await, Err(MailError::NotFound(_))));
    assert!(outbox.show(waiting).await.is_ok());
}
