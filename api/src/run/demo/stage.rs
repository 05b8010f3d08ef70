//! Where the plan is carried out: every step as the command it stands for, at its time and by the person who does it,
//! on a log of its own whose clock goes through the past.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use palaver_commands::{
    CommandContext, CommandError, Commander,
    posts::{NewGroup, Planner, PostPatch},
    publishing::{
        Accepted, DuePost, Lookup, Network, NetworkError, Networks, PublishSchedule, Publisher, PublisherSettings,
        SandboxNetwork, Submission, UnresolvedPost,
    },
};
use palaver_domain::{
    Actor, FeedItemId, PostGroupId, PostId,
    posts::{ContentType, FailureReason, PostCommand, PostEdit, PostGroup, StoryWorkaround},
};
use palaver_eventstore::{
    EventLog,
    clock::ManualClock,
    ids::{Ids, SeededIds},
};
use rand::{Rng, rngs::StdRng, seq::SliceRandom};
use tokio_util::sync::CancellationToken;

use super::{
    DemoError,
    cast::{MEMBERS, Member, OUTLETS},
    content::{self, Message},
    crews::sees,
    opening::Opened,
    plan::{Action, Fate, Group, Plan, Purpose, Step, chance, mixed},
    texts::Language,
};

/// Chains of steps carried out at once.
const CHAINS_MAX: usize = 64;
/// Steps of one stretch of time are carried out together, so `recorded_at` is this much later than the time of an
/// event, at most.
const STRETCH_SECONDS: i64 = 900;
/// How long the network takes to answer.
const ANSWER_MS: std::ops::Range<i64> = 200..1_800;
const PUBLISHER: PublisherSettings = PublisherSettings {
    poll: Duration::ZERO,
    call_timeout: Duration::from_secs(10),
    settle: Duration::ZERO,
    late_max: Duration::from_secs(3_600),
};
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

pub(super) struct Stage<'a> {
    pub seed: u64,
    pub plan: &'a Plan,
    pub log: EventLog,
    /// The log's clock.
    pub recorded: ManualClock,
    pub opened: &'a Opened,
}

/// A group once it is in the log.
struct Made {
    id: PostGroupId,
    posts: Vec<PostId>,
}

/// Steps that must follow each other; different chains have nothing to do with each other.
type Chain<'a> = Vec<&'a Step>;

impl Stage<'_> {
    /// Carries out the whole plan, stretch by stretch.
    ///
    /// # Errors
    /// When a step is refused or can not be written, or when it is told to stop.
    pub async fn perform(&self, stop: &CancellationToken) -> Result<(), DemoError> {
        let made: Vec<OnceLock<Made>> = self.plan.groups.iter().map(|_| OnceLock::new()).collect();
        let mut told = Instant::now();
        let mut done = 0;
        for steps in self.plan.steps.chunk_by(|one, next| stretch_of(one) == stretch_of(next)) {
            if stop.is_cancelled() {
                return Err(DemoError::Stopped);
            }
            if let Some(last) = steps.last() {
                self.recorded.set(last.at + TimeDelta::milliseconds(ANSWER_MS.end));
            }
            let made = &made;
            stream::iter(chains(&self.plan.groups, steps))
                .map(|chain| async move {
                    for step in chain {
                        self.take(step, made).await?;
                    }
                    Ok::<_, DemoError>(())
                })
                .buffer_unordered(CHAINS_MAX)
                .try_collect::<()>()
                .await?;
            done += steps.len();
            if told.elapsed() > PROGRESS_INTERVAL {
                tracing::info!(done, all = self.plan.steps.len(), "filling the demo");
                told = Instant::now();
            }
        }
        Ok(())
    }

    async fn take(&self, step: &Step, made: &[OnceLock<Made>]) -> Result<(), DemoError> {
        let refused = |source| DemoError::Step { step: format!("{step:?}"), source };
        let (Some(group), Some(place)) = (self.plan.groups.get(step.group), made.get(step.group)) else {
            return Err(DemoError::Plan("a step is of a group that is not there"));
        };
        let doing = Doing::new(self, step, group);
        match place.get() {
            None => {
                let new = doing.compose().await.map_err(refused)?;
                place.set(new).map_err(|_| DemoError::Plan("a group is composed twice"))
            }
            Some(made) => doing.go_on(made).await.map_err(refused),
        }
    }
}

fn stretch_of(step: &Step) -> i64 {
    step.at.timestamp().div_euclid(STRETCH_SECONDS)
}

/// An author has one workbench, so what needs it makes one chain with all that follows from it; any other group is a
/// chain by itself.
fn chains<'a>(groups: &[Group], steps: &'a [Step]) -> Vec<Chain<'a>> {
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    enum Bound {
        Author(usize),
        Group(usize),
    }
    let composed: Vec<usize> = steps.iter().filter(|step| step.action.is_composing()).map(|step| step.group).collect();
    let mut chains: BTreeMap<Bound, Chain<'a>> = BTreeMap::new();
    for step in steps {
        let author = groups.get(step.group).map(|group| group.author);
        let bound = match author {
            Some(author) if composed.contains(&step.group) => Bound::Author(author),
            _ => Bound::Group(step.group),
        };
        chains.entry(bound).or_default().push(step);
    }
    chains.into_values().collect()
}

