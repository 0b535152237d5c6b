//! Laws of schedules and of their shares.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use clw_core::pacing::{Amount, Arrivals, Load, LoadError, Schedule, Shard, Stage, Target};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn closed(sessions: u32, amount: Amount, ramp: Duration) -> Schedule {
    let load = Load::Closed {
        sessions,
        amount,
        ramp,
    };
    Schedule::new(&load, 1).unwrap()
}

fn open(rate: f64, amount: Amount, ramp: Duration, arrivals: Arrivals, seed: u64) -> Schedule {
    let load = Load::Open {
        rate,
        amount,
        ramp,
        arrivals,
    };
    Schedule::new(&load, seed).unwrap()
}

fn staged(stages: &[(u64, Target)]) -> Schedule {
    let load = Load::Staged {
        stages: stages
            .iter()
            .map(|&(duration, target)| Stage {
                duration: ms(duration),
                target,
            })
            .collect(),
        arrivals: Arrivals::Constant,
    };
    Schedule::new(&load, 1).unwrap()
}

#[test]
fn slot_i_of_a_closed_load_starts_at_i_times_ramp_over_sessions() {
    let schedule = closed(4, Amount::Total(10), ms(2000));
    let starts: Vec<_> = (0..6).map(|k| schedule.start_at(k)).collect();
    assert_eq!(
        starts,
        [
            Some(ms(0)),
            Some(ms(500)),
            Some(ms(1000)),
            Some(ms(1500)),
            None,
            None
        ]
    );
    assert_eq!(schedule.planned(), Some(10));
    assert_eq!(schedule.end(), None);
}

#[test]
fn a_closed_load_of_fewer_sessions_than_slots_opens_only_these() {
    let schedule = closed(10, Amount::Total(5), ms(1000));
    assert_eq!(schedule.slots(), 5);
    assert_eq!(schedule.start_at(4), Some(ms(400)));
    assert_eq!(schedule.start_at(5), None);
}

#[test]
fn a_timed_load_lasts_its_ramp_and_then_its_duration() {
    assert_eq!(closed(3, Amount::For(ms(9000)), ms(1000)).end(), Some(ms(10_000)));
    let schedule = open(10.0, Amount::For(ms(9000)), ms(1000), Arrivals::Constant, 1);
    // 5 starts in the ramp, 90 after it.
    assert_eq!(schedule.planned(), Some(95));
}

#[test]
fn a_constant_rate_does_not_drift_in_a_million_starts() {
    let schedule = open(
        3000.0,
        Amount::Total(2_000_000),
        Duration::ZERO,
        Arrivals::Constant,
        1,
    );
    assert_eq!(schedule.start_at(1_500_000), Some(Duration::from_secs(500)));
    assert_eq!(schedule.start_at(2_000_000), None);
}

#[test]
fn stages_of_sessions_open_and_close_slots_on_the_straight_line() {
    let schedule = staged(&[
        (1000, Target::Sessions(2)),
        (1000, Target::Sessions(2)),
        (1000, Target::Sessions(0)),
        (1000, Target::Sessions(1)),
    ]);
    let starts: Vec<_> = schedule
        .starts()
        .map(|s| (s.slot, s.at, s.until.unwrap()))
        .collect();
    assert_eq!(
        starts,
        [
            (0, ms(0), ms(3000)),
            (1, ms(500), ms(2500)),
            (0, ms(3000), ms(4000))
        ]
    );
    assert_eq!(schedule.windows(0).len(), 2);
    assert!((schedule.level_at(ms(1500)) - 2.0).abs() < 1e-9);
    assert!((schedule.level_at(ms(2500)) - 1.0).abs() < 1e-9);
}

#[test]
fn a_rest_between_stages_of_a_rate_starts_nothing() {
    let schedule = staged(&[
        (0, Target::Rate(10.0)),
        (1000, Target::Rate(10.0)),
        (0, Target::Rate(0.0)),
        (5000, Target::Rate(0.0)),
        (0, Target::Rate(10.0)),
        (1000, Target::Rate(10.0)),
    ]);
    let starts: Vec<_> = schedule.starts().map(|s| s.at).collect();
    assert_eq!(starts.len(), 20);
    assert!(
        starts.iter().all(|at| *at <= ms(1000) || *at >= ms(6000)),
        "{starts:?}"
    );
}

