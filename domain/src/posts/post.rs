//! The post: what it is, and which commands it accepts when.

use chrono::{DateTime, SubsecRound, Utc};
use cqrs_es::{Aggregate, event_sink::EventSink};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, Content, FailureReason, PostCommand, PostEdit, PostError, PostEvent, Status, validation};
use crate::{
    AccountId, CategoryId, ChannelId, Circumstances, PostGroupId, PostId, TagId, UserId, channels::Network, text,
};

/// The channel a post is for, as it was when the post was planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelRef {
    pub id: ChannelId,
    pub unique_name: String,
    pub social_network: Network,
}

/// Source: seed 003, `Post.flags`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Flags {
    pub needs_attention: bool,
    pub imported: bool,
    pub promoted: bool,
    pub darkpost: bool,
}

/// Published by a person, with a reminder. Source: seed 003, `Post.storyWorkaround`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoryWorkaround {
    pub publisher: UserId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminder_time: Option<DateTime<Utc>>,
}

impl StoryWorkaround {
    fn kept(self) -> Self {
        Self { reminder_time: self.reminder_time.map(kept), ..self }
    }
}

/// The call to the network that is under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Publication {
    /// The idempotency key that the network was, or will be, called with.
    pub key: String,
    /// How many calls were begun under the key: the newest has this number.
    pub calls: u32,
    /// The call ended without an answer that can be trusted.
    pub outcome_unknown: bool,
}

impl Publication {
    /// The newest call.
    pub fn call(&self) -> Call {
        Call { key: self.key.clone(), number: self.calls }
    }
}

/// One call to a network. What an older call came to says nothing of a newer one, unless it is that the post is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub key: String,
    /// 1 for the first call of a publication.
    pub number: u32,
}

/// A post that exists (or did, when `status` is `Deleted`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostState {
    pub id: PostId,
    pub account_id: AccountId,
    pub group_id: PostGroupId,
    pub channel: ChannelRef,
    pub status: Status,
    pub flags: Flags,
    pub author: UserId,
    pub suggestion_author: Option<UserId>,
    pub assignee: Option<UserId>,
    pub tags: Vec<TagId>,
    pub categories: Vec<CategoryId>,
    pub content: Content,
    pub publish_time: Option<DateTime<Utc>>,
    pub publish_time_zone: Option<String>,
    pub story_workaround: Option<StoryWorkaround>,
    pub network_item_id: Option<String>,
    pub network_url: Option<String>,
    /// How many publications were ever started; the next one's key carries this number.
    pub publications: u32,
    pub publication: Option<Publication>,
}

/// The aggregate. Empty until `Planned`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Post(pub Option<PostState>);

impl Post {
    /// The post, or the reason there is none: never planned, or deleted.
    pub fn existing(&self) -> Result<&PostState, PostError> {
        self.0.as_ref().filter(|post| post.status != Status::Deleted).ok_or(PostError::PostNotFound)
    }

    fn allowed(&self, action: Action, attempted: &'static str) -> Result<&PostState, PostError> {
        let post = self.existing()?;
        match post.status.after(action) {
            Some(_) => Ok(post),
            None => Err(PostError::WrongStatus { status: post.status, attempted }),
        }
    }

    /// The publication under way, when `key` is its key.
    fn publication(&self, key: &str) -> Result<&Publication, PostError> {
        let publication = self.existing()?.publication.as_ref();
        publication.filter(|publication| publication.key == key).ok_or(PostError::OtherPublication)
    }

    /// The publication under way, when `call` is its newest.
    fn newest(&self, call: &Call) -> Result<&Publication, PostError> {
        let publication = self.publication(&call.key)?;
        if publication.calls == call.number { Ok(publication) } else { Err(PostError::OtherPublication) }
    }

