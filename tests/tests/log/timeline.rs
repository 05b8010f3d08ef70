//! How a thing came to be: every state of a stream, at whatever moment, and the event that made something so.

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::{Aggregate, DomainEvent};
use palaver_domain::{
    AccountId, ChannelId, TeamId,
    channels::{Channel, ChannelEvent, Connection, Network},
    identity::{Claim, ClaimEvent, ClaimKind},
    posts::Post,
};
use palaver_eventstore::{
    Append, EventLog, Metadata, NewEvent, StreamAppend, StreamId, TIMELINE_PAGE_EVENTS,
    ids::{Ids, SystemIds},
    timeline::{Change, ChangeOp, Condition, FirstError, Moment, State},
};
use palaver_tests::fresh_database;
use serde_json::{Value, json};

use super::{TENANT, metadata, open, plan_a_post};

/// Events of one append of these tests.
const CHUNK: usize = 500;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000 + second, 0).unwrap()
}

/// Appends events with the times that go with them.
async fn write<E: DomainEvent>(log: &EventLog, stream: &StreamId, tenant: AccountId, events: &[(E, DateTime<Utc>)]) {
    let mut expected = log.read_stream(stream, 0, 1_000).await.unwrap().len() as i64;
    for chunk in events.chunks(CHUNK) {
        let encoded = chunk.iter().map(|(event, time)| {
            let metadata = Metadata { time: *time, ..metadata() };
            NewEvent::encode(event, &metadata, SystemIds.uuid()).unwrap()
        });
        let append = StreamAppend { stream: stream.clone(), expected, events: encoded.collect() };
        log.append(Append { tenant, streams: vec![append], receipt: None }).await.unwrap();
        expected += chunk.len() as i64;
    }
}

fn connected() -> ChannelEvent {
    ChannelEvent::Connected {
        id: ChannelId::from_bytes([7; 12]),
        account_id: TENANT,
        network: Network::Facebook,
        connection: Connection::Sandbox,
        name: "One".to_owned(),
        unique_name: "one".to_owned(),
        image_url: None,
        team_ids: Vec::new(),
    }
}

fn teams(number: u32) -> ChannelEvent {
    let mut bytes = [0; 12];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    ChannelEvent::TeamsChanged { team_ids: vec![TeamId::from_bytes(bytes)] }
}

fn channel() -> StreamId {
    StreamId::of::<Channel>(ChannelId::from_bytes([7; 12]))
}

fn known(state: &State) -> &Value {
    state.as_deref().unwrap()
}

/// What the aggregate itself makes of its first events.
fn folded(events: &[ChannelEvent]) -> Value {
    let mut channel = Channel::default();
    events.iter().cloned().for_each(|event| channel.apply(event));
    serde_json::to_value(channel).unwrap()
}

