//! How far each projection has come, for those who wait for their own writes and those who watch over the service.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use palaver_eventstore::Position;
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, timeout_at},
};

use super::{Context, Projector, WAIT_POLL_INTERVAL, WAIT_POLL_INTERVAL_LED_HERE};

/// A handle to the progress of all projections of a process. Cheap to clone.
#[derive(Clone)]
pub struct Projections(Arc<Inner>);

struct Inner {
    context: Context,
    each: BTreeMap<&'static str, Progress>,
    /// Held by whoever asks the database, so that a hundred waiting readers ask once.
    asking: Mutex<()>,
}

struct Progress {
    version: i32,
    position: watch::Sender<Position>,
    led_here: AtomicBool,
}

/// The end of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    Reached,
    /// Time ran out while the slowest of the projections stood here.
    Behind {
        at: Position,
    },
}

impl Projections {
    pub(super) fn new(context: Context, projectors: &[Arc<dyn Projector>]) -> Self {
        let each = projectors.iter().map(|projector| {
            let progress = Progress {
                version: projector.version(),
                position: watch::Sender::new(0),
                led_here: AtomicBool::new(false),
            };
            (projector.name(), progress)
        });
        Self(Arc::new(Inner { context, each: each.collect(), asking: Mutex::new(()) }))
    }

    /// Waits until every named projection has applied everything up to `position`, but not longer than `timeout`.
    /// A name that this process does not know counts as never reached.
    pub async fn wait_for(&self, projections: &[&str], position: Position, timeout: Duration) -> Waited {
        let deadline = Instant::now() + timeout;
        let mut waited = Waited::Reached;
        for name in projections {
            let Some(progress) = self.0.each.get(name) else {
                tracing::error!(projection = name, "a reader waits for a projection that is not there");
                return Waited::Behind { at: 0 };
            };
            if !self.reached(progress, position, deadline).await {
                let at = *progress.position.borrow();
                waited = match waited {
                    Waited::Behind { at: slowest } => Waited::Behind { at: at.min(slowest) },
                    Waited::Reached => Waited::Behind { at },
                };
            }
        }
        waited
    }

    async fn reached(&self, progress: &Progress, position: Position, deadline: Instant) -> bool {
        let mut known = progress.position.subscribe();
        loop {
            if *known.borrow_and_update() >= position {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            let led_here = progress.led_here.load(Ordering::Relaxed);
            let patience = if led_here { WAIT_POLL_INTERVAL_LED_HERE } else { WAIT_POLL_INTERVAL };
            let ask_at = deadline.min(Instant::now() + patience);
            if timeout_at(ask_at, known.changed()).await.is_err()
                && let Ok(Err(error)) = timeout_at(deadline, self.ask()).await
            {
                tracing::warn!(%error, "the progress of the projections can not be asked");
            }
        }
    }

    /// Asks the database for all checkpoints, unless somebody else has just done so.
    async fn ask(&self) -> Result<(), sqlx::Error> {
        let Ok(_asking) = self.0.asking.try_lock() else {
            // Whoever asks tells everybody by the watch.
            drop(self.0.asking.lock().await);
            return Ok(());
        };
        let rows = sqlx::query!("SELECT projection, position FROM projection_checkpoints WHERE generation = 'live'");
        for row in rows.fetch_all(self.0.context.database.pool()).await? {
            self.publish(&row.projection, row.position);
        }
        Ok(())
    }

    /// A projection has applied everything up to `position`; it never goes back.
    pub(super) fn publish(&self, projection: &str, position: Position) {
        if let Some(progress) = self.0.each.get(projection) {
            progress.position.send_if_modified(|known| {
                let newer = position > *known;
                if newer {
                    *known = position;
                }
                newer
            });
        }
    }

    /// Until the returned value is dropped, this process leads the projection.
    pub(super) fn leading(&self, projection: &'static str) -> Leading {
        let leading = Leading { projections: self.clone(), projection };
        leading.set(true);
        leading
    }

    /// The names and versions of all projections that this process knows, in order of name.
    pub(super) fn known(&self) -> impl Iterator<Item = (&'static str, i32)> {
        self.0.each.iter().map(|(name, progress)| (*name, progress.version))
    }

    pub(super) fn is_led_here(&self, projection: &str) -> bool {
        self.0.each.get(projection).is_some_and(|progress| progress.led_here.load(Ordering::Relaxed))
    }

    pub(super) fn context(&self) -> &Context {
        &self.0.context
    }
}

pub(super) struct Leading {
    projections: Projections,
    projection: &'static str,
}

impl Leading {
    fn set(&self, led_here: bool) {
        if let Some(progress) = self.projections.0.each.get(self.projection) {
            progress.led_here.store(led_here, Ordering::Relaxed);
        }
        let projection = self.projection;
        metrics::gauge!("palaver_projection_led_here", "projection" => projection).set(f64::from(led_here));
        if !led_here {
            // Whoever leads now knows these; the last ones seen here would be read as those of today.
            metrics::gauge!("palaver_projection_lag_events", "projection" => projection).set(f64::NAN);
            metrics::gauge!("palaver_projection_lag_seconds", "projection" => projection).set(f64::NAN);
            metrics::gauge!("palaver_projection_position", "projection" => projection).set(f64::NAN);
            metrics::gauge!("palaver_projection_quarantined_streams", "projection" => projection).set(f64::NAN);
        }
    }
}

impl Drop for Leading {
    fn drop(&mut self) {
        self.set(false);
    }
}
