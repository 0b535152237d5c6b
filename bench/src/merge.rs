//! `clw-bench merge`: several results as one, exactly: counts are added, histograms are added, everything else follows.

use clw_core::report::{Report, SCHEMA};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Results that cannot be read or joined.
#[derive(Debug, Error)]
pub enum MergeError {
    /// A file.
    #[error("{}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// Not a result.
    #[error("{}: not a result of clw-bench (line {line}, column {column}): {cause}", path.display())]
    NotAResult {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What is wrong.
        cause: String,
    },
    /// Another schema.
    #[error("{}: schema is `{found}`, this release reads {SCHEMA}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// Different things were measured.
    #[error("the results are of different {what} (`{a}` and `{b}`): joined they would mean nothing")]
    Different {
        /// What differs.
        what: &'static str,
        /// First.
        a: String,
        /// Other.
        b: String,
    },
    /// Nothing to join.
    #[error("no results to join")]
    Empty,
}

/// Reads a result file.
pub fn read(path: &Path) -> Result<Report, MergeError> {
    let text = std::fs::read_to_string(path).map_err(|cause| MergeError::Read {
        path: path.to_owned(),
        cause,
    })?;
    let report: Report = serde_json::from_str(&text).map_err(|e| MergeError::NotAResult {
        path: path.to_owned(),
        line: e.line(),
        column: e.column(),
        cause: e.to_string(),
    })?;
    if report.schema == SCHEMA {
        Ok(report)
    } else {
        Err(MergeError::Schema {
            path: path.to_owned(),
            found: report.schema,
        })
    }
}

/// Joins results of one plan's shards.
pub fn merge(reports: Vec<Report>) -> Result<Report, MergeError> {
    let mut reports = reports.into_iter();
    let mut sum = reports.next().ok_or(MergeError::Empty)?;
    for other in reports {
        if sum.target.dialect != other.target.dialect {
            return Err(MergeError::Different {
                what: "dialects",
                a: sum.target.dialect.to_string(),
                b: other.target.dialect.to_string(),
            });
        }
        add(&mut sum, other);
    }
    sum.thresholds.clear();
    sum.derive();
    sum.passed = true;
    Ok(sum)
}

fn add(sum: &mut Report, other: Report) {
    sum.started_at = std::mem::take(&mut sum.started_at).min(other.started_at);
    sum.duration_s = sum.duration_s.max(other.duration_s);
    sum.interrupted |= other.interrupted;
    if sum.target.url != other.target.url && !sum.target.url.contains(&other.target.url) {
        sum.target.url = format!("{}, {}", sum.target.url, other.target.url);
    }
    let (a, b) = (&mut sum.sessions, other.sessions);
    sum.heartbeat.counts.udp.add(&other.heartbeat.counts.udp);
    for (to, from) in [
        (&mut a.planned, b.planned),
        (&mut a.started, b.started),
        (&mut a.ready, b.ready),
        (&mut a.completed, b.completed),
        (&mut a.failed, b.failed),
        (&mut a.dropped, b.dropped),
        (&mut a.reconnected, b.reconnected),
        (&mut a.peak_open, b.peak_open),
        (&mut a.helpers, b.helpers),
        (&mut sum.heartbeat.counts.sent, other.heartbeat.counts.sent),
        (
            &mut sum.heartbeat.counts.answered,
            other.heartbeat.counts.answered,
        ),
        (&mut sum.heartbeat.counts.missed, other.heartbeat.counts.missed),
        (
            &mut sum.reconnect.counts.attempts,
            other.reconnect.counts.attempts,
        ),
        (
            &mut sum.reconnect.counts.succeeded,
            other.reconnect.counts.succeeded,
        ),
        (&mut sum.refresh.done, other.refresh.done),
        (&mut sum.refresh.refused, other.refresh.refused),
        (&mut sum.pairing.asked, other.pairing.asked),
        (&mut sum.pairing.approved, other.pairing.approved),
        (&mut sum.pairing.tokens, other.pairing.tokens),
        (&mut sum.pairing.fallbacks, other.pairing.fallbacks),
        (&mut sum.pairing.unkept, other.pairing.unkept),
        (&mut sum.notifications.new, other.notifications.new),
        (&mut sum.notifications.duplicates, other.notifications.duplicates),
        (&mut sum.bytes.sent, other.bytes.sent),
        (&mut sum.bytes.received, other.bytes.received),
        (&mut sum.frames.sent, other.frames.sent),
        (&mut sum.frames.received, other.frames.received),
        (&mut sum.broadcasts_lost, other.broadcasts_lost),
        (&mut sum.uptime.ready_us, other.uptime.ready_us),
        (&mut sum.uptime.meant_us, other.uptime.meant_us),
        (&mut sum.generator.rss_peak_bytes, other.generator.rss_peak_bytes),
        (&mut sum.generator.skipped_starts, other.generator.skipped_starts),
        (&mut sum.generator.workers, other.generator.workers),
        (&mut sum.generator.lost_sessions, other.generator.lost_sessions),
    ] {
        *to += from;
    }
    sum.generator.cpu_s += other.generator.cpu_s;
    sum.generator.lost_workers.extend(other.generator.lost_workers);
    for (to, from) in [
        (&mut sum.verdicts, other.verdicts),
        (&mut sum.drops, other.drops),
        (&mut sum.stages, other.stages),
        (&mut sum.close_codes, other.close_codes),
        (&mut sum.generator.errors, other.generator.errors),
    ] {
        add_counts(to, from);
    }
    for (method, errors) in other.calls {
        let to = sum.calls.entry(method).or_default();
        to.failed += errors.failed;
        to.unanswered += errors.unanswered;
    }
    for (name, histogram) in &other.histograms {
        sum.histograms.entry(name.clone()).or_default().add(histogram);
    }
    for (verdict, samples) in other.samples {
        let kept = sum.samples.entry(verdict).or_default();
        let room = 3usize.saturating_sub(kept.len());
        kept.extend(samples.into_iter().take(room));
    }
    for warning in other.warnings {
        if !sum.warnings.contains(&warning) {
            sum.warnings.push(warning);
        }
    }
}