#[tokio::test]
async fn every_step_has_the_state_that_the_aggregate_makes_of_the_events_so_far() {
    let database = fresh_database().await;
    let (log, _tasks) = open(&database).await;
    // More than two pages, and their last is full.
    let count = TIMELINE_PAGE_EVENTS * 3;
    let mut events = vec![connected()];
    events.extend((1..count).map(|number| match number % 3 {
        0 => ChannelEvent::Deactivated,
        1 => ChannelEvent::Reactivated,
        _ => teams(u32::try_from(number).unwrap()),
    }));
    let timed: Vec<_> = events.iter().cloned().zip((0..).map(at)).collect();
    write(&log, &channel(), TENANT, &timed).await;

    let mut timeline = log.timeline(channel()).unwrap();
    let mut before = Value::Null;
    let mut seen = 0;
    while let Some(step) = timeline.next().await.unwrap() {
        seen += 1;
        assert_eq!(step.event.sequence, seen as i64);
        assert_eq!(known(&step.before), &before);
        if seen % 97 == 0 || seen < 5 || seen as i64 == count {
            assert_eq!(known(&step.after), &folded(&events[..seen]), "after {seen}");
        }
        before = known(&step.after).clone();
    }
    assert_eq!((seen as i64, timeline.sequence()), (count, count));

    // From within, the state before is known as well.
    let mut timeline = log.timeline(channel()).unwrap();
    timeline.skip_to(1_201).await.unwrap();
    let step = timeline.next().await.unwrap().unwrap();
    assert_eq!((step.event.sequence, known(&step.before)), (1_202, &folded(&events[..1_201])));
    timeline.skip_to(i64::MAX).await.unwrap();
    assert_eq!(timeline.sequence(), count);
    assert!(timeline.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_step_tells_what_it_changed() {
    let database = fresh_database().await;
    let (log, _tasks) = open(&database).await;
    let planned = plan_a_post(&log).await;
    let mut timeline = log.timeline(StreamId::of::<Post>(planned.post)).unwrap();
    let first = timeline.next().await.unwrap().unwrap();
    let whole = known(&first.after).clone();
    assert_eq!(whole["status"], "preDraft");
    let came = Change { op: ChangeOp::Add, path: String::new(), before: None, after: Some(whole) };
    assert_eq!(first.changes().unwrap(), [came]);

    let events = [(ChannelEvent::Deactivated, at(1)), (ChannelEvent::Deactivated, at(2))];
    write(&log, &channel(), TENANT, &[(connected(), at(0))]).await;
    write(&log, &channel(), TENANT, &events).await;
    let mut timeline = log.timeline(channel()).unwrap();
    timeline.skip_to(1).await.unwrap();
    let step = timeline.next().await.unwrap().unwrap();
    let (before, after) = (Some(json!(true)), Some(json!(false)));
    let change = Change { op: ChangeOp::Replace, path: "/active".to_owned(), before, after };
    assert_eq!(step.changes().unwrap(), [change]);
    assert_eq!(timeline.next().await.unwrap().unwrap().changes().unwrap(), [], "it was so already");
}

#[tokio::test]
async fn the_state_at_a_moment_is_the_one_after_the_last_event_that_had_happened() {
    let database = fresh_database().await;
    let (log, _tasks) = open(&database).await;
    // Another stream, so that positions and sequences differ.
    let other = StreamId::of::<Channel>(ChannelId::from_bytes([8; 12]));
    write(&log, &other, TENANT, &[(connected(), at(0))]).await;
    // The third was decided by somebody whose clock is behind.
    let events = [connected(), teams(1), teams(2), teams(3)];
    let times = [10, 30, 20, 40].map(at);
    let timed: Vec<_> = events.iter().cloned().zip(times).collect();
    write(&log, &channel(), TENANT, &timed).await;

    let cases = [
        (Moment::BEGINNING, 0),
        (Moment::Sequence(3), 3),
        (Moment::END, 4),
        (Moment::Position(1), 0),
        (Moment::Position(2), 1),
        (Moment::Position(4), 3),
        (Moment::Position(1_000), 4),
        (Moment::Time(at(9)), 0),
        (Moment::Time(at(10)), 1),
        (Moment::Time(at(19)), 1),
        // What stands before an event of that time had happened by then, whatever its clock said.
        (Moment::Time(at(20)), 3),
        (Moment::Time(at(30)), 3),
        (Moment::Time(at(40)), 4),
        (Moment::Time(at(40) - TimeDelta::milliseconds(1)), 3),
    ];
    for (moment, sequence) in cases {
        let [found] = log.timeline(channel()).unwrap().states_at([moment]).await.unwrap().unwrap();
        let expected = usize::try_from(sequence).unwrap();
        assert_eq!(found.sequence, sequence, "{moment}");
        assert_eq!(found.position, if sequence == 0 { 0 } else { sequence + 1 }, "{moment}");
        assert_eq!(found.time, expected.checked_sub(1).map(|last| times[last]), "{moment}");
        let state = if sequence == 0 { Value::Null } else { folded(&events[..expected]) };
        assert_eq!(known(&found.state), &state, "{moment}");
    }
    // Both at once, in whatever order.
    let moments = [Moment::Time(at(25)), Moment::Position(2)];
    let [later, earlier] = log.timeline(channel()).unwrap().states_at(moments).await.unwrap().unwrap();
    assert_eq!((later.sequence, earlier.sequence), (3, 1));
    let nobody = StreamId::of::<Channel>(ChannelId::from_bytes([9; 12]));
    assert_eq!(log.timeline(nobody).unwrap().states_at([Moment::END]).await.unwrap(), None);
}

#[tokio::test]
async fn from_an_event_that_can_not_be_read_on_nobody_can_tell_the_state() {
    let database = fresh_database().await;
    let (log, _tasks) = open(&database).await;
    write(&log, &channel(), TENANT, &[(connected(), at(1))]).await;
    let broken = super::event("ChannelTeamsChanged", &json!({ "TeamsChanged": { "teamIds": 7 } }));
    let append = StreamAppend { stream: channel(), expected: 1, events: vec![broken] };
    log.append(Append { tenant: TENANT, streams: vec![append], receipt: None }).await.unwrap();
    let last = super::event("ChannelDeactivated", &json!("Deactivated"));
    let append = StreamAppend { stream: channel(), expected: 2, events: vec![last] };
    log.append(Append { tenant: TENANT, streams: vec![append], receipt: None }).await.unwrap();

    let mut timeline = log.timeline(channel()).unwrap();
    let first = timeline.next().await.unwrap().unwrap();
    assert!(first.after.is_ok() && first.fault().is_none());
    let second = timeline.next().await.unwrap().unwrap();
    assert_eq!(second.after.as_ref().unwrap_err().sequence, 2);
    assert!(second.before.is_ok() && second.changes().is_err());
    assert!(second.fault().is_some_and(|fault| fault.contains("ChannelTeamsChanged")), "{:?}", second.fault());
    let third = timeline.next().await.unwrap().unwrap();
    assert!(third.before.is_err() && third.after.is_err());
    assert_eq!(third.fault(), None, "the fault is the second's");
    assert!(timeline.next().await.unwrap().is_none());

    let moments = [Moment::Sequence(1), Moment::Sequence(2), Moment::END];
    let [before, at, after] = log.timeline(channel()).unwrap().states_at(moments).await.unwrap().unwrap();
    assert!(before.state.is_ok() && at.state.is_err() && after.state.is_err());
    assert_eq!((at.sequence, after.sequence), (2, 3));
    let sought = log.timeline(channel()).unwrap().first(|state| state["active"] == false).await;
    assert!(matches!(sought, Err(FirstError::Unreadable(error)) if error.sequence == 2));
    let found = log.timeline(channel()).unwrap().first(|state| state["active"] == true).await.unwrap();
    assert_eq!(found.unwrap().event.sequence, 1, "what comes later is no matter");
}

#[tokio::test]
async fn a_timeline_of_a_tenant_ends_before_what_is_of_another() {
    let database = fresh_database().await;
    let (log, _tasks) = open(&database).await;
    let other = AccountId::from_bytes([2; 12]);
    // A name that one account has let go of, and another has taken.
    let claim = StreamId::of::<Claim>("0123456789abcdef0123456789abcdef");
    let claimed = |holder: &str| ClaimEvent::Claimed { kind: ClaimKind::UserName, holder: holder.to_owned() };
    write(&log, &claim, TENANT, &[(claimed("a"), at(1)), (ClaimEvent::Released, at(2))]).await;
    write(&log, &claim, other, &[(claimed("b"), at(3))]).await;

    let steps = async |tenant: AccountId| {
        let mut timeline = log.timeline(claim.clone()).unwrap().of(tenant);
        let mut steps = 0;
        while let Some(step) = timeline.next().await.unwrap() {
            assert_eq!(step.event.tenant_id, tenant);
            steps += 1;
        }
        steps
    };
    assert_eq!((steps(TENANT).await, steps(other).await), (2, 0));
    let then = log.timeline(claim.clone()).unwrap().of(other).states_at([Moment::END]).await.unwrap();
    assert_eq!(then, None);
    let [then] = log.timeline(claim).unwrap().of(TENANT).states_at([Moment::END]).await.unwrap().unwrap();
    assert_eq!((then.sequence, then.state), (2, Ok(Value::Null.into())));

    let unknown = log.timeline(StreamId::new("thing", "x")).err().unwrap();
    assert!(unknown.to_string().starts_with("there is no aggregate type `thing`; types are account, "), "{unknown}");
}

#[tokio::test]
async fn the_first_event_of_ten_thousand_that_made_something_so_is_found() {
    let database = fresh_database().await;
    let (log, _tasks) = open(&database).await;
    const EVENTS: u32 = 10_000;
    // Never the same team twice, and the channel is active again right after each time that it was not.
    let mut events = vec![(connected(), at(0))];
    events.extend((1..EVENTS).map(|number| {
        let event = match number {
            6_789 | 8_000 => ChannelEvent::Deactivated,
            6_790 | 8_001 => ChannelEvent::Reactivated,
            _ => teams(number),
        };
        (event, at(i64::from(number)))
    }));
    write(&log, &channel(), TENANT, &events).await;

    let first = async |path: &str, value: Value| {
        let condition = Condition::new(path, value).unwrap();
        log.timeline(channel()).unwrap().first(|state| condition.holds(state)).await.unwrap()
    };
    // Not so before nor right after: halving would not find it.
    let step = first("$.active", json!(false)).await.unwrap();
    assert_eq!((step.event.sequence, step.event.event_type.as_str()), (6_790, "ChannelDeactivated"));
    assert_eq!(step.changes().unwrap().len(), 1);
    let ChannelEvent::TeamsChanged { team_ids } = teams(9_999) else { unreachable!() };
    assert_eq!(first("$.teamIds[0]", json!(team_ids[0])).await.unwrap().event.sequence, 10_000);
    assert_eq!(first("$.name", json!("One")).await.unwrap().event.sequence, 1);
    assert!(first("$.name", json!("Two")).await.is_none());
}
