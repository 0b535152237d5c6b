//! One test a rule and one a careful point, as tables.

use super::{classify, counts_as_error};
use crate::verdict::{
    CloseFrame, Connect, Disconnect, EndingKind, HeartbeatLoss, Observation, Refusal, RefusalClass,
    ResetClass, Side, Verdict, Viewpoint, Violation,
};
use crate::{Dialect, Stage};
use std::time::Duration;

use Dialect::{Clawchat, Clw, Openclaw};
use Side::{Client, Server};
use Stage::{Auth, Challenge, Ready, Upgrade};

fn at(dialect: Dialect, stage: Stage) -> Observation {
    Observation {
        dialect,
        stage,
        duration: Duration::from_millis(400),
        ..Observation::default()
    }
}

fn closed(
    dialect: Dialect,
    stage: Stage,
    by: Side,
    code: impl Into<Option<u16>>,
    reason: &str,
) -> Observation {
    Observation {
        close: Some(CloseFrame {
            by,
            code: code.into(),
            reason: reason.to_owned(),
        }),
        ending: EndingKind::Fin,
        ended_by: by,
        ..at(dialect, stage)
    }
}

fn cut(dialect: Dialect, stage: Stage, ending: EndingKind, by: Side) -> Observation {
    Observation {
        ending,
        ended_by: by,
        ..at(dialect, stage)
    }
}

fn disconnected(stage: Stage, reason: Disconnect) -> Observation {
    Observation {
        disconnect: Some(reason),
        ..cut(Clw, stage, EndingKind::Fin, Server)
    }
}

fn refused(class: RefusalClass) -> Observation {
    Observation {
        refusal: Some(Refusal {
            class,
            code: "CODE".to_owned(),
            message: String::new(),
        }),
        ..cut(Openclaw, Auth, EndingKind::Fin, Server)
    }
}

#[track_caller]
fn gives(seen: &Observation, verdict: Verdict) {
    let judgement = classify(seen);
    assert_eq!(judgement.verdict, verdict, "{seen:#?}");
    assert!((0.0..=1.0).contains(&judgement.confidence), "{judgement:?}");
}

#[test]
fn connects_that_fail_are_told_apart() {
    let failed = |connect| Observation {
        connect,
        ..Observation::default()
    };
    gives(&failed(Connect::Refused), Verdict::ConnRefused);
    gives(&failed(Connect::TimedOut), Verdict::ConnTimeout);
    gives(&failed(Connect::Unreachable), Verdict::ConnTimeout);
    let on_the_wire = Observation {
        viewpoint: Viewpoint::Wire,
        reset: Some(ResetClass::Refused),
        reset_confidence: 0.99,
        ..cut(Dialect::Unknown, Stage::Tcp, EndingKind::Rst, Server)
    };
    gives(&on_the_wire, Verdict::ConnRefused);
}

#[test]
fn tls_that_is_told_or_seen_to_fail_is_tls_failed() {
    let told = Observation {
        tls_failure: Some("alert: unknown_ca".to_owned()),
        ..at(Openclaw, Stage::Tls)
    };
    gives(&told, Verdict::TlsFailed);
    gives(
        &cut(Openclaw, Stage::Tls, EndingKind::Fin, Server),
        Verdict::TlsFailed,
    );
    // A client that gives up is the one who closed.
    gives(
        &cut(Openclaw, Stage::Tls, EndingKind::Fin, Client),
        Verdict::ClosedBeforeConnect,
    );
}

#[test]
fn the_status_of_the_upgrade_decides_between_rejected_and_overloaded() {
    let answered = |status| Observation {
        http_status: Some(status),
        ..cut(Openclaw, Upgrade, EndingKind::Fin, Server)
    };
    for status in [200, 301, 400, 401, 403, 404, 426, 429, 500, 502] {
        gives(&answered(status), Verdict::UpgradeRejected);
    }
    gives(&answered(503), Verdict::ServerOverloaded);
    gives(&answered(101), Verdict::ClosedBeforeConnect);
}

