//! Whatever is asked of a post in whatever order: it stays within the rules.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{cell::RefCell, collections::BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use palaver_domain::{
    AccountId, Actor, CategoryId, ChannelId, Circumstances, FeedItemId, MediaId, PostGroupId, PostId, TagId, UserId,
    channels::Network,
    posts::{
        Action, Call, ChannelRef, Content, ContentType, FailureReason, Image, MediaTag, Post, PostCommand, PostEdit,
        PostError, PostEvent, PostState, Status, StoryWorkaround, validation,
    },
};
use proptest::{
    prelude::*,
    sample::select,
    test_runner::{Config, TestCaseError, TestRunner},
};
use tokio::runtime::Runtime;

const CASES: u32 = 2_000;
const STEPS_MAX: usize = 40;

/// Where a walk came by, so that a walk that sees too little fails.
#[derive(Debug, Default)]
struct Seen {
    statuses: BTreeSet<Status>,
    event_types: BTreeSet<String>,
    refusals: BTreeSet<String>,
}

const EVENT_TYPES: usize = 21;

/// A command, with what depends on the state left open.
#[derive(Clone, Debug)]
enum Step {
    Plan { hours: Option<i64> },
    Edit(Box<Edit>),
    Plain(fn() -> PostCommand),
    Reject { message: Option<&'static str> },
    Comment { message: &'static str },
    Published { key: Key },
    Failed { key: Option<Key> },
    Resumed { key: Key },
    Unknown { key: Key },
}

#[derive(Clone, Copy, Debug)]
enum Key {
    Current,
    Wrong,
}

/// Times are hours from now; `Some(None)` empties a field.
#[derive(Clone, Debug)]
struct Edit {
    content: Option<Content>,
    hours: Option<Option<i64>>,
    zone: Option<Option<&'static str>>,
    tag: Option<u8>,
    category: Option<u8>,
    assignee: Option<Option<u8>>,
    story: Option<Option<i64>>,
    needs_attention: Option<bool>,
}

fn contents() -> impl Strategy<Value = Content> {
    let tweet = |text: String| Content { text, ..Content::default() };
    let tagged = (0.0..=1.0, 0.0..=1.0, 0_u8..12).prop_map(|(x, y, index)| Content {
        kind: ContentType::Media,
        images: vec![Image {
            id: MediaId::from_bytes([1; 12]),
            index: Some(index),
            tags: vec![MediaTag { id: "1".to_owned(), x, y }],
            ..Image::default()
        }],
        ..Content::default()
    });
    prop_oneof![
        4 => ".{1,40}".prop_map(tweet),
        1 => Just(tweet(String::new())),
        1 => Just(tweet("a".repeat(281))),
        2 => tagged,
    ]
}

fn edits() -> impl Strategy<Value = Step> {
    let hours = || proptest::option::of(-3_i64..6);
    let zone = proptest::option::of(select(vec!["Europe/Berlin", "UTC", "Mars/Olympus"]));
    let maybe = proptest::option::weighted::<BoxedStrategy<Content>>;
    (
        maybe(0.6, contents().boxed()),
        proptest::option::weighted(0.6, hours()),
        proptest::option::weighted(0.1, zone),
        proptest::option::weighted(0.1, any::<u8>()),
        proptest::option::weighted(0.1, any::<u8>()),
        proptest::option::weighted(0.1, proptest::option::of(any::<u8>())),
        proptest::option::weighted(0.1, hours()),
        proptest::option::weighted(0.2, any::<bool>()),
    )
        .prop_map(|(content, hours, zone, tag, category, assignee, story, needs_attention)| {
            Step::Edit(Box::new(Edit { content, hours, zone, tag, category, assignee, story, needs_attention }))
        })
}

fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let key = || prop_oneof![4 => Just(Key::Current), 1 => Just(Key::Wrong)];
    let plain: Vec<fn() -> PostCommand> = vec![
        || PostCommand::SaveAsDraft,
        || PostCommand::Suggest,
        || PostCommand::Approve,
        || PostCommand::Schedule,
        || PostCommand::Publish,
        || PostCommand::Unschedule,
    ];
    let step = prop_oneof![
        1 => proptest::option::of(-3_i64..6).prop_map(|hours| Step::Plan { hours }),
        8 => edits(),
        12 => select(plain).prop_map(Step::Plain),
        4 => Just(Step::Plain(|| PostCommand::StartPublishing)),
        1 => Just(Step::Plain(|| PostCommand::Delete)),
        2 => select(vec![None, Some("Not yet"), Some(" ")]).prop_map(|message| Step::Reject { message }),
        1 => select(vec!["Nice", ""]).prop_map(|message| Step::Comment { message }),
        2 => key().prop_map(|key| Step::Published { key }),
        2 => proptest::option::of(key()).prop_map(|key| Step::Failed { key }),
        2 => key().prop_map(|key| Step::Unknown { key }),
        2 => key().prop_map(|key| Step::Resumed { key }),
    ];
    // Minutes between one step and the next.
    proptest::collection::vec((0_i64..120, step), 1..STEPS_MAX)
}

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 12])
}

