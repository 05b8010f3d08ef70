//! What a unit of work promises to the use cases that are built on it.

use std::sync::Arc;

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use futures::FutureExt;
use palaver_commands::{CommandContext, CommandError, Commander};
use palaver_domain::{AccountId, Circumstances, Failure, FailureKind};
use palaver_eventstore::{
    APPEND_EVENTS_MAX, EventLog, QUEUE_APPENDS_MAX, StreamId,
    clock::SystemClock,
    ids::{Ids, SystemIds},
};
use serde::{Deserialize, Serialize};

/// Counts, and notices too late when it was asked for an odd number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Pairs(usize);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Counted {}

impl DomainEvent for Counted {
    fn event_type(&self) -> String {
        "Counted".to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("not in pairs")]
struct Odd;

impl From<Odd> for Failure {
    fn from(odd: Odd) -> Self {
        Self::new(FailureKind::Conflict, "ConflictError", odd.to_string())
    }
}

impl Aggregate for Pairs {
    const TYPE: &'static str = "pairs";
    type Command = usize;
    type Event = Counted;
    type Error = Odd;
    type Services = Circumstances;

    async fn handle(&mut self, count: usize, _: &Circumstances, sink: &EventSink<Self>) -> Result<(), Odd> {
        for _ in 0..count {
            sink.write(Counted {}, self).await;
        }
        if self.0.is_multiple_of(2) { Ok(()) } else { Err(Odd) }
    }

    fn apply(&mut self, _: Counted) {
        self.0 += 1;
    }
}

async fn commander(database: &palaver_tests::TestDatabase) -> Commander {
    let clock = Arc::new(SystemClock);
    let (log, _) = EventLog::open(database.connect().await, clock.clone(), QUEUE_APPENDS_MAX).await.unwrap();
    Commander::new(log, clock, Arc::new(SystemIds))
}

fn context() -> CommandContext {
    CommandContext::system(AccountId::from_bytes(SystemIds.object_id()), "test")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aggregate_that_refuses_halfway_leaves_nothing_behind() {
    let database = palaver_tests::fresh_database().await;
    let commander = commander(&database).await;
    let context = context();
    let run = commander.run(&context, |work| {
        async move {
            work.handle::<Pairs>("a", 2).await?;
            let refused = work.handle::<Pairs>("a", 3).await;
            assert!(matches!(refused, Err(CommandError::Refused(_))), "{refused:?}");
            assert_eq!(work.get::<Pairs>("a").await?.aggregate, Pairs(2));
            let after = work.handle::<Pairs>("a", 2).await?;
            Ok((after.aggregate.0, after.sequence))
        }
        .boxed()
    });
    assert_eq!(run.await.unwrap().value, (4, 4));
    let written = commander.log().read_stream(&StreamId::of::<Pairs>("a"), 0, 100).await.unwrap();
    assert_eq!(written.len(), 4);
    assert_eq!(commander.log().load::<Pairs>(&StreamId::of::<Pairs>("a")).await.unwrap().aggregate, Pairs(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_would_write_too_much_is_told_the_limit() {
    let database = palaver_tests::fresh_database().await;
    let commander = commander(&database).await;
    let context = context();
    let run = commander
        .run(&context, |work| async move { work.handle::<Pairs>("b", APPEND_EVENTS_MAX + 2).await.map(drop) }.boxed());
    let refused = run.await.unwrap_err();
    assert!(matches!(refused, CommandError::TooLarge { limit: APPEND_EVENTS_MAX, unit: "events" }), "{refused:?}");
    assert!(refused.to_string().contains("1000 events"), "{refused}");
    let written = commander.log().read_stream(&StreamId::of::<Pairs>("b"), 0, 100).await.unwrap();
    assert!(written.is_empty());
}