#[test]
fn each_class_of_refusal_has_its_verdict() {
    for (class, verdict) in [
        (RefusalClass::Overloaded, Verdict::ServerOverloaded),
        (RefusalClass::Unavailable, Verdict::ServerUnavailable),
        (RefusalClass::RateLimited, Verdict::RateLimited),
        (RefusalClass::PairingRequired, Verdict::PairingRequired),
        (RefusalClass::VersionMismatch, Verdict::VersionMismatch),
        (RefusalClass::Credentials, Verdict::AuthFailed),
        (RefusalClass::AuthUnavailable, Verdict::AuthUnavailable),
        (RefusalClass::Protocol, Verdict::ProtocolError),
    ] {
        gives(&refused(class), verdict);
        // With the close frame that follows it, and at the handshake timeout too.
        let with_close = Observation {
            since_upgrade: Duration::from_secs(15),
            ..Observation {
                refusal: refused(class).refusal,
                ..closed(Openclaw, Auth, Server, 1008, "whatever")
            }
        };
        gives(&with_close, verdict);
    }
}

#[test]
fn after_a_hello_fail_the_clients_close_and_the_reset_are_noise() {
    let seen = Observation {
        dialect: Clawchat,
        refusal: refused(RefusalClass::AuthUnavailable).refusal,
        reset: Some(ResetClass::AfterClose),
        reset_confidence: 0.97,
        ..closed(Clawchat, Auth, Client, 4001, "")
    };
    gives(&seen, Verdict::AuthUnavailable);
}

#[test]
fn a_1008_before_ready_is_read_by_its_reason() {
    for (reason, verdict) in [
        ("unauthorized: gateway token mismatch", Verdict::AuthFailed),
        ("device signature invalid", Verdict::AuthFailed),
        ("device identity required", Verdict::AuthFailed),
        ("origin not allowed (open the Control UI …)", Verdict::AuthFailed),
        (
            "pairing required: device is not approved yet",
            Verdict::PairingRequired,
        ),
        ("invalid request frame", Verdict::ProtocolError),
        (
            "invalid handshake: first request must be connect",
            Verdict::ProtocolError,
        ),
        (
            "invalid connect params: at /client/id: must be",
            Verdict::ProtocolError,
        ),
        ("invalid role", Verdict::ProtocolError),
        ("invalid-handshake", Verdict::ProtocolError),
        ("client version mismatch", Verdict::VersionMismatch),
        ("gateway message handler loading", Verdict::ServerUnavailable),
        ("handshake timeout", Verdict::HandshakeTimeout),
    ] {
        gives(&closed(Openclaw, Auth, Server, 1008, reason), verdict);
    }
    let unexplained = closed(Openclaw, Auth, Server, 1008, "because");
    gives(&unexplained, Verdict::AuthFailed);
    assert!(classify(&unexplained).confidence <= 0.5);
}

#[test]
fn a_1008_after_ready_is_a_slow_consumer_or_a_disconnect() {
    gives(
        &closed(Openclaw, Ready, Server, 1008, "slow consumer"),
        Verdict::SlowConsumer,
    );
    for reason in [
        "repeated unauthorized calls",
        "unauthorized: x",
        "pairing required",
        "",
    ] {
        gives(
            &closed(Openclaw, Ready, Server, 1008, reason),
            Verdict::AuthDisconnected,
        );
    }
    let noticed = Observation {
        slow_consumer: true,
        ..cut(Clawchat, Ready, EndingKind::Fin, Server)
    };
    gives(&noticed, Verdict::SlowConsumer);
}

#[test]
fn a_1002_is_a_version_mismatch_only_with_that_reason() {
    gives(
        &closed(Openclaw, Auth, Server, 1002, "protocol mismatch"),
        Verdict::VersionMismatch,
    );
    gives(&closed(Openclaw, Auth, Server, 1002, ""), Verdict::ProtocolError);
    for code in [1002, 1003, 1007, 1009] {
        for stage in [Challenge, Auth, Ready] {
            gives(&closed(Clw, stage, Server, code, ""), Verdict::ProtocolError);
            gives(&closed(Clw, stage, Client, code, ""), Verdict::ProtocolError);
        }
    }
}