fn command(step: Step, post: &Post, now: DateTime<Utc>) -> PostCommand {
    let in_hours = |hours: i64| now + TimeDelta::hours(hours);
    let key_for = |key| match (key, post.0.as_ref().and_then(|post| post.publication.as_ref())) {
        (Key::Current, Some(publication)) => publication.key.clone(),
        _ => "another".to_owned(),
    };
    let call_for = |key| match (key, post.0.as_ref().and_then(|post| post.publication.as_ref())) {
        (Key::Current, Some(publication)) => publication.call(),
        (Key::Wrong, Some(publication)) => Call { number: publication.calls + 1, ..publication.call() },
        (_, None) => Call { key: "another".to_owned(), number: 1 },
    };
    match step {
        Step::Plan { hours } => PostCommand::Plan {
            id: PostId::from_bytes([2; 12]),
            account_id: AccountId::default(),
            group_id: PostGroupId::default(),
            channel: ChannelRef {
                id: ChannelId::default(),
                unique_name: "@acme".to_owned(),
                social_network: Network::Twitter,
            },
            author: user(1),
            publish_time: hours.map(in_hours),
            publish_time_zone: None,
        },
        Step::Edit(edit) => PostCommand::Edit(Box::new(PostEdit {
            content: edit.content,
            publish_time: edit.hours.map(|hours| hours.map(in_hours)),
            publish_time_zone: edit.zone.map(|zone| zone.map(str::to_owned)),
            tags: edit.tag.map(|tag| vec![TagId::from_bytes([tag; 12])]),
            categories: edit.category.map(|category| vec![CategoryId::from_bytes([category; 12])]),
            assignee: edit.assignee.map(|assignee| assignee.map(user)),
            story_workaround: edit.story.map(|hours| {
                hours.map(|hours| StoryWorkaround { publisher: user(3), reminder_time: Some(in_hours(hours)) })
            }),
            needs_attention: edit.needs_attention,
        })),
        Step::Plain(command) => command(),
        Step::Reject { message } => {
            PostCommand::Reject { message: message.map(str::to_owned), item_id: FeedItemId::default() }
        }
        Step::Comment { message } => {
            PostCommand::Comment { item_id: FeedItemId::default(), message: message.to_owned(), mentions: vec![] }
        }
        Step::Published { key } => {
            PostCommand::RecordPublished { key: key_for(key), network_item_id: None, network_url: None }
        }
        Step::Failed { key } => PostCommand::RecordFailure {
            call: key.map(call_for),
            reason: FailureReason::NetworkError,
            error: "no".to_owned(),
        },
        Step::Resumed { key } => PostCommand::ResumePublishing { after: call_for(key) },
        Step::Unknown { key } => PostCommand::RecordUnknown { call: call_for(key), error: "reset".to_owned() },
    }
}

/// The action of the table that allows an event, or `None` for one that may happen in every status.
fn action(event: &PostEvent) -> Option<Action> {
    Some(match event {
        PostEvent::Planned { .. } | PostEvent::Commented { .. } => return None,
        PostEvent::ContentEdited { .. }
        | PostEvent::PublishTimeSet { .. }
        | PostEvent::TagsSet { .. }
        | PostEvent::CategoriesSet { .. }
        | PostEvent::Assigned { .. }
        | PostEvent::StoryWorkaroundSet { .. }
        | PostEvent::AttentionCleared => Action::Edit,
        PostEvent::SavedAsDraft => Action::SaveAsDraft,
        PostEvent::Suggested { .. } => Action::Suggest,
        PostEvent::Approved { .. } => Action::Approve,
        PostEvent::Rejected { .. } => Action::Reject,
        PostEvent::Scheduled { .. } => Action::Schedule,
        PostEvent::Unscheduled => Action::Unschedule,
        PostEvent::PublishingStarted { .. } => Action::StartPublishing,
        PostEvent::PublishingResumed { .. } => Action::ResumePublishing,
        PostEvent::PublishingOutcomeUnknown { .. } => Action::RecordUnknown,
        PostEvent::Published { .. } => Action::RecordPublished,
        PostEvent::PublishingFailed { .. } => Action::RecordFailure,
        PostEvent::Deleted => Action::Delete,
    })
}

/// What an event does to the flag, or `None` when it leaves it as it was.
fn attention(event: &PostEvent) -> Option<bool> {
    match event {
        PostEvent::Scheduled { .. }
        | PostEvent::Suggested { .. }
        | PostEvent::Approved { .. }
        | PostEvent::Published { .. }
        | PostEvent::PublishingResumed { .. }
        | PostEvent::AttentionCleared => Some(false),
        PostEvent::Rejected { .. }
        | PostEvent::PublishingFailed { .. }
        | PostEvent::PublishingOutcomeUnknown { .. } => Some(true),
        _ => None,
    }
}

