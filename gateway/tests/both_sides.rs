//! Each fault has the same name on both sides of the wire.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use clw_core::Dialect;
use clw_core::verdict::{Side, Verdict, classify};
use clw_gateway::Config;
use clw_gateway::fault::{ClientSetup, FAULTS, fault_for, reproducible};
use std::collections::HashSet;
use support::{Visit, config, config_of, millis, one_session, verdicts};

/// Fault, verdict of both sides.
const PLAIN: &[(&str, &str)] = &[
    ("rst@accept", "clw-closed-before-connect"),
    ("rst@upgrade", "clw-closed-before-connect"),
    ("rst@challenge", "clw-closed-before-connect"),
    ("rst@auth", "clw-closed-before-connect"),
    ("rst@ready+50ms", "clw-auth-disconnected"),
    ("fin@accept", "clw-closed-before-connect"),
    ("fin@upgrade", "clw-closed-before-connect"),
    ("fin@challenge", "clw-closed-before-connect"),
    ("fin@auth", "clw-closed-before-connect"),
    ("fin@ready", "clw-auth-disconnected"),
    ("half-close@challenge", "clw-closed-before-connect"),
    ("half-close@ready", "clw-auth-disconnected"),
    ("close=1011@ready", "clw-server-error"),
    ("close=1011@auth", "clw-closed-before-connect"),
    ("close=1008/because@ready", "clw-auth-disconnected"),
    ("close=4001/gone@ready", "clw-session-revoked"),
    ("close=1012@ready+20ms", "clw-server-restart"),
    ("close=1001@auth", "clw-server-restart"),
    ("close=1013/gateway starting@challenge", "clw-server-unavailable"),
    ("close=1002@ready", "clw-protocol-error"),
    ("close=1000@ready", "clw-auth-disconnected"),
    ("server-error", "clw-server-error"),
    ("restart@auth", "clw-server-restart"),
    ("restart", "clw-server-restart"),
    ("revoke", "clw-session-revoked"),
    ("slow-consumer", "clw-slow-consumer"),
    ("malformed@ready", "clw-protocol-error"),
    ("malformed@challenge", "clw-protocol-error"),
    ("bad-utf8", "clw-protocol-error"),
    ("oversized=104857600", "clw-protocol-error"),
    ("challenge-delay=150ms", "ok"),
    ("handshake-timeout=150ms", "clw-handshake-timeout"),
    ("upgrade-status=404", "clw-upgrade-rejected"),
    ("upgrade-status=503", "clw-server-overloaded"),
    ("garbage", "clw-protocol-error"),
    ("budget=0", "clw-server-overloaded"),
    ("overload", "clw-server-overloaded"),
    ("rate-limit", "clw-rate-limited"),
    ("pairing", "clw-pairing-required"),
    ("refuse", "clw-auth-failed"),
    ("version-mismatch", "clw-version-mismatch"),
    ("unavailable", "clw-server-unavailable"),
    ("ping-stop", "ok"),
    ("mute", "ok"),
    ("kick", "clw-auth-disconnected"),
    ("stall=100ms", "ok"),
    ("rst:0%", "ok"),
    ("revoke-device", "clw-session-revoked"),
    ("approval", "ok"),
    ("revoke-tokens=100ms", "ok"),
    ("rotate-token=400ms", "clw-session-revoked"),
    ("forget-devices=400ms", "clw-server-restart"),
];

/// The same on CLW.
const CLW: &[(&str, &str)] = &[
    ("rst@accept", "clw-closed-before-connect"),
    ("rst@challenge", "clw-closed-before-connect"),
    ("rst@auth", "clw-closed-before-connect"),
    ("rst@ready+50ms", "clw-auth-disconnected"),
    ("fin@upgrade", "clw-closed-before-connect"),
    ("fin@auth", "clw-closed-before-connect"),
    ("fin@ready", "clw-auth-disconnected"),
    ("half-close@ready", "clw-auth-disconnected"),
    ("close=1000@ready", "clw-auth-disconnected"),
    ("close=1013/later@challenge", "clw-server-unavailable"),
    ("server-error", "clw-server-error"),
    ("restart@auth", "clw-server-restart"),
    ("restart", "clw-server-restart"),
    ("revoke", "clw-session-revoked"),
    ("malformed", "clw-protocol-error"),
    ("bad-utf8", "clw-protocol-error"),
    ("oversized=104857600", "clw-protocol-error"),
    ("handshake-timeout=150ms", "clw-handshake-timeout"),
    ("upgrade-status=404", "clw-upgrade-rejected"),
    ("garbage", "clw-protocol-error"),
    ("budget=0", "clw-server-overloaded"),
    ("overload", "clw-server-overloaded"),
    ("refuse", "clw-auth-failed"),
    ("version-mismatch", "clw-version-mismatch"),
    ("unavailable", "clw-server-unavailable"),
    ("token-expire=300s", "ok"),
    ("refuse-refresh", "ok"),
    ("udp-ping-loss", "ok"),
    ("udp-pong-loss", "ok"),
    ("stall=100ms", "ok"),
];

