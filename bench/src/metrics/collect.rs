//! From a snapshot to families. docs/metrics.md has the same list, and a test compares the two.

use super::family::{Buckets, Family, Labels, Number, Point, Points, Unit};
use clw_core::Stage;
use clw_core::histogram::Histogram;
use clw_core::snapshot::{Phase, Snapshot};
use clw_core::tally::CallErrors;
use clw_core::verdict::Verdict;
use std::collections::BTreeMap;

/// Upper bounds of the buckets of all times, in microseconds: from a loopback round trip to a long outage.
pub const BOUNDS_US: [u64; 20] = [
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
];
/// A server may call itself anything; a label is no place for a novel.
const MAX_LABEL_CHARS: usize = 128;

/// All metrics of a run: counters and gauges of `snapshot`, times since the start from `totals`.
pub fn collect(snapshot: &Snapshot, totals: &BTreeMap<String, Histogram>) -> Vec<Family> {
    let mut families = Vec::with_capacity(64);
    facts(&mut families, snapshot);
    sessions(&mut families, snapshot);
    endings(&mut families, snapshot);
    life(&mut families, snapshot);
    generator(&mut families, snapshot);
    times(&mut families, totals);
    families
}

const fn one(value: Number) -> Point<Number> {
    Point {
        labels: Labels::new(),
        value,
    }
}

fn labelled(key: &'static str, label: &str, value: u64) -> Point<Number> {
    Point {
        labels: vec![(key, label.to_owned())],
        value: Number::Whole(value),
    }
}

fn facts(families: &mut Vec<Family>, s: &Snapshot) {
    let version = ("version", env!("CARGO_PKG_VERSION").to_owned());
    let cut = |text: &str| text.chars().take(MAX_LABEL_CHARS).collect::<String>();
    let server = s.target.server_version.as_deref().unwrap_or_default();
    families.push(Family {
        name: "build",
        help: "The release of clw-bench",
        unit: Unit::Count(""),
        points: Points::Info(vec![version]),
    });
    let target = vec![
        ("url", cut(&s.target.url)),
        ("dialect", s.target.dialect.name().to_owned()),
        ("server_version", cut(server)),
    ];
    families.push(Family {
        name: "target",
        help: "What is loaded",
        unit: Unit::Count(""),
        // Until a worker has told, nothing is known: an empty label would be a series of its own.
        points: Points::Info(if s.target.url.is_empty() {
            Labels::new()
        } else {
            target
        }),
    });
    let phases = [Phase::Running, Phase::Draining, Phase::Done];
    let phases = phases.map(|p| labelled("phase", p.name(), u64::from(p == s.phase)));
    gauge(
        families,
        "run.phase",
        "1 for the phase that the run is in",
        "",
        phases.into(),
    );
    families.push(Family {
        name: "run.elapsed",
        help: "Time since the start of the run, as far as the workers have told of it",
        unit: Unit::Seconds,
        points: Points::Gauge(vec![one(seconds(s.elapsed_us))]),
    });
    let held = s.thresholds.iter();
    let held = held.map(|t| labelled("threshold", &cut(&t.expr), u64::from(t.passed)));
    gauge(
        families,
        "threshold.passed",
        "1 for a threshold that holds so far",
        "",
        held.collect(),
    );
}

fn seconds(us: u64) -> Number {
    Number::Real(us as f64 / 1e6)
}

fn gauge(
    to: &mut Vec<Family>,
    name: &'static str,
    help: &'static str,
    of: &'static str,
    points: Vec<Point<Number>>,
) {
    to.push(Family {
        name,
        help,
        unit: Unit::Count(of),
        points: Points::Gauge(points),
    });
}

fn counter(
    to: &mut Vec<Family>,
    name: &'static str,
    help: &'static str,
    of: &'static str,
    points: Vec<Point<Number>>,
) {
    to.push(Family {
        name,
        help,
        unit: Unit::Count(of),
        points: Points::Counter(points),
    });
}