fn add_counts(to: &mut BTreeMap<String, u64>, from: BTreeMap<String, u64>) {
    for (name, count) in from {
        *to.entry(name).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clw_core::histogram::Histogram;
    use std::time::Duration;

    fn report(ok: u64, failed: u64, millis: &[u64]) -> Report {
        let mut report = Report {
            schema: SCHEMA.to_owned(),
            ..Report::default()
        };
        report.sessions.started = ok + failed;
        report.sessions.ready = ok;
        report.verdicts.insert("ok".to_owned(), ok);
        report.verdicts.insert("clw-auth-failed".to_owned(), failed);
        let mut ready = Histogram::new();
        for ms in millis {
            ready.record(Duration::from_millis(*ms));
        }
        report.histograms.insert("ready".to_owned(), ready);
        report.derive();
        report
    }

    #[test]
    fn joined_results_are_what_one_run_would_have_given() {
        let whole = report(30, 10, &[1, 2, 3, 100, 200, 300]);
        let joined = merge(vec![report(10, 10, &[1, 200, 3]), report(20, 0, &[2, 100, 300])]).unwrap();
        assert_eq!(joined.latency_us, whole.latency_us);
        assert_eq!(joined.verdicts, whole.verdicts);
        assert!((joined.error_rate_pct - whole.error_rate_pct).abs() < 1e-9);
        assert!((joined.uptime_pct - whole.uptime_pct).abs() < 1e-9);
    }

    #[test]
    fn results_survive_their_file_form() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        std::fs::write(&path, serde_json::to_string(&report(3, 1, &[5, 6])).unwrap()).unwrap();
        let back = read(&path).unwrap();
        assert_eq!(back.latency_us, report(3, 1, &[5, 6]).latency_us);
    }

    #[test]
    fn a_file_that_is_no_result_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        for text in [
            "",
            "{",
            "[]",
            "{\"schema\":\"clw.bench/9\"}",
            "{\"schema\":\"clw.bench/1\",\"histograms\":{\"ready\":\"x\"}}",
        ] {
            std::fs::write(&path, text).unwrap();
            let says = read(&path).unwrap_err().to_string();
            assert!(says.contains("a.json"), "{says}");
        }
    }
}
