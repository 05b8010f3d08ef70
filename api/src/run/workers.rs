//! The workers of a process, watched over: none of them may end before it is told to. A process that lives on without
//! one looks well from the outside and no longer does its work; one that ends is started again.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What runs beside the answering of requests. Dropped, it aborts what is still running.
#[derive(Default)]
pub(super) struct Workers {
    running: JoinSet<&'static str>,
    watched: JoinSet<&'static str>,
    stop: CancellationToken,
}

impl Workers {
    /// Starts a worker that ends soon after the token it is given says so.
    pub fn start<F>(&mut self, name: &'static str, worker: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let worker = AssertUnwindSafe(worker(self.stop.clone()));
        self.running.spawn(async move {
            // Where it panicked is in the log already.
            let _ = worker.catch_unwind().await;
            name
        });
    }

    /// Watches over what somebody else runs and stops.
    pub fn watch(&mut self, name: &'static str, ended: impl Future<Output = ()> + Send + 'static) {
        self.watched.spawn(async move {
            ended.await;
            name
        });
    }

    /// Completes when one of them has ended, which none of them should have.
    pub async fn ended_early(&mut self) -> &'static str {
        let ended = tokio::select! {
            Some(ended) = self.running.join_next() => ended,
            Some(ended) = self.watched.join_next() => ended,
            else => return std::future::pending().await,
        };
        let name = ended.unwrap_or("worker");
        tracing::error!(worker = name, "a worker has ended that was not told to; the process stops");
        name
    }

    /// Tells them to stop, and returns when they have.
    pub async fn stop(mut self) {
        self.watched.abort_all();
        self.stop.cancel();
        while self.running.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        time::Duration,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_ends_or_panics_too_early_is_named_and_the_others_are_stopped_in_good_order() {
        for (panics, watched) in [(false, false), (true, false), (false, true)] {
            let mut workers = Workers::default();
            let finished = Arc::new(AtomicBool::new(false));
            let at_the_end = finished.clone();
            workers.start("faithful", |stop| async move {
                stop.cancelled().await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                at_the_end.store(true, Ordering::SeqCst);
            });
            let quiet = tokio::time::timeout(Duration::from_secs(3_600), workers.ended_early()).await;
            assert!(quiet.is_err(), "nobody has ended yet");
            if watched {
                workers.watch("faithless", async {});
            } else {
                workers.start("faithless", move |_| async move { assert!(!panics, "as a defect would") });
            }
            assert_eq!(workers.ended_early().await, "faithless");
            assert!(!finished.load(Ordering::SeqCst));
            workers.stop().await;
            assert!(finished.load(Ordering::SeqCst));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_without_workers_waits() {
        let mut none = Workers::default();
        assert!(tokio::time::timeout(Duration::from_secs(3_600), none.ended_early()).await.is_err());
    }
}
