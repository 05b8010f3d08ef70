//! Random histories of posts, and the same read models computed naively from their events.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::Aggregate;
use palaver_domain::{
    AccountId, Actor, ChannelId, FeedItemId, PostGroupId, PostId, TagId, UserId,
    channels::Network,
    posts::{
        Action, ChannelRef, Content, ContentType, FailureReason, Post, PostEvent, PostState, Status, StoryWorkaround,
    },
};
use palaver_eventstore::{EventFilter, StreamId, decode};
use palaver_projections::posts::{Grouping, Order, Page, PostFilter, SortBy, Viewer, render};
use serde_json::{Value, json};

use super::{Process, encode};

pub const POSTS: u8 = 16;
pub const NETWORKS: [Network; 4] =
    [Network::Facebook, Network::Twitter, Network::Placeholders, Network::InstagramBusiness];
const WORDS: [&str; 10] =
    ["Launch", "launching", "sale", "O'Neill", "grüße", "ÇA", "24/7", "a\u{0}b", "x_y", "\\'; DROP & !a:*"];
const TYPES: [ContentType; 4] =
    [ContentType::Post, ContentType::StoryWorkaround, ContentType::Reel, ContentType::PostWorkaround];

/// Moments at which clocks change somewhere, or that are otherwise special.
const ANCHORS: [&str; 7] = [
    "2026-03-29T01:00:00Z", // Berlin forward
    "2026-10-25T01:00:00Z", // Berlin back
    "2026-03-08T05:00:00Z", // Havana forward, at midnight; New York two hours later
    "2026-11-01T05:00:00Z", // Havana back, New York
    "2018-11-04T03:00:00Z", // São Paulo forward, at midnight
    "2026-04-04T15:00:00Z", // Lord Howe back, by half an hour
    "2026-06-15T18:15:00Z", // midnight in Kathmandu
];

/// What an account has; ids are derived from the account's.
pub struct World {
    pub tenant: AccountId,
    seed: [u8; 12],
}

impl World {
    pub fn new() -> Self {
        let seed = super::object_id();
        Self { tenant: AccountId::from_bytes(seed), seed }
    }

    fn bytes(&self, kind: u8, n: u8) -> [u8; 12] {
        let mut bytes = self.seed;
        bytes[0] = kind;
        bytes[11] = n;
        bytes
    }

    pub fn post(&self, n: u8) -> PostId {
        // Not in the order they are planned in.
        PostId::from_bytes(self.bytes(n.wrapping_mul(97), n))
    }

    pub fn group(&self, n: u8) -> PostGroupId {
        PostGroupId::from_bytes(self.bytes(2, n))
    }

    pub fn channel(&self, n: u8) -> ChannelId {
        ChannelId::from_bytes(self.bytes(3, n % 4))
    }

    pub fn user(&self, n: u8) -> UserId {
        UserId::from_bytes(self.bytes(4, n % 3))
    }

    pub fn tag(&self, n: u8) -> TagId {
        TagId::from_bytes(self.bytes(5, n % 4))
    }

    /// The first user; the fourth channel is not theirs to see.
    pub fn viewer(&self) -> Viewer {
        Viewer { tenant: self.tenant, user: self.user(0), channels: (0..3).map(|n| self.channel(n)).collect() }
    }
}

/// A step of a history: which post, what, and with what.
pub type Step = (u8, u8, u16);

pub fn time_of(choice: u16) -> DateTime<Utc> {
    let anchor: DateTime<Utc> = ANCHORS[usize::from(choice) % ANCHORS.len()].parse().unwrap();
    let offset = i64::from(choice / 7) * 89 % (4 * 1_440) - 2 * 1_440;
    // Half of them on a quarter of an hour, the others anywhere, with microseconds.
    if choice.is_multiple_of(2) {
        anchor + TimeDelta::minutes(offset / 15 * 15)
    } else {
        anchor + TimeDelta::minutes(offset) + TimeDelta::microseconds(i64::from(choice) * 7_919)
    }
}

fn content(choice: u16) -> Content {
    let word = |n: u16| WORDS[usize::from(choice / n) % WORDS.len()];
    Content {
        kind: TYPES[usize::from(choice) % TYPES.len()],
        text: format!("{} {}", word(4), word(40)),
        title: choice.is_multiple_of(3).then(|| word(7).to_owned()),
        ..Content::default()
    }
}

