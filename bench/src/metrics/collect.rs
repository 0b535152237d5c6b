//! From a snapshot to families. docs/metrics.md has the same list, and a test compares the two.

use super::family::{Buckets, Family, Labels, Number, Point, Points, Unit};
use super::tables::{CALL_TIMES, COUNTERS, GAUGES, STAGE_TIMES, TIMES};
use clw_core::Stage;
use clw_core::histogram::Histogram;
use clw_core::snapshot::{Phase, Snapshot};
use clw_core::tally::CallErrors;
use clw_core::verdict::Verdict;
use std::collections::BTreeMap;

/// Upper bounds of the buckets of all times, in microseconds: from a loopback round trip to a long outage.
#[rustfmt::skip]
pub const BOUNDS_US: [u64; 20] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000, 120_000_000, 300_000_000,
];
/// A server may call itself anything; a label is no place for a novel.
const MAX_LABEL_CHARS: usize = 128;

/// All metrics of a run: counters and gauges of `snapshot`, times since the start from `totals`.
pub fn collect(snapshot: &Snapshot, totals: &BTreeMap<String, Histogram>) -> Vec<Family> {
    let mut families = Vec::with_capacity(64);
    facts(&mut families, snapshot);
    for (name, help, unit, value) in GAUGES {
        let points = vec![one(value(snapshot))];
        families.push(family(name, help, unit, Points::Gauge(points)));
    }
    for (name, help, unit, value) in COUNTERS {
        let points = vec![one(value(snapshot))];
        families.push(family(name, help, unit, Points::Counter(points)));
    }
    endings(&mut families, snapshot);
    life(&mut families, snapshot);
    times(&mut families, totals);
    families
}

fn family(name: &'static str, help: &'static str, unit: Unit, points: Points) -> Family {
    Family {
        name,
        help,
        unit,
        points,
    }
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

fn facts(to: &mut Vec<Family>, s: &Snapshot) {
    const NOTHING: Unit = Unit::Count("");
    let cut = |text: &str| text.chars().take(MAX_LABEL_CHARS).collect::<String>();
    let build = Points::Info(vec![("version", env!("CARGO_PKG_VERSION").to_owned())]);
    to.push(family("build", "The release of clw-bench", NOTHING, build));
    let server = s.target.server_version.as_deref().unwrap_or_default();
    let target = vec![
        ("url", cut(&s.target.url)),
        ("dialect", s.target.dialect.name().to_owned()),
        ("server_version", cut(server)),
    ];
    // Until a worker has told, nothing is known: an empty label would be a series of its own.
    let target = Points::Info(if s.target.url.is_empty() {
        Labels::new()
    } else {
        target
    });
    to.push(family("target", "What is loaded", NOTHING, target));
    let phases = [Phase::Running, Phase::Draining, Phase::Done];
    let phases = phases.map(|p| labelled("phase", p.name(), u64::from(p == s.phase)));
    let help = "1 for the phase that the run is in";
    to.push(family("run.phase", help, NOTHING, Points::Gauge(phases.into())));
    let held = s.thresholds.iter();
    let held = held.map(|t| labelled("threshold", &cut(&t.expr), u64::from(t.passed)));
    let help = "1 for a threshold that holds so far";
    let held = Points::Gauge(held.collect());
    to.push(family("threshold.passed", help, NOTHING, held));
    let states = [
        ("connecting", s.gauges.connecting),
        ("ready", s.gauges.ready),
        ("reconnecting", s.gauges.reconnecting),
    ];
    let states = states.map(|(state, count)| labelled("state", state, count));
    let help = "Sessions by what they are doing: connecting, ready, or waiting to connect again";
    let states = Points::Gauge(states.into());
    to.push(family("sessions", help, Unit::Count("session"), states));
}

fn endings(to: &mut Vec<Family>, s: &Snapshot) {
    const CONNECTIONS: Unit = Unit::Count("connection");
    let c = &s.counters;
    // All of the dictionary, zeros too: a rate over a series that appears with its first error misses that error.
    let by_verdict = |counts: &[u64; Verdict::COUNT]| {
        let points = Verdict::ALL.iter();
        let points = points.map(|v| labelled("verdict", v.name(), counts[v.index()]));
        Points::Counter(points.collect())
    };
    let verdicts = by_verdict(&c.verdicts);
    let help = "Final verdicts of sessions";
    to.push(family("verdicts", help, Unit::Count("session"), verdicts));
    let help = "Endings of connections that a reconnect followed, by verdict";
    to.push(family("drops", help, CONNECTIONS, by_verdict(&c.drops)));
    let codes = c.close_codes.iter();
    let codes = codes.map(|(code, count)| labelled("code", &code.to_string(), *count));
    let help =
        "Close codes as clients report them (1005: an empty close frame, 1006: none, 0: further codes)";
    let codes = Points::Counter(codes.collect());
    to.push(family("close_codes", help, CONNECTIONS, codes));
    let stages = Stage::ALL.iter();
    let stages = stages.map(|stage| labelled("stage", stage.name(), c.stages[*stage as usize]));
    let help = "Connections that ended, by the furthest stage they reached";
    let stages = Points::Counter(stages.collect());
    to.push(family("connections.ended", help, CONNECTIONS, stages));
}

fn life(to: &mut Vec<Family>, s: &Snapshot) {
    let c = &s.counters;
    let by_call = |count: fn(&CallErrors) -> u64| {
        let calls = c.calls.iter();
        Points::Counter(calls.map(|(call, e)| labelled("call", call, count(e))).collect())
    };
    let calls = Unit::Count("call");
    let failed = by_call(|e| e.failed);
    to.push(family(
        "calls.failed",
        "Calls answered with an error",
        calls,
        failed,
    ));
    let unanswered = by_call(|e| e.unanswered);
    let help = "Calls without an answer in time";
    to.push(family("calls.unanswered", help, calls, unanswered));
    let ways = |sent, received| {
        Points::Counter(vec![
            labelled("direction", "sent", sent),
            labelled("direction", "received", received),
        ])
    };
    let help = "WebSocket frames, control frames included; received ones are counted as connections end";
    let frames = ways(c.frames.sent, c.frames.received);
    to.push(family("frames", help, Unit::Count("frame"), frames));
    let help = "HTTP and WebSocket bytes, without TLS, TCP and IP";
    let bytes = ways(c.bytes.sent, c.bytes.received);
    to.push(family("traffic", help, Unit::Bytes, bytes));
    let errors = c.generator_errors.iter();
    let errors = Points::Counter(errors.map(|(name, n)| labelled("error", name, *n)).collect());
    let help = "Errors of this machine by name; they are nobody's verdict";
    to.push(family("generator.errors", help, Unit::Count("error"), errors));
}

fn times(to: &mut Vec<Family>, totals: &BTreeMap<String, Histogram>) {
    let mut time = |name, help, points| {
        to.push(family(name, help, Unit::Seconds, Points::Histogram(points)));
    };
    let stages = STAGE_TIMES.into_iter();
    let stages =
        stages.filter_map(|stage| Some(point(vec![("stage", stage.to_owned())], totals.get(stage)?)));
    time(
        "stage",
        "How long the stages of connecting took",
        stages.collect(),
    );
    for (name, metric, help) in TIMES {
        let points = totals.get(metric).map(|h| point(Labels::new(), h));
        time(name, help, points.into_iter().collect());
    }
    for (name, prefix, help) in CALL_TIMES {
        let calls = totals.iter().filter_map(|(metric, h)| {
            let call = metric.strip_prefix(prefix)?;
            Some(point(vec![("call", call.to_owned())], h))
        });
        time(name, help, calls.collect());
    }
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
