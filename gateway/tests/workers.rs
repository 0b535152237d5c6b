//! Worker processes, started by a test instead of by clw-gateway: this executable is its own worker.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use clw_core::verdict::Verdict;
use clw_gateway::Gateway;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{Visit, config, millis, until};

const WORKER: &[&str] = &["worker_process", "--exact", "--ignored", "--nocapture"];

/// No test: what a worker process runs.
#[test]
#[ignore = "started by the other test as a worker process"]
fn worker_process() {
    // The harness has begun a line of its own.
    println!();
    clw_gateway::worker_main();
}

/// Child processes of this one, in the order of their start.
fn children() -> Vec<Pid> {
    let mut all: Vec<i32> = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .map(|pid| pid.parse().unwrap())
                .collect::<Vec<_>>()
        })
        .collect();
    all.sort_unstable();
    all.into_iter().map(Pid::from_raw).collect()
}

#[test]
fn a_worker_that_dies_is_named_and_its_last_counts_are_kept() {
    let gateway = Gateway::start_workers(config(&[]), 2, WORKER).unwrap();
    let visit = Visit {
        hold: millis(1),
        ..Visit::default()
    };
    for _ in 0..10 {
        visit.to(gateway.address());
    }
    until("ten sessions in the counts", || {
        gateway.summary().count(Verdict::Ok) == 10
    });
    let victim = children()[0];
    kill(victim, Signal::SIGKILL).unwrap();
    until("the loss", || gateway.summary().lost_workers.len() == 1);
    // The one that is left takes all.
    for _ in 0..5 {
        visit.to(gateway.address());
    }
    let summary = gateway.stop();
    assert_eq!(summary.count(Verdict::Ok), 15);
    assert_eq!(summary.lost_workers.len(), 1);
    let lost = &summary.lost_workers[0];
    assert!(lost.contains("worker 0") && lost.contains("signal: 9"), "{lost}");
}
