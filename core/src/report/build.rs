//! From totals to a result, and back for merging.

use super::shape::{
    GeneratorHealth, HeartbeatReport, Latency, LostWorkers, ReconnectReport, Report, SCHEMA_VERSION,
    SessionsReport,
};
use crate::histogram::{Named, Summary};
use crate::snapshot::{Generator, Lost, Tag, Target, Totals};
use crate::tally::{Counters, Gauges, HeartbeatCounts, Metric, ReconnectCounts, SessionCounts, Uptime};
use crate::threshold::Threshold;
use crate::uptime::{error_rate_pct, uptime_pct};
use std::collections::BTreeMap;

/// The generator fell behind if the schedule lag's 99th percentile is above this: then response times hold a part that
/// is the generator's and not the gateway's.
pub const FELL_BEHIND_LAG_US: u64 = 10_000;

/// What a result says that was not counted.
#[derive(Clone, Debug, Default)]
pub struct RunInfo {
    /// The release that ran.
    pub tool_version: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// How long the run took, in seconds.
    pub duration_s: f64,
    /// It was stopped before its plan was done.
    pub interrupted: bool,
    /// What was loaded. Its `server_version` is filled from what servers told, if it is `None`.
    pub target: Target,
    /// What was asked, with its seed.
    pub plan: serde_json::Value,
    /// What a reader must know.
    pub warnings: Vec<String>,
}

impl Report {
    /// Makes a result. Thresholds are judged by [`Report::judge`].
    pub fn new(totals: &Totals, info: RunInfo) -> Self {
        let counters = &totals.counters;
        let of = |metric: Metric| totals.histograms.summary(metric.name());
        let mut target = info.target;
        if target.server_version.is_none() {
            target.server_version.clone_from(&totals.server_version);
        }
        let lag = of(Metric::ScheduleLag);
        let skipped_starts = counters.sessions.skipped_starts;
        Self {
            schema: Tag::default(),
            schema_version: SCHEMA_VERSION,
            tool_version: info.tool_version,
            started_at: info.started_at,
            duration_s: info.duration_s,
            interrupted: info.interrupted,
            target,
            plan: info.plan,
            sessions: SessionsReport::new(&counters.sessions, totals.gauges.peak_open),
            uptime_pct: uptime_pct(counters),
            error_rate_pct: error_rate_pct(counters),
            uptime_us: counters.uptime.into(),
            verdicts: counters.verdicts,
            drops: counters.drops,
            endings_by_stage: counters.stages,
            errors_by_stage: counters.error_stages,
            close_codes: counters.close_codes.clone(),
            reset_classes: counters.reset_classes,
            latency_us: Latency {
                tcp_connect: of(Metric::TcpConnect),
                tls: of(Metric::Tls),
                upgrade: of(Metric::Upgrade),
                challenge: of(Metric::Challenge),
                auth: of(Metric::Auth),
                ready: of(Metric::Ready),
                ready_service: of(Metric::ReadyService),
                rpc: by_call(&totals.histograms, "rpc."),
                rpc_service: by_call(&totals.histograms, "rpc_service."),
            },
            heartbeat: HeartbeatReport {
                sent: counters.heartbeat.sent,
                answered: counters.heartbeat.answered,
                missed: counters.heartbeat.missed,
                rtt_us: of(Metric::HeartbeatRtt),
                tick_gap_us: of(Metric::TickGap),
            },
            reconnect: ReconnectReport {
                attempts: counters.reconnect.attempts,
                succeeded: counters.reconnect.succeeded,
                time_to_ready_us: of(Metric::TimeToReady),
            },
            refreshes: counters.refreshes,
            rpc: counters.rpc.clone(),
            bytes: counters.bytes,
            frames: counters.frames,
            generator: GeneratorHealth {
                cpu_s: totals.generator.cpu_us as f64 / 1e6,
                rss_peak_bytes: totals.generator.rss_peak_bytes.max(totals.generator.rss_bytes),
                schedule_lag_us: lag,
                skipped_starts,
                errors: counters.generator_errors.clone(),
                lost: LostWorkers {
                    workers: totals.lost.sources.len() as u64,
                    sessions: totals.lost.sessions,
                },
                fell_behind: skipped_starts > 0 || lag.p99 > FELL_BEHIND_LAG_US,
            },
            thresholds: Vec::new(),
            passed: true,
            warnings: info.warnings,
            samples: totals.samples.clone(),
            histograms: totals.histograms.clone(),
        }
    }

