//! The mail worker: takes what is due, hands it over, writes down what came of it.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    calls::{self, Call, Outcome},
    mailer::{Mailer, MailerError, Outgoing},
    outbox::{ATTEMPTS_MAX, MailState, Outbox},
    redact::without_secrets,
};

/// Calls of the mail server at once.
const CALLS_MAX: usize = 8;
/// Tries of writing an outcome, over some 13 seconds.
const OUTCOME_TRIES_MAX: u32 = 7;
/// Before the second try; doubled for each one after.
const OUTCOME_RETRY_DELAY: Duration = Duration::from_millis(200);
/// Mails that are marked as kept by one statement.
const KEPT_BATCH: i64 = 500;
/// Mails that are counted for the figure of what waits; there may be more.
const COUNTED_MAX: i64 = 100_000;
/// How often what waits is counted.
const COUNT_INTERVAL: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, Debug)]
pub struct MailWorkerSettings {
    /// How often the outbox is looked at.
    pub poll: Duration,
    /// How long a mail server may take in all.
    pub call_timeout: Duration,
    /// How long a call may begin after it was written down, and its outcome be written after it has ended. One that is
    /// older than this and the call's time has no outcome.
    pub settle: Duration,
    /// Before the second call for a mail; doubled for each one after.
    pub retry_delay: Duration,
}

impl Default for MailWorkerSettings {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            call_timeout: Duration::from_secs(60),
            settle: Duration::from_secs(30),
            retry_delay: Duration::from_secs(30),
        }
    }
}

pub struct MailWorker {
    outbox: Outbox,
    mailer: Option<Arc<dyn Mailer>>,
    settings: MailWorkerSettings,
}

impl MailWorker {
    /// Without a mailer, what is due is marked as `kept`.
    pub fn new(outbox: Outbox, mailer: Option<Arc<dyn Mailer>>, settings: MailWorkerSettings) -> Self {
        Self { outbox, mailer, settings }
    }

    /// Works until told to stop, and then finishes what it has begun.
    pub async fn run(self, stop: CancellationToken) {
        match self.mailer.clone() {
            Some(mailer) => Arc::new(self).send_all(mailer, stop).await,
            None => self.keep_all(stop).await,
        }
    }

    async fn send_all(self: Arc<Self>, mailer: Arc<dyn Mailer>, stop: CancellationToken) {
        let mut under_way = JoinSet::new();
        let mut count_at = Instant::now();
        while !stop.is_cancelled() {
            let free = CALLS_MAX.saturating_sub(under_way.len());
            let calls = self.take(&*mailer, free, &mut count_at).await.unwrap_or_else(|error| {
                tracing::error!(%error, "the outbox could not be looked at");
                Vec::new()
            });
            // A full hand may mean that there is more; else there is nothing to do before the next look.
            let more = calls.len() == free;
            for call in calls {
                let (worker, mailer) = (self.clone(), mailer.clone());
                let taken_at = self.outbox.clock().now();
                under_way.spawn(async move { worker.work_on(&*mailer, call, taken_at).await });
            }
            tokio::select! {
                () = stop.cancelled() => {}
                Some(ended) = under_way.join_next() => report_panic(ended),
                () = tokio::time::sleep(self.settings.poll), if !more => {}
            }
            while let Some(ended) = under_way.try_join_next() {
                report_panic(ended);
            }
        }
        while let Some(ended) = under_way.join_next().await {
            report_panic(ended);
        }
    }

    async fn take(&self, mailer: &dyn Mailer, free: usize, count_at: &mut Instant) -> Result<Vec<Call>, sqlx::Error> {
        self.give_up().await?;
        let (pool, now) = (self.outbox.pool(), self.outbox.clock().now());
        if *count_at <= Instant::now() {
            metrics::gauge!("palaver_mail_queued").set(calls::queued(pool, COUNTED_MAX).await? as f64);
            *count_at = Instant::now() + COUNT_INTERVAL;
        }
        if free == 0 {
            return Ok(Vec::new());
        }
        calls::take_due(pool, now, mailer.domain(), free as i64).await
    }

    /// What a crash left in the middle of its sending is unknown from here on.
    async fn give_up(&self) -> Result<(), sqlx::Error> {
        let now = self.outbox.clock().now();
        let before = now - self.settings.call_timeout - self.settings.settle;
        for mail in calls::give_up(self.outbox.pool(), before, now).await? {
            metrics::counter!("palaver_mails_total", "outcome" => MailState::Unknown.as_str()).increment(1);
            tracing::error!(%mail, "a mail was left in the middle of its sending; see `palaver mail --state unknown`");
        }
        Ok(())
    }