fn sessions(families: &mut Vec<Family>, s: &Snapshot) {
    let g = &s.gauges;
    let states = [
        ("connecting", g.connecting),
        ("ready", g.ready),
        ("reconnecting", g.reconnecting),
    ];
    gauge(
        families,
        "sessions",
        "Sessions by what they are doing: connecting, ready, or waiting to connect again",
        "session",
        states
            .map(|(state, count)| labelled("state", state, count))
            .into(),
    );
    for (name, help, of, value) in [
        (
            "sessions.active",
            "Sessions that have not ended",
            "session",
            g.active,
        ),
        (
            "connections.open",
            "Connections open now, in any stage",
            "connection",
            g.open,
        ),
        (
            "connections.open_peak",
            "Most connections open at once so far",
            "connection",
            g.peak_open,
        ),
    ] {
        gauge(families, name, help, of, vec![one(Number::Whole(value))]);
    }
    let c = &s.counters.sessions;
    for (name, help, of, value) in [
        (
            "sessions.started",
            "Sessions whose first connect was begun",
            "session",
            c.started,
        ),
        (
            "sessions.ready",
            "Sessions that became ready at least once",
            "session",
            c.ready,
        ),
        (
            "sessions.ended",
            "Sessions that ended, in whatever way",
            "session",
            c.ended,
        ),
        (
            "sessions.completed",
            "Sessions that ended ok",
            "session",
            c.completed,
        ),
        (
            "sessions.failed",
            "Sessions that ended in an error and never became ready",
            "session",
            c.failed,
        ),
        (
            "sessions.dropped",
            "Ready connections that ended although they were meant to stay",
            "connection",
            c.dropped,
        ),
        (
            "sessions.reconnected",
            "Times that a session became ready again after a drop",
            "session",
            c.reconnected,
        ),
        (
            "starts.skipped",
            "Starts left out because -c allowed no more sessions at once",
            "start",
            c.skipped_starts,
        ),
    ] {
        counter(families, name, help, of, vec![one(Number::Whole(value))]);
    }
    let u = &s.counters.uptime;
    for (name, help, us) in [
        (
            "uptime.ready",
            "Session-time ready, counted as sessions end; divided by uptime_meant it is the uptime",
            u.ready_us,
        ),
        (
            "uptime.meant",
            "Session-time meant to be ready, counted as sessions end",
            u.meant_us,
        ),
    ] {
        families.push(Family {
            name,
            help,
            unit: Unit::Seconds,
            points: Points::Counter(vec![one(seconds(us))]),
        });
    }
}

fn endings(families: &mut Vec<Family>, s: &Snapshot) {
    let c = &s.counters;
    // All of the dictionary, zeros too: a rate over a series that appears with its first error misses that error.
    let by_verdict = |counts: &[u64; Verdict::COUNT]| {
        let points = Verdict::ALL.iter();
        points
            .map(|v| labelled("verdict", v.name(), counts[v.index()]))
            .collect()
    };
    counter(
        families,
        "verdicts",
        "Final verdicts of sessions",
        "session",
        by_verdict(&c.verdicts),
    );
    counter(
        families,
        "drops",
        "Endings of connections that a reconnect followed, by verdict",
        "connection",
        by_verdict(&c.drops),
    );
    counter(
        families,
        "close_codes",
        "Close codes as clients report them (1005: an empty close frame, 1006: none, 0: further codes)",
        "connection",
        c.close_codes
            .iter()
            .map(|(code, count)| labelled("code", &code.to_string(), *count))
            .collect(),
    );
    counter(
        families,
        "connections.ended",
        "Connections that ended, by the furthest stage they reached",
        "connection",
        Stage::ALL
            .iter()
            .map(|stage| labelled("stage", stage.name(), c.stages[*stage as usize]))
            .collect(),
    );
}