    /// What a command leads to; nothing is applied here.
    fn decide(&self, command: PostCommand, at: &Circumstances) -> Result<Vec<PostEvent>, PostError> {
        match command {
            PostCommand::Plan { id, account_id, group_id, channel, author, publish_time, publish_time_zone } => {
                if self.0.is_some() {
                    return Err(PostError::AlreadyExists);
                }
                let publish_time = publish_time.map(kept);
                validation::planned(publish_time, publish_time_zone.as_deref())?;
                Ok(vec![PostEvent::Planned {
                    id,
                    account_id,
                    group_id,
                    channel,
                    author,
                    publish_time,
                    publish_time_zone,
                }])
            }
            PostCommand::Edit(edit) => self.edit(*edit, at),
            PostCommand::SaveAsDraft => {
                self.allowed(Action::SaveAsDraft, "saved as a draft")?;
                Ok(vec![PostEvent::SavedAsDraft])
            }
            PostCommand::Suggest => {
                let post = self.allowed(Action::Suggest, "suggested")?;
                if post.status == Status::NeedsApproval {
                    return Ok(vec![]);
                }
                validation::for_network(post.channel.social_network, &post.content)?;
                Ok(vec![PostEvent::Suggested { by: at.actor.user() }])
            }
            PostCommand::Approve => {
                let publish_time = self.ready_to_schedule(Action::Approve, "approved", at)?;
                Ok(vec![PostEvent::Approved { publish_time }])
            }
            PostCommand::Reject { message, item_id } => {
                self.allowed(Action::Reject, "rejected")?;
                if let Some(message) = &message {
                    validation::comment(message, 0)?;
                }
                Ok(vec![PostEvent::Rejected { message, item_id }])
            }
            PostCommand::Schedule => {
                if self.allowed(Action::Schedule, "scheduled")?.status == Status::Scheduled {
                    return Ok(vec![]);
                }
                let publish_time = self.ready_to_schedule(Action::Schedule, "scheduled", at)?;
                Ok(vec![PostEvent::Scheduled { publish_time }])
            }
            PostCommand::Publish => self.publish(at),
            PostCommand::Unschedule => {
                self.allowed(Action::Unschedule, "unscheduled")?;
                Ok(vec![PostEvent::Unscheduled])
            }
            PostCommand::Comment { item_id, message, mentions } => {
                self.existing()?;
                validation::comment(&message, mentions.len())?;
                Ok(vec![PostEvent::Commented { item_id, message, mentions }])
            }
            PostCommand::Delete => {
                self.allowed(Action::Delete, "deleted")?;
                Ok(vec![PostEvent::Deleted])
            }
            PostCommand::StartPublishing => self.start_publishing(at),
            PostCommand::ResumePublishing { after } => {
                self.allowed(Action::ResumePublishing, "sent to the network again")?;
                // Of several who found the network without the post, one calls it again.
                self.newest(&after)?;
                Ok(vec![PostEvent::PublishingResumed { key: after.key, call: after.number + 1 }])
            }
            PostCommand::RecordPublished { key, network_item_id, network_url } => {
                self.record_published(key, network_item_id, network_url)
            }
            PostCommand::RecordFailure { call, reason, error } => self.record_failure(call.as_ref(), reason, error),
            PostCommand::RecordUnknown { call, error } => self.record_unknown(call, error),
        }
    }

    /// Publishing at once is scheduling for now; a time that somebody set is not overwritten.
    fn publish(&self, at: &Circumstances) -> Result<Vec<PostEvent>, PostError> {
        let post = self.allowed(Action::Schedule, "published")?;
        if post.publish_time.is_some() {
            return Err(PostError::PublishTimeSet);
        }
        validation::for_network(post.channel.social_network, &post.content)?;
        let publish_time_zone = post.publish_time_zone.clone();
        Ok(vec![
            PostEvent::PublishTimeSet { publish_time: Some(at.now), publish_time_zone },
            PostEvent::Scheduled { publish_time: at.now },
        ])
    }

    /// The intent, with the key that the network will be called with.
    fn start_publishing(&self, at: &Circumstances) -> Result<Vec<PostEvent>, PostError> {
        let post = self.allowed(Action::StartPublishing, "sent to the network")?;
        if post.publish_time.is_none_or(|due| due > at.now) {
            return Err(PostError::NotDue);
        }
        let (publication, key) = (post.publications + 1, post.next_publication_key());
        Ok(vec![PostEvent::PublishingStarted { publication, key }])
    }