    /// From the intent, which is written, to the outcome.
    async fn work_on(&self, mailer: &dyn Mailer, call: Call, taken_at: DateTime<Utc>) {
        let outcome = self.call(mailer, &call, taken_at).await;
        let (mail, kind, attempt) = (call.id, &call.kind, call.attempt);
        let error = outcome.error.as_deref();
        match outcome.state {
            MailState::Sent => tracing::info!(%mail, kind, attempt, "a mail was sent"),
            MailState::Queued => {
                tracing::warn!(%mail, kind, attempt, error, "a mail was not taken; trying again later")
            }
            state => tracing::error!(%mail, kind, attempt, error, %state, "a mail was not sent; see `palaver mail`"),
        }
        let label = if outcome.state == MailState::Queued { "retried" } else { outcome.state.as_str() };
        metrics::counter!("palaver_mails_total", "outcome" => label).increment(1);
        self.record(&call, &outcome).await;
    }

    async fn call(&self, mailer: &dyn Mailer, call: &Call, taken_at: DateTime<Utc>) -> Outcome {
        let content = match self.outbox.open(&call.tenant, call.id, &call.key_id, &call.sealed) {
            Ok(content) => content,
            // Nothing of the content is in this error.
            Err(error) => return ended(MailState::Failed, Some(error.to_string())),
        };
        let now = self.outbox.clock().now();
        if (now - taken_at).to_std().is_ok_and(|late| late > self.settings.settle) {
            // By the time this call ended, it might have been given up for unknown.
            let error = Some("too slow to begin".to_owned());
            return Outcome { state: MailState::Queued, error, due_at: Some(now) };
        }
        let outgoing =
            Outgoing { message_id: call.message_id.clone(), recipient: call.recipient.clone(), date: now, content };
        let answer = timeout(self.settings.call_timeout, mailer.send(&outgoing)).await;
        let answer = answer.unwrap_or_else(|_| Err(MailerError::Unanswered("not in time".to_owned())));
        let Err(error) = answer else { return ended(MailState::Sent, None) };
        let told = Some(without_secrets(&error.to_string(), &outgoing.content));
        match error {
            MailerError::Refused(_) => ended(MailState::Failed, told),
            MailerError::Unanswered(_) => ended(MailState::Unknown, told),
            MailerError::Unavailable(_) if call.attempt >= call.attempts_max => ended(MailState::Failed, told),
            MailerError::Unavailable(_) => {
                let due_at = Some(self.outbox.clock().now() + self.delay_after(call));
                Outcome { state: MailState::Queued, error: told, due_at }
            }
        }
    }

    /// Doubled for each call since the mail was put in, or put in again.
    fn delay_after(&self, call: &Call) -> TimeDelta {
        let calls = ATTEMPTS_MAX - (call.attempts_max - call.attempt);
        let factor = 1_i32 << (calls - 1).clamp(0, ATTEMPTS_MAX);
        TimeDelta::from_std(self.settings.retry_delay).unwrap_or_default() * factor
    }

    /// An outcome is known once, so it is not given up for a database that is away for a moment. When it can not be
    /// written at all, the mail ends as unknown.
    async fn record(&self, call: &Call, outcome: &Outcome) {
        let mail = call.id;
        let mut delay = OUTCOME_RETRY_DELAY;
        for tries in 1..=OUTCOME_TRIES_MAX {
            match calls::record(self.outbox.pool(), call, outcome, self.outbox.clock().now()).await {
                Ok(true) => return,
                Ok(false) => {
                    tracing::warn!(%mail, state = %outcome.state, "an outcome came too late: the mail is sent anew");
                    return;
                }
                Err(error) => tracing::warn!(%mail, %error, tries, "an outcome could not be written"),
            }
            if tries < OUTCOME_TRIES_MAX {
                tokio::time::sleep(delay).await;
                delay *= 2;
            }
        }
        tracing::error!(%mail, state = %outcome.state, "an outcome was lost; the mail will be unknown");
    }

    async fn keep_all(&self, stop: CancellationToken) {
        tracing::info!("no mail server is configured: mail is kept and not sent; read it by `palaver mail`");
        while !stop.is_cancelled() {
            match self.keep_due().await {
                Ok(0) => {}
                Ok(mails) => {
                    metrics::counter!("palaver_mails_total", "outcome" => MailState::Kept.as_str()).increment(mails);
                    tracing::info!(mails, "mail is kept and not sent: no mail server is configured");
                }
                Err(error) => tracing::error!(%error, "the outbox could not be looked at"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(self.settings.poll) => {}
            }
        }
    }

    async fn keep_due(&self) -> Result<u64, sqlx::Error> {
        // There may have been a server before.
        self.give_up().await?;
        calls::keep_due(self.outbox.pool(), self.outbox.clock().now(), KEPT_BATCH).await
    }
}

const fn ended(state: MailState, error: Option<String>) -> Outcome {
    Outcome { state, error, due_at: None }
}

/// A task that panics leaves its mail as `sending`, as a crash would.
fn report_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "work on a mail ended badly; it will be unknown");
    }
}
