//! Sources added up, lost, restarted and joined late; and figures that no run has.

use super::*;
use clw_core::histogram::Histogram;
use clw_core::snapshot::{Phase, Snapshot};
use clw_core::verdict::Verdict;
use proptest::prelude::*;
use std::time::Duration;

fn snapshot(second: u64, started: u64, ready: u64) -> Snapshot {
    let mut s = Snapshot {
        seq: second,
        elapsed_us: second * 1_000_000,
        interval_us: 1_000_000,
        ..Snapshot::default()
    };
    s.counters.sessions.started = started;
    s.gauges.open = ready;
    s.gauges.ready = ready;
    s
}

fn timed(mut snapshot: Snapshot, ms: &[u64]) -> Snapshot {
    let mut histogram = Histogram::new();
    for ms in ms {
        histogram.record(Duration::from_millis(*ms));
    }
    snapshot.interval.insert("ready".to_owned(), histogram);
    snapshot
}

fn at(second: u64) -> Duration {
    Duration::from_secs(second)
}

fn two() -> Model {
    Model::new(["a".to_owned(), "b".to_owned()])
}

fn told(model: &Model) -> Vec<&str> {
    model.moments().iter().map(|m| m.text.as_str()).collect()
}

#[test]
fn sources_add_up_exactly_in_any_order() {
    let parts = [
        (0, timed(snapshot(1, 10, 5), &[1, 2])),
        (1, timed(snapshot(1, 20, 7), &[3])),
        (0, timed(snapshot(2, 11, 6), &[4])),
        (1, timed(snapshot(2, 22, 8), &[5, 6])),
    ];
    let sums = |order: [usize; 4]| {
        let mut model = two();
        for i in order {
            let (source, snapshot) = parts[i].clone();
            let second = snapshot.seq;
            model.absorb(source, snapshot, at(second));
        }
        model.settle();
        let whole = model.whole().clone();
        (
            whole.counters.sessions.started,
            whole.gauges.ready,
            whole.totals["ready"],
        )
    };
    let (started, ready, total) = sums([0, 1, 2, 3]);
    assert_eq!((started, ready, total.count), (33, 14, 6));
    let mut all = Histogram::new();
    for ms in 1..=6 {
        all.record(Duration::from_millis(ms));
    }
    assert_eq!(total, all.summary());
    assert_eq!(sums([1, 0, 3, 2]), (started, ready, total));
}

#[test]
fn a_second_source_is_placed_beside_the_first_whatever_its_own_time() {
    let mut model = two();
    model.absorb(0, snapshot(1, 10, 10), at(101));
    model.absorb(0, snapshot(2, 12, 10), at(102));
    model.absorb(1, snapshot(500, 9000, 50), at(102));
    model.absorb(1, snapshot(501, 9003, 50), at(103));
    assert_eq!(model.history().now(), 3);
    // What the second did before it was joined is no news.
    assert_eq!(model.history().points().map(|p| p.delta.begun).sum::<u64>(), 15);
    assert!(told(&model).iter().any(|t| t.contains("joined b in mid-run")));
}

#[test]
fn a_restarted_source_leaves_the_totals_and_the_chart_keeps_it() {
    let mut model = Model::new(["a".to_owned()]);
    for second in 1..=5 {
        model.absorb(0, snapshot(second, second * 100, 10), at(second));
    }
    model.link(0, Link::Lost("the stream ended".to_owned()));
    model.absorb(0, snapshot(1, 7, 7), at(9));
    assert_eq!(model.whole().counters.sessions.started, 7);
    assert_eq!(model.history().points().map(|p| p.delta.begun).sum::<u64>(), 507);
    assert_eq!(model.history().now(), 9);
    assert!(told(&model).contains(&"lost a: the stream ended"));
    assert!(told(&model).iter().any(|t| t.contains("a was restarted")));
}

#[test]
fn a_lost_source_that_comes_back_goes_on() {
    let mut model = Model::new(["a".to_owned()]);
    model.absorb(0, snapshot(1, 10, 10), at(1));
    for _ in 0..3 {
        model.link(0, Link::Lost("nobody listens".to_owned()));
    }
    model.absorb(0, snapshot(6, 60, 10), at(6));
    let told = told(&model);
    assert_eq!(
        told.iter().filter(|t| t.starts_with("lost a")).count(),
        1,
        "{told:?}"
    );
    assert!(told.contains(&"a is back"), "{told:?}");
    assert!(told.iter().any(|t| t.starts_with("4 snapshots of a were missed")));
    assert_eq!(model.whole().counters.sessions.started, 60);
}

