//! The publisher: takes what is due, calls the network, writes down what came of it.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures::{FutureExt, future::BoxFuture};
use palaver_domain::{
    AccountId, PostId,
    channels::{Channel, ChannelState},
    posts::{Call, FailureReason, Post, PostCommand, PostError, PostState, Status},
};
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::network::{Accepted, Lookup, Network, NetworkError, Networks, Submission};
use crate::{CommandContext, CommandError, Commander};

/// One in so many places is for posts that were left open.
const OPEN_SHARE: usize = 4;
/// For this long nobody else begins with a due post that was taken. It is the delay after a crash between the two; who
/// takes longer finds that the post takes one beginning alone.
const DUE_LEASE: Duration = Duration::from_secs(5);
/// Posts worked on at once. A slow network holds as many of these as it has posts, so there are more than one needs.
const CALLS_MAX: usize = 128;
/// Tries of one publication against a network that is away, before it counts as failed.
const TRIES_MAX: u32 = 4;
/// Tries of writing an outcome, over some 13 seconds.
const OUTCOME_TRIES_MAX: u32 = 7;
/// Before the second try; doubled for each one after.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// A post whose time has come.
#[derive(Clone, Debug)]
pub struct DuePost {
    pub tenant: AccountId,
    pub post: PostId,
}

/// A post whose publication has begun and not ended.
#[derive(Clone, Debug)]
pub struct UnresolvedPost {
    pub tenant: AccountId,
    pub post: PostId,
    pub key: String,
}

/// Where due posts are found: a read model with leases, so that no two workers take one at the same time.
pub trait PublishSchedule: Send + Sync + 'static {
    /// Posts due at `now` that nobody holds, held for `lease` from then on.
    fn take_due(
        &self,
        now: DateTime<Utc>,
        limit: i64,
        lease: Duration,
    ) -> BoxFuture<'_, Result<Vec<DuePost>, sqlx::Error>>;

    /// Posts whose publication began `settle` ago or earlier and that nobody holds, held for `lease` from then on.
    fn take_unresolved(
        &self,
        now: DateTime<Utc>,
        settle: Duration,
        limit: i64,
        lease: Duration,
    ) -> BoxFuture<'_, Result<Vec<UnresolvedPost>, sqlx::Error>>;
}

#[derive(Clone, Copy, Debug)]
pub struct PublisherSettings {
    /// How often the schedule is looked at.
    pub poll: Duration,
    /// How long a network may take to answer.
    pub call_timeout: Duration,
    /// How long after a call's end the network may still be taking it in. Before that it is not asked.
    pub settle: Duration,
    /// A post that is later than this is not sent any more but marked as overdue.
    pub late_max: Duration,
}

impl PublisherSettings {
    /// How long nobody else asks a network about a publication that is being asked about. Should it take longer than
    /// this, the post itself sees to it that one of them calls again.
    fn asking_lease(&self) -> Duration {
        (self.call_timeout + self.settle) * 2
    }
}

enum Task {
    Publish(DuePost),
    Resolve(UnresolvedPost),
}

pub struct Publisher {
    commander: Commander,
    networks: Networks,
    schedule: Arc<dyn PublishSchedule>,
    settings: PublisherSettings,
}

impl Publisher {
    pub fn new(
        commander: Commander,
        networks: Networks,
        schedule: Arc<dyn PublishSchedule>,
        settings: PublisherSettings,
    ) -> Self {
        Self { commander, networks, schedule, settings }
    }

