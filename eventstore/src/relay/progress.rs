//! How the relay of this process is doing, for those who watch over the service.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
};

use metrics::{counter, gauge};

use crate::Position;

/// A handle to what the relay of this process knows. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Progress(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stream: String,
    connected: AtomicBool,
    leading: AtomicBool,
    position: AtomicI64,
    /// Counted here and told when the position is, not one by one.
    published: AtomicU64,
    duplicates: AtomicU64,
}

impl Progress {
    pub fn new(stream: String) -> Self {
        let (connected, leading) = (AtomicBool::new(false), AtomicBool::new(false));
        let (position, published, duplicates) = (AtomicI64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(Inner { stream, connected, leading, position, published, duplicates }))
    }

    pub fn connected(&self, connected: bool) {
        self.0.connected.store(connected, Ordering::Relaxed);
        gauge!("palaver_relay_connected", "stream" => self.0.stream.clone()).set(f64::from(connected));
    }

    pub fn is_connected(&self) -> bool {
        self.0.connected.load(Ordering::Relaxed)
    }

    pub fn is_leading(&self) -> bool {
        self.0.leading.load(Ordering::Relaxed)
    }

    pub fn published(&self, events: u64) {
        self.0.published.fetch_add(events, Ordering::Relaxed);
    }

    /// The stream had the event already.
    pub fn duplicate(&self) {
        self.0.duplicates.fetch_add(1, Ordering::Relaxed);
    }

    /// Everything up to `position` is in the stream.
    pub fn reached(&self, position: Position, head: Position) {
        let stream = &self.0.stream;
        self.0.position.store(position, Ordering::Relaxed);
        gauge!("palaver_relay_position", "stream" => stream.clone()).set(position as f64);
        gauge!("palaver_relay_lag_events", "stream" => stream.clone()).set((head - position).max(0) as f64);
        counter!("palaver_relay_published_total", "stream" => stream.clone())
            .increment(self.0.published.swap(0, Ordering::Relaxed));
        counter!("palaver_relay_duplicates_total", "stream" => stream.clone())
            .increment(self.0.duplicates.swap(0, Ordering::Relaxed));
    }

    pub fn failed(&self) {
        counter!("palaver_relay_errors_total", "stream" => self.0.stream.clone()).increment(1);
    }

    /// How far the leader is behind, when it can not move; `head` grows all the same.
    pub fn standing_still(&self, head: Position) {
        self.reached(self.0.position.load(Ordering::Relaxed), head);
    }

    /// Until the returned value is dropped, this process leads.
    pub fn leading(&self) -> Leading {
        let leading = Leading(self.clone());
        leading.set(true);
        leading
    }
}

pub(super) struct Leading(Progress);

impl Leading {
    fn set(&self, led_here: bool) {
        let inner = &self.0.0;
        inner.leading.store(led_here, Ordering::Relaxed);
        gauge!("palaver_relay_led_here", "stream" => inner.stream.clone()).set(f64::from(led_here));
        if !led_here {
            self.0.connected(false);
            // Whoever leads now knows these; the last ones seen here would be read as those of today.
            gauge!("palaver_relay_lag_events", "stream" => inner.stream.clone()).set(f64::NAN);
            gauge!("palaver_relay_position", "stream" => inner.stream.clone()).set(f64::NAN);
        }
    }
}

impl Drop for Leading {
    fn drop(&mut self) {
        self.set(false);
    }
}