#[test]
fn data_is_fresh_then_stale_and_a_run_that_is_over_does_not_age() {
    let mut model = two();
    assert_eq!(model.freshness(at(9)), Freshness::None);
    model.absorb(0, snapshot(1, 1, 1), at(10));
    model.absorb(1, snapshot(1, 1, 1), at(12));
    assert_eq!(model.freshness(at(12)), Freshness::Fresh(at(2)));
    assert_eq!(
        model.freshness(at(14)),
        Freshness::Stale(at(4)),
        "the one furthest behind"
    );
    let mut over = snapshot(2, 1, 0);
    over.phase = Phase::Done;
    for source in [0, 1] {
        model.absorb(source, over.clone(), at(15));
    }
    assert_eq!(model.freshness(at(999)), Freshness::Over);
    assert_eq!(model.whole().phase, Phase::Done);
}

#[test]
fn the_condition_is_the_profile_that_a_generator_names_and_what_it_does_now() {
    let mut model = Model::new(["a".to_owned()]);
    let condition = |model: &mut Model, second: u64, told: &str, seen: &str| {
        let mut s = snapshot(second, 1, 1);
        told.clone_into(&mut s.condition);
        model.shape_network(seen.to_owned());
        model.absorb(0, s, at(second));
        model.whole().condition.clone()
    };
    assert_eq!(condition(&mut model, 1, "", ""), "");
    assert_eq!(condition(&mut model, 2, "netem vpn-flap", ""), "netem vpn-flap");
    assert_eq!(condition(&mut model, 3, "", "loss 100%"), "loss 100%");
    assert_eq!(
        condition(&mut model, 4, "netem vpn-flap", "loss 100%"),
        "netem vpn-flap: loss 100%"
    );
}

#[test]
fn a_threshold_is_told_when_it_is_crossed_for_good_and_when_it_holds_again() {
    let mut model = Model::new(["a".to_owned()]);
    for second in 1..=20 {
        let mut s = snapshot(second, second, 1);
        s.thresholds = vec![clw_core::report::ThresholdResult {
            expr: "error_rate<1%".to_owned(),
            observed: Some(2.0),
            passed: second == 5 || second > 15,
            says: "2%, 1% above the limit".to_owned(),
        }];
        model.absorb(0, s, at(second));
    }
    let told: Vec<_> = told(&model)
        .into_iter()
        .filter(|t| t.contains("error_rate"))
        .collect();
    assert_eq!(
        told,
        [
            "error_rate<1% is crossed: 2%, 1% above the limit",
            "error_rate<1% holds again",
            "error_rate<1% is crossed: 2%, 1% above the limit",
            "error_rate<1% holds again",
        ]
    );
}

fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    let count = prop_oneof![Just(0u64), 0..1000u64, Just(1u64 << 40)];
    let sum = prop_oneof![0..10_000_000u64, Just(1u64 << 56)];
    (
        any::<u64>(),
        sum.clone(),
        sum,
        proptest::collection::vec(count, 8),
        any::<u8>(),
    )
        .prop_map(|(seq, elapsed_us, interval_us, n, verdict)| {
            let mut s = Snapshot {
                seq,
                elapsed_us,
                interval_us,
                ..Snapshot::default()
            };
            s.counters.sessions.started = n[0];
            s.counters.reconnect.attempts = n[1];
            s.counters.verdicts[usize::from(verdict) % Verdict::COUNT] = n[2];
            s.counters.drops[usize::from(verdict) % Verdict::COUNT] = n[3];
            s.gauges.open = n[4];
            s.gauges.ready = n[5];
            s.gauges.reconnecting = n[6];
            s.counters.heartbeat.missed = n[7];
            timed(s, &[1])
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_within_bounds_does_harm(all in proptest::collection::vec((0..2usize, any_snapshot()), 1..30)) {
        let mut model = two();
        for (i, (source, snapshot)) in all.into_iter().enumerate() {
            prop_assert!(crate::source::within_bounds(&snapshot));
            model.absorb(source, snapshot, at(i as u64));
            for seconds in [1, 10, 60, 7200] {
                let rate = model.window(seconds).rate_pct();
                prop_assert!(rate.is_none_or(|r| (0.0..=100.0).contains(&r)));
                let up = model.up_pct(seconds);
                prop_assert!(up.is_none_or(|r| (0.0..=100.0).contains(&r)));
            }
            rank(&model.whole().counters, model.history());
        }
        model.settle();
    }
}