#[test]
fn poisson_arrivals_have_the_mean_and_the_spread_of_a_poisson_process() {
    let schedule = open(
        1000.0,
        Amount::Total(100_000),
        Duration::ZERO,
        Arrivals::Poisson,
        7,
    );
    let starts: Vec<f64> = schedule.starts().map(|s| s.at.as_secs_f64()).collect();
    let gaps: Vec<f64> = starts.windows(2).map(|w| w[1] - w[0]).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    assert!((mean * 1000.0 - 1.0).abs() < 0.02, "mean gap {mean}");
    // An exponential distribution's standard deviation equals its mean.
    assert!((variance.sqrt() / mean - 1.0).abs() < 0.03, "{variance}");
    assert_eq!(schedule.start_at(500), schedule.starts().nth(500).map(|s| s.at));
}

#[test]
fn impossible_loads_are_refused_with_the_accepted_range() {
    let shown = |load: Load| Schedule::new(&load, 1).unwrap_err().to_string();
    let none = Duration::ZERO;
    let closed = |sessions, amount| Load::Closed {
        sessions,
        amount,
        ramp: none,
    };
    assert!(shown(closed(0, Amount::Total(1))).contains("accepted are 1 to 10000000"));
    assert!(shown(closed(1, Amount::Total(0))).contains("accepted are 1 to 1000000000"));
    assert!(shown(closed(1, Amount::For(none))).contains("a duration of 0"));
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let load = Load::Open {
            rate,
            amount: Amount::Total(1),
            ramp: none,
            arrivals: Arrivals::Constant,
        };
        assert!(
            matches!(Schedule::new(&load, 1), Err(LoadError::Rate { .. })),
            "{rate}"
        );
    }
    let stages = |list: &[(u64, Target)]| Load::Staged {
        stages: list
            .iter()
            .map(|&(d, target)| Stage {
                duration: ms(d),
                target,
            })
            .collect(),
        arrivals: Arrivals::Constant,
    };
    assert!(shown(stages(&[])).contains("no stages"));
    let mixed = stages(&[(1, Target::Sessions(1)), (1, Target::Rate(1.0))]);
    assert!(shown(mixed).contains("stage 2"));
    assert!(shown(stages(&[(1000, Target::Sessions(0))])).contains("more than 0"));
}

#[test]
fn shares_are_written_from_zero() {
    assert_eq!("3/4".parse::<Shard>().unwrap(), Shard::new(3, 4).unwrap());
    assert_eq!(Shard::new(1, 3).unwrap().split(1, 2).unwrap().to_string(), "4/6");
    for text in ["4/4", "1", "a/b", "0/0", "-1/2", "0/70000"] {
        assert!(text.parse::<Shard>().is_err(), "{text}");
    }
}

fn any_load() -> impl Strategy<Value = Load> {
    let amount = prop_oneof![
        (1u64..600).prop_map(Amount::Total),
        (1u64..20_000).prop_map(|d| Amount::For(ms(d)))
    ];
    let arrivals = prop_oneof![Just(Arrivals::Constant), Just(Arrivals::Poisson)];
    let closed = (1u32..200, amount.clone(), 0u64..9000).prop_map(|(sessions, amount, ramp)| Load::Closed {
        sessions,
        amount,
        ramp: ms(ramp),
    });
    let open =
        (0.1f64..50.0, amount, 0u64..9000, arrivals.clone()).prop_map(|(rate, amount, ramp, arrivals)| {
            Load::Open {
                rate,
                amount,
                ramp: ms(ramp),
                arrivals,
            }
        });
    let slots = prop::collection::vec((1u64..5000, 1u32..60), 1..6).prop_map(|legs| Load::Staged {
        stages: legs
            .into_iter()
            .map(|(d, n)| Stage {
                duration: ms(d),
                target: Target::Sessions(n),
            })
            .collect(),
        arrivals: Arrivals::Constant,
    });
    let rates =
        (prop::collection::vec((1u64..5000, 0.5f64..60.0), 1..6), arrivals).prop_map(|(legs, arrivals)| {
            Load::Staged {
                stages: legs
                    .into_iter()
                    .map(|(d, r)| Stage {
                        duration: ms(d),
                        target: Target::Rate(r),
                    })
                    .collect(),
                arrivals,
            }
        });
    prop_oneof![closed, open, slots, rates]
}

