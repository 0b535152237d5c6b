//! Judging each figure.

use super::interval::{newcombe, percentile_interval};
use clw_core::report::Report;
use clw_core::threshold::Unit;
use clw_core::verdict::Verdict;
use serde::Serialize;

/// What a difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// The figures are equal.
    Same,
    /// They differ by no more than chance explains.
    Noise,
    /// More than noise, but by less than [`SLIGHT_PCT`] percent: real, and hardly worth acting on.
    Slight,
    /// More than noise, for the better.
    Better,
    /// More than noise, for the worse.
    Worse,
    /// There is too little to tell.
    TooFew,
    /// One side has no such figure.
    OneSided,
}

/// Latencies that differ by less than this many percent are no news, however sure the difference is: with enough
/// sessions any difference is sure.
pub const SLIGHT_PCT: f64 = 2.0;

/// One figure of both results.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// `uptime`, `error_rate`, a verdict, `ready_p99` …
    pub name: String,
    /// The unit of the figures.
    pub unit: Unit,
    /// Before; `None` if it was not measured.
    pub before: Option<f64>,
    /// After; `None` if it was not measured.
    pub after: Option<f64>,
    /// Difference in percent of before; `None` from zero or nothing.
    pub change_pct: Option<f64>,
    /// What it is.
    pub judgement: Judgement,
}

/// Two results side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// `clw.compare/1`
    pub schema: &'static str,
    /// Confidence of each judgement, in percent.
    pub confidence_pct: f64,
    /// Why the two may not be comparable.
    pub warnings: Vec<String>,
    /// Uptime, error rate, endings, percentiles.
    pub changes: Vec<Change>,
    /// Something got worse by more than noise.
    pub worse: bool,
}

/// Compares two results. Pure: no files, no terminal.
pub fn compare(before: &Report, after: &Report) -> Comparison {
    let mut changes = vec![uptime(before, after), error_rate(before, after)];
    for verdict in Verdict::ALL {
        changes.extend(ending(verdict, before, after));
    }
    let names: std::collections::BTreeSet<&str> = [before, after]
        .into_iter()
        .flat_map(|report| report.histograms.iter().map(|(name, _)| name))
        .collect();
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_by_key(|name| (rank(name), *name));
    for name in names {
        for (label, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)] {
            changes.push(percentile(name, label, quantile, before, after));
        }
    }
    Comparison {
        schema: "clw.compare/1",
        confidence_pct: 99.0,
        warnings: warnings(before, after),
        worse: changes.iter().any(|change| change.judgement == Judgement::Worse),
        changes,
    }
}

/// Ready first, then the stages in order, then the rest.
fn rank(name: &str) -> usize {
    const ORDER: [&str; 11] = [
        "ready",
        "ready_service",
        "tcp_connect",
        "tls",
        "upgrade",
        "challenge",
        "auth",
        "time_to_ready",
        "heartbeat_rtt",
        "tick_gap",
        "schedule_lag",
    ];
    ORDER
        .iter()
        .position(|known| *known == name)
        .unwrap_or(ORDER.len())
}

/// Uptime is time, not a count of trials. Sessions are the trials: a run of 100 sessions knows uptime no better than
/// 100 trials would, however long they lasted.
fn uptime(before: &Report, after: &Report) -> Change {
    let trials = |report: &Report| {
        let whole = report.sessions.started as f64;
        (report.uptime_pct / 100.0 * whole, whole)
    };
    let (a, b) = (trials(before), trials(after));
    Change {
        judgement: judge_rate(a, b, true),
        ..change(
            "uptime",
            Unit::Percent,
            measured(before, before.uptime_pct),
            measured(after, after.uptime_pct),
        )
    }
}

fn error_rate(before: &Report, after: &Report) -> Change {
    let trials = |report: &Report| (report.errors() as f64, report.sessions.started as f64);
    Change {
        judgement: judge_rate(trials(before), trials(after), false),
        ..change(
            "error_rate",
            Unit::Percent,
            measured(before, before.error_rate_pct),
            measured(after, after.error_rate_pct),
        )
    }
}

fn measured(report: &Report, value: f64) -> Option<f64> {
    (report.sessions.started > 0).then_some(value)
}

