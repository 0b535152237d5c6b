//! Shards merge into what one run would have shown.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod fixture;

use clw_bench::compare::{Judgement, compare};
use clw_bench::merge::{MergeError, merge};
use clw_core::report::Report;

/// What must not depend on how the run was split.
fn figures(report: &Report) -> serde_json::Value {
    let mut json = serde_json::to_value(report).unwrap();
    for key in ["plan", "duration_s", "generator"] {
        json.as_object_mut().unwrap().remove(key);
    }
    // Peaks of shards need not be at one moment: their sum is an upper bound.
    json["sessions"].as_object_mut().unwrap().remove("peak_open");
    json
}

#[test]
fn merged_shards_equal_the_whole_run_to_the_last_digit() {
    let whole = fixture::share(0, 1);
    for shards in [2, 3, 7] {
        let mut parts: Vec<Report> = (0..shards).map(|worker| fixture::share(worker, shards)).collect();
        let merged = merge(&parts).unwrap();
        assert_eq!(figures(&merged), figures(&whole), "{shards} shards");
        assert_eq!(merged.generator.schedule_lag_us, whole.generator.schedule_lag_us);
        assert!((merged.generator.cpu_s - 1.25 * shards as f64).abs() < 1e-9);
        assert!(merged.warnings.is_empty(), "{:?}", merged.warnings);
        parts.reverse();
        assert_eq!(figures(&merge(&parts).unwrap()), figures(&whole));
    }
}

#[test]
fn merging_survives_files_and_steps() {
    let parts: Vec<Report> = (0..4)
        .map(|worker| {
            let text = serde_json::to_string(&fixture::share(worker, 4)).unwrap();
            Report::parse(&text).unwrap()
        })
        .collect();
    let stepwise = merge(&[merge(&parts[..2]).unwrap(), merge(&parts[2..]).unwrap()]).unwrap();
    assert_eq!(figures(&stepwise), figures(&merge(&parts).unwrap()));
}

#[test]
fn thresholds_are_judged_again_over_the_whole() {
    let mut parts: Vec<Report> = (0..2).map(|worker| fixture::share(worker, 2)).collect();
    parts[0].judge(&["started>=10000".parse().unwrap()]);
    assert!(!parts[0].passed);
    let merged = merge(&parts).unwrap();
    assert!(merged.passed);
    assert_eq!(merged.thresholds[0].observed, Some(10_000.0));
}

#[test]
fn what_does_not_belong_together_is_refused_in_words() {
    assert_eq!(merge(&[]), Err(MergeError::Nothing));
    let (a, mut b) = (fixture::share(0, 2), fixture::share(1, 2));
    let same = merge(&[a.clone(), b.clone(), a.clone()]).unwrap_err().to_string();
    assert!(
        same.contains("result 1 and result 3 are both shard 0/2"),
        "{same}"
    );
    b.target.url = "ws://127.0.0.1:9/".to_owned();
    let other = merge(&[a.clone(), b.clone()]).unwrap_err().to_string();
    assert!(
        other.contains("result 1 and result 2 differ in target"),
        "{other}"
    );
    b.target = a.target.clone();
    b.target.dialect = clw_core::Dialect::Clw;
    assert!(
        merge(&[a.clone(), b.clone()])
            .unwrap_err()
            .to_string()
            .contains("differ in dialect")
    );
    b.target = a.target.clone();
    b.plan["hold_s"] = 9.into();
    let merged = merge(&[a.clone(), b]).unwrap();
    assert!(
        merged.warnings[0].contains("differ in hold_s"),
        "{:?}",
        merged.warnings
    );
}

#[test]
fn a_merged_run_is_no_different_from_the_whole() {
    let parts: Vec<Report> = (0..2).map(|worker| fixture::share(worker, 2)).collect();
    let comparison = compare(&fixture::share(0, 1), &merge(&parts).unwrap());
    assert!(
        comparison
            .changes
            .iter()
            .all(|change| change.judgement == Judgement::Same)
    );
}
