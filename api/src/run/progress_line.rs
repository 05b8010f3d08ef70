//! How far something long has come: one line on the terminal, written over and over. Where stderr is no terminal,
//! nothing is said.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use tokio::time::Instant;

/// Between two lines: often enough to look alive, seldom enough to be read.
const INTERVAL: Duration = Duration::from_millis(250);

pub(super) struct Progress {
    what: String,
    is_shown: bool,
    began: Option<(Instant, i64)>,
    told: Option<Instant>,
}

impl Progress {
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_shown: io::stderr().is_terminal(), began: None, told: None }
    }

    /// `done` of `all` events; the first call says where it begins.
    pub fn tell(&mut self, done: i64, all: i64) {
        let now = Instant::now();
        let (began, first) = *self.began.get_or_insert((now, done));
        if !self.is_shown || self.told.is_some_and(|told| now - told < INTERVAL) {
            return;
        }
        self.told = Some(now);
        // Nobody reads it if it can not be written.
        let _ = write!(io::stderr(), "\r\x1b[K{}", line(&self.what, done, all, done - first, now - began));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.told.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// `since` events were done in `time`.
fn line(what: &str, done: i64, all: i64, since: i64, time: Duration) -> String {
    let percent = (done.max(0) * 100).checked_div(all).unwrap_or(100);
    let mut line = format!("{what}: {done} of {all} events ({percent} %)");
    let per_second = since as f64 / time.as_secs_f64();
    if since > 0 && per_second.is_finite() {
        let left = (all - done).max(0) as f64 / per_second;
        line.push_str(&format!(", {per_second:.0} a second, {left:.0} s left"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_far_and_how_long() {
        let told = |done, all, since, seconds| line("forking", done, all, since, Duration::from_secs(seconds));
        assert_eq!(told(250, 1_000, 200, 10), "forking: 250 of 1000 events (25 %), 20 a second, 38 s left");
        assert_eq!(told(50, 1_000, 0, 0), "forking: 50 of 1000 events (5 %)");
        assert_eq!(told(0, 0, 0, 1), "forking: 0 of 0 events (100 %)");
    }
}