/// The same on ClawChat.
const CLAWCHAT: &[(&str, &str)] = &[
    ("rst@accept", "clw-closed-before-connect"),
    ("rst@auth", "clw-closed-before-connect"),
    ("rst@ready+50ms", "clw-auth-disconnected"),
    ("fin@upgrade", "clw-closed-before-connect"),
    ("fin@ready", "clw-auth-disconnected"),
    ("half-close@ready", "clw-auth-disconnected"),
    ("kick", "clw-auth-disconnected"),
    ("replace", "clw-session-replaced"),
    ("close=4002@ready", "clw-session-replaced"),
    ("close=1011@ready", "clw-server-error"),
    ("restart@auth", "clw-server-restart"),
    ("restart", "clw-server-restart"),
    ("malformed", "clw-protocol-error"),
    ("bad-utf8", "clw-protocol-error"),
    ("oversized=104857600", "clw-protocol-error"),
    ("challenge-delay=150ms", "ok"),
    ("handshake-timeout=1200ms", "clw-handshake-timeout"),
    ("upgrade-status=404", "clw-upgrade-rejected"),
    ("garbage", "clw-protocol-error"),
    ("budget=0", "clw-server-overloaded"),
    ("refuse", "clw-auth-failed"),
    ("auth-down", "clw-auth-unavailable"),
    ("unavailable", "clw-server-unavailable"),
    ("token-expire=300s", "ok"),
    ("refresh=10003", "ok"),
    ("refresh=500", "ok"),
    ("refresh=reject", "ok"),
    ("refresh=lose", "ok"),
    ("refresh=0", "ok"),
    ("refresh-delay=50ms", "ok"),
    ("mute", "ok"),
    ("ping-stop", "ok"),
    ("stall=100ms", "ok"),
];

#[test]
fn client_and_gateway_give_a_fault_the_same_name() {
    let cases: Vec<_> = PLAIN
        .iter()
        .map(|case| (Dialect::Openclaw, *case))
        .chain(CLW.iter().map(|case| (Dialect::Clw, *case)))
        .chain(CLAWCHAT.iter().map(|case| (Dialect::Clawchat, *case)))
        .collect();
    std::thread::scope(|scope| {
        for chunk in cases.chunks(cases.len() / 4) {
            scope.spawn(move || {
                for (dialect, (fault, verdict)) in chunk {
                    let visit = Visit {
                        dialect: *dialect,
                        ..Visit::default()
                    };
                    let both = verdicts(config_of(*dialect, &[fault]), &visit);
                    assert_eq!(both, (*verdict, *verdict), "{dialect}: {fault}");
                }
            });
        }
    });
}

#[test]
fn a_token_that_runs_out_ends_the_session_unless_it_is_refreshed() {
    let visit = Visit {
        dialect: Dialect::Clw,
        hold: millis(1700),
        ..Visit::default()
    };
    let refreshed = verdicts(config_of(Dialect::Clw, &["token-expire=1s"]), &visit);
    assert_eq!(refreshed, ("ok", "ok"));
    let refused = verdicts(
        config_of(Dialect::Clw, &["token-expire=1s", "refuse-refresh"]),
        &visit,
    );
    assert_eq!(refused, ("clw-session-expired", "clw-session-expired"));
}

#[test]
fn an_auth_queue_that_overflows_is_overload_to_both() {
    let mut config = config_of(Dialect::Clw, &[]);
    config.clw.queue = 0;
    config.clw.service = millis(50);
    let visit = Visit {
        dialect: Dialect::Clw,
        ..Visit::default()
    };
    let overloaded = "clw-server-overloaded";
    assert_eq!(verdicts(config, &visit), (overloaded, overloaded));
}

#[test]
fn a_clw_client_that_is_silent_is_missed() {
    let mut config = config_of(Dialect::Clw, &[]);
    config.clw.grace = millis(150);
    let visit = Visit {
        dialect: Dialect::Clw,
        ..Visit::default()
    };
    let miss = "clw-heartbeat-miss";
    assert_eq!(verdicts(config, &visit), (miss, miss));
}

#[test]
fn every_fault_of_the_table_is_tried_by_these_tests() {
    let elsewhere = [
        "no-challenge",
        "silence",
        "tick-stall",
        "pong-loss",
        "tls-close",
        "not-listening",
        "syn-drop",
    ];
    let tried: HashSet<_> = PLAIN
        .iter()
        .chain(CLW)
        .chain(CLAWCHAT)
        .map(|(fault, _)| fault.split(['=', ':', '@']).next().unwrap_or_default())
        .chain(elsewhere)
        .collect();
    for fault in FAULTS {
        assert!(tried.contains(fault.name), "{}", fault.name);
    }
}

