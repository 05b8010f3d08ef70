use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use palaver_domain::{
    AccountId, ChannelId, PostGroupId, PostId,
    posts::{PostError, PostGroup, PostGroupCommand, PostGroupEvent, Workbench, WorkbenchCommand, WorkbenchEvent},
};

use super::{circumstances, fields, user};

fn given(events: Vec<PostGroupEvent>) -> AggregateTestExecutor<PostGroup> {
    TestFramework::with(circumstances()).given(events)
}

fn slot(number: u8) -> (ChannelId, PostId) {
    (ChannelId::from_bytes([number; 12]), PostId::from_bytes([number; 12]))
}

fn create(posts: Vec<(ChannelId, PostId)>) -> PostGroupCommand {
    PostGroupCommand::Create { id: PostGroupId::default(), account_id: AccountId::default(), author: user(1), posts }
}

fn created(posts: Vec<(ChannelId, PostId)>) -> PostGroupEvent {
    PostGroupEvent::Created { id: PostGroupId::default(), account_id: AccountId::default(), author: user(1), posts }
}

fn remove(number: u8) -> PostGroupCommand {
    PostGroupCommand::RemovePost { post_id: slot(number).1 }
}

fn removed(number: u8) -> PostGroupEvent {
    PostGroupEvent::PostRemoved { post_id: slot(number).1 }
}

#[test]
fn a_group_is_created_once_with_one_post_a_channel() {
    given(vec![]).when(create(vec![slot(1), slot(2)])).then_expect_events(vec![created(vec![slot(1), slot(2)])]);
    given(vec![created(vec![slot(1)])]).when(create(vec![slot(1)])).then_expect_error(PostError::AlreadyExists);
    for (posts, code) in [
        (vec![], "required"),
        (vec![slot(1), slot(2), slot(1)], "notUnique"),
        ((0..101).map(slot).collect(), "tooMany"),
    ] {
        let error = PostError::Invalid(fields(&[("channelIds", &[code])]));
        given(vec![]).when(create(posts)).then_expect_error(error);
    }
}

#[test]
fn a_group_goes_with_its_last_post() {
    let two = || vec![created(vec![slot(1), slot(2)])];
    given(two()).when(remove(1)).then_expect_events(vec![removed(1)]);
    given(two()).and(vec![removed(1)]).when(remove(1)).then_expect_error(PostError::PostNotFound);
    let both_gone = vec![removed(2), PostGroupEvent::Deleted];
    given(two()).and(vec![removed(1)]).when(remove(2)).then_expect_events(both_gone);
    given(two()).when(PostGroupCommand::Delete).then_expect_events(vec![PostGroupEvent::Deleted]);
    for command in [remove(1), PostGroupCommand::Delete] {
        given(vec![]).when(command.clone()).then_expect_error(PostError::GroupNotFound);
        given(two()).and(vec![PostGroupEvent::Deleted]).when(command).then_expect_error(PostError::GroupNotFound);
    }
    let gone = vec![PostGroupEvent::Deleted];
    given(two()).and(gone).when(create(vec![slot(1)])).then_expect_error(PostError::AlreadyExists);
}

#[test]
fn an_author_composes_one_group_at_a_time() {
    let given = |events| TestFramework::<Workbench>::with(circumstances()).given(events);
    let group = |number: u8| PostGroupId::from_bytes([number; 12]);
    let (open, clear) = (
        |number| WorkbenchCommand::Open { group_id: group(number) },
        |number| WorkbenchCommand::Clear { group_id: group(number) },
    );
    let opened = |number| WorkbenchEvent::Opened { group_id: group(number) };
    let cleared = |number| WorkbenchEvent::Cleared { group_id: group(number) };

    given(vec![]).when(open(1)).then_expect_events(vec![opened(1)]);
    given(vec![opened(1)]).when(open(1)).then_expect_error(PostError::WorkbenchTaken);
    given(vec![opened(1)]).when(open(2)).then_expect_error(PostError::WorkbenchTaken);
    given(vec![opened(1)]).when(clear(1)).then_expect_events(vec![cleared(1)]);
    given(vec![opened(1), cleared(1)]).when(open(2)).then_expect_events(vec![opened(2)]);
    // Word of a group that left the workbench long ago does not clear another from it.
    given(vec![opened(1), cleared(1), opened(2)]).when(clear(1)).then_expect_events(vec![]);
    given(vec![]).when(clear(1)).then_expect_events(vec![]);
}