#[test]
fn a_violation_is_a_protocol_error_at_any_stage() {
    for stage in [Upgrade, Challenge, Auth, Ready] {
        for by in [Client, Server] {
            let seen = Observation {
                violation: Some(Violation {
                    by,
                    what: "100 MB frame".to_owned(),
                }),
                ..closed(Openclaw, stage, Server, 1008, "")
            };
            gives(&seen, Verdict::ProtocolError);
        }
    }
}

#[test]
fn the_handshake_timeout_is_known_by_its_time_whatever_the_code() {
    for (dialect, seconds) in [(Openclaw, 15), (Clawchat, 10), (Clw, 5)] {
        let timeout = Duration::from_secs(seconds);
        for code in [Some(1000), Some(1008), Some(4000), None] {
            let mut seen = closed(dialect, Challenge, Server, code, "");
            seen.since_upgrade = timeout.mul_f32(0.985);
            gives(&seen, Verdict::HandshakeTimeout);
            seen.stage = Auth;
            gives(&seen, Verdict::HandshakeTimeout);
        }
        let mut by_fin = cut(dialect, Challenge, EndingKind::Fin, Server);
        by_fin.since_upgrade = timeout;
        gives(&by_fin, Verdict::HandshakeTimeout);
        by_fin.since_upgrade = timeout.mul_f32(0.9);
        gives(&by_fin, Verdict::ClosedBeforeConnect);
    }
}

#[test]
fn a_timeout_that_was_seen_overrules_the_default_and_is_surer() {
    let mut seen = cut(Clawchat, Challenge, EndingKind::Fin, Server);
    seen.duration = Duration::from_secs(3);
    gives(&seen, Verdict::ClosedBeforeConnect);
    seen.handshake_timeout = Some(Duration::from_secs(3));
    gives(&seen, Verdict::HandshakeTimeout);
    let known = classify(&seen).confidence;
    seen.handshake_timeout = None;
    seen.duration = Duration::from_secs(10);
    gives(&seen, Verdict::HandshakeTimeout);
    assert!(classify(&seen).confidence < known);
}

#[test]
fn a_server_that_says_timeout_is_believed_at_any_time() {
    let seen = Observation {
        handshake_timed_out: true,
        ..cut(Openclaw, Auth, EndingKind::Fin, Server)
    };
    gives(&seen, Verdict::HandshakeTimeout);
}

#[test]
fn a_client_that_gives_up_before_ready_closed_before_connect() {
    for seen in [
        closed(Openclaw, Challenge, Client, 1000, "release"),
        closed(Openclaw, Auth, Client, 1001, ""),
        closed(Openclaw, Auth, Client, 4000, ""),
        closed(Clawchat, Auth, Client, 4001, ""),
        closed(Clawchat, Auth, Client, 1011, "keepalive ping timeout"),
        cut(Openclaw, Challenge, EndingKind::Fin, Client),
        cut(Openclaw, Stage::Tcp, EndingKind::Rst, Client),
    ] {
        // Even at the time of the server's handshake timeout.
        for duration in [1, 15_000] {
            let seen = Observation {
                duration: Duration::from_millis(duration),
                ..seen.clone()
            };
            gives(&seen, Verdict::ClosedBeforeConnect);
            assert_eq!(classify(&seen).by, Client);
        }
    }
}

#[test]
fn a_helper_that_leaves_before_connect_is_no_error() {
    let mut seen = closed(Openclaw, Challenge, Client, 1000, "");
    assert!(counts_as_error(&seen, &classify(&seen)));
    seen.helper = true;
    assert!(!counts_as_error(&seen, &classify(&seen)));
    seen.close = None;
    seen.connect = Connect::Refused;
    assert!(counts_as_error(&seen, &classify(&seen)));
}

