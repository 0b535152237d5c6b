//! Scenario files: what they mean, and what a wrong one is told.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use clap::Parser as _;
use clw_bench::args::Args;
use clw_bench::plan::{Environment, Hold, Plan, Role, args_to_plan};
use clw_bench::scenario::Scenario;
use clw_core::Dialect;
use clw_core::pacing::{Amount, Load};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

fn plan_of(text: &str, flags: &str) -> Plan {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.toml");
    std::fs::write(&file, text).unwrap();
    plan_of_file(&file, flags)
}

fn plan_of_file(file: &Path, flags: &str) -> Plan {
    let words = ["clw-bench", "--scenario", file.to_str().unwrap()];
    let args = Args::try_parse_from(words.into_iter().chain(flags.split_whitespace())).unwrap();
    args_to_plan(&args, &Environment::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn refusal(text: &str) -> String {
    Scenario::from_text(Path::new("s.toml"), text)
        .map(|_| ())
        .expect_err(text)
        .to_string()
}

#[test]
fn each_example_is_a_plan() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let plan = plan_of_file(&path, "");
            assert!(!plan.thresholds.is_empty(), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 3);
}

#[test]
fn the_mixed_example_has_exact_shares_in_every_hundred() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let plan = plan_of_file(&folder.join("mixed.toml"), "");
    let order = |block: u64| {
        (0..100)
            .map(|i| plan.mix_of(block * 100 + i).name.clone())
            .collect::<Vec<_>>()
    };
    for block in 0..20 {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for name in order(block) {
            *counts.entry(name).or_default() += 1;
        }
        let expected = [("nodes", 5), ("plain", 70), ("with-device", 25)];
        assert!(
            counts.iter().map(|(n, c)| (n.as_str(), *c)).eq(expected),
            "{counts:?}"
        );
    }
    assert_ne!(order(0), order(1));
    let again = plan_of_file(&folder.join("mixed.toml"), "");
    assert!((0..500).all(|k| again.mix_of(k).name == plan.mix_of(k).name));
    let node = (0..100)
        .map(|k| plan.session(k))
        .find(|s| s.mix.name == "nodes")
        .unwrap();
    assert_eq!(node.role, Role::Node);
    assert!(node.has_device());
    assert_eq!(plan.call_names, ["health", "status-deep"]);
}

#[test]
fn weights_that_are_no_percentages_still_fill_every_hundred() {
    let plan = plan_of(
        "[[session]]\nweight = 1\n[[session]]\nweight = 1\n[[session]]\nweight = 1\n",
        "",
    );
    let shares: Vec<u32> = plan.mixes.iter().map(|m| m.per_hundred).collect();
    assert_eq!(shares.iter().sum::<u32>(), 100);
    assert!(shares.iter().all(|s| (33..=34).contains(s)), "{shares:?}");
}

#[test]
fn flags_win_over_the_scenario() {
    let text = "seed = 9\n[load]\nsessions = 100\nduration = \"1m\"\nramp = \"5s\"\n\
                [[session]]\nrole = \"node\"\nhold = \"3s\"\n[impair]\ndelay = \"10ms\"\n[reconnect]\nretries = 7\n";
    let written = plan_of(text, "");
    assert_eq!(written.seed, 9);
    assert_eq!(written.mix_of(0).role, Role::Node);
    assert_eq!(written.impair.delay, Duration::from_millis(10));
    assert!(written.reconnect.enabled);
    assert_eq!(written.reconnect.retries, 7);

    let typed = plan_of(
        text,
        "-n 50 --role operator --hold 1s --impair delay=20ms --reconnect off --seed 2 --threshold a==0",
    );
    let load = Load::Closed {
        sessions: 100,
        amount: Amount::Total(50),
        ramp: Duration::from_secs(5),
    };
    assert_eq!(typed.load, load);
    assert_eq!(typed.seed, 2);
    assert_eq!(typed.mix_of(0).role, Role::Operator);
    assert_eq!(typed.mix_of(0).hold, Hold::For(Duration::from_secs(1)));
    assert_eq!(typed.impair.delay, Duration::from_millis(20));
    assert!(!typed.reconnect.enabled);
    assert_eq!(typed.thresholds, ["a==0"]);

    let rate = plan_of(text, "-r 5");
    assert!(matches!(rate.load, Load::Open { amount: Amount::For(d), .. } if d.as_secs() == 60));
    let staged = "[load]\nstages = [{ duration = \"1s\", sessions = 5 }]\n";
    assert!(matches!(plan_of(staged, "").load, Load::Staged { .. }));
    let replaced = plan_of(staged, "-c 3 -n 9");
    assert!(matches!(replaced.load, Load::Closed { sessions: 3, .. }));
    assert!(replaced.notes[0].contains("instead of the scenario's stages"));
}

#[test]
fn mixes_may_speak_different_dialects_at_different_addresses() {
    let plan = plan_of(
        "[[session]]\ndialect = \"openclaw\"\nurl = \"ws://127.0.0.1:1\"\n\
         [[session]]\ndialect = \"clw\"\nurl = \"ws://127.0.0.1\"\nheartbeat = \"off\"\n",
        "",
    );
    assert_eq!(plan.mixes[0].dialect, Dialect::Openclaw);
    assert_eq!(plan.mixes[1].dialect, Dialect::Clw);
    assert_eq!(plan.mixes[1].heartbeat, None);
    assert!(!plan.wants_embedded());
}

