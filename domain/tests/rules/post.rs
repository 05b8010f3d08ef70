use cqrs_es::test::TestFramework;
use palaver_domain::{
    AccountId, Actor, ChannelId, Circumstances, Failure, FailureKind, FeedItemId, PostGroupId, PostId, TagId,
    channels::Network,
    posts::{
        Action, Call, ChannelRef, Content, FailureReason, Post, PostCommand, PostEdit, PostError, PostEvent, Status,
        StoryWorkaround,
    },
};

use super::{circumstances, fields, in_minutes, now, user};

fn given(events: Vec<PostEvent>) -> cqrs_es::test::AggregateTestExecutor<Post> {
    TestFramework::<Post>::with(circumstances()).given(events)
}

/// `given` at another moment, or for another actor.
fn given_as(at: Circumstances, events: Vec<PostEvent>) -> cqrs_es::test::AggregateTestExecutor<Post> {
    TestFramework::<Post>::with(at).given(events)
}

fn channel() -> ChannelRef {
    ChannelRef { id: ChannelId::default(), unique_name: "@acme".to_owned(), social_network: Network::Twitter }
}

fn planned() -> PostEvent {
    PostEvent::Planned {
        id: PostId::default(),
        account_id: AccountId::default(),
        group_id: PostGroupId::default(),
        channel: channel(),
        author: user(1),
        publish_time: None,
        publish_time_zone: None,
    }
}

fn content(text: &str) -> Content {
    Content { text: text.to_owned(), ..Content::default() }
}

fn written() -> PostEvent {
    PostEvent::ContentEdited { content: Box::new(content("hello")) }
}

fn timed(minutes: i64) -> PostEvent {
    PostEvent::PublishTimeSet { publish_time: Some(in_minutes(minutes)), publish_time_zone: None }
}

fn suggested() -> PostEvent {
    PostEvent::Suggested { by: Some(user(2)) }
}

fn scheduled(minutes: i64) -> PostEvent {
    PostEvent::Scheduled { publish_time: in_minutes(minutes) }
}

fn rejected() -> PostEvent {
    PostEvent::Rejected { message: None, item_id: FeedItemId::default() }
}

const KEY: &str = "000000000000000000000000-1";

fn started() -> PostEvent {
    PostEvent::PublishingStarted { publication: 1, key: KEY.to_owned() }
}

fn unknown() -> PostEvent {
    PostEvent::PublishingOutcomeUnknown { key: KEY.to_owned(), error: "reset".to_owned() }
}

fn published() -> PostEvent {
    PostEvent::Published { key: KEY.to_owned(), network_item_id: None, network_url: None }
}

fn failed() -> PostEvent {
    PostEvent::PublishingFailed { reason: FailureReason::NetworkError, error: "no".to_owned() }
}

/// A post with a text and a time ten minutes ahead, brought to `status`.
fn post_that_is(status: Status) -> Vec<PostEvent> {
    let mut events = vec![planned(), written(), timed(10)];
    events.extend(match status {
        Status::PreDraft => vec![],
        Status::Draft => vec![PostEvent::SavedAsDraft],
        Status::NeedsApproval => vec![PostEvent::SavedAsDraft, suggested()],
        Status::Scheduled => vec![scheduled(10)],
        Status::Publishing => vec![scheduled(10), started()],
        Status::Published => vec![scheduled(10), started(), published()],
        Status::FailedToPublish => vec![scheduled(10), started(), failed()],
        Status::Deleted => vec![PostEvent::Deleted],
    });
    events
}

fn edit(edit: PostEdit) -> PostCommand {
    PostCommand::Edit(Box::new(edit))
}

fn reject() -> PostCommand {
    PostCommand::Reject { message: None, item_id: FeedItemId::default() }
}

fn first_call(key: &str) -> Call {
    Call { key: key.to_owned(), number: 1 }
}

fn record_published(key: &str) -> PostCommand {
    PostCommand::RecordPublished { key: key.to_owned(), network_item_id: None, network_url: None }
}

fn record_failure(key: Option<&str>) -> PostCommand {
    PostCommand::RecordFailure {
        call: key.map(first_call),
        reason: FailureReason::NetworkError,
        error: "no".to_owned(),
    }
}

fn resume(key: &str) -> PostCommand {
    PostCommand::ResumePublishing { after: first_call(key) }
}