    /// Works until told to stop, and then finishes what it has begun.
    pub async fn run(self, stop: CancellationToken) {
        let publisher = Arc::new(self);
        let mut under_way = JoinSet::new();
        while !stop.is_cancelled() {
            let free = CALLS_MAX.saturating_sub(under_way.len());
            let tasks = publisher.take(free).await.unwrap_or_else(|error| {
                tracing::error!(%error, "the publisher could not look at its schedule");
                Vec::new()
            });
            // A full hand may mean that there is more; else there is nothing to do before the next look.
            let more = tasks.len() == free;
            for task in tasks {
                let publisher = publisher.clone();
                under_way.spawn(async move { publisher.work_on(task).await });
            }
            tokio::select! {
                () = stop.cancelled() => {}
                Some(ended) = under_way.join_next() => report_panic(ended),
                () = tokio::time::sleep(publisher.settings.poll), if !more => {}
            }
            while let Some(ended) = under_way.try_join_next() {
                report_panic(ended);
            }
        }
        while let Some(ended) = under_way.join_next().await {
            report_panic(ended);
        }
    }

    /// At most `limit` posts to work on. Those that were left open have a share, however many are due.
    async fn take(&self, limit: usize) -> Result<Vec<Task>, sqlx::Error> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let now = self.commander.clock().now();
        let (settle, lease) = (self.settings.call_timeout + self.settings.settle, self.settings.asking_lease());
        let share = (limit / OPEN_SHARE).max(1);
        let open = self.schedule.take_unresolved(now, settle, share as i64, lease).await?;
        let left = limit - open.len();
        let mut tasks: Vec<Task> = open.into_iter().map(Task::Resolve).collect();
        tasks.extend(self.schedule.take_due(now, left as i64, DUE_LEASE).await?.into_iter().map(Task::Publish));
        Ok(tasks)
    }

    async fn work_on(&self, task: Task) {
        let (post, result) = match task {
            Task::Publish(due) => (due.post, self.publish(&due).await),
            Task::Resolve(open) => {
                let context = CommandContext::system(open.tenant, "publisher");
                (open.post, self.settle(context, &open).await)
            }
        };
        if let Err(error) = result {
            self.report(post, &error);
        }
    }

    /// Publishes one post whose time has come, from the intent to the outcome; what is not `scheduled` (any more) is
    /// left as it is. That the network refuses, or does not answer, is an outcome and no error.
    ///
    /// # Errors
    /// When the post can not be read, or an event not be written.
    pub async fn publish(&self, due: &DuePost) -> Result<(), CommandError> {
        let mut context = CommandContext::system(due.tenant, "publisher");
        let (post, _) = self.look_at(&context, due.post).await?;
        if post.status != Status::Scheduled {
            return Ok(());
        }
        // Everything that belongs to one publication is found by its key.
        context.correlation_id = Some(post.next_publication_key());
        match self.begin(&context, due.post).await? {
            Some((begun, channel, intended)) => self.call(&context, begun, &channel, intended).await,
            None => Ok(()),
        }
    }

    /// Writes the intent, or why there is none; decided on the post and its channel as they are when it is written.
    /// Gives what to call the network with, and the time of the decision.
    async fn begin(
        &self,
        context: &CommandContext,
        id: PostId,
    ) -> Result<Option<(PostState, ChannelState, DateTime<Utc>)>, CommandError> {
        let late_max = self.settings.late_max;
        let begun = self.commander.run(context, move |work| {
            async move {
                let refuse = |error: PostError| CommandError::Refused(error.into());
                let now = work.circumstances().now;
                let post = work.get::<Post>(id).await?.aggregate.existing().map_err(refuse)?.clone();
                let channel = work.get::<Channel>(post.channel.id).await?;
                let channel = channel.aggregate.existing().map_err(|error| CommandError::Refused(error.into()))?;
                if post.status != Status::Scheduled {
                    return Ok(None);
                }
                if let Some(error) = hindrance(&post, channel, now, late_max) {
                    let command = PostCommand::RecordFailure { call: None, reason: FailureReason::Internal, error };
                    work.handle::<Post>(id, command).await?;
                    return Ok(None);
                }
                let begun = work.handle::<Post>(id, PostCommand::StartPublishing).await?;
                let begun = begun.aggregate.existing().map_err(refuse)?.clone();
                Ok(Some((begun, channel.clone(), now)))
            }
            .boxed()
        });
        Ok(begun.await?.value)
    }

    /// Calls the network for a publication whose intent, decided at `intended`, is in the log.
    async fn call(
        &self,
        context: &CommandContext,
        post: PostState,
        channel: &ChannelState,
        intended: DateTime<Utc>,
    ) -> Result<(), CommandError> {
        let late = self.commander.clock().now() - intended;
        if late.to_std().is_ok_and(|late| late > self.settings.settle) {
            // By the time this call ended, somebody else might be calling too. Whoever resolves open calls will ask.
            tracing::warn!(post = %post.id, "too slow between intent and call; leaving it to be resolved");
            return Ok(());
        }
        let Some((call, submission)) = submission(&post) else { return Ok(()) };
        let network = self.networks.for_post(&post, &channel.connection);
        let outcome = self.submit(&*network, &submission).await;
        metrics::counter!("palaver_publications_total", "outcome" => label(&outcome)).increment(1);
        let command = match outcome {
            Ok(Accepted { item_id, url }) => {
                PostCommand::RecordPublished { key: call.key, network_item_id: item_id, network_url: url }
            }
            Err(NetworkError::Refused { reason, message }) => {
                PostCommand::RecordFailure { call: Some(call), reason, error: message }
            }
            Err(error @ NetworkError::Unavailable(_)) => PostCommand::RecordFailure {
                call: Some(call),
                reason: FailureReason::NetworkError,
                error: error.to_string(),
            },
            Err(error @ NetworkError::Unanswered(_)) => PostCommand::RecordUnknown { call, error: error.to_string() },
        };
        self.record_outcome(context, post.id, command).await
    }

    /// An outcome is known once, so it is not given up for a full queue or a database that is away for a moment.
    async fn record_outcome(
        &self,
        context: &CommandContext,
        id: PostId,
        command: PostCommand,
    ) -> Result<(), CommandError> {
        let mut delay = RETRY_DELAY;
        for _ in 1..OUTCOME_TRIES_MAX {
            match self.record(context, id, command.clone()).await {
                Ok(_) => return Ok(()),
                Err(error @ CommandError::Refused(_)) => return Err(error),
                Err(error) => tracing::warn!(post = %id, %error, "an outcome could not be written; trying again"),
            }
            tokio::time::sleep(delay).await;
            delay *= 2;
        }
        self.record(context, id, command).await.map(drop)
    }

    /// Tries again only while the network certainly has taken nothing, and within the time of one call: after that,
    /// somebody else may ask the network and call it again.
    async fn submit(&self, network: &dyn Network, submission: &Submission) -> Result<Accepted, NetworkError> {
        let deadline = Instant::now() + self.settings.call_timeout;
        let mut delay = RETRY_DELAY;
        let mut tries = 1;
        loop {
            let answer = timeout_at(deadline, network.publish(submission)).await;
            match answer.unwrap_or_else(|_| Err(NetworkError::Unanswered("no answer in time".to_owned()))) {
                Err(NetworkError::Unavailable(reason)) if tries < TRIES_MAX && Instant::now() + delay < deadline => {
                    tracing::info!(key = submission.key, reason, tries, "the network is away; trying again");
                    tokio::time::sleep(delay).await;
                    (delay, tries) = (delay * 2, tries + 1);
                }
                answer => return answer,
            }
        }
    }

    /// Finds out what became of a publication that nobody finished: asks, and acts on the answer alone.
    async fn settle(&self, mut context: CommandContext, unresolved: &UnresolvedPost) -> Result<(), CommandError> {
        let (post, channel) = self.look_at(&context, unresolved.post).await?;
        let Some((call, submission)) = submission(&post).filter(|(call, _)| call.key == unresolved.key) else {
            return Ok(());
        };
        context.correlation_id = Some(call.key.clone());
        let network = self.networks.for_post(&post, &channel.connection);
        let answer = timeout(self.settings.call_timeout, network.lookup(&submission)).await;
        let key = call.key.clone();
        match answer.unwrap_or_else(|_| Err(NetworkError::Unanswered("no answer in time".to_owned()))) {
            Ok(Lookup::Accepted(Accepted { item_id, url })) => {
                tracing::info!(key, "the network had taken a post that was left open");
                let command = PostCommand::RecordPublished { key, network_item_id: item_id, network_url: url };
                self.record_outcome(&context, post.id, command).await
            }
            Ok(Lookup::Absent) => {
                tracing::info!(key, "the network has no post under this key; calling it again");
                let now = self.commander.clock().now();
                let resumed = self.record(&context, post.id, PostCommand::ResumePublishing { after: call }).await?;
                self.call(&context, resumed, &channel, now).await
            }
            Ok(Lookup::CannotTell) => {
                let error = "the network can not tell whether it has this post; a person must look".to_owned();
                self.record(&context, post.id, PostCommand::RecordUnknown { call, error }).await.map(drop)
            }
            // Asked again when the lease is over.
            Err(error) => {
                tracing::warn!(%error, key, "the network could not be asked about a post that was left open");
                Ok(())
            }
        }
    }

    async fn look_at(&self, context: &CommandContext, id: PostId) -> Result<(PostState, ChannelState), CommandError> {
        self.commander
            .look(context, move |work| {
                async move {
                    let post = work.get::<Post>(id).await?;
                    let post = post.aggregate.existing().map_err(|error| CommandError::Refused(error.into()))?.clone();
                    let channel = work.get::<Channel>(post.channel.id).await?;
                    let channel = channel.aggregate.existing().map_err(|error| CommandError::Refused(error.into()))?;
                    Ok((post, channel.clone()))
                }
                .boxed()
            })
            .await
    }

    async fn record(
        &self,
        context: &CommandContext,
        id: PostId,
        command: PostCommand,
    ) -> Result<PostState, CommandError> {
        let recorded = self
            .commander
            .run(context, move |work| {
                let command = command.clone();
                async move {
                    let post = work.handle::<Post>(id, command).await?;
                    post.aggregate.existing().cloned().map_err(|error| CommandError::Refused(error.into()))
                }
                .boxed()
            })
            .await?;
        Ok(recorded.value)
    }

    /// A refusal means that somebody else has moved the post meanwhile, which is theirs to do. Anything else leaves
    /// the post as it is in the log, and the schedule brings it back when its lease is over.
    fn report(&self, post: PostId, error: &CommandError) {
        match error {
            CommandError::Refused(reason) => tracing::info!(%post, %reason, "a due post was moved meanwhile"),
            error => tracing::error!(%post, %error, "a due post could not be worked on; it will be taken up again"),
        }
    }
}