/// One step about to be taken. Its ids and its chance are its own, so nothing depends on what else is being done.
struct Doing<'a> {
    stage: &'a Stage<'a>,
    step: &'a Step,
    group: &'a Group,
    commander: Commander,
    clock: ManualClock,
}

impl<'a> Doing<'a> {
    fn new(stage: &'a Stage<'a>, step: &'a Step, group: &'a Group) -> Self {
        let clock = ManualClock::at(step.at);
        let own = mixed(Purpose::Ids as u64, step.group as u64, step.number);
        let ids: Arc<dyn Ids> = Arc::new(SeededIds::new(mixed(stage.seed, Purpose::Ids as u64, own)));
        let commander = Commander::new(stage.log.clone(), Arc::new(clock.clone()), ids);
        Self { stage, step, group, commander, clock }
    }

    fn rng(&self) -> StdRng {
        let own = mixed(Purpose::Doing as u64, self.step.group as u64, self.step.number);
        chance(self.stage.seed, Purpose::Doing, own)
    }

    fn member(&self, at: usize) -> &'static Member {
        MEMBERS.get(at).unwrap_or(&MEMBERS[0])
    }

    /// A group speaks its author's language.
    fn language(&self) -> Language {
        self.member(self.group.author).language
    }

    fn planner(&self) -> Planner {
        let role = self.member(self.step.actor).role;
        Planner { user: self.stage.opened.user(self.step.actor), role, permissions: role.permissions() }
    }

    fn context(&self) -> CommandContext {
        let actor = Actor::User(self.stage.opened.user(self.step.actor));
        CommandContext { actor, ..CommandContext::system(self.stage.opened.account, "demo") }
    }

    async fn compose(&self) -> Result<Made, CommandError> {
        let zone = self.member(self.group.author).zone;
        let new = NewGroup {
            channel_ids: self.group.outlets.iter().map(|&outlet| self.stage.opened.channel(outlet)).collect(),
            publish_time: self.group.publish_time,
            publish_time_zone: Some(zone.to_owned()),
        };
        let context = self.context();
        let id = self.commander.create_group(&context, self.planner(), new).await?.value.id;
        let posts = self.commander.look(&context, move |work| {
            Box::pin(async move {
                let group = work.get::<PostGroup>(id).await?;
                let group = group.aggregate.existing().map_err(|error| CommandError::Refused(error.into()))?;
                Ok(group.posts.iter().map(|(_, post)| *post).collect())
            })
        });
        Ok(Made { id, posts: posts.await? })
    }

    async fn go_on(&self, made: &Made) -> Result<(), CommandError> {
        let (context, planner) = (self.context(), self.planner());
        match self.step.action {
            Action::Compose => Ok(()),
            Action::SaveGroup => self.commander.save_group_as_draft(&context, planner, made.id).await.map(drop),
            Action::ScheduleGroup => self.commander.schedule_group(&context, planner, made.id).await.map(drop),
            Action::PublishGroup => self.commander.publish_group(&context, planner, made.id).await.map(drop),
            Action::DropGroup => self.commander.delete_group(&context, planner, made.id).await.map(drop),
            Action::Write { post } => self.edit(made, post, self.first_words(post)).await,
            Action::Revise { post } => self.revise(made, post).await,
            Action::Postpone { post, to } => {
                self.edit(made, post, PostEdit { publish_time: Some(Some(to)), ..PostEdit::default() }).await
            }
            Action::Suggest { post } => self.go(made, post, PostCommand::Suggest).await,
            Action::Approve { post } => self.go(made, post, PostCommand::Approve).await,
            Action::Schedule { post } => self.go(made, post, PostCommand::Schedule).await,
            Action::Unschedule { post } => self.go(made, post, PostCommand::Unschedule).await,
            Action::Reject { post } => {
                let message = Some(content::rejection(&mut self.rng(), self.language()));
                let item_id = FeedItemId::from_bytes(self.commander.ids().object_id());
                self.go(made, post, PostCommand::Reject { message, item_id }).await
            }
            Action::Comment { post } => {
                let mut rng = self.rng();
                let message = content::comment(&mut rng, self.language());
                let mentions = rng.gen_bool(0.4).then(|| self.stage.opened.user(self.group.author));
                let mentions = mentions.into_iter().collect();
                let id = self.post(made, post)?;
                self.commander.comment_on_post(&context, planner, id, message, mentions).await.map(drop)
            }
            Action::Publish { post, fate } => self.publish(made, post, fate).await,
        }
    }

    fn post(&self, made: &Made, post: usize) -> Result<PostId, CommandError> {
        made.posts.get(post).copied().ok_or_else(|| CommandError::Unwritable("the plan has a post too many".into()))
    }

    async fn go(&self, made: &Made, post: usize, command: PostCommand) -> Result<(), CommandError> {
        let id = self.post(made, post)?;
        self.commander.move_post(&self.context(), self.planner(), id, command).await.map(drop)
    }

    async fn edit(&self, made: &Made, post: usize, edit: PostEdit) -> Result<(), CommandError> {
        let (id, patch) = (self.post(made, post)?, PostPatch { edit, content: None });
        self.commander.edit_post(&self.context(), self.planner(), id, patch).await.map(drop)
    }

    async fn revise(&self, made: &Made, post: usize) -> Result<(), CommandError> {
        let before = self.commander.post(&self.context(), &self.planner(), self.post(made, post)?).await?.post;
        let revised = Message::draw(&mut self.rng(), self.language()).replace(&before.content);
        self.edit(made, post, PostEdit { content: Some(revised), ..PostEdit::default() }).await
    }

    /// Everything that an author fills in.
    fn first_words(&self, post: usize) -> PostEdit {
        let mut rng = self.rng();
        let outlet = self.group.outlets.get(post).and_then(|&outlet| OUTLETS.get(outlet)).unwrap_or(&OUTLETS[0]);
        let mut message = chance(self.stage.seed, Purpose::Message, self.step.group as u64);
        let content = Message::draw(&mut message, self.language()).compose(&mut rng, outlet.network);
        let can = |member: &Member| member.writes() && sees(member, outlet);
        let writers: Vec<usize> = (0..MEMBERS.len()).filter(|&at| can(self.member(at))).collect();
        let mut somebody = |probability| {
            let chosen = rng.gen_bool(probability).then(|| writers.choose(&mut rng).copied()).flatten();
            chosen.map(|at| self.stage.opened.user(at))
        };
        let assignee = somebody(0.5);
        let story_workaround = match content.kind {
            ContentType::StoryWorkaround | ContentType::PostWorkaround => {
                let reminder_time = self.group.publish_time_of(post).map(|time| time - TimeDelta::minutes(15));
                somebody(1.0).map(|publisher| StoryWorkaround { publisher, reminder_time })
            }
            _ => None,
        };
        PostEdit {
            content: Some(content),
            publish_time: self.group.publish_time_of(post).map(Some),
            tags: Some(content::tags(&mut rng, self.stage.seed)),
            categories: Some(content::categories(&mut rng, self.stage.seed)),
            assignee: Some(assignee),
            story_workaround: Some(story_workaround),
            ..PostEdit::default()
        }
    }

    /// The publisher's own way, with a network that answers as the plan has it.
    async fn publish(&self, made: &Made, post: usize, fate: Fate) -> Result<(), CommandError> {
        let mut rng = self.rng();
        let sandbox = SandboxNetwork::new(self.stage.log.database().clone(), Arc::new(self.clock.clone()));
        let network = Staged {
            sandbox,
            clock: self.clock.clone(),
            answers_at: self.step.at + TimeDelta::milliseconds(rng.gen_range(ANSWER_MS)),
            fate,
            permitted: rng.gen_bool(0.6),
        };
        let networks = Networks { sandbox: Arc::new(network) };
        let publisher = Publisher::new(self.commander.clone(), networks, Arc::new(NoSchedule), PUBLISHER);
        let due = DuePost { tenant: self.stage.opened.account, post: self.post(made, post)? };
        publisher.publish(&due).await
    }
}