fn check_event(before: Option<&PostState>, event: &PostEvent, after: &PostState) -> Result<(), TestCaseError> {
    let Some(before) = before else {
        prop_assert!(matches!(event, PostEvent::Planned { .. }), "first of all it is planned, not {event:?}");
        prop_assert_eq!(after.status, Status::PreDraft);
        return Ok(());
    };
    prop_assert_ne!(before.status, Status::Deleted, "{:?} after the end", event);
    let expected = action(event).map_or(Some(before.status), |action| before.status.after(action));
    prop_assert_eq!(Some(after.status), expected, "{:?}", event);
    let flag = attention(event).unwrap_or(before.flags.needs_attention);
    prop_assert_eq!(after.flags.needs_attention, flag, "{:?}", event);
    Ok(())
}

fn check_state(post: &PostState) -> Result<(), TestCaseError> {
    let timed =
        matches!(post.status, Status::Scheduled | Status::Publishing | Status::Published | Status::FailedToPublish);
    // A failed post may be edited, and so lose its time again.
    prop_assert!(!timed || post.publish_time.is_some() || post.status == Status::FailedToPublish, "{:?}", post);
    prop_assert_eq!(post.publication.is_some(), post.status == Status::Publishing, "{:?}", post);
    if matches!(post.status, Status::Scheduled | Status::Publishing | Status::Published) {
        let taken = validation::for_network(post.channel.social_network, &post.content);
        prop_assert!(taken.is_ok(), "{taken:?}");
    }
    Ok(())
}

fn run(runtime: &Runtime, steps: Vec<(i64, Step)>, seen: &RefCell<Seen>) -> Result<(), TestCaseError> {
    let mut now: DateTime<Utc> = "2025-03-01T12:00:00.000001Z".parse().unwrap();
    let mut post = Post::default();
    let mut shadow = Post::default();
    let mut keys = BTreeSet::new();
    let first = (0, Step::Plan { hours: None });
    for (minutes, step) in std::iter::once(first).chain(steps) {
        now += TimeDelta::minutes(minutes);
        let before = post.clone();
        let command = command(step, &post, now);
        let sink = EventSink::default();
        let at = Circumstances { now, actor: Actor::User(user(2)) };
        let result = runtime.block_on(post.handle(command.clone(), &at, &sink));
        let events = runtime.block_on(sink.collect());

        if let Err(error) = result {
            prop_assert!(events.is_empty(), "{error} and {events:?}");
            prop_assert_eq!(&post, &before, "a refusal changes nothing");
            seen.borrow_mut().refusals.insert(format!("{error:?}").split(['(', ' ']).next().unwrap().to_owned());
            let replanned = matches!(command, PostCommand::Plan { .. });
            if before.0.as_ref().is_some_and(|post| post.status == Status::Deleted) && !replanned {
                prop_assert_eq!(error, PostError::PostNotFound);
            }
        }
        for event in events {
            // What the log would hold is what the post is built from again.
            let text = serde_json::to_string(&event).unwrap();
            let read: PostEvent = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&read, &event);
            let previous = shadow.0.clone();
            shadow.apply(read);
            check_event(previous.as_ref(), &event, shadow.0.as_ref().unwrap())?;
            if let PostEvent::PublishingStarted { key, .. } = &event {
                prop_assert!(keys.insert(key.clone()), "{key} was used before");
            }
            seen.borrow_mut().event_types.insert(event.event_type());
        }
        prop_assert_eq!(&shadow, &post, "the events tell the whole state");
        let text = serde_json::to_string(&post).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Post>(&text).unwrap(), &post, "a snapshot tells the whole state");
        let state = post.0.as_ref().unwrap();
        check_state(state)?;
        seen.borrow_mut().statuses.insert(state.status);
    }
    Ok(())
}

#[test]
fn a_post_stays_within_the_rules() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let seen = RefCell::new(Seen::default());
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    runner.run(&steps(), |steps| run(&runtime, steps, &seen)).unwrap_or_else(|error| panic!("{error}"));

    // The walk was a wide one: every status, every event, every refusal.
    let seen = seen.into_inner();
    assert_eq!(seen.statuses, BTreeSet::from(Status::ALL));
    assert_eq!(seen.event_types.len(), EVENT_TYPES, "{seen:?}");
    let refusals = [
        "AlreadyExists",
        "Invalid",
        "NotDue",
        "OtherPublication",
        "PostNotFound",
        "PublishTimeMissing",
        "PublishTimeSet",
        "WrongStatus",
    ];
    assert_eq!(seen.refusals, BTreeSet::from(refusals.map(str::to_owned)));
}
