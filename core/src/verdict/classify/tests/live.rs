//! Live sessions, and rules that hold at any stage.

use super::*;

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