fn record_unknown(key: &str) -> PostCommand {
    PostCommand::RecordUnknown { call: first_call(key), error: "reset".to_owned() }
}

/// The machine as the routes of the seed tell it, written down a second time: where each command leads from each
/// status, `=` where it changes nothing, `-` where it is a conflict. Columns in the order of `Status::ALL`.
#[test]
fn every_command_is_taken_or_refused_in_every_status() {
    let changed = || edit(PostEdit { content: Some(content("changed")), ..PostEdit::default() });
    let comment =
        || PostCommand::Comment { item_id: FeedItemId::default(), message: "Nice".to_owned(), mentions: vec![] };
    type Row = (&'static str, Box<dyn Fn() -> PostCommand>, [&'static str; 7]);
    let row = |name, command, to| -> Row { (name, command, to) };
    // preDraft, draft, needsApproval, scheduled, publishing, published, failedToPublish
    let table = [
        row(
            "edit",
            Box::new(changed),
            ["preDraft", "draft", "needsApproval", "scheduled", "-", "-", "failedToPublish"],
        ),
        row("saveAsDraft", Box::new(|| PostCommand::SaveAsDraft), ["draft", "-", "-", "-", "-", "-", "-"]),
        row(
            "suggest",
            Box::new(|| PostCommand::Suggest),
            ["-", "needsApproval", "=", "needsApproval", "-", "-", "needsApproval"],
        ),
        row("approve", Box::new(|| PostCommand::Approve), ["-", "-", "scheduled", "-", "-", "-", "-"]),
        row("reject", Box::new(reject), ["-", "-", "draft", "-", "-", "-", "-"]),
        row(
            "schedule",
            Box::new(|| PostCommand::Schedule),
            ["scheduled", "scheduled", "scheduled", "=", "-", "-", "scheduled"],
        ),
        row("unschedule", Box::new(|| PostCommand::Unschedule), ["-", "-", "-", "draft", "-", "-", "-"]),
        row("delete", Box::new(|| PostCommand::Delete), ["deleted", "-", "-", "-", "-", "-", "-"]),
        row(
            "comment",
            Box::new(comment),
            ["preDraft", "draft", "needsApproval", "scheduled", "publishing", "published", "failedToPublish"],
        ),
        row("published", Box::new(|| record_published(KEY)), ["-", "-", "-", "-", "published", "-", "-"]),
        row("failed", Box::new(|| record_failure(Some(KEY))), ["-", "-", "-", "-", "failedToPublish", "-", "-"]),
        row("never called", Box::new(|| record_failure(None)), ["-", "-", "-", "failedToPublish", "-", "-", "-"]),
        row("resume", Box::new(|| resume(KEY)), ["-", "-", "-", "-", "publishing", "-", "-"]),
        row("unknown", Box::new(|| record_unknown(KEY)), ["-", "-", "-", "-", "publishing", "-", "-"]),
    ];
    for (name, command, expected) in table {
        for (status, expected) in Status::ALL.into_iter().zip(expected) {
            let history = post_that_is(status);
            let result = given(history.clone()).when(command()).inspect_result();
            let outcome = match result {
                Ok(events) if events.is_empty() => "=".to_owned(),
                Ok(events) => status_after(history.into_iter().chain(events)).to_string(),
                Err(error) => {
                    assert_eq!(Failure::from(error).kind, FailureKind::Conflict, "{name} when {status}");
                    "-".to_owned()
                }
            };
            assert_eq!(outcome, expected, "{name} when {status}");
        }
        let deleted = given(post_that_is(Status::Deleted)).when(command());
        deleted.then_expect_error(PostError::PostNotFound);
        given(vec![]).when(command()).then_expect_error(PostError::PostNotFound);
    }
}

fn status_after(events: impl IntoIterator<Item = PostEvent>) -> Status {
    let mut post = Post::default();
    for event in events {
        cqrs_es::Aggregate::apply(&mut post, event);
    }
    post.0.unwrap().status
}

#[test]
fn nothing_leads_out_of_published_and_deleted() {
    use Action::*;
    let all = [
        Edit,
        SaveAsDraft,
        Suggest,
        Approve,
        Reject,
        Schedule,
        Unschedule,
        StartPublishing,
        ResumePublishing,
        RecordPublished,
        RecordFailure,
        RecordUnknown,
        Delete,
    ];
    for action in all {
        assert_eq!(Status::Published.after(action), None, "{action:?}");
        assert_eq!(Status::Deleted.after(action), None, "{action:?}");
    }
}

