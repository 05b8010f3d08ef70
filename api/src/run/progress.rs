//! How far a long command is, told on stderr: by a bar where somebody watches, by plain lines where a terminal is missing
//! and lines are wanted. What came of it is said elsewhere.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

/// Between two lines.
const LINE_INTERVAL: Duration = Duration::from_secs(2);
const BAR: &str = "{prefix} {wide_bar} {percent:>3}%  {msg}, {eta} left";
const SPINNER: &str = "{prefix} {spinner} {msg}";

/// What to do where stderr is no terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Otherwise {
    Lines,
    Silence,
}

/// A long command under way.
pub(super) struct Progress {
    what: String,
    began: Instant,
    shown: Shown,
}

enum Shown {
    Bar(ProgressBar),
    Lines { told: Instant },
    Nothing,
}

/// How far it is: `done` of `total`, when that is known, and how many events that came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    pub done: u64,
    pub total: Option<u64>,
    pub events: u64,
}

impl Progress {
    /// `what` is what is done, such as `export`.
    pub fn begin(what: impl Into<String>, otherwise: Otherwise) -> Self {
        let (what, began) = (what.into(), Instant::now());
        let shown = if io::stderr().is_terminal() {
            // However it ends, the bar gives its line back.
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            Shown::Bar(bar.with_prefix(what.clone()).with_finish(ProgressFinish::AndClear))
        } else if otherwise == Otherwise::Lines {
            Shown::Lines { told: began }
        } else {
            Shown::Nothing
        };
        Self { what, began, shown }
    }

    /// Where what is done and all that is to do are events.
    pub fn tell(&mut self, done: i64, all: i64) {
        let done = u64::try_from(done).unwrap_or_default();
        self.reached(Reached { done, total: Some(u64::try_from(all).unwrap_or_default()), events: done });
    }

    pub fn reached(&mut self, reached: Reached) {
        let elapsed = self.began.elapsed();
        match &mut self.shown {
            Shown::Bar(bar) => {
                let template = if reached.total.is_some() { BAR } else { SPINNER };
                // A template of ours that can not be read would be a fault, but none that should end a long command.
                if bar.length() != reached.total
                    && let Ok(style) = ProgressStyle::with_template(template)
                {
                    bar.set_style(style);
                }
                if let Some(total) = reached.total {
                    bar.set_length(total);
                }
                bar.set_position(reached.done);
                bar.set_message(counted(reached.events, elapsed));
            }
            Shown::Lines { told } if told.elapsed() >= LINE_INTERVAL => {
                *told = Instant::now();
                tell(&line(&self.what, reached, elapsed));
            }
            Shown::Lines { .. } | Shown::Nothing => {}
        }
    }

    /// The end, well or not.
    pub fn end(self, reached: Reached) {
        match self.shown {
            Shown::Lines { .. } => tell(&line(&self.what, reached, self.began.elapsed())),
            Shown::Bar(_) | Shown::Nothing => {}
        }
    }
}

/// Says something beside the command's output. When stderr is gone, nobody is left to tell.
pub(super) fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn per_second(count: u64, elapsed: Duration) -> f64 {
    let seconds = elapsed.as_secs_f64();
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

fn counted(events: u64, elapsed: Duration) -> String {
    format!("{events} events, {:.0}/s", per_second(events, elapsed))
}

fn line(what: &str, Reached { done, total, events }: Reached, elapsed: Duration) -> String {
    let counted = counted(events, elapsed);
    let Some(total) = total else { return format!("{what}: {counted}") };
    let percent = if total == 0 { 100.0 } else { 100.0 * done as f64 / total as f64 };
    let rate = per_second(done, elapsed);
    if done >= total || rate <= 0.0 {
        return format!("{what}: {percent:.0}%, {counted}");
    }
    format!("{what}: {percent:.0}%, {counted}, about {:.0} s left", (total - done) as f64 / rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_much_how_fast_and_how_long_still() {
        let said = |done, total, seconds| {
            line("export", Reached { done, total, events: done / 2 }, Duration::from_secs(seconds))
        };
        assert_eq!(said(1_000, Some(4_000), 10), "export: 25%, 500 events, 50/s, about 30 s left");
        assert_eq!(said(4_000, Some(4_000), 10), "export: 100%, 2000 events, 200/s");
        assert_eq!(said(0, Some(4_000), 0), "export: 0%, 0 events, 0/s");
        assert_eq!(said(0, Some(0), 1), "export: 100%, 0 events, 0/s");
        assert_eq!(said(1_000, None, 10), "export: 500 events, 50/s");
    }
}