/// Why a post whose time has come is not published at all.
fn hindrance(post: &PostState, channel: &ChannelState, now: DateTime<Utc>, late_max: Duration) -> Option<String> {
    let late = post.publish_time.map_or(Duration::ZERO, |at| (now - at).to_std().unwrap_or_default());
    if late > late_max {
        return Some(format!("overdue by {} minutes; it was not published", late.as_secs() / 60));
    }
    (!channel.active).then(|| "the channel is deactivated".to_owned())
}

/// The call that the open publication of a post stands for.
fn submission(post: &PostState) -> Option<(Call, Submission)> {
    let publication = post.publication.as_ref()?;
    let submission = Submission {
        key: publication.key.clone(),
        tenant: post.account_id,
        channel: post.channel.id,
        network: post.channel.social_network,
        content: post.content.clone(),
    };
    Some((publication.call(), submission))
}

const fn label(outcome: &Result<Accepted, NetworkError>) -> &'static str {
    match outcome {
        Ok(_) => "published",
        Err(NetworkError::Refused { .. }) => "refused",
        Err(NetworkError::Unavailable(_)) => "unavailable",
        Err(NetworkError::Unanswered(_)) => "unknown",
    }
}

/// A task that panics leaves its post as it is in the log, as a crash would.
fn report_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "work on a post ended badly; it will be taken up again");
    }
}
