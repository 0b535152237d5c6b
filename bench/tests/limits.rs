//! What would stop a run, and what to change.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use clap::Parser as _;
use clw_bench::args::Args;
use clw_bench::limits::{Facts, Level, Needs, Reach, assess};
use clw_bench::plan::{Environment, Workers, args_to_plan};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn facts() -> Facts {
    Facts {
        nofile_soft: 1024,
        nofile_hard: 20_000,
        nr_open: 1_048_576,
        ports: (32_768, 60_999),
        cores: 2,
        somaxconn: Some(4096),
        memory_available_bytes: Some(24 << 30),
    }
}

fn needs(peak: u64, reach: Reach) -> Needs {
    Needs {
        peak,
        rate: None,
        reach,
        embedded: false,
        binds: Vec::new(),
        workers: Workers::Auto,
    }
}

fn of(line: &str, target: &str) -> Needs {
    let args = Args::try_parse_from(std::iter::once("clw-bench").chain(line.split_whitespace())).unwrap();
    let plan = args_to_plan(&args, &Environment::default()).unwrap();
    let addresses: Vec<_> = target.parse().into_iter().collect();
    Needs::of(&plan, &addresses).unwrap()
}

#[test]
fn a_hundred_thousand_sessions_on_loopback_get_workers_and_addresses_by_themselves() {
    let mut needs = needs(100_000, Reach::Loopback4);
    needs.embedded = true;
    let found = assess(&needs, &facts());
    assert_eq!(found.workers, 6);
    assert_eq!(found.gateway_workers, 6);
    assert!(!found.fits_one_process);
    assert_eq!(found.sources[0].to_string(), "127.0.0.1-127.0.0.13");
    assert!(found.findings.is_empty(), "{:?}", found.findings);
}

#[test]
fn a_small_run_is_left_alone() {
    let found = assess(&needs(500, Reach::Loopback4), &facts());
    assert_eq!(
        (found.workers, found.sources.len(), found.findings.len()),
        (1, 0, 0)
    );
    assert!(found.fits_one_process);
    assert_eq!(found.source_of(7), None);
}

#[test]
fn too_few_workers_stop_with_the_exact_settings() {
    let mut needs = needs(50_000, Reach::Loopback4);
    needs.workers = Workers::Exactly(1);
    let found = assess(&needs, &facts());
    assert!(found.stops());
    let message = found.findings[0].to_string();
    for part in [
        "--workers 3",
        "ulimit -Hn 50256",
        "LimitNOFILE=50256",
        "may have 20 000",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!message.contains("fs.nr_open"), "{message}");
    let tight = Facts {
        nr_open: 30_000,
        ..facts()
    };
    let message = assess(&needs, &tight).findings[0].to_string();
    assert!(message.contains("fs.nr_open to 50256"), "{message}");
}

#[test]
fn no_descriptors_left_stops_instead_of_starting_thousands_of_workers() {
    for hard in [0, 256, 257] {
        let none = Facts {
            nofile_hard: hard,
            ..facts()
        };
        let found = assess(&needs(100_000, Reach::Loopback4), &none);
        assert!(found.stops() && found.workers <= 1024, "{found:?}");
        assert!(found.findings[0].fix.contains("ulimit"), "{found:?}");
    }
}

#[test]
fn one_source_address_warns_beyond_8000_and_stops_beyond_its_ports() {
    let found = |peak| assess(&needs(peak, Reach::Network), &facts()).findings;
    assert!(found(8000).is_empty());
    let warned = &found(8001)[0];
    assert_eq!(warned.level, Level::Warning);
    let message = warned.to_string();
    assert!(
        message.contains("only one source address") && message.contains("--bind A-B"),
        "{message}"
    );
    assert_eq!(found(28_232)[0].level, Level::Warning);
    let stopped = &found(28_233)[0];
    assert_eq!(stopped.level, Level::Stop);
    assert!(stopped.fix.contains("give 4 of them with --bind"), "{stopped}");
}

#[test]
fn ipv6_loopback_has_one_address_and_the_message_says_what_to_use() {
    let found = assess(&needs(20_000, Reach::Loopback6), &facts());
    assert!(found.findings[0].fix.contains("use 127.0.0.1"), "{found:?}");
}

