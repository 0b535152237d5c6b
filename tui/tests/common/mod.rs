//! Fixed snapshots: a run of 500 sessions through a restart of its gateway.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod terminal;

use clw_core::histogram::Histogram;
use clw_core::report::ThresholdResult;
use clw_core::snapshot::{Phase, SCHEMA, Snapshot, Target, Usage};
use clw_core::verdict::Verdict;
use clw_tui::app::{App, Mode};
use clw_tui::model::{Link, Model};
use clw_tui::theme::Theme;
use std::collections::BTreeMap;
use std::time::Duration;

/// Seconds of the run: the gateway dies at 60 and is back at 70.
pub const LENGTH_S: u64 = 90;

/// Times spread between `from_us` and ten times that, the same every time.
fn times(from_us: u64, count: u64) -> Histogram {
    let mut histogram = Histogram::new();
    for i in 0..count {
        histogram.record(Duration::from_micros(
            from_us + from_us * 9 * (i * i) / (count * count),
        ));
    }
    histogram
}

/// The snapshots of one generator.
pub fn run() -> Vec<Snapshot> {
    let mut s = Snapshot {
        schema: SCHEMA.to_owned(),
        source: "run".to_owned(),
        target: Target {
            url: "ws://10.0.0.7:18789/".to_owned(),
            server_version: Some("2026.9.6".to_owned()),
            ..Target::default()
        },
        ..Snapshot::default()
    };
    let mut all = Vec::new();
    for second in 1..=LENGTH_S {
        step(&mut s, second);
        all.push(s.clone());
    }
    all
}

fn step(s: &mut Snapshot, second: u64) {
    s.seq = second - 1;
    s.elapsed_us = second * 1_000_000;
    s.interval_us = 1_000_000;
    s.phase = Phase::Running;
    s.interval = BTreeMap::new();
    let c = &mut s.counters;
    let begin = |c: &mut clw_core::tally::Counters, n: u64, code: u16, verdict: Verdict| {
        c.verdicts[verdict.index()] += n;
        c.sessions.ended += n;
        c.sessions.started += n;
        *c.close_codes.entry(code).or_default() += n;
        c.stages[if verdict == Verdict::Ok { 5 } else { 4 }] += n;
    };
    let down = (60..70).contains(&second);
    if second <= 5 {
        c.sessions.started += 100;
        c.sessions.ready += 100;
        s.gauges.ready += 100;
    }
    if !down {
        // Short sessions beside those that are held, one in a hundred with a wrong token.
        begin(c, 20, 1000, Verdict::Ok);
        if second.is_multiple_of(5) {
            begin(c, 1, 1008, Verdict::AuthFailed);
        }
        c.sessions.ready += 20;
        c.sessions.completed += 20;
        for (name, us) in [
            ("tcp_connect", 120),
            ("upgrade", 300),
            ("auth", 900),
            ("ready", 1500),
            ("schedule_lag", 40),
        ] {
            s.interval.insert(name.to_owned(), times(us, 20));
        }
        c.heartbeat.sent += 25;
        c.heartbeat.answered += 25;
        s.interval.insert("heartbeat_rtt".to_owned(), times(250, 25));
        if second.is_multiple_of(30) {
            let mut ticks = Histogram::new();
            for i in 0..500 {
                ticks.record(Duration::from_micros(30_000_000 + i * i * 10));
            }
            s.interval.insert("tick_gap".to_owned(), ticks);
        }
    }
    if second == 60 {
        c.drops[Verdict::AuthDisconnected.index()] += 500;
        c.sessions.dropped += 500;
        *c.close_codes.entry(1006).or_default() += 500;
        c.stages[5] += 500;
        c.heartbeat.missed += 3;
        s.gauges.ready = 0;
        s.gauges.reconnecting = 500;
        c.samples.insert(
            Verdict::AuthDisconnected.name().to_owned(),
            vec![vec![
                "ready after 3 ms".to_owned(),
                "end of stream 55.2 s later, no close frame".to_owned(),
            ]],
        );
    } else if down {
        c.drops[Verdict::ConnRefused.index()] += 90;
        c.reconnect.attempts += 90;
        c.stages[0] += 90;
    } else if second == 70 {
        c.reconnect.attempts += 500;
        c.reconnect.succeeded += 500;
        c.sessions.reconnected += 500;
        s.gauges.ready = 500;
        s.gauges.reconnecting = 0;
        s.interval
            .insert("time_to_ready".to_owned(), times(1_000_000, 500));
    }
    s.gauges.open = s.gauges.ready;
    s.gauges.active = 500;
    s.gauges.peak_open = s.gauges.peak_open.max(s.gauges.open + 20);
    c.bytes.sent += 9000;
    c.bytes.received += 61_000;
    c.uptime.meant_us += 500_000_000;
    c.uptime.ready_us += s.gauges.ready * 1_000_000;
    s.usage = Usage {
        cpu_us: second * 61_000,
        rss_peak_bytes: 31_000_000,
    };
    s.thresholds = vec![
        ThresholdResult {
            expr: "uptime>=99%".to_owned(),
            observed: Some(if second < 60 { 100.0 } else { 93.2 }),
            passed: second < 60,
            says: if second < 60 {
                "100%, 1% above the limit".to_owned()
            } else {
                "93.2%, 5.8% below the limit".to_owned()
            },
        },
        ThresholdResult {
            expr: "ready_p99<500ms".to_owned(),
            observed: Some(14_700.0),
            passed: true,
            says: "14.7 ms, 485 ms below the limit".to_owned(),
        },
        ThresholdResult {
            expr: "rpc.health_p95<50ms".to_owned(),
            observed: None,
            passed: false,
            says: "no data".to_owned(),
        },
    ];
}

/// The dashboard at that second of the run, attached from its start.
pub fn app_at(second: u64) -> App {
    let mut app = App::new(Model::new(["10.0.0.5:9100".to_owned()]), Mode::Live, Theme::None);
    app.link(0, Link::Up);
    for snapshot in run().into_iter().take_while(|s| s.seq < second) {
        app.tick(Duration::from_micros(snapshot.elapsed_us));
        app.absorb(0, snapshot);
    }
    app.tick(Duration::from_millis(second * 1000 + 400));
    app.settle();
    app
}