#[test]
fn credentials_are_found_beside_the_scenario() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("who.jsonl"),
        "{\"token\":\"a\"}\n{\"token\":\"b\",\"role\":\"node\"}\n",
    )
    .unwrap();
    let file = folder.path().join("s.toml");
    std::fs::write(&file, "[[session]]\ncredentials = \"who.jsonl\"\n").unwrap();
    let plan = plan_of_file(&file, "");
    assert_eq!(plan.session(0).credential.token.as_ref().unwrap().expose(), "a");
    let second = plan.session(1);
    assert_eq!((second.role, second.client_id), (Role::Node, "node-host"));
    assert_eq!(plan.session(2).credential.token.as_ref().unwrap().expose(), "a");
    // The embedded gateway accepts the first.
    assert_eq!(plan.embedded_token.expose(), "a");
}

#[test]
fn a_wrong_scenario_is_told_line_column_field_and_the_near_name() {
    for (text, parts) in [
        (
            "[load]\nsesions = 5\n",
            &["s.toml:2:1: field `sesions`", "did you mean `sessions`?"][..],
        ),
        ("[lod]\n", &["s.toml:1:2", "did you mean `load`?"]),
        (
            "[load]\nsessions = \"five\"\n",
            &["s.toml:2:12: field `sessions`", "invalid type"],
        ),
        ("[load]\nsessions = -1\n", &["s.toml:2:12: field `sessions`"]),
        (
            "[load]\n\n  ramp = \"5 parsecs\"\n",
            &["s.toml:3:10: field `ramp`", "a duration such as"],
        ),
        (
            "[load]\nmodel = \"opn\"\n",
            &["s.toml:2:9: field `model`", "did you mean `open`?"],
        ),
        (
            "[load]\nmodel = \"open\"\nsessions = 5\n",
            &["s.toml:1:", "the open model has `rate`"],
        ),
        (
            "[load]\nmodel = \"closed\"\nrate = 5\n",
            &["the closed model has `sessions`"],
        ),
        ("[load]\nrate = 5\nsessions = 5\n", &["not both"]),
        (
            "[load]\ntotal = 5\nduration = 5\n",
            &["`total` or `duration`, not both"],
        ),
        ("[load]\nstages = []\n", &["no stages"]),
        (
            "[load]\nstages = [\n  { duration = \"1s\", sessions = 1 },\n  { duration = \"1s\" },\n]\n",
            &["s.toml:4:3", "either `sessions` or `rate`"],
        ),
        (
            "[load]\nstages = [{ duration = \"1s\", sessions = 1 }, { duration = \"1s\", rate = 1.0 }]\n",
            &["stage 2 is of the other kind"],
        ),
        (
            "[load]\nramp = 1\nstages = [{ duration = 1, sessions = 1 }]\n",
            &["`stages` stand instead of"],
        ),
        (
            "[[session]]\nrole = \"admin\"\n",
            &["s.toml:2:8: field `role`", "accepted here: operator, node"],
        ),
        (
            "[[session]]\ndialect = \"http\"\n",
            &["s.toml:2:11: field `dialect`", "accepted are openclaw, clw"],
        ),
        (
            "[[session]]\nweight = 0\n",
            &["s.toml:2:10: field `weight`", "above 0"],
        ),
        (
            "[[session]]\nname = \"a\"\n[[session]]\nname = \"a\"\n",
            &["s.toml:3:", "two mixes have the name `a`"],
        ),
        (
            "[[session]]\ncalls = [{ every = \"5s\" }]\n",
            &["s.toml:2:10", "missing field `method`"],
        ),
        (
            "[[session]]\ncalls = [{ method = \"a\", every = 0 }]\n",
            &["s.toml:2:10", "`every` is 0"],
        ),
        (
            "[[session]]\ncalls = [{ method = \"a\", perod = 1 }]\n",
            &["field `perod`", "accepted here: method"],
        ),
        (
            "[[session]]\ntoken_file = \"f\"\ntoken_command = \"s3cret\"\n",
            &[
                "s.toml:1:",
                "one of `credentials`, `token_file` and `token_command`",
            ],
        ),
        (
            "[[session]]\ntoken = \"s3cret\"\n",
            &["s.toml:2:1: field `token`", "token_file"],
        ),
        (
            "[impair]\nloss = \"70%\"\n",
            &["s.toml:2:8: field `loss`", "from 0 to 50%"],
        ),
        (
            "[impair]\njitter = \"5ms\"\n",
            &["s.toml:2:10: field `jitter`", "from 0 to the delay"],
        ),
        (
            "[reconnect]\nretry = 3\n",
            &["s.toml:2:1: field `retry`", "did you mean `retries`?"],
        ),
        ("[thresholds]\nrequire = 5\n", &["s.toml:2:11: field `require`"]),
        ("x = [\n", &["s.toml:"]),
        (
            "[load]\nsessions = 5\nsessions = 6\n",
            &["s.toml:3:1", "duplicate key"],
        ),
    ] {
        let message = refusal(text);
        for part in parts {
            assert!(message.contains(part), "{text}\n{message}");
        }
        assert!(!message.contains("s3cret"), "{message}");
    }
}