#[test]
fn without_a_challenge_the_handshake_timeout_strikes() {
    let config = Config {
        handshake_timeout: Some(millis(200)),
        ..config(&["no-challenge"])
    };
    let both = verdicts(config, &Visit::default());
    assert_eq!(both, ("clw-handshake-timeout", "clw-handshake-timeout"));
}

#[test]
fn silence_is_a_missed_heartbeat_to_both() {
    for dialect in [Dialect::Openclaw, Dialect::Clw, Dialect::Clawchat] {
        let visit = Visit {
            dialect,
            ping: Some((millis(50), millis(100))),
            hold: millis(3000),
            ..Visit::default()
        };
        let miss = "clw-heartbeat-miss";
        assert_eq!(verdicts(config_of(dialect, &["silence"]), &visit), (miss, miss));
        let pongs = config_of(dialect, &["pong-loss@ready+60ms"]);
        assert_eq!(verdicts(pongs, &visit), (miss, miss), "{dialect}");
    }
}

#[test]
fn a_session_that_falls_silent_before_ready_ends_by_the_clients_timeout() {
    let visit = Visit {
        timeout: millis(300),
        ..Visit::default()
    };
    let (seen, record, _) = one_session(config(&["silence@challenge"]), &visit);
    let record = record.unwrap();
    assert_eq!(classify(&seen).verdict, Verdict::ClosedBeforeConnect);
    assert_eq!(
        (record.verdict, record.by),
        (Verdict::ClosedBeforeConnect, Side::Client)
    );
}

#[test]
fn ticks_that_stop_are_missed_by_a_client_that_watches_them() {
    let visit = Visit {
        watch_ticks: true,
        hold: millis(5000),
        ..Visit::default()
    };
    let config = Config {
        tick: millis(100),
        ..config(&["tick-stall@ready+250ms"])
    };
    let miss = "clw-heartbeat-miss";
    assert_eq!(verdicts(config, &visit), (miss, miss));
}

#[test]
fn ends_before_a_connection_leave_the_gateway_nothing_to_count() {
    let visit = Visit {
        timeout: millis(300),
        ..Visit::default()
    };
    let refused = verdicts(config(&["not-listening"]), &visit);
    assert_eq!(refused, ("clw-conn-refused", "nothing"));
    let dropped = verdicts(config(&["syn-drop"]), &visit);
    assert_eq!(dropped, ("clw-conn-timeout", "nothing"));
}

#[test]
fn tls_to_a_plain_port_fails_for_both() {
    let visit = Visit {
        tls: true,
        ..Visit::default()
    };
    let failed = "clw-tls-failed";
    assert_eq!(verdicts(config(&[]), &visit), (failed, failed));
    assert_eq!(verdicts(config(&["tls-close"]), &visit), (failed, failed));
}

#[test]
fn a_wrong_token_is_refused_and_a_right_one_logs_out_in_order() {
    let wrong = Visit {
        token: "wrong",
        ..Visit::default()
    };
    let failed = "clw-auth-failed";
    assert_eq!(verdicts(config(&[]), &wrong), (failed, failed));
    assert_eq!(verdicts(config(&[]), &Visit::default()), ("ok", "ok"));
}

#[test]
fn every_reproducible_verdict_is_given_by_its_setup() {
    for (dialect, verdict) in [Dialect::Openclaw, Dialect::Clw]
        .into_iter()
        .flat_map(|dialect| reproducible(dialect).map(move |verdict| (dialect, verdict)))
    {
        let setup = fault_for(verdict, dialect).unwrap();
        let visit = match setup.client {
            ClientSetup::Plain => Visit::default(),
            ClientSetup::WithCall => Visit {
                call: true,
                ..Visit::default()
            },
            ClientSetup::QuickHeartbeat => Visit {
                ping: Some((millis(50), millis(100))),
                hold: millis(3000),
                ..Visit::default()
            },
            ClientSetup::WrongToken => Visit {
                token: "wrong",
                ..Visit::default()
            },
            ClientSetup::Tls => Visit {
                tls: true,
                ..Visit::default()
            },
            // Ended by the test itself, not by a session.
            ClientSetup::LeftOpen => continue,
            ClientSetup::ShortTimeout => Visit {
                timeout: millis(300),
                ..Visit::default()
            },
        };
        let visit = Visit { dialect, ..visit };
        let config = Config {
            faults: setup.faults,
            ..config_of(dialect, &[])
        };
        let (client, gateway) = verdicts(config, &visit);
        assert_eq!(client, verdict.name(), "{dialect}");
        assert!(
            gateway == client || gateway == "nothing",
            "{client} is {gateway} to the gateway"
        );
    }
}