#[test]
fn a_post_is_planned_once_with_a_sound_time() {
    let plan = |publish_time, zone: Option<&str>| PostCommand::Plan {
        id: PostId::default(),
        account_id: AccountId::default(),
        group_id: PostGroupId::default(),
        channel: channel(),
        author: user(1),
        publish_time,
        publish_time_zone: zone.map(str::to_owned),
    };
    given(vec![]).when(plan(None, None)).then_expect_events(vec![planned()]);
    given(vec![planned()]).when(plan(None, None)).then_expect_error(PostError::AlreadyExists);
    given(post_that_is(Status::Deleted)).when(plan(None, None)).then_expect_error(PostError::AlreadyExists);
    let far = "+12000-01-01T00:00:00Z".parse().unwrap();
    let wrong = fields(&[("publishTime", &["outOfRange"]), ("publishTimeZone", &["unknownTimeZone"])]);
    given(vec![]).when(plan(Some(far), Some("Mars/Olympus"))).then_expect_error(PostError::Invalid(wrong));
    // What is kept is what a schedule's row can hold, or the two would differ by nanoseconds.
    let precise = plan(Some("2025-03-02T00:00:00.123456789Z".parse().unwrap()), None);
    let events = given(vec![]).when(precise).inspect_result().unwrap();
    let [PostEvent::Planned { publish_time, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(*publish_time, Some("2025-03-02T00:00:00.123456Z".parse().unwrap()));
}

#[test]
fn an_edit_writes_only_what_differs() {
    let history = vec![planned(), written(), timed(10), PostEvent::SavedAsDraft, suggested(), rejected()];
    let story = StoryWorkaround { publisher: user(3), reminder_time: Some(in_minutes(5)) };
    let everything = PostEdit {
        content: Some(content("other")),
        publish_time: Some(None),
        publish_time_zone: Some(Some("Europe/Berlin".to_owned())),
        tags: Some(vec![TagId::default()]),
        categories: Some(vec![Default::default()]),
        assignee: Some(Some(user(3))),
        story_workaround: Some(Some(story.clone())),
        needs_attention: Some(false),
    };
    let written_down = vec![
        PostEvent::ContentEdited { content: Box::new(content("other")) },
        PostEvent::PublishTimeSet { publish_time: None, publish_time_zone: Some("Europe/Berlin".to_owned()) },
        PostEvent::TagsSet { tags: vec![TagId::default()] },
        PostEvent::CategoriesSet { categories: vec![Default::default()] },
        PostEvent::Assigned { assignee: Some(user(3)) },
        PostEvent::StoryWorkaroundSet { story_workaround: Some(story) },
        PostEvent::AttentionCleared,
    ];
    given(history.clone()).when(edit(everything.clone())).then_expect_events(written_down.clone());
    given(history.clone()).and(written_down).when(edit(everything)).then_expect_events(vec![]);
    given(history.clone()).when(edit(PostEdit::default())).then_expect_events(vec![]);
    // Nobody raises the flag by hand.
    let raise = PostEdit { needs_attention: Some(true), ..PostEdit::default() };
    given(vec![planned()]).when(edit(raise)).then_expect_events(vec![]);
    // A time alone keeps the zone.
    let zoned = PostEvent::PublishTimeSet { publish_time: None, publish_time_zone: Some("UTC".to_owned()) };
    let time = PostEdit { publish_time: Some(Some(in_minutes(-5))), ..PostEdit::default() };
    given(vec![planned(), zoned]).when(edit(time)).then_expect_events(vec![PostEvent::PublishTimeSet {
        publish_time: Some(in_minutes(-5)),
        publish_time_zone: Some("UTC".to_owned()),
    }]);
}

#[test]
fn an_edit_tells_everything_that_is_wrong() {
    let wrong = PostEdit {
        content: Some(Content { first_comment: Some("a".repeat(2_001)), ..content(&"a".repeat(281)) }),
        publish_time: Some(Some(now())),
        publish_time_zone: Some(Some("Mars/Olympus".to_owned())),
        tags: Some(vec![TagId::default(); 2]),
        ..PostEdit::default()
    };
    let sound = [
        ("content.firstComment", &["tooLong"][..]),
        ("publishTimeZone", &["unknownTimeZone"]),
        ("tags", &["notUnique"]),
    ];
    let error = PostError::Invalid(fields(&sound));
    given(post_that_is(Status::Draft)).when(edit(wrong.clone())).then_expect_error(error);
    // What is scheduled stays fit to be published.
    let mut all = sound.to_vec();
    all.extend([
        ("content.text", &["twitterTweetCharacterCountTooBig"][..]),
        ("publishTime", &["publishTimeNotInFuture"]),
    ]);
    given(post_that_is(Status::Scheduled)).when(edit(wrong)).then_expect_error(PostError::Invalid(fields(&all)));
    let timeless = PostEdit { publish_time: Some(None), ..PostEdit::default() };
    given(post_that_is(Status::Scheduled)).when(edit(timeless)).then_expect_error(PostError::PublishTimeMissing);
    // One that is overdue can still be tagged, and have its zone corrected.
    let overdue = vec![planned(), written(), timed(-5), scheduled(-5)];
    let zone = PostEdit { publish_time_zone: Some(Some("UTC".to_owned())), ..PostEdit::default() };
    given(overdue).when(edit(zone)).then_expect_events(vec![PostEvent::PublishTimeSet {
        publish_time: Some(in_minutes(-5)),
        publish_time_zone: Some("UTC".to_owned()),
    }]);
}

#[test]
fn a_post_is_scheduled_with_a_time_to_come_and_content_its_network_takes() {
    let history = |time: Option<i64>, text: &str| {
        let text = PostEvent::ContentEdited { content: Box::new(content(text)) };
        [planned(), text].into_iter().chain(time.map(timed)).chain([PostEvent::SavedAsDraft]).collect::<Vec<_>>()
    };
    let approvable = |time, text: &str| history(time, text).into_iter().chain([suggested()]).collect::<Vec<_>>();
    for (command, history) in
        [(PostCommand::Schedule, &history as &dyn Fn(_, &str) -> _), (PostCommand::Approve, &approvable)]
    {
        given(history(None, "hello")).when(command.clone()).then_expect_error(PostError::PublishTimeMissing);
        let wrong =
            fields(&[("content", &["requireTextLinkImageOrVideo"]), ("publishTime", &["publishTimeNotInFuture"])]);
        given(history(Some(0), " ")).when(command).then_expect_error(PostError::Invalid(wrong));
    }
    given(history(Some(1), "hello")).when(PostCommand::Schedule).then_expect_events(vec![scheduled(1)]);
    let approved = PostEvent::Approved { publish_time: in_minutes(1) };
    given(approvable(Some(1), "hello")).when(PostCommand::Approve).then_expect_events(vec![approved]);
    let empty = PostError::Invalid(fields(&[("content", &["requireTextLinkImageOrVideo"])]));
    given(history(None, "")).when(PostCommand::Suggest).then_expect_error(empty.clone());
    given(history(None, "")).when(PostCommand::Publish).then_expect_error(empty);
}

#[test]
fn publish_is_for_posts_without_a_time_and_sets_it_to_now() {
    let at_once = PostEvent::PublishTimeSet { publish_time: Some(now()), publish_time_zone: None };
    given(vec![planned(), written()]).when(PostCommand::Publish).then_expect_events(vec![at_once, scheduled(0)]);
    for status in [Status::PreDraft, Status::Draft, Status::Scheduled, Status::FailedToPublish] {
        given(post_that_is(status)).when(PostCommand::Publish).then_expect_error(PostError::PublishTimeSet);
    }
}

#[test]
fn a_rejected_post_goes_back_to_who_suggested_it() {
    let by_me = vec![PostEvent::Suggested { by: Some(user(1)) }];
    given(post_that_is(Status::Draft)).when(PostCommand::Suggest).then_expect_events(by_me);
    let system = Circumstances { now: now(), actor: Actor::system("demo") };
    let by_nobody = vec![PostEvent::Suggested { by: None }];
    given_as(system, post_that_is(Status::Draft)).when(PostCommand::Suggest).then_expect_events(by_nobody);

    let mut post = Post::default();
    for event in post_that_is(Status::NeedsApproval).into_iter().chain([rejected()]) {
        cqrs_es::Aggregate::apply(&mut post, event);
    }
    let post = post.0.unwrap();
    assert_eq!((post.assignee, post.flags.needs_attention), (Some(user(2)), true));

    let silent = PostCommand::Reject { message: Some(" ".to_owned()), item_id: FeedItemId::default() };
    let error = PostError::Invalid(fields(&[("message", &["required"])]));
    given(post_that_is(Status::NeedsApproval)).when(silent).then_expect_error(error);
}

#[test]
fn a_publication_starts_when_due_and_ends_with_its_own_outcome() {
    let start = || PostCommand::StartPublishing;
    given(post_that_is(Status::Scheduled)).when(start()).then_expect_error(PostError::NotDue);
    let due = || Circumstances { now: in_minutes(10), actor: Actor::system("publisher") };
    given_as(due(), post_that_is(Status::Scheduled)).when(start()).then_expect_events(vec![started()]);
    for status in [Status::Draft, Status::Publishing, Status::Published, Status::FailedToPublish] {
        let error = PostError::WrongStatus { status, attempted: "sent to the network" };
        given_as(due(), post_that_is(status)).when(start()).then_expect_error(error);
    }
    // A second attempt has a key of its own, so a late word on the first is not taken for it.
    let again: Vec<_> = post_that_is(Status::FailedToPublish).into_iter().chain([scheduled(10)]).collect();
    let second = PostEvent::PublishingStarted { publication: 2, key: "000000000000000000000000-2".to_owned() };
    given_as(due(), again.clone()).when(start()).then_expect_events(vec![second.clone()]);
    for late in [record_published(KEY), record_failure(Some(KEY)), record_failure(None), record_unknown(KEY)] {
        given(again.clone()).and(vec![second.clone()]).when(late).then_expect_error(PostError::OtherPublication);
    }
    // The unknown is told once, and ends with either outcome.
    let publishing = || post_that_is(Status::Publishing);
    given(publishing()).when(record_unknown(KEY)).then_expect_events(vec![unknown()]);
    given(publishing()).and(vec![unknown()]).when(record_unknown(KEY)).then_expect_events(vec![]);
    given(publishing()).and(vec![unknown()]).when(record_published(KEY)).then_expect_events(vec![published()]);
    given(publishing()).and(vec![unknown()]).when(record_failure(Some(KEY))).then_expect_events(vec![failed()]);
    // Of two who found the network without the post, one calls again; then the first call's failure says nothing any
    // more, but that the post is there counts whichever call brought it.
    let resumed = PostEvent::PublishingResumed { key: KEY.to_owned(), call: 2 };
    given(publishing()).when(resume(KEY)).then_expect_events(vec![resumed.clone()]);
    let again = || given(publishing()).and(vec![unknown(), resumed.clone()]);
    for late in [resume(KEY), record_failure(Some(KEY)), record_unknown(KEY)] {
        again().when(late).then_expect_error(PostError::OtherPublication);
    }
    again().when(record_published(KEY)).then_expect_events(vec![published()]);
}

#[test]
fn what_a_network_says_is_cut_and_cleaned() {
    let failure = PostCommand::RecordFailure {
        call: Some(first_call(KEY)),
        reason: FailureReason::NetworkError,
        error: format!("\0{}", "ü".repeat(5_000)),
    };
    given(post_that_is(Status::Publishing)).when(failure).then_expect_events(vec![PostEvent::PublishingFailed {
        reason: FailureReason::NetworkError,
        error: format!("\u{fffd}{}", "ü".repeat(1_999)),
    }]);
}

#[test]
fn a_comment_says_something_and_not_too_much() {
    let comment = |message: &str, mentions: usize| PostCommand::Comment {
        item_id: FeedItemId::default(),
        message: message.to_owned(),
        mentions: vec![user(2); mentions],
    };
    let wrong = fields(&[("mentions", &["tooMany"]), ("message", &["required"])]);
    given(vec![planned()]).when(comment("\n", 51)).then_expect_error(PostError::Invalid(wrong));
    let wrong = fields(&[("message", &["tooLong", "unsupportedCharacter"])]);
    let long = format!("{}\0", "a".repeat(10_000));
    given(vec![planned()]).when(comment(&long, 0)).then_expect_error(PostError::Invalid(wrong));
}