    fn record_published(
        &self,
        key: String,
        network_item_id: Option<String>,
        network_url: Option<String>,
    ) -> Result<Vec<PostEvent>, PostError> {
        self.allowed(Action::RecordPublished, "marked as published")?;
        self.publication(&key)?;
        let (network_item_id, network_url) = (network_item_id.map(text::report), network_url.map(text::report));
        Ok(vec![PostEvent::Published { key, network_item_id, network_url }])
    }

    /// A failure is of the newest call, or of none at all when none was begun.
    fn record_failure(
        &self,
        call: Option<&Call>,
        reason: FailureReason,
        error: String,
    ) -> Result<Vec<PostEvent>, PostError> {
        let post = self.allowed(Action::RecordFailure, "marked as failed")?;
        match call {
            Some(call) => drop(self.newest(call)?),
            None if post.publication.is_some() => return Err(PostError::OtherPublication),
            None => {}
        }
        Ok(vec![PostEvent::PublishingFailed { reason, error: text::report(error) }])
    }

    /// Told once; the publication stays open until the network, or a person, says how it ended.
    fn record_unknown(&self, call: Call, error: String) -> Result<Vec<PostEvent>, PostError> {
        self.allowed(Action::RecordUnknown, "marked as unknown")?;
        if self.newest(&call)?.outcome_unknown {
            return Ok(vec![]);
        }
        Ok(vec![PostEvent::PublishingOutcomeUnknown { key: call.key, error: text::report(error) }])
    }

    /// What schedule and approve share: a time that is set and to come, and content the network takes.
    fn ready_to_schedule(
        &self,
        action: Action,
        attempted: &'static str,
        at: &Circumstances,
    ) -> Result<DateTime<Utc>, PostError> {
        let post = self.allowed(action, attempted)?;
        let publish_time = post.publish_time.ok_or(PostError::PublishTimeMissing)?;
        validation::for_schedule(post.channel.social_network, &post.content, publish_time, at.now)?;
        Ok(publish_time)
    }

    /// One event for each thing that really changes, so the history tells what was changed.
    fn edit(&self, edit: PostEdit, at: &Circumstances) -> Result<Vec<PostEvent>, PostError> {
        let post = self.allowed(Action::Edit, "edited")?;
        let edit = edit.changing(post);
        let scheduled_on = (post.status == Status::Scheduled).then_some(post.channel.social_network);
        if scheduled_on.is_some() && edit.publish_time == Some(None) {
            return Err(PostError::PublishTimeMissing);
        }
        validation::edit(&edit, scheduled_on, at.now)?;
        let mut events = Vec::new();
        if let Some(content) = edit.content {
            events.push(PostEvent::ContentEdited { content: Box::new(content) });
        }
        if edit.publish_time.is_some() || edit.publish_time_zone.is_some() {
            events.push(PostEvent::PublishTimeSet {
                publish_time: edit.publish_time.unwrap_or(post.publish_time),
                publish_time_zone: edit.publish_time_zone.unwrap_or_else(|| post.publish_time_zone.clone()),
            });
        }
        if let Some(tags) = edit.tags {
            events.push(PostEvent::TagsSet { tags });
        }
        if let Some(categories) = edit.categories {
            events.push(PostEvent::CategoriesSet { categories });
        }
        if let Some(assignee) = edit.assignee {
            events.push(PostEvent::Assigned { assignee });
        }
        if let Some(story_workaround) = edit.story_workaround {
            events.push(PostEvent::StoryWorkaroundSet { story_workaround });
        }
        if edit.needs_attention == Some(false) {
            events.push(PostEvent::AttentionCleared);
        }
        Ok(events)
    }
}

impl PostEdit {
    /// What of this edit differs from the post.
    fn changing(self, post: &PostState) -> Self {
        Self {
            content: self.content.filter(|content| *content != post.content),
            publish_time: self.publish_time.map(|time| time.map(kept)).filter(|time| *time != post.publish_time),
            publish_time_zone: self.publish_time_zone.filter(|zone| *zone != post.publish_time_zone),
            tags: self.tags.filter(|tags| *tags != post.tags),
            categories: self.categories.filter(|categories| *categories != post.categories),
            assignee: self.assignee.filter(|assignee| *assignee != post.assignee),
            story_workaround: self
                .story_workaround
                .map(|story| story.map(StoryWorkaround::kept))
                .filter(|story| *story != post.story_workaround),
            needs_attention: self.needs_attention.filter(|flag| !flag && post.flags.needs_attention),
        }
    }
}