/// The share of started sessions with this verdict, if either result has one.
fn ending(verdict: Verdict, before: &Report, after: &Report) -> Option<Change> {
    let (a, b) = (before.verdicts[verdict.index()], after.verdicts[verdict.index()]);
    if a == 0 && b == 0 {
        return None;
    }
    let share = |count: u64, report: &Report| {
        measured(report, clw_core::uptime::percent(count, report.sessions.started))
    };
    let trials = |count: u64, report: &Report| (count as f64, report.sessions.started as f64);
    let judgement = if matches!(verdict, Verdict::Open | Verdict::Incomplete) {
        // Neither good nor bad: how many sessions were still open when the run ended.
        if a == b { Judgement::Same } else { Judgement::Noise }
    } else {
        judge_rate(trials(a, before), trials(b, after), verdict == Verdict::Ok)
    };
    Some(Change {
        judgement,
        ..change(verdict.name(), Unit::Percent, share(a, before), share(b, after))
    })
}

fn judge_rate(before: (f64, f64), after: (f64, f64), more_is_better: bool) -> Judgement {
    if before.1 <= 0.0 || after.1 <= 0.0 {
        return Judgement::OneSided;
    }
    if (before.0 / before.1 - after.0 / after.1).abs() < 1e-12 {
        return Judgement::Same;
    }
    let (low, high) = newcombe(before, after);
    match (low > 0.0, high < 0.0) {
        (false, false) => Judgement::Noise,
        (rose, _) if rose == more_is_better => Judgement::Better,
        _ => Judgement::Worse,
    }
}

fn percentile(name: &str, label: &str, quantile: f64, before: &Report, after: &Report) -> Change {
    let (a, b) = (before.histograms.get(name), after.histograms.get(name));
    let value = |histogram: Option<&clw_core::histogram::Histogram>| {
        histogram.map(|h| h.quantile_us(quantile) as f64)
    };
    let judgement = match (a, b) {
        (Some(a), Some(b)) => {
            let (from, to) = (a.quantile_us(quantile), b.quantile_us(quantile));
            let sure = |judgement| {
                if slight(from, to) {
                    Judgement::Slight
                } else {
                    judgement
                }
            };
            match (percentile_interval(a, quantile), percentile_interval(b, quantile)) {
                _ if from == to => Judgement::Same,
                (Some((_, high)), Some((low, _))) if low > high => sure(Judgement::Worse),
                (Some((low, _)), Some((_, high))) if high < low => sure(Judgement::Better),
                (Some(_), Some(_)) => Judgement::Noise,
                _ => Judgement::TooFew,
            }
        }
        _ => Judgement::OneSided,
    };
    Change {
        judgement,
        ..change(&format!("{name}_{label}"), Unit::Micros, value(a), value(b))
    }
}

fn slight(from: u64, to: u64) -> bool {
    from.abs_diff(to) as f64 * 100.0 < from as f64 * SLIGHT_PCT
}

fn change(name: &str, unit: Unit, before: Option<f64>, after: Option<f64>) -> Change {
    let change_pct = match (before, after) {
        (Some(before), Some(after)) if before > 0.0 => Some((after - before) / before * 100.0),
        _ => None,
    };
    Change {
        name: name.to_owned(),
        unit,
        before,
        after,
        change_pct,
        judgement: Judgement::Same,
    }
}