/// What the step makes of the post, when the status machine allows it.
fn event(world: &World, post: Option<&PostState>, (number, kind, choice): Step) -> Option<PostEvent> {
    let small = (choice % 251) as u8;
    let Some(state) = post else {
        return Some(PostEvent::Planned {
            id: world.post(number),
            account_id: world.tenant,
            group_id: world.group(small % 5),
            channel: ChannelRef {
                id: world.channel(small),
                unique_name: format!("@{small}"),
                social_network: NETWORKS[usize::from(small % 4)],
            },
            author: world.user(small),
            publish_time: (choice % 2 == 0).then(|| time_of(choice)),
            publish_time_zone: Some("Europe/Berlin".to_owned()),
        });
    };
    let key = || state.publication.as_ref().map(|publication| publication.key.clone()).unwrap_or_default();
    let (action, event) = match kind % 23 {
        0 | 1 => (Action::Edit, PostEvent::ContentEdited { content: Box::new(content(choice)) }),
        2 | 3 => {
            let publish_time = (choice % 5 != 0 || state.status == Status::Scheduled).then(|| time_of(choice));
            (Action::Edit, PostEvent::PublishTimeSet { publish_time, publish_time_zone: None })
        }
        4 | 5 => {
            let tags = (0..4).filter(|n| choice >> n & 1 == 1).map(|n| world.tag(n)).collect();
            (Action::Edit, PostEvent::TagsSet { tags })
        }
        6 => (Action::Edit, PostEvent::Assigned { assignee: (choice % 4 != 0).then(|| world.user(small)) }),
        7 => {
            let story = StoryWorkaround { publisher: world.user(small), reminder_time: None };
            (Action::Edit, PostEvent::StoryWorkaroundSet { story_workaround: (choice % 3 != 0).then_some(story) })
        }
        8 => (Action::Edit, PostEvent::AttentionCleared),
        9 | 10 => (Action::SaveAsDraft, PostEvent::SavedAsDraft),
        11 => (Action::Suggest, PostEvent::Suggested { by: Some(world.user(small)) }),
        12 => (Action::Approve, PostEvent::Approved { publish_time: time_of(choice) }),
        13 => {
            let item_id = FeedItemId::from_bytes(super::object_id());
            (Action::Reject, PostEvent::Rejected { message: (choice % 2 == 0).then(|| "no".to_owned()), item_id })
        }
        14 | 15 => (Action::Schedule, PostEvent::Scheduled { publish_time: time_of(choice) }),
        16 => (Action::Unschedule, PostEvent::Unscheduled),
        17 => {
            let publication = state.publications + 1;
            (Action::StartPublishing, PostEvent::PublishingStarted { publication, key: format!("key-{publication}") })
        }
        18 => (Action::RecordUnknown, PostEvent::PublishingOutcomeUnknown { key: key(), error: "silence".to_owned() }),
        19 => {
            let network_url = Some("https://sandbox.example/1".to_owned());
            (Action::RecordPublished, PostEvent::Published { key: key(), network_item_id: None, network_url })
        }
        20 => {
            let (reason, error) = (FailureReason::NetworkError, "refused".to_owned());
            (Action::RecordFailure, PostEvent::PublishingFailed { reason, error })
        }
        21 => (Action::ResumePublishing, PostEvent::PublishingResumed { key: key(), call: 2 }),
        _ if choice % 3 == 0 => (Action::Delete, PostEvent::Deleted),
        _ => {
            let item_id = FeedItemId::from_bytes(super::object_id());
            let event = PostEvent::Commented { item_id, message: "well".to_owned(), mentions: vec![world.user(small)] };
            return (state.status != Status::Deleted).then_some(event);
        }
    };
    state.status.after(action).map(|_| event)
}

/// Appends the history; several steps share a moment, so that the order of equals shows.
pub async fn append(process: &Process, world: &World, steps: &[Step]) {
    let mut posts: BTreeMap<u8, (Post, i64)> = BTreeMap::new();
    let begin: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    for (at, &(number, kind, choice)) in steps.iter().enumerate() {
        let number = number % POSTS;
        let (post, sequence) = posts.entry(number).or_default();
        let Some(event) = event(world, post.0.as_ref(), (number, kind, choice)) else { continue };
        let time = begin + TimeDelta::seconds(at as i64 / 4 * 10);
        let recorded = encode(&event, Actor::User(world.user(kind)), time);
        let stream = StreamId::of::<Post>(world.post(number));
        process.append(world.tenant, &stream, *sequence, vec![recorded]).await;
        post.apply(event);
        *sequence += 1;
    }
}

#[derive(Clone, Debug)]
pub struct NaivePost {
    pub state: PostState,
    pub created: DateTime<Utc>,
    pub updated: DateTime<Utc>,
}

