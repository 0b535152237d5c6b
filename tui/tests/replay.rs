//! A recorded outage (see `data/record.sh`), replayed and compared as text at three moments.

#![allow(clippy::unwrap_used, reason = "tests: a failed step is a failed test")]

use assert_cmd::Command;
use std::path::Path;

fn at(moment: &str) -> String {
    let journal = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/outage.journal");
    let output = Command::cargo_bin("clw-tui")
        .unwrap()
        .args(["--once", "--size", "100x34", "--at", moment, "--replay"])
        .arg(journal)
        .assert()
        .success();
    String::from_utf8(output.get_output().stdout.clone()).unwrap()
}

#[test]
fn before_during_and_after_an_outage() {
    for (name, moment) in [("before", "10s"), ("during", "15s"), ("after", "35s")] {
        insta::assert_snapshot!(name, at(moment));
    }
}

#[test]
fn the_likely_cause_is_the_gateways_death_and_not_the_refused_connects_after_it() {
    let during = at("15s");
    assert!(during.contains("INCIDENT since"), "{during}");
    assert!(during.contains("Likely: the gateway process died"), "{during}");
    assert!(at("35s").contains("recovered: 11 sessions are ready"));
    assert!(!at("10s").contains("INCIDENT"));
}
