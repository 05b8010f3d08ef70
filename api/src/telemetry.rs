//! Logs and metrics of the process. Logs go to stderr: stdout belongs to machine-readable output.

use std::{io::IsTerminal, panic, time::Duration};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::settings::LogFormat;

/// Recorded values wait in memory until somebody scrapes, or until this has passed.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Upper bounds of the buckets of every histogram in seconds: from a cached read to the request timeout.
const SECONDS_BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// The same for histograms in milliseconds.
const MS_BUCKETS: &[f64] =
    &[1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 30_000.0];
/// For sizes of batches and the like.
const COUNT_BUCKETS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0];

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("the log filter is not valid: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("logging is set up already")]
    Logging(#[from] tracing_subscriber::util::TryInitError),
    #[error("metrics can not be set up: {0}")]
    Metrics(#[from] BuildError),
    #[error("metrics are set up already")]
    Recorder(#[from] metrics::SetRecorderError<PrometheusRecorder>),
}

/// Starts logging, and logs panics with their place instead of printing them.
///
/// # Errors
/// When the filter is malformed, or logging was started before.
pub fn start_logging(filter: &str, format: Option<LogFormat>) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(filter)?;
    let terminal = std::io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal { LogFormat::Pretty } else { LogFormat::Json });
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Pretty => registry.with(lines.with_ansi(terminal)).try_init()?,
        LogFormat::Json => registry.with(lines.json().flatten_event(true).with_span_list(false)).try_init()?,
    }
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let payload = panic.payload();
        let message = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
        tracing::error!(place, message, "panic");
    }));
    Ok(())
}

/// The figures of this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Becomes the recorder of the process, and keeps its memory bounded until `stop`. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the process has a recorder.
    pub fn install(stop: CancellationToken) -> Result<Self, TelemetryError> {
        let recorder = recorder()?;
        let metrics = Self(recorder.handle());
        metrics::set_global_recorder(recorder)?;
        let handle = metrics.0.clone();
        tokio::spawn(async move {
            while stop.run_until_cancelled(tokio::time::sleep(UPKEEP_EVERY)).await.is_some() {
                handle.run_upkeep();
            }
        });
        Ok(metrics)
    }

    /// In Prometheus text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// With a recorder of its own, for tests that read their own figures.
    #[cfg(test)]
    pub(crate) fn apart() -> (Self, PrometheusRecorder) {
        let recorder = recorder().unwrap();
        (Self(recorder.handle()), recorder)
    }
}

/// The JSON log of what `work` does on this thread.
#[cfg(test)]
pub(crate) fn capture(work: impl FnOnce()) -> String {
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let lines = Lines::default();
    let writer = lines.clone();
    let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
    let layer = layer.json().flatten_event(true).with_span_list(false);
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(layer));
    // While there is one dispatcher only, tracing asks the thread that first reaches a callsite whether anybody cares,
    // and remembers its answer for all threads: a test beside this one would switch lines off. With two, it asks both.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    tracing::dispatcher::with_default(&dispatch, work);
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

fn recorder() -> Result<PrometheusRecorder, BuildError> {
    Ok(PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS_BUCKETS)?
        .set_buckets_for_metric(Matcher::Suffix("_ms".to_owned()), MS_BUCKETS)?
        .set_buckets(COUNT_BUCKETS)?
        .build_recorder())
}