/// A time as it is kept everywhere, in whole microseconds: a schedule's row and its post must not differ by less.
fn kept(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}

impl Aggregate for Post {
    const TYPE: &'static str = "post";
    type Command = PostCommand;
    type Event = PostEvent;
    type Error = PostError;
    type Services = Circumstances;

    async fn handle(
        &mut self,
        command: PostCommand,
        at: &Circumstances,
        sink: &EventSink<Self>,
    ) -> Result<(), PostError> {
        for event in self.decide(command, at)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: PostEvent) {
        if let PostEvent::Planned { id, account_id, group_id, channel, author, publish_time, publish_time_zone } = event
        {
            self.0 = Some(PostState {
                id,
                account_id,
                group_id,
                channel,
                status: Status::PreDraft,
                flags: Flags::default(),
                author,
                suggestion_author: None,
                assignee: None,
                tags: Vec::new(),
                categories: Vec::new(),
                content: Content::default(),
                publish_time,
                publish_time_zone,
                story_workaround: None,
                network_item_id: None,
                network_url: None,
                publications: 0,
                publication: None,
            });
        } else if let Some(post) = &mut self.0 {
            post.apply(event);
        }
    }
}

impl PostState {
    /// What the network will be called with when the post is published next.
    pub fn next_publication_key(&self) -> String {
        format!("{}-{}", self.id, self.publications + 1)
    }

    fn apply(&mut self, event: PostEvent) {
        match event {
            // The aggregate has taken it already.
            PostEvent::Planned { .. } => {}
            PostEvent::ContentEdited { content } => self.content = *content,
            PostEvent::PublishTimeSet { publish_time, publish_time_zone } => {
                self.publish_time = publish_time;
                self.publish_time_zone = publish_time_zone;
            }
            PostEvent::TagsSet { tags } => self.tags = tags,
            PostEvent::CategoriesSet { categories } => self.categories = categories,
            PostEvent::Assigned { assignee } => self.assignee = assignee,
            PostEvent::StoryWorkaroundSet { story_workaround } => self.story_workaround = story_workaround,
            PostEvent::AttentionCleared => self.flags.needs_attention = false,
            PostEvent::SavedAsDraft => self.status = Status::Draft,
            PostEvent::Suggested { by } => {
                self.status = Status::NeedsApproval;
                self.flags.needs_attention = false;
                self.suggestion_author = by;
            }
            PostEvent::Approved { publish_time } | PostEvent::Scheduled { publish_time } => {
                self.status = Status::Scheduled;
                self.flags.needs_attention = false;
                self.publish_time = Some(publish_time);
            }
            PostEvent::Rejected { .. } => {
                self.status = Status::Draft;
                self.flags.needs_attention = true;
                self.assignee = self.suggestion_author;
            }
            PostEvent::Unscheduled => self.status = Status::Draft,
            PostEvent::PublishingStarted { publication, key } => {
                self.status = Status::Publishing;
                self.publications = publication;
                self.publication = Some(Publication { key, calls: 1, outcome_unknown: false });
            }
            PostEvent::PublishingResumed { call, .. } => {
                self.flags.needs_attention = false;
                if let Some(publication) = &mut self.publication {
                    publication.calls = call;
                    publication.outcome_unknown = false;
                }
            }
            PostEvent::PublishingOutcomeUnknown { .. } => {
                self.flags.needs_attention = true;
                if let Some(publication) = &mut self.publication {
                    publication.outcome_unknown = true;
                }
            }
            PostEvent::Published { network_item_id, network_url, .. } => {
                self.status = Status::Published;
                self.flags.needs_attention = false;
                self.publication = None;
                self.network_item_id = network_item_id;
                self.network_url = network_url;
            }
            PostEvent::PublishingFailed { .. } => {
                self.status = Status::FailedToPublish;
                self.flags.needs_attention = true;
                self.publication = None;
            }
            PostEvent::Commented { .. } => {}
            PostEvent::Deleted => self.status = Status::Deleted,
        }
    }
}
