//! Storms, departures, and when they are over.

use super::*;
use clw_core::tally::Gauges;
use clw_core::verdict::Verdict;
use std::collections::BTreeMap;

/// (open at the second's end, begun, errors), judged second by second.
fn judged(seconds: impl IntoIterator<Item = (u64, u64, u64)>, verdict: Verdict) -> Incidents {
    let mut history = History::default();
    let mut incidents = Incidents::default();
    for (second, (open, begun, errors)) in (1..).zip(seconds) {
        let mut delta = Delta {
            begun,
            ..Delta::default()
        };
        delta.endings[verdict.index()] = errors;
        let gauges = Gauges {
            open,
            ready: open,
            ..Gauges::default()
        };
        history.add(second, 1, &delta, gauges.into(), &BTreeMap::new());
        incidents.judge(&history);
    }
    incidents
}

#[test]
fn a_gateway_that_dies_is_a_storm_that_took_all() {
    let mut run = vec![(0, 200, 0)];
    run.extend([(200, 0, 0); 20]);
    run.push((0, 0, 200));
    run.extend([(0, 0, 0); 30]);
    let incidents = judged(run, Verdict::AuthDisconnected);
    let [storm] = incidents.all() else {
        panic!("{incidents:?}")
    };
    assert_eq!(
        (storm.kind, storm.since, storm.until, storm.errors),
        (Kind::Storm, 22, Some(22), 200)
    );
    assert_eq!(storm.cause, Some(Verdict::AuthDisconnected));
    assert!(storm.took_all());
}

#[test]
fn a_rate_that_was_there_from_the_start_is_no_incident() {
    let run = (0..300).map(|s| (10, 100, 4 + s % 3));
    assert!(judged(run, Verdict::AuthFailed).all().is_empty());
}

#[test]
fn a_rate_that_leaves_its_baseline_is_an_incident_until_it_is_back() {
    let run = (0..300).map(|s| {
        (
            10,
            100,
            if (100..150).contains(&s) {
                6
            } else {
                u64::from(s % 2 == 0)
            },
        )
    });
    let incidents = judged(run, Verdict::AuthFailed);
    let [one] = incidents.all() else {
        panic!("{incidents:?}")
    };
    assert_eq!(one.kind, Kind::Departure);
    assert!((95..=105).contains(&one.since), "{one:?}");
    assert!(one.until.is_some_and(|u| (145..=165).contains(&u)), "{one:?}");
}

#[test]
fn a_few_errors_among_many_sessions_raise_nothing() {
    let run = (0..200).map(|s| (1000, 0, u64::from(s % 50 == 0)));
    assert!(judged(run, Verdict::HeartbeatMiss).all().is_empty());
}

#[test]
fn failed_connects_after_lost_sessions_are_consequence_not_cause() {
    let mut history = History::default();
    let mut incidents = Incidents::default();
    for second in 1..60u64 {
        let mut delta = Delta::default();
        match second {
            1 => delta.begun = 50,
            20 => {
                delta.endings[Verdict::AuthDisconnected.index()] = 50;
                delta.endings[Verdict::ConnRefused.index()] = 70;
            }
            21..40 => {
                delta.begun = 50;
                delta.endings[Verdict::ConnRefused.index()] = if second < 26 { 10 } else { 50 };
            }
            _ => {}
        }
        let up = !(20..40).contains(&second);
        let gauges = Gauges {
            open: if up { 50 } else { 0 },
            ready: if up { 50 } else { 0 },
            reconnecting: if up { 0 } else { 50 },
            ..Gauges::default()
        };
        history.add(second, 1, &delta, gauges.into(), &BTreeMap::new());
        incidents.judge(&history);
    }
    let [one] = incidents.all() else {
        panic!("{incidents:?}")
    };
    assert_eq!(one.cause, Some(Verdict::AuthDisconnected));
    assert_eq!(one.mostly, Some(Verdict::ConnRefused));
    assert_eq!((one.since, one.until), (20, Some(39)));
    assert!(one.took_all());
}

#[test]
fn an_outage_lasts_until_the_sessions_are_back() {
    let mut history = History::default();
    let mut incidents = Incidents::default();
    for second in 1..60u64 {
        let mut delta = Delta::default();
        if second == 20 {
            delta.endings[Verdict::HeartbeatMiss.index()] = 100;
        }
        // They try again at once, and hang in the connect for eight seconds.
        let away = if (20..28).contains(&second) { 100 } else { 0 };
        let gauges = Gauges {
            open: 100,
            ready: 100 - away,
            connecting: away,
            ..Gauges::default()
        };
        history.add(second, 1, &delta, gauges.into(), &BTreeMap::new());
        incidents.judge(&history);
    }
    let [one] = incidents.all() else {
        panic!("{incidents:?}")
    };
    assert_eq!((one.since, one.until), (20, Some(27)));
}

#[test]
fn a_small_gateway_that_loses_all_its_sessions_is_a_storm_and_one_of_them_is_not() {
    let with = |lost: u64| {
        let mut run = vec![(4, 4, 0)];
        run.extend([(4, 0, 0); 20]);
        run.push((4 - lost, 0, lost));
        run.extend([(4 - lost, 0, 0); 5]);
        run
    };
    let incidents = judged(with(4), Verdict::ServerRestart);
    let [storm] = incidents.all() else {
        panic!("{incidents:?}")
    };
    assert_eq!((storm.since, storm.errors), (22, 4));
    assert!(judged(with(3), Verdict::ServerRestart).all().is_empty());
    // Logins that fail beside live sessions are none of their losses.
    assert!(judged(with(4), Verdict::AuthFailed).all().is_empty());
}
