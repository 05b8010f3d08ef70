//! Callers that each do one thing after another until time is up.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use crate::{figures::Measure, measured};

/// Connections are made and statements prepared before the clock starts.
const WARM_UP: Duration = Duration::from_millis(300);

/// Runs what `caller` makes for each of `callers`; it does one piece of work whenever it is called.
pub async fn measure<F, Work>(callers: usize, length: Duration, caller: impl Fn() -> F) -> Measure
where
    F: FnMut() -> Work + Send + 'static,
    Work: Future<Output = ()> + Send,
{
    let start = Instant::now() + WARM_UP;
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let mut work = caller();
            tokio::spawn(async move {
                let mut latencies_us = Vec::new();
                loop {
                    let began = Instant::now();
                    work().await;
                    let ended = Instant::now();
                    if ended > start + length {
                        return latencies_us;
                    }
                    if began >= start {
                        latencies_us.push(u32::try_from((ended - began).as_micros()).unwrap());
                    }
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    let per_s = all.len() as f64 / length.as_secs_f64();
    measured(all, per_s)
}