/// The sandbox, for one call of which the plan knows what comes of it.
struct Staged {
    sandbox: SandboxNetwork,
    clock: ManualClock,
    answers_at: DateTime<Utc>,
    fate: Fate,
    /// Why it refuses, when it does.
    permitted: bool,
}

impl Staged {
    async fn answer(&self, submission: &Submission) -> Result<Accepted, NetworkError> {
        self.clock.set(self.answers_at);
        match self.fate {
            Fate::Accepted => self.sandbox.publish(submission).await,
            Fate::Refused if self.permitted => Err(NetworkError::Refused {
                reason: FailureReason::NetworkError,
                message: "the network does not take this medium".to_owned(),
            }),
            Fate::Refused => Err(NetworkError::Refused {
                reason: FailureReason::MissingPermission,
                message: "the connection of the channel lacks the permission to publish".to_owned(),
            }),
            Fate::Lost | Fate::Overdue => {
                Err(NetworkError::Unanswered("the connection was lost before the answer".to_owned()))
            }
        }
    }
}

impl Network for Staged {
    fn publish<'a>(&'a self, submission: &'a Submission) -> BoxFuture<'a, Result<Accepted, NetworkError>> {
        Box::pin(self.answer(submission))
    }

    fn lookup<'a>(&'a self, submission: &'a Submission) -> BoxFuture<'a, Result<Lookup, NetworkError>> {
        self.sandbox.lookup(submission)
    }
}

/// The plan says what is due.
struct NoSchedule;

impl PublishSchedule for NoSchedule {
    fn take_due(&self, _: DateTime<Utc>, _: i64, _: Duration) -> BoxFuture<'_, Result<Vec<DuePost>, sqlx::Error>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn take_unresolved(
        &self,
        _: DateTime<Utc>,
        _: Duration,
        _: i64,
        _: Duration,
    ) -> BoxFuture<'_, Result<Vec<UnresolvedPost>, sqlx::Error>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
