//! `clw-bench compare`: what changed between two results, and whether it is more than noise.
//!
//! Rates are compared by a two-proportion z-test, percentiles by the order statistics around them: where the intervals that
//! hold the true percentile 99 times in 100 do not touch, the difference is more than the noise of that many samples. (It
//! can still be another hour's load on the machine: run both in turn.)

use clw_core::histogram::Histogram;
use clw_core::report::Report;
use clw_core::units::show_duration;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

/// 99 % of a normal distribution lies within this many standard deviations.
const Z: f64 = 2.576;

/// One line of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// What.
    pub metric: String,
    /// In the first result; percent, a count or microseconds.
    pub before: f64,
    /// In the second.
    pub after: f64,
    /// More than noise.
    pub significant: bool,
    /// `better`, `worse` or `same` as far as the figures carry.
    pub judgement: &'static str,
    #[serde(skip)]
    shown: (String, String),
}

/// Everything that can be compared.
pub fn compare(a: &Report, b: &Report) -> Vec<Change> {
    let mut changes = vec![
        rate(
            "error rate",
            (a.errors(), a.sessions.started),
            (b.errors(), b.sessions.started),
        ),
        plain("uptime", a.uptime_pct, b.uptime_pct),
    ];
    let verdicts: BTreeSet<_> = a
        .verdicts
        .keys()
        .chain(b.verdicts.keys())
        .filter(|v| *v != "ok")
        .collect();
    for verdict in verdicts {
        let of = |r: &Report| (r.verdicts.get(verdict).copied().unwrap_or(0), r.sessions.started);
        changes.push(rate(verdict, of(a), of(b)));
    }
    for (name, before) in &a.histograms {
        let Some(after) = b.histograms.get(name).filter(|_| name != "schedule_lag") else {
            continue;
        };
        for (label, q) in [("p50", 0.5), ("p99", 0.99)] {
            changes.push(percentile(&format!("{name} {label}"), before, after, q));
        }
    }
    changes
}

/// Shares of sessions; less is better.
fn rate(metric: &str, a: (u64, u64), b: (u64, u64)) -> Change {
    let share = |(n, of): (u64, u64)| if of == 0 { 0.0 } else { n as f64 / of as f64 };
    let (x, y) = (share(a), share(b));
    let all = (a.1 + b.1).max(1) as f64;
    let pooled = (a.0 + b.0) as f64 / all;
    let error = (pooled * (1.0 - pooled) * (1.0 / a.1.max(1) as f64 + 1.0 / b.1.max(1) as f64)).sqrt();
    let significant = error > 0.0 && (x - y).abs() / error > Z;
    let show = |v: f64| format!("{:.3} %", v * 100.0);
    change(metric, x * 100.0, y * 100.0, significant, (show(x), show(y)))
}

/// Uptime: no test fits, so a tenth of a percent counts.
fn plain(metric: &str, a: f64, b: f64) -> Change {
    let show = |v: f64| format!("{v:.3} %");
    let mut change = change(metric, a, b, (a - b).abs() > 0.1, (show(a), show(b)));
    if change.significant {
        change.judgement = if b > a { "better" } else { "worse" };
    }
    change
}

fn percentile(metric: &str, before: &Histogram, after: &Histogram, quantile: f64) -> Change {
    let (old, new) = (before.at_quantile_us(quantile), after.at_quantile_us(quantile));
    let significant = match (interval(before, quantile), interval(after, quantile)) {
        // A histogram's own resolution is 0.1 %.
        (Some(a), Some(b)) => a.1 as f64 * 1.001 < b.0 as f64 || b.1 as f64 * 1.001 < a.0 as f64,
        _ => false,
    };
    let show = |us| show_duration(Duration::from_micros(us));
    change(
        metric,
        old as f64,
        new as f64,
        significant,
        (show(old), show(new)),
    )
}

/// Where the true quantile lies with 99 % confidence: between two order statistics. `None`: too few samples.
fn interval(histogram: &Histogram, q: f64) -> Option<(u64, u64)> {
    let n = histogram.len() as f64;
    let spread = Z * (n * q * (1.0 - q)).sqrt();
    let (low, high) = ((n * q - spread) / n, (n * q + spread) / n);
    (n * q.min(1.0 - q) >= 5.0).then(|| {
        (
            histogram.at_quantile_us(low.clamp(0.0, 1.0)),
            histogram.at_quantile_us(high.clamp(0.0, 1.0)),
        )
    })
}

fn change(metric: &str, before: f64, after: f64, significant: bool, shown: (String, String)) -> Change {
    let judgement = match (significant, after < before) {
        (false, _) => "same",
        (true, true) => "better",
        (true, false) => "worse",
    };
    Change {
        metric: metric.to_owned(),
        before,
        after,
        significant,
        judgement,
        shown,
    }
}

/// The comparison as a table, changes first.
pub fn render(changes: &[Change], a: &str, b: &str) -> String {
    let mut out = String::new();
    let (real, noise): (Vec<_>, Vec<_>) = changes.iter().partition(|c| c.significant);
    // Writing to a String cannot fail.
    let _ = writeln!(out, "A {a}\nB {b}\n");
    if real.is_empty() {
        let _ = writeln!(out, "No difference that is more than noise.");
    }
    for (heading, list) in [("More than noise", real), ("Within noise", noise)] {
        if list.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{heading}\n  {:<26} {:>12} {:>12}", "", "A", "B");
        for c in list {
            let sign = match c.judgement {
                "better" => "\u{2713} better",
                "worse" => "\u{2717} worse",
                _ => "",
            };
            let factor = if c.before > 0.0 && c.significant {
                format!("\u{d7} {:.2}", c.after / c.before)
            } else {
                String::new()
            };
            let line = format!(
                "  {:<26} {:>12} {:>12}  {factor:<8} {sign}",
                c.metric, c.shown.0, c.shown.1
            );
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(failed: u64, started: u64, factor: u64) -> Report {
        let mut report = Report::default();
        report.sessions.started = started;
        report.verdicts.insert("clw-auth-failed".to_owned(), failed);
        let mut ready = Histogram::new();
        for i in 1..=1000 {
            ready.record(Duration::from_micros((1000 + i) * factor));
        }
        report.histograms.insert("ready".to_owned(), ready);
        report.derive();
        report
    }

    #[test]
    fn a_result_does_not_differ_from_itself() {
        assert!(
            compare(&report(5, 1000, 1), &report(5, 1000, 1))
                .iter()
                .all(|c| !c.significant)
        );
    }

    #[test]
    fn a_real_change_is_told_and_a_small_one_is_noise() {
        let judged = |b: &Report, metric: &str| {
            let changes = compare(&report(5, 1000, 1), b);
            changes
                .into_iter()
                .find(|c| c.metric == metric)
                .unwrap()
                .judgement
        };
        assert_eq!(judged(&report(100, 1000, 1), "error rate"), "worse");
        assert_eq!(judged(&report(6, 1000, 1), "error rate"), "same");
        assert_eq!(judged(&report(5, 1000, 2), "ready p50"), "worse");
    }

    #[test]
    fn the_table_shows_what_changed_first() {
        let text = render(
            &compare(&report(5, 1000, 1), &report(100, 1000, 1)),
            "a.json",
            "b.json",
        );
        assert!(text.find("More than noise").unwrap() < text.find("Within noise").unwrap());
        assert!(text.contains("worse"));
    }
}