/// Every post of the account that exists, from nothing but the log.
pub async fn naive(process: &Process, tenant: AccountId) -> Vec<NaivePost> {
    let filter =
        EventFilter { tenant: Some(tenant), aggregate_types: vec![Post::TYPE.to_owned()], ..EventFilter::default() };
    let head = process.log.head().await.unwrap();
    let mut posts: BTreeMap<String, (Post, DateTime<Utc>, DateTime<Utc>)> = BTreeMap::new();
    for recorded in process.log.read_range(0, head, &filter).await.unwrap() {
        let time = recorded.metadata.time;
        let entry = posts.entry(recorded.stream.aggregate_id.clone()).or_insert_with(|| (Post::default(), time, time));
        entry.0.apply(decode(&recorded).unwrap());
        entry.2 = time;
    }
    let existing = posts.into_values().filter_map(|(post, created, updated)| {
        Some(NaivePost { state: post.0.filter(|post| post.status != Status::Deleted)?, created, updated })
    });
    existing.collect()
}

impl NaivePost {
    pub fn doc(&self) -> Value {
        render(&self.state, self.created, self.updated)
    }

    fn time(&self, sort_by: SortBy) -> Option<DateTime<Utc>> {
        match sort_by {
            SortBy::CreatedTime => Some(self.created),
            SortBy::PublishTime => self.state.publish_time,
        }
    }

    fn has_word_beginning_with(&self, term: &str) -> bool {
        let text = format!("{} {}", self.state.content.text, self.state.content.title.clone().unwrap_or_default());
        naive_words(&text).iter().any(|word| word.starts_with(term))
    }

    pub fn matches(&self, viewer: &Viewer, filter: &PostFilter) -> bool {
        let post = &self.state;
        let kind = post.content.kind;
        let any_or_all = |has: &dyn Fn(&TagId) -> bool| {
            if filter.all_tags { filter.tags.iter().all(has) } else { filter.tags.iter().any(has) }
        };
        (post.status != Status::PreDraft || post.author == viewer.user)
            && (filter.group.is_some() || viewer.channels.contains(&post.channel.id))
            && filter.group.is_none_or(|group| post.group_id == group)
            && (filter.statuses.is_empty() || filter.statuses.contains(&post.status))
            && filter.needs_attention.is_none_or(|wanted| post.flags.needs_attention == wanted)
            && filter.imported.is_none_or(|wanted| post.flags.imported == wanted)
            && filter.promoted.is_none_or(|wanted| post.flags.promoted == wanted)
            && filter.via_publisher_app.is_none_or(|wanted| kind.via_publisher_app() == wanted)
            && (filter.channels.is_empty() || filter.channels.contains(&post.channel.id))
            && (filter.assignees.is_empty() || post.assignee.is_some_and(|user| filter.assignees.contains(&user)))
            && (filter.tags.is_empty() || any_or_all(&|tag| post.tags.contains(tag)))
            && filter
                .search
                .as_ref()
                .is_none_or(|search| naive_words(search).iter().all(|term| self.has_word_beginning_with(term)))
            && filter.since.is_none_or(|since| self.time(filter.sort_by).is_some_and(|time| time >= since))
            && filter.until.is_none_or(|until| self.time(filter.sort_by).is_some_and(|time| time < until))
            && filter
                .story_publisher
                .is_none_or(|user| post.story_workaround.as_ref().is_some_and(|story| story.publisher == user))
            && (filter.types.is_empty() || filter.types.contains(&kind))
    }
}

fn naive_words(text: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    for character in text.chars().chain([' ']) {
        if character.is_alphanumeric() {
            word.push_str(&character.to_lowercase().to_string());
        } else if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
    words
}

/// The page as it should be: how many there are, and these.
pub fn naive_list(posts: &[NaivePost], viewer: &Viewer, filter: &PostFilter, page: &Page) -> (i64, Vec<Value>) {
    let mut found: Vec<&NaivePost> = posts.iter().filter(|post| post.matches(viewer, filter)).collect();
    found.sort_by_key(|post| (post.time(filter.sort_by), post.state.id));
    if page.order == Order::Descending {
        found.reverse();
    }
    if let Some(selected) = page.selected {
        found.sort_by_key(|post| post.state.id != selected);
    }
    let entries: Vec<Value> = match page.grouping {
        Grouping::None => found.iter().map(|post| post.doc()).collect(),
        Grouping::PostGroup => {
            type Place = (Option<DateTime<Utc>>, PostGroupId);
            let mut groups: Vec<(Place, Vec<Value>)> = Vec::new();
            for post in found {
                let group = post.state.group_id;
                match groups.iter_mut().find(|((_, id), _)| *id == group) {
                    Some((_, docs)) => docs.push(post.doc()),
                    None => groups.push(((post.time(filter.sort_by), group), vec![post.doc()])),
                }
            }
            groups.sort_by_key(|(place, _)| *place);
            if page.order == Order::Descending {
                groups.reverse();
            }
            groups.into_iter().map(|((_, id), posts)| json!({ "_id": id, "posts": posts })).collect()
        }
    };
    let count = entries.len() as i64;
    (count, entries.into_iter().skip(page.offset as usize).take(page.count as usize).collect())
}