fn life(families: &mut Vec<Family>, s: &Snapshot) {
    let c = &s.counters;
    for (name, help, of, value) in [
        (
            "heartbeats.sent",
            "Heartbeats sent",
            "heartbeat",
            c.heartbeat.sent,
        ),
        (
            "heartbeats.answered",
            "Heartbeats answered in time",
            "heartbeat",
            c.heartbeat.answered,
        ),
        (
            "heartbeats.missed",
            "Heartbeats given up",
            "heartbeat",
            c.heartbeat.missed,
        ),
        (
            "reconnects.attempted",
            "Connections begun after a drop",
            "connection",
            c.reconnect.attempts,
        ),
        (
            "reconnects.succeeded",
            "Connections begun after a drop that became ready",
            "connection",
            c.reconnect.succeeded,
        ),
        (
            "refreshes.done",
            "Token refreshes accepted",
            "refresh",
            c.refreshes.done,
        ),
        (
            "refreshes.refused",
            "Token refreshes refused",
            "refresh",
            c.refreshes.refused,
        ),
        (
            "notifications.new",
            "Notifications told for the first time",
            "notification",
            c.notifications.new,
        ),
        (
            "notifications.duplicate",
            "Copies of notifications that the client had seen",
            "notification",
            c.notifications.duplicates,
        ),
        (
            "broadcasts.lost",
            "Broadcasts that a jump in seq shows to be lost",
            "broadcast",
            c.broadcasts_lost,
        ),
    ] {
        counter(families, name, help, of, vec![one(Number::Whole(value))]);
    }
    let by_call = |count: fn(&CallErrors) -> u64| {
        let calls = c.calls.iter();
        calls.map(|(call, e)| labelled("call", call, count(e))).collect()
    };
    counter(
        families,
        "calls.failed",
        "Calls answered with an error",
        "call",
        by_call(|e| e.failed),
    );
    counter(
        families,
        "calls.unanswered",
        "Calls without an answer in time",
        "call",
        by_call(|e| e.unanswered),
    );
    let ways = |sent, received| {
        vec![
            labelled("direction", "sent", sent),
            labelled("direction", "received", received),
        ]
    };
    counter(
        families,
        "frames",
        "WebSocket frames, control frames included; received ones are counted as connections end",
        "frame",
        ways(c.frames.sent, c.frames.received),
    );
    families.push(Family {
        name: "traffic",
        help: "HTTP and WebSocket bytes, without TLS, TCP and IP",
        unit: Unit::Bytes,
        points: Points::Counter(ways(c.bytes.sent, c.bytes.received)),
    });
}

fn generator(families: &mut Vec<Family>, s: &Snapshot) {
    families.push(Family {
        name: "generator.cpu",
        help: "CPU time of all workers, user and system",
        unit: Unit::Seconds,
        points: Points::Counter(vec![one(seconds(s.usage.cpu_us))]),
    });
    families.push(Family {
        name: "generator.memory_peak",
        help: "Peak resident memory, summed over worker processes",
        unit: Unit::Bytes,
        points: Points::Gauge(vec![one(Number::Whole(s.usage.rss_peak_bytes))]),
    });
    let errors = s.counters.generator_errors.iter();
    counter(
        families,
        "generator.errors",
        "Errors of this machine by name; they are nobody's verdict",
        "error",
        errors.map(|(name, n)| labelled("error", name, *n)).collect(),
    );
}

fn times(families: &mut Vec<Family>, totals: &BTreeMap<String, Histogram>) {
    let stages = ["tcp_connect", "tls", "upgrade", "challenge", "auth"];
    let stages = stages
        .into_iter()
        .filter_map(|stage| Some(point(vec![("stage", stage.to_owned())], totals.get(stage)?)));
    time(
        families,
        "stage",
        "How long the stages of connecting took",
        stages.collect(),
    );
    for (name, of, help) in [
        (
            "ready",
            "ready",
            "From the scheduled start to ready: the response time",
        ),
        (
            "ready_service",
            "ready_service",
            "From the connect call to ready: the service time",
        ),
        ("heartbeat.rtt", "heartbeat_rtt", "From a heartbeat to its answer"),
        ("tick_gap", "tick_gap", "Between two heartbeats of the server"),
        (
            "time_to_ready",
            "time_to_ready",
            "From a drop to ready again, back-off included",
        ),
        (
            "schedule_lag",
            "schedule_lag",
            "From the scheduled start of a session to its real start",
        ),
    ] {
        let points = totals.get(of).map(|h| point(Labels::new(), h));
        time(families, name, help, points.into_iter().collect());
    }
    for (name, prefix, help) in [
        (
            "call",
            "rpc.",
            "From the scheduled instant of a call to its answer",
        ),
        (
            "call_service",
            "rpc_service.",
            "From the sending of a call to its answer",
        ),
    ] {
        let calls = totals.iter().filter_map(|(metric, h)| {
            let call = metric.strip_prefix(prefix)?;
            Some(point(vec![("call", call.to_owned())], h))
        });
        time(families, name, help, calls.collect());
    }
}