fn warnings(before: &Report, after: &Report) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut differ = |what: &str, a: String, b: String| {
        if a != b {
            warnings.push(format!("the two differ in {what}: {a} and {b}"));
        }
    };
    differ(
        "dialect",
        before.target.dialect.to_string(),
        after.target.dialect.to_string(),
    );
    differ("target", before.target.url.clone(), after.target.url.clone());
    let version = |report: &Report| {
        report
            .target
            .server_version
            .clone()
            .unwrap_or_else(|| "unknown".to_owned())
    };
    differ("server version", version(before), version(after));
    differ(
        "release of clw-bench",
        before.tool_version.clone(),
        after.tool_version.clone(),
    );
    if let (Some(a), Some(b)) = (before.plan.as_object(), after.plan.as_object()) {
        let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for key in keys.into_iter().filter(|key| key.as_str() != "asked") {
            let text = |fields: &serde_json::Map<String, serde_json::Value>| {
                fields
                    .get(key)
                    .map_or_else(|| "not set".to_owned(), ToString::to_string)
            };
            differ(&format!("plan.{key}"), text(a), text(b));
        }
    }
    for (name, report) in [("before", before), ("after", after)] {
        if report.generator.fell_behind {
            warnings.push(format!(
                "in `{name}` the generator fell behind: its latencies are in part its own"
            ));
        }
        if report.interrupted {
            warnings.push(format!("`{name}` was interrupted"));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use clw_core::histogram::Histogram;
    use clw_core::report::RunInfo;
    use clw_core::snapshot::Totals;

    fn report(errors: u64, started: u64, latency: impl Fn(u64) -> u64) -> Report {
        let mut totals = Totals::default();
        totals.counters.sessions.started = started;
        totals.counters.sessions.ready = started - errors;
        totals.counters.verdicts[Verdict::AuthFailed.index()] = errors;
        totals.counters.verdicts[Verdict::Ok.index()] = started - errors;
        let mut ready = Histogram::new();
        (0..started).for_each(|i| ready.record_us(latency(i)));
        totals.histograms.insert("ready", ready);
        Report::new(&totals, RunInfo::default())
    }

    fn judgement(comparison: &Comparison, name: &str) -> Judgement {
        comparison
            .changes
            .iter()
            .find(|change| change.name == name)
            .unwrap()
            .judgement
    }

    #[test]
    fn a_result_is_the_same_as_itself() {
        let report = report(5, 1000, |i| 1000 + i);
        let comparison = compare(&report, &report);
        assert!(
            comparison
                .changes
                .iter()
                .all(|change| change.judgement == Judgement::Same),
            "{comparison:?}"
        );
        assert!(!comparison.worse && comparison.warnings.is_empty());
    }

    #[test]
    fn one_error_more_in_a_thousand_is_noise_and_a_hundred_more_are_not() {
        let before = report(5, 1000, |i| 1000 + i);
        let near = compare(&before, &report(6, 1000, |i| 1000 + i));
        assert_eq!(judgement(&near, "error_rate"), Judgement::Noise);
        let far = compare(&before, &report(105, 1000, |i| 1000 + i));
        for name in ["error_rate", "uptime", "clw-auth-failed", "ok"] {
            assert_eq!(judgement(&far, name), Judgement::Worse, "{name}");
        }
        assert!(far.worse);
        let back = compare(&report(105, 1000, |i| 1000 + i), &before);
        assert_eq!(judgement(&back, "error_rate"), Judgement::Better);
    }

    #[test]
    fn percentiles_differ_when_their_intervals_do() {
        let before = report(0, 1000, |i| 1000 + i);
        let slower = compare(&before, &report(0, 1000, |i| 2000 + i));
        assert_eq!(judgement(&slower, "ready_p50"), Judgement::Worse);
        let slight = compare(&report(0, 1000, |_| 1000), &report(0, 1000, |_| 1010));
        assert_eq!(judgement(&slight, "ready_p50"), Judgement::Slight);
        assert!(!slight.worse);
        assert_eq!(judgement(&slower, "ready_p999"), Judgement::TooFew);
        let near = compare(&before, &report(0, 1000, |i| 1010 + i));
        assert_eq!(judgement(&near, "ready_p50"), Judgement::Noise);
        let without = compare(&before, &Report::new(&Totals::default(), RunInfo::default()));
        assert_eq!(judgement(&without, "ready_p50"), Judgement::OneSided);
        assert_eq!(judgement(&without, "error_rate"), Judgement::OneSided);
    }

    #[test]
    fn what_makes_two_runs_different_is_said() {
        let mut after = report(0, 10, |i| i);
        after.plan = serde_json::json!({"seed": 2, "asked": "x"});
        after.generator.fell_behind = true;
        let mut before = report(0, 10, |i| i);
        before.plan = serde_json::json!({"seed": 1, "asked": "y"});
        let warnings = compare(&before, &after).warnings;
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("plan.seed: 1 and 2"));
    }
}
