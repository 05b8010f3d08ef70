//! Palaver's log: every append is a new stream's first events, checked against the stream like any other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use palaver_domain::AccountId;
use palaver_eventstore::{
    Append, Database, EventLog, LogTasks, QUEUE_APPENDS_MAX, StreamAppend, clock::SystemClock, ids::SystemIds,
};

use crate::{
    Work, callers,
    figures::Measure,
    sample::{self, Sample},
};

pub const NAME: &str = "palaver";

pub struct Subject {
    log: EventLog,
    _tasks: LogTasks,
    sample: Arc<Sample>,
    tenants: Vec<AccountId>,
}

impl Subject {
    pub async fn open(database: Database, sample: &Sample) -> Self {
        let (log, tasks) = EventLog::open(database, Arc::new(SystemClock), QUEUE_APPENDS_MAX).await.unwrap();
        Self { log, _tasks: tasks, sample: Arc::new(sample.clone()), tenants: sample::tenants() }
    }

    pub async fn measure(&self, work: Work, length: Duration) -> Measure {
        let before = self.log.head().await.unwrap();
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let measure = callers::measure(work.callers, length, || {
            let (log, sample, tenants) = (self.log.clone(), self.sample.clone(), self.tenants.clone());
            let acknowledged = acknowledged.clone();
            move || {
                let append = append(&sample, &tenants, work.events);
                let (log, acknowledged) = (log.clone(), acknowledged.clone());
                async move {
                    log.append(append).await.unwrap();
                    acknowledged.fetch_add(work.events, Ordering::Relaxed);
                }
            }
        })
        .await;
        let head = self.log.head().await.unwrap();
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE position > $1 AND position <= $2")
            .bind(before)
            .bind(head)
            .fetch_one(self.log.database().pool())
            .await
            .unwrap();
        let acknowledged = acknowledged.load(Ordering::Relaxed) as i64;
        assert_eq!((kept, head - before), (acknowledged, acknowledged), "the log is not what was acknowledged");
        measure
    }
}

fn append(sample: &Sample, tenants: &[AccountId], events: usize) -> Append {
    let stream = sample::stream(&SystemIds);
    // The stream's id is random, so its bytes spread the appends over the tenants.
    let chance = stream.aggregate_id.bytes().map(usize::from).sum::<usize>();
    Append {
        tenant: tenants[chance % tenants.len()],
        streams: vec![StreamAppend {
            stream,
            expected: 0,
            events: (0..events).map(|_| sample.event(&SystemIds)).collect(),
        }],
        receipt: None,
    }
}