fn time(to: &mut Vec<Family>, name: &'static str, help: &'static str, points: Vec<Point<Buckets>>) {
    to.push(Family {
        name,
        help,
        unit: Unit::Seconds,
        points: Points::Histogram(points),
    });
}

fn point(labels: Labels, histogram: &Histogram) -> Point<Buckets> {
    let summary = histogram.summary();
    Point {
        labels,
        value: Buckets {
            counts: histogram.counts_between_us(&BOUNDS_US),
            sum_s: histogram.sum_us() / 1e6,
            min_s: summary.min as f64 / 1e6,
            max_s: summary.max as f64 / 1e6,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Format, encode};
    use std::sync::Arc;
    use std::time::Duration;

    fn totals(names: &[&str]) -> BTreeMap<String, Histogram> {
        let mut histogram = Histogram::new();
        for us in [100, 101, 250_000, 301_000_000] {
            histogram.record(Duration::from_micros(us));
        }
        names
            .iter()
            .map(|name| ((*name).to_owned(), histogram.clone()))
            .collect()
    }

    #[test]
    fn the_documented_names_are_the_names() {
        let docs = include_str!("../../../docs/metrics.md");
        let families = collect(&Snapshot::default(), &BTreeMap::new());
        let names: Vec<_> = families.iter().map(Family::sample_name).collect();
        for name in &names {
            assert!(
                docs.contains(&format!("`{name}`")),
                "docs/metrics.md lacks {name}"
            );
        }
        let told = docs.split('`').filter(|word| word.starts_with("clw_bench_"));
        for word in told {
            assert!(
                names.iter().any(|name| name == word),
                "docs/metrics.md has {word}"
            );
        }
    }

    #[test]
    fn times_land_in_the_buckets_that_hold_them() {
        let families = collect(&Snapshot::default(), &totals(&["ready"]));
        let ready = families.iter().find(|f| f.name == "ready").unwrap();
        let Points::Histogram(points) = &ready.points else {
            panic!("{ready:?}");
        };
        let buckets = &points[0].value;
        // At most 0.1 ms, above it, at most 0.25 s, above all.
        let filled: Vec<_> = buckets
            .counts
            .iter()
            .enumerate()
            .filter(|(_, n)| **n > 0)
            .collect();
        assert_eq!(filled, [(0, &1), (1, &1), (10, &1), (20, &1)]);
        assert_eq!(buckets.count(), 4);
        assert!((buckets.sum_s - 301.250_201).abs() < 0.3, "{}", buckets.sum_s);
    }

    #[test]
    fn what_a_server_calls_itself_stays_inside_its_label() {
        let mut snapshot = Snapshot::default();
        snapshot.target.url = "ws://127.0.0.1:1/".to_owned();
        snapshot.target.server_version = Some(format!("\"}} 1\nclw_bench_forged 1\n{}", "x".repeat(10_000)));
        let families = Arc::new(collect(&snapshot, &totals(&["rpc.he\"alth"])));
        for format in [Format::OpenMetrics, Format::Classic] {
            let text = encode(&families, format);
            assert!(text.contains("server_version="), "{text}");
            assert!(!text.contains("\nclw_bench_forged"), "{text}");
            assert!(text.lines().all(|line| line.len() < 400), "{text}");
            assert!(text.contains(r#"call="he\"alth""#), "{text}");
            assert_eq!(text.ends_with("# EOF\n"), format == Format::OpenMetrics);
        }
    }

    #[test]
    fn no_two_metrics_have_one_name() {
        let families = collect(&Snapshot::default(), &BTreeMap::new());
        let mut names: Vec<_> = families.iter().map(Family::prometheus_name).collect();
        names.sort();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }
}