#[test]
fn a_plain_1000_right_after_the_first_message_answers_that_message() {
    let mut seen = closed(Openclaw, Auth, Server, 1000, "");
    gives(&seen, Verdict::ProtocolError);
    let unsure = classify(&seen).confidence;
    seen.since_first_message = Some(Duration::from_millis(4));
    gives(&seen, Verdict::ProtocolError);
    assert!(classify(&seen).confidence > unsure);
    seen.since_first_message = Some(Duration::from_secs(5));
    gives(&seen, Verdict::ClosedBeforeConnect);
    // Nothing was sent that it could answer.
    gives(
        &closed(Openclaw, Challenge, Server, 1000, ""),
        Verdict::ClosedBeforeConnect,
    );
}

#[test]
fn going_down_is_a_restart_at_every_stage_when_the_server_says_so() {
    for stage in [Upgrade, Challenge, Auth, Ready] {
        for code in [1001, 1012] {
            let mut seen = closed(Openclaw, stage, Server, code, "service restart");
            gives(&seen, Verdict::ServerRestart);
            seen.duration = Duration::from_secs(15);
            gives(&seen, Verdict::ServerRestart);
        }
        gives(&disconnected(stage, Disconnect::Shutdown), Verdict::ServerRestart);
    }
    gives(&closed(Openclaw, Ready, Client, 1001, ""), Verdict::Ok);
    gives(
        &closed(Openclaw, Ready, Client, 1012, ""),
        Verdict::AuthDisconnected,
    );
    let announced = Observation {
        shutdown_announced: Some(false),
        ..cut(Openclaw, Ready, EndingKind::Fin, Server)
    };
    gives(&announced, Verdict::ServerRestart);
}

#[test]
fn a_1013_is_unavailable_at_every_stage() {
    for stage in [Challenge, Auth, Ready] {
        gives(
            &closed(Openclaw, stage, Server, 1013, "gateway starting"),
            Verdict::ServerUnavailable,
        );
    }
}

#[test]
fn numbers_from_4000_on_are_read_by_dialect_side_and_stage() {
    for (dialect, stage, by, code, verdict) in [
        (Openclaw, Ready, Server, 4001, Verdict::SessionRevoked),
        (Clawchat, Ready, Server, 4001, Verdict::SessionReplaced),
        (Clawchat, Ready, Server, 4002, Verdict::SessionReplaced),
        (Clw, Ready, Server, 4001, Verdict::AuthDisconnected),
        (Clawchat, Ready, Client, 4001, Verdict::AuthDisconnected),
        (Openclaw, Auth, Server, 4001, Verdict::ClosedBeforeConnect),
        (Clawchat, Auth, Client, 4002, Verdict::ProtocolError),
        (Openclaw, Ready, Client, 4000, Verdict::HeartbeatMiss),
        (Clawchat, Ready, Client, 4000, Verdict::HeartbeatMiss),
        (Openclaw, Ready, Server, 4000, Verdict::AuthDisconnected),
    ] {
        gives(&closed(dialect, stage, by, code, ""), verdict);
    }
}

#[test]
fn a_1011_is_a_server_error_only_from_the_server() {
    gives(&closed(Openclaw, Ready, Server, 1011, ""), Verdict::ServerError);
    gives(
        &closed(Clawchat, Ready, Server, 1011, "keepalive ping timeout"),
        Verdict::ServerError,
    );
    gives(&closed(Clawchat, Ready, Client, 1011, ""), Verdict::HeartbeatMiss);
    gives(
        &closed(Openclaw, Ready, Client, 1011, "keepalive ping timeout"),
        Verdict::HeartbeatMiss,
    );
    gives(
        &closed(Openclaw, Ready, Client, 1011, ""),
        Verdict::AuthDisconnected,
    );
}