    /// Judges thresholds and sets `thresholds` and `passed`.
    pub fn judge(&mut self, thresholds: &[Threshold]) {
        self.thresholds = thresholds
            .iter()
            .map(|threshold| threshold.evaluate(self))
            .collect();
        self.passed = self.thresholds.iter().all(|judged| judged.passed);
    }

    /// The totals that it was made from. `Report::new(&report.totals(), …)` gives the same figures.
    pub fn totals(&self) -> Totals {
        let sessions = &self.sessions;
        Totals {
            elapsed_us: 0,
            counters: Counters {
                sessions: SessionCounts {
                    planned: sessions.planned,
                    started: sessions.started,
                    ready: sessions.ready,
                    completed: sessions.completed,
                    failed: sessions.failed,
                    dropped: sessions.dropped,
                    reconnected: sessions.reconnected,
                    ended: sessions.ended,
                    skipped_starts: self.generator.skipped_starts,
                },
                verdicts: self.verdicts,
                drops: self.drops,
                stages: self.endings_by_stage,
                error_stages: self.errors_by_stage,
                close_codes: self.close_codes.clone(),
                reset_classes: self.reset_classes,
                heartbeat: HeartbeatCounts {
                    sent: self.heartbeat.sent,
                    answered: self.heartbeat.answered,
                    missed: self.heartbeat.missed,
                },
                reconnect: ReconnectCounts {
                    attempts: self.reconnect.attempts,
                    succeeded: self.reconnect.succeeded,
                },
                refreshes: self.refreshes,
                rpc: self.rpc.clone(),
                bytes: self.bytes,
                frames: self.frames,
                generator_errors: self.generator.errors.clone(),
                uptime: Uptime {
                    ready_us: self.uptime_us.ready,
                    meant_us: self.uptime_us.meant,
                },
            },
            gauges: Gauges {
                peak_open: sessions.peak_open,
                ..Gauges::default()
            },
            histograms: self.histograms.clone(),
            generator: Generator {
                cpu_us: micros(self.generator.cpu_s),
                rss_peak_bytes: self.generator.rss_peak_bytes,
                ..Generator::default()
            },
            samples: self.samples.clone(),
            lost: Lost {
                // Results keep the number of workers only; it is what they are shown by.
                sources: (0..self.generator.lost.workers.min(1 << 12))
                    .map(|i| format!("lost-{i}"))
                    .collect(),
                sessions: self.generator.lost.sessions,
            },
            server_version: self.target.server_version.clone(),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates; NaN becomes 0"
)]
fn micros(seconds: f64) -> u64 {
    (seconds * 1e6).round() as u64
}

fn by_call(histograms: &Named, prefix: &str) -> BTreeMap<String, Summary> {
    let calls = histograms.iter();
    calls
        .filter_map(|(name, histogram)| Some((name.strip_prefix(prefix)?.to_owned(), histogram.summary())))
        .collect()
}

impl Totals {
    /// Adds all of another run's.
    pub fn merge(&mut self, other: &Self) {
        self.elapsed_us = self.elapsed_us.max(other.elapsed_us);
        self.counters.merge(&other.counters);
        self.gauges.merge(&other.gauges);
        self.histograms.merge(&other.histograms);
        self.generator.merge(&other.generator);
        crate::snapshot::merge_samples(&mut self.samples, &other.samples);
        self.lost.sources.extend(other.lost.sources.iter().cloned());
        self.lost.sessions = self.lost.sessions.saturating_add(other.lost.sessions);
        if self.server_version.is_none() {
            self.server_version.clone_from(&other.server_version);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stage;
    use crate::snapshot::{Aggregate, Snapshot, Stamp};
    use crate::tally::Tally;
    use crate::verdict::Verdict;
    use std::time::Duration;

    fn sample() -> Report {
        let mut tally = Tally::new(&["health".to_owned()]);
        for ms in 1..=100 {
            tally.record(Metric::Ready, Duration::from_millis(ms));
        }
        tally.rpc_answered(0, Duration::from_millis(9), Duration::from_millis(8), true);
        tally.counters.sessions.started = 4;
        tally.counters.ending(Verdict::Ok, Stage::Ready, true);
        tally.counters.ending(Verdict::AuthFailed, Stage::Auth, true);
        tally.counters.ending(Verdict::ServerRestart, Stage::Ready, false);
        tally.counters.close_code(1012);
        tally.counters.generator_error("EMFILE");
        let stamp = Stamp {
            source: "w".to_owned(),
            seq: 1,
            ..Stamp::default()
        };
        let mut aggregate = Aggregate::new();
        aggregate.absorb(&Snapshot::take(&mut tally, stamp));
        aggregate.lost("w");
        Report::new(
            &aggregate.totals(),
            RunInfo {
                plan: serde_json::json!({"seed": 7}),
                duration_s: 1.5,
                ..RunInfo::default()
            },
        )
    }

    #[test]
    fn a_result_reads_back_as_it_was_written() {
        let report = sample();
        let text = serde_json::to_string_pretty(&report).unwrap();
        assert_eq!(Report::parse(&text).unwrap(), report);
        assert!(Report::parse(&text.replace("clw.bench/1", "clw.bench/2")).is_err());
        assert!(
            Report::parse(&text[..text.len() / 2])
                .unwrap_err()
                .to_string()
                .contains("cut")
        );
    }

    #[test]
    fn a_result_has_the_keys_of_the_contract() {
        let json = serde_json::to_value(sample()).unwrap();
        for pointer in [
            "/schema",
            "/tool_version",
            "/started_at",
            "/duration_s",
            "/interrupted",
            "/target/url",
            "/target/dialect",
            "/plan/seed",
            "/sessions/planned",
            "/sessions/started",
            "/sessions/ready",
            "/sessions/completed",
            "/sessions/failed",
            "/sessions/dropped",
            "/sessions/reconnected",
            "/sessions/peak_open",
            "/uptime_pct",
            "/error_rate_pct",
            "/verdicts/ok",
            "/close_codes/1012",
            "/latency_us/tcp_connect/p99",
            "/latency_us/upgrade/p99",
            "/latency_us/challenge/p99",
            "/latency_us/auth/p99",
            "/latency_us/ready/p999",
            "/latency_us/rpc/health/stdev",
            "/heartbeat/sent",
            "/heartbeat/answered",
            "/heartbeat/missed",
            "/heartbeat/rtt_us/count",
            "/heartbeat/tick_gap_us/count",
            "/reconnect/attempts",
            "/reconnect/succeeded",
            "/reconnect/time_to_ready_us/max",
            "/bytes/sent",
            "/bytes/received",
            "/frames/sent",
            "/frames/received",
            "/generator/cpu_s",
            "/generator/rss_peak_bytes",
            "/generator/schedule_lag_us/p99",
            "/generator/skipped_starts",
            "/thresholds",
            "/passed",
        ] {
            assert!(
                json.pointer(pointer).is_some(),
                "{pointer} is missing in {json:#}"
            );
        }
    }

    #[test]
    fn totals_of_a_result_give_the_same_result() {
        let report = sample();
        let info = RunInfo {
            plan: report.plan.clone(),
            duration_s: report.duration_s,
            target: report.target.clone(),
            ..RunInfo::default()
        };
        assert_eq!(Report::new(&report.totals(), info), report);
        assert_eq!(
            report.generator.lost,
            LostWorkers {
                workers: 1,
                sessions: 2
            }
        );
    }

    #[test]
    fn skipped_starts_or_lag_mean_that_the_generator_fell_behind() {
        let mut totals = Totals::default();
        assert!(!Report::new(&totals, RunInfo::default()).generator.fell_behind);
        totals.counters.sessions.skipped_starts = 1;
        assert!(Report::new(&totals, RunInfo::default()).generator.fell_behind);
        let mut totals = Totals::default();
        let mut lag = crate::histogram::Histogram::new();
        lag.record_us(FELL_BEHIND_LAG_US * 2);
        totals.histograms.insert("schedule_lag", lag);
        assert!(Report::new(&totals, RunInfo::default()).generator.fell_behind);
    }
}