proptest! {
    #[test]
    fn starts_come_in_order_and_end_with_the_load(load in any_load(), seed in any::<u64>()) {
        let schedule = Schedule::new(&load, seed).unwrap();
        let starts: Vec<_> = schedule.starts().collect();
        for pair in starts.windows(2) {
            prop_assert!(pair[0].at <= pair[1].at);
            prop_assert_eq!(pair[0].number + 1, pair[1].number);
        }
        if let Some(end) = schedule.end() {
            prop_assert!(starts.iter().all(|s| s.at < end));
        }
        if !load.is_closed() {
            prop_assert_eq!(schedule.planned(), Some(starts.len() as u64));
        }
    }

    #[test]
    fn the_number_of_starts_before_t_is_the_integral_within_one(load in any_load(), t in 0u64..30_000) {
        let schedule = Schedule::new(&load, 3).unwrap();
        let random = matches!(load, Load::Open { arrivals: Arrivals::Poisson, .. }
            | Load::Staged { arrivals: Arrivals::Poisson, .. });
        prop_assume!(!random);
        let t = ms(t).min(schedule.end().unwrap_or(Duration::MAX));
        let counted = schedule.starts().take_while(|s| s.at < t).count() as f64;
        let asked = schedule.asked_before(t);
        prop_assert!((counted - asked).abs() <= 1.0 + 1e-6, "{} counted, {} asked", counted, asked);
    }

    #[test]
    fn the_shares_of_a_plan_are_exactly_the_plan(load in any_load(), count in 1u32..9, seed in any::<u64>()) {
        let schedule = Schedule::new(&load, seed).unwrap();
        let mut starts = Vec::new();
        let mut numbers = BTreeSet::new();
        let (mut slots, mut planned) = (0, Some(0));
        for index in 0..count {
            let share = schedule.share(Shard::new(index, count).unwrap());
            starts.extend(share.starts());
            slots += share.slots();
            planned = planned.zip(share.planned()).map(|(a, b)| a + b);
            for j in 0..share.planned().unwrap_or(0) {
                prop_assert!(numbers.insert(share.session_number(j)), "a session ran twice");
            }
            if schedule.is_closed() {
                prop_assert_eq!(share.planned().unwrap_or(0) > 0 && share.slots() == 0, false);
            }
        }
        starts.sort_by_key(|s| s.number);
        prop_assert_eq!(starts, schedule.starts().collect::<Vec<_>>());
        prop_assert_eq!(slots, schedule.slots());
        prop_assert_eq!(planned, schedule.planned());
        if let Some(planned) = planned {
            prop_assert_eq!(numbers, (0..planned).collect::<BTreeSet<_>>());
        }
    }

    #[test]
    fn parts_of_shares_are_shares(a in 1u32..6, b in 1u32..6) {
        let mut all = BTreeSet::new();
        for i in 0..a {
            for j in 0..b {
                let part = Shard::new(i, a).unwrap().split(j, b).unwrap();
                prop_assert_eq!(part.count(), a * b);
                prop_assert!(all.insert(part.index()));
            }
        }
        prop_assert_eq!(u32::try_from(all.len()).unwrap(), a * b);
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule(load in any_load(), seed in any::<u64>()) {
        let once: Vec<_> = Schedule::new(&load, seed).unwrap().starts().collect();
        let again: Vec<_> = Schedule::new(&load, seed).unwrap().starts().collect();
        prop_assert_eq!(once, again);
    }
}