#[test]
fn each_disconnect_reason_has_its_verdict_before_and_after_ready() {
    for (reason, before, after) in [
        (
            Disconnect::Overload,
            Verdict::ServerOverloaded,
            Verdict::ServerOverloaded,
        ),
        (
            Disconnect::TokenExpired,
            Verdict::AuthFailed,
            Verdict::SessionExpired,
        ),
        (
            Disconnect::TokenRevoked,
            Verdict::AuthFailed,
            Verdict::SessionRevoked,
        ),
        (
            Disconnect::VersionMismatch,
            Verdict::VersionMismatch,
            Verdict::VersionMismatch,
        ),
        (
            Disconnect::HeartbeatTimeout,
            Verdict::ClosedBeforeConnect,
            Verdict::HeartbeatMiss,
        ),
        (
            Disconnect::Shutdown,
            Verdict::ServerRestart,
            Verdict::ServerRestart,
        ),
        (Disconnect::Other, Verdict::AuthFailed, Verdict::AuthDisconnected),
    ] {
        gives(&disconnected(Auth, reason), before);
        gives(&disconnected(Ready, reason), after);
    }
}

#[test]
fn a_session_expired_only_if_the_server_said_so() {
    let mut seen = closed(Clw, Ready, Server, 1000, "");
    gives(&seen, Verdict::AuthDisconnected);
    seen.token_expired = true;
    gives(&seen, Verdict::SessionExpired);
    gives(
        &closed(Openclaw, Ready, Server, 1008, "token expired"),
        Verdict::SessionExpired,
    );
    let mut silent = cut(Clw, Ready, EndingKind::Fin, Server);
    silent.token_expired = true;
    gives(&silent, Verdict::AuthDisconnected);
    let mut restart = closed(Openclaw, Ready, Server, 1012, "service restart");
    restart.token_expired = true;
    gives(&restart, Verdict::ServerRestart);
}

#[test]
fn an_injected_reset_is_the_middleboxes_before_and_after_ready() {
    for stage in [Challenge, Auth, Ready] {
        let seen = Observation {
            viewpoint: Viewpoint::Wire,
            reset: Some(ResetClass::Injected),
            reset_confidence: 0.75,
            pending_requests: 1,
            ..cut(Openclaw, stage, EndingKind::Rst, Server)
        };
        gives(&seen, Verdict::InjectedReset);
        let judgement = classify(&seen);
        assert_eq!(judgement.by, Side::Middlebox);
        assert!((judgement.confidence - 0.75).abs() < f32::EPSILON);
    }
}

#[test]
fn a_lost_heartbeat_is_a_miss_even_if_only_the_capture_ends() {
    let loss = Some(HeartbeatLoss {
        missing_from: Server,
        silence: Duration::from_secs(60),
    });
    for ending in [
        EndingKind::Open,
        EndingKind::Fin,
        EndingKind::Rst,
        EndingKind::Silent,
    ] {
        let seen = Observation {
            heartbeat_loss: loss,
            pending_requests: 3,
            ..cut(Openclaw, Ready, ending, Client)
        };
        gives(&seen, Verdict::HeartbeatMiss);
    }
    let before_ready = Observation {
        heartbeat_loss: loss,
        ..cut(Openclaw, Auth, EndingKind::Fin, Client)
    };
    gives(&before_ready, Verdict::ClosedBeforeConnect);
}

#[test]
fn a_fin_one_or_two_beats_after_an_unanswered_ping_is_a_heartbeat_miss() {
    let after = |dialect, ms, ending, by| Observation {
        unanswered_server_ping: Some(Duration::from_millis(ms)),
        ..cut(dialect, Ready, ending, by)
    };
    for ms in [24_000, 25_000, 50_000] {
        gives(
            &after(Openclaw, ms, EndingKind::Fin, Server),
            Verdict::HeartbeatMiss,
        );
    }
    let on_beat = classify(&after(Openclaw, 25_020, EndingKind::Fin, Server)).confidence;
    let between = classify(&after(Openclaw, 37_000, EndingKind::Fin, Server)).confidence;
    assert!(between < on_beat);
    gives(
        &after(Openclaw, 23_000, EndingKind::Fin, Server),
        Verdict::AuthDisconnected,
    );
    gives(
        &after(Openclaw, 25_000, EndingKind::Fin, Client),
        Verdict::AuthDisconnected,
    );
    gives(
        &after(Openclaw, 25_000, EndingKind::Rst, Server),
        Verdict::AuthDisconnected,
    );
    gives(
        &after(Clawchat, 25_000, EndingKind::Fin, Server),
        Verdict::AuthDisconnected,
    );
    gives(
        &after(Clawchat, 40_000, EndingKind::Fin, Server),
        Verdict::HeartbeatMiss,
    );
}

