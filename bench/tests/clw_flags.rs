//! The flags of CLW sessions and of their gateway.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use clap::Parser as _;
use clw_bench::args::Args;
use clw_bench::plan::{Environment, WirePlan, args_to_plan, describe};
use support::{plan, secs};

#[test]
fn clw_has_its_own_defaults_and_every_one_of_them_can_be_changed() {
    let usual = &plan("--dialect clw").mixes[0];
    assert!(usual.resume && usual.udp_heartbeat && !usual.prefer_ipv4);
    assert_eq!(usual.tcp_keepalive, Some(secs(10)));
    assert_eq!(plan("").mixes[0].tcp_keepalive, None);
    let other = plan("--dialect clw --resume off --udp-heartbeat off --tcp-keepalive off --prefer-ipv4");
    let mix = &other.mixes[0];
    assert!(!mix.resume && !mix.udp_heartbeat && mix.prefer_ipv4);
    assert_eq!(mix.tcp_keepalive, None);
    assert!(other.gateway.is_empty());
    assert!(plan("--bind 127.0.0.2").mixes[0].prefer_ipv4 && !plan("--bind ::1").mixes[0].prefer_ipv4);
    assert_eq!(plan("--tcp-keepalive 7s").mixes[0].tcp_keepalive, Some(secs(7)));
}

#[test]
fn the_embedded_gateway_offers_datagrams_where_they_are_asked_for() {
    assert!(plan("--dialect clw").gateway.is_empty());
    for line in [
        "--dialect clw --udp-heartbeat on",
        "--dialect clw --fault udp-pong-loss:5%",
        "--dialect clw --gateway --udp-heartbeat",
    ] {
        assert_eq!(plan(line).gateway, ["--udp-heartbeat"], "{line}");
    }
    let typed = args_to_plan(
        &Args::try_parse_from(["clw-bench", "--gateway", "--clw-queue 7  --clw-service 2ms"]).unwrap(),
        &Environment::default(),
    );
    assert_eq!(
        typed.unwrap().gateway,
        ["--clw-queue", "7", "--clw-service", "2ms"]
    );
    // Against a gateway of one's own it is the gateway's affair.
    plan("--dialect clw --udp-heartbeat on --token t ws://127.0.0.1");
}

#[test]
fn a_token_command_is_a_secret_that_a_worker_gets_all_the_same() {
    let words = [
        "clw-bench",
        "--token-command",
        "curl -H key:hunter2",
        "ws://127.0.0.1",
    ];
    let plan = args_to_plan(&Args::try_parse_from(words).unwrap(), &Environment::default()).unwrap();
    let shown = serde_json::to_string(&plan).unwrap() + &format!("{plan:?}") + &describe(&plan).unwrap();
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(plan.notes.is_empty(), "{:?}", plan.notes);
    let packed = WirePlan::new(&plan).to_json().unwrap();
    assert_eq!(
        WirePlan::unpack(&packed).unwrap().mixes[0].token_command,
        plan.mixes[0].token_command
    );
}
