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

use super::{Context, EngineError, Projector, WAIT_POLL_INTERVAL, WAIT_POLL_INTERVAL_LED_HERE};

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

/// What an operator wants to know of a projection.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectionStatus {
    pub name: String,
    /// The version that this process knows.
    pub version: i32,
    /// The version of the tables that are read; `None` before the first start.
    pub stored_version: Option<i32>,
    pub position: Position,
    pub head: Position,
    pub lag_events: i64,
    /// The age of the first event not yet applied; 0 when there is none.
    pub lag_seconds: f64,
    /// How many streams are in quarantine.
    pub quarantined: i64,
    /// Whether this process does the work.
    pub led_here: bool,
    /// How far a rebuild has come, when one is under way or was left behind.
    pub rebuilt_to: Option<Position>,
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

    /// The state of every projection, as the database has it now, in order of name.
    ///
    /// # Errors
    /// When the database can not be asked.
    pub async fn status(&self) -> Result<Vec<ProjectionStatus>, EngineError> {
        let names: Vec<String> = self.0.each.keys().map(|&name| name.to_owned()).collect();
        let rows = sqlx::query!(
            r#"SELECT p.name AS "name!", live.version AS "version?", live.position AS "position?",
                      next.position AS "rebuilt_to?", head.position AS head,
                      (SELECT e.recorded_at FROM events e WHERE e.position = coalesce(live.position, 0) + 1) AS waiting_since,
                      (SELECT count(*) FROM projection_quarantine q
                       WHERE q.projection = p.name AND q.generation = 'live') AS "quarantined!"
               FROM unnest($1::text[]) AS p (name)
               CROSS JOIN log_head head
               LEFT JOIN projection_checkpoints live ON live.projection = p.name AND live.generation = 'live'
               LEFT JOIN projection_checkpoints next ON next.projection = p.name AND next.generation = 'next'
               ORDER BY p.name"#,
            &names
        )
        .fetch_all(self.0.context.database.pool())
        .await?;
        let now = self.0.context.clock.now();
        let statuses = rows.into_iter().map(|row| {
            let progress = self.0.each.get(row.name.as_str());
            let position = row.position.unwrap_or(0);
            let waiting = row.waiting_since.map_or(0, |since| (now - since).num_milliseconds().max(0));
            ProjectionStatus {
                version: progress.map_or(0, |progress| progress.version),
                led_here: progress.is_some_and(|progress| progress.led_here.load(Ordering::Relaxed)),
                name: row.name,
                stored_version: row.version,
                position,
                head: row.head,
                lag_events: (row.head - position).max(0),
                lag_seconds: waiting as f64 / 1_000.0,
                quarantined: row.quarantined,
                rebuilt_to: row.rebuilt_to,
            }
        });
        Ok(statuses.collect())
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