#[test]
fn an_abrupt_end_is_a_lost_prompt_if_a_request_was_open() {
    for ending in [EndingKind::Fin, EndingKind::Rst, EndingKind::Silent] {
        let mut seen = cut(Openclaw, Ready, ending, Server);
        gives(&seen, Verdict::AuthDisconnected);
        seen.pending_requests = 1;
        gives(&seen, Verdict::PromptDisconnected);
    }
    // A close frame is a word: nothing abrupt about it.
    let mut told = closed(Openclaw, Ready, Server, 1008, "policy");
    told.pending_requests = 1;
    gives(&told, Verdict::AuthDisconnected);
    let mut goodbye = closed(Openclaw, Ready, Client, 1000, "");
    goodbye.pending_requests = 1;
    gives(&goodbye, Verdict::Ok);
}

#[test]
fn what_applications_call_1006_is_no_close_frame() {
    let mut seen = closed(Openclaw, Ready, Side::Unknown, 1006, "");
    gives(&seen, Verdict::AuthDisconnected);
    seen.pending_requests = 1;
    gives(&seen, Verdict::PromptDisconnected);
}

#[test]
fn graceful_is_what_the_dialect_calls_so() {
    for code in [Some(1000), Some(1001), Some(1005), None] {
        for dialect in [Openclaw, Clawchat] {
            gives(&closed(dialect, Ready, Client, code, "done"), Verdict::Ok);
        }
        // CLW: an end without AUTH_LOGOUT is a disconnect.
        gives(
            &closed(Clw, Ready, Client, code, "done"),
            Verdict::AuthDisconnected,
        );
    }
    for dialect in [Openclaw, Clawchat, Clw] {
        gives(
            &closed(dialect, Ready, Server, 1000, ""),
            Verdict::AuthDisconnected,
        );
    }
    gives(
        &closed(Clawchat, Ready, Server, None, ""),
        Verdict::AuthDisconnected,
    );
    let logged_out = Observation {
        logged_out: true,
        ..cut(Clw, Ready, EndingKind::Fin, Client)
    };
    gives(&logged_out, Verdict::Ok);
}

#[test]
fn what_has_not_ended_is_open_to_an_endpoint_and_incomplete_to_a_capture_before_ready() {
    for viewpoint in [Viewpoint::Client, Viewpoint::Server, Viewpoint::Wire] {
        for stage in Stage::ALL {
            let seen = Observation {
                viewpoint,
                ..at(Openclaw, stage)
            };
            let expected = if viewpoint == Viewpoint::Wire && stage < Ready {
                Verdict::Incomplete
            } else {
                Verdict::Open
            };
            gives(&seen, expected);
        }
    }
}

#[test]
fn where_words_may_be_unseen_an_end_without_words_is_incomplete() {
    for stage in [Challenge, Ready] {
        let mut seen = cut(Openclaw, stage, EndingKind::Fin, Server);
        seen.viewpoint = Viewpoint::Wire;
        seen.missing = vec!["the server's direction"];
        gives(&seen, Verdict::Incomplete);
        // What was seen still counts.
        seen.close = closed(Openclaw, stage, Server, 1012, "").close;
        gives(&seen, Verdict::ServerRestart);
    }
}

#[test]
fn tls_without_keys_is_named_only_by_what_headers_carry() {
    let seen = |ending| Observation {
        viewpoint: Viewpoint::Wire,
        ..cut(Dialect::Tls, Stage::Tls, ending, Server)
    };
    gives(&seen(EndingKind::Fin), Verdict::Incomplete);
    gives(&seen(EndingKind::Open), Verdict::Open);
    let mut injected = seen(EndingKind::Rst);
    injected.reset = Some(ResetClass::Injected);
    gives(&injected, Verdict::InjectedReset);
}
