//! What was measured, and how it is told: a table for people, rows for programs.

use std::fmt::Write;

use crate::{ONE_BY_16, TEN_BY_16, Work, palaver, plain};

/// One measurement. `per_s` counts appends, whatever number of events each holds.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    pub per_s: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

#[derive(Debug, Default)]
pub struct Figures(Vec<Series>);

/// The measurements of one subject at one work, a round each.
#[derive(Debug)]
struct Series {
    work: Work,
    subject: &'static str,
    rounds: Vec<Measure>,
}

impl Figures {
    pub fn add(&mut self, round: usize, work: Work, subject: &'static str, measure: Measure) {
        eprintln!("round {round}  {}", told(work, subject, &measure));
        match self.0.iter_mut().find(|series| series.work == work && series.subject == subject) {
            Some(series) => series.rounds.push(measure),
            None => self.0.push(Series { work, subject, rounds: vec![measure] }),
        }
    }

    pub fn table(&self) -> String {
        let mut table = format!(
            "\n{:<10} {:<12} {:>7} {:>9} {:>9} {:>8} {:>8} {:>8}  {}\n",
            "work", "subject", "callers", "per s", "events/s", "p50 ms", "p99 ms", "x plain", "min..max per s"
        );
        for series in &self.0 {
            let ratio = self.to_plain(series).map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
            let (low, high) = (series.percentile(0.0, |m| m.per_s), series.percentile(1.0, |m| m.per_s));
            let line = told(series.work, series.subject, &series.median());
            writeln!(table, "{line} {ratio:>8}  {low:.0}..{high:.0}").unwrap_or_default();
        }
        for (work, at_least) in [(ONE_BY_16, 1.0), (crate::ONE_BY_256, 4.0), (TEN_BY_16, 0.9)] {
            let ours = self.0.iter().find(|series| series.work == work && series.subject == palaver::NAME);
            if let Some(ratio) = ours.and_then(|ours| self.to_plain(ours)) {
                let verdict = if ratio >= at_least { "reached" } else { "missed" };
                let Work { name, callers, .. } = work;
                writeln!(table, "{name} by {callers}: {ratio:.2} times plain INSERT, aim {at_least:.1}: {verdict}")
                    .unwrap_or_default();
            }
        }
        table
    }

    pub fn json(&self) -> String {
        let rows: Vec<_> = self
            .0
            .iter()
            .map(|series| {
                let Measure { per_s, p50_ms, p99_ms } = series.median();
                serde_json::json!({
                    "work": series.work.name,
                    "subject": series.subject,
                    "callers": series.work.callers,
                    "per_s": per_s.round(),
                    "p50_ms": p50_ms,
                    "p99_ms": p99_ms,
                })
            })
            .collect();
        format!("{:#}\n", serde_json::Value::from(rows))
    }

    /// The median over the rounds of how this did beside plain INSERT of as many events in the same round.
    fn to_plain(&self, series: &Series) -> Option<f64> {
        let plain =
            self.0.iter().find(|other| other.subject == plain::NAME && other.work.events == series.work.events)?;
        let ratios = series.rounds.iter().zip(&plain.rounds).map(|(ours, theirs)| ours.per_s / theirs.per_s);
        percentile(ratios.collect(), 0.5)
    }
}

impl Series {
    fn percentile(&self, share: f64, of: impl Fn(&Measure) -> f64) -> f64 {
        percentile(self.rounds.iter().map(of).collect(), share).unwrap_or(f64::NAN)
    }

    fn median(&self) -> Measure {
        Measure {
            per_s: self.percentile(0.5, |m| m.per_s),
            p50_ms: self.percentile(0.5, |m| m.p50_ms),
            p99_ms: self.percentile(0.5, |m| m.p99_ms),
        }
    }
}

fn told(work: Work, subject: &str, measure: &Measure) -> String {
    let Work { name, events, callers } = work;
    let Measure { per_s, p50_ms, p99_ms } = measure;
    let events_per_s = per_s * events as f64;
    format!("{name:<10} {subject:<12} {callers:>7} {per_s:>9.0} {events_per_s:>9.0} {p50_ms:>8.2} {p99_ms:>8.2}")
}

fn percentile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(((values.len().max(1) - 1) as f64 * share).round() as usize).copied()
}