#[test]
fn bound_ranges_are_used_and_checked() {
    let mut needs = needs(40_000, Reach::Network);
    needs.binds = vec!["10.0.0.1-10.0.0.5".parse().unwrap()];
    let found = assess(&needs, &facts());
    assert!(
        !found.findings.iter().any(|f| f.problem.contains("port")),
        "{found:?}"
    );
    assert_eq!(found.source_of(6).unwrap().to_string(), "10.0.0.2");
    needs.binds = vec!["10.0.0.1".parse().unwrap()];
    let found = assess(&needs, &facts());
    assert!(found.stops());
    assert!(found.findings[0].problem.contains("--bind gives 1"), "{found:?}");
}

#[test]
fn a_narrow_port_range_is_named() {
    let narrow = Facts {
        ports: (50_000, 50_999),
        ..facts()
    };
    let found = assess(&needs(5000, Reach::Network), &narrow);
    assert!(found.stops());
    assert!(
        found.findings[0].fix.contains("net.ipv4.ip_local_port_range"),
        "{found:?}"
    );
    // On loopback more addresses are taken instead.
    let loopback = assess(&needs(5000, Reach::Loopback4), &narrow);
    assert!(
        loopback.findings.is_empty() && loopback.sources[0].count() >= 5,
        "{loopback:?}"
    );
}

#[test]
fn a_rate_that_closed_connections_starve_of_ports_is_named() {
    let mut needs = needs(1000, Reach::Network);
    needs.rate = Some(1000.0);
    let found = assess(&needs, &facts());
    assert!(
        found.findings[0].problem.contains("keeps its port for 60 s"),
        "{found:?}"
    );
    needs.reach = Reach::Loopback4;
    assert!(assess(&needs, &facts()).findings.is_empty());
}

#[test]
fn too_little_memory_and_short_queues_are_named() {
    let mut needs = needs(10_000, Reach::Loopback4);
    needs.embedded = true;
    let poor = Facts {
        memory_available_bytes: Some(100 << 20),
        somaxconn: Some(128),
        ..facts()
    };
    let found = assess(&needs, &poor);
    assert!(!found.stops());
    let all: Vec<String> = found.findings.iter().map(ToString::to_string).collect();
    assert!(all.iter().any(|f| f.contains("100.0 MiB are free")), "{all:?}");
    assert!(all.iter().any(|f| f.contains("net.core.somaxconn")), "{all:?}");
}

#[test]
fn needs_follow_from_the_plan() {
    assert_eq!(of("-c 500 -n 10000", "").peak, 500);
    assert!(of("-c 500 -n 10000", "").embedded);
    assert_eq!(of("-c 500 -n 100", "").peak, 100);
    // 100 a second, each 10 s and a second around it.
    let open = of("-r 100 -d 1m --hold 10s ws://10.0.0.1", "10.0.0.1");
    assert_eq!(
        (open.peak, open.rate, open.reach),
        (1100, Some(100.0), Reach::Network)
    );
    assert_eq!(of("-r 100 -n 50 --hold 1h", "").peak, 50);
    assert_eq!(of("-c 500 -n 10000 --shard 0/2", "").peak, 250);
    assert_eq!(of("ws://[::1]", "::1").reach, Reach::Loopback6);
    assert_eq!(of("ws://127.9.9.9", "127.9.9.9").reach, Reach::Loopback4);
}

proptest! {
    #[test]
    fn what_is_assessed_without_a_stop_fits(peak in 1u64..2_000_000, hard in 300u64..2_000_000) {
        let facts = Facts { nofile_hard: hard, memory_available_bytes: None, ..facts() };
        let found = assess(&needs(peak, Reach::Loopback4), &facts);
        if !found.stops() {
            prop_assert!(peak.div_ceil(u64::from(found.workers)) + 256 <= hard);
        }
        let sources = found.sources.iter().map(|s| u64::from(s.count())).sum::<u64>().max(1);
        prop_assert!(peak.div_ceil(sources) <= 8000);
    }

    #[test]
    fn sessions_are_spread_evenly_over_the_sources(peak in 8001u64..60_000) {
        let found = assess(&needs(peak, Reach::Loopback4), &facts());
        let mut each: BTreeMap<_, u64> = BTreeMap::new();
        for number in 0..peak {
            *each.entry(found.source_of(number)).or_default() += 1;
        }
        let (least, most) = (each.values().min().unwrap(), each.values().max().unwrap());
        prop_assert!(most - least <= 1 && *most <= 8000);
    }
}
