//! Sessions that never got ready.

use super::*;

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
        // ClawChat's server has no other reason to give up on a client that says nothing.
        by_fin.since_first_message = (dialect == Clawchat).then_some(Duration::from_secs(1));
        gives(&by_fin, Verdict::ClosedBeforeConnect);
    }
}

#[test]
fn a_clawchat_server_that_waited_in_vain_timed_out_whatever_its_timeout() {
    let mut seen = cut(Clawchat, Challenge, EndingKind::Fin, Server);
    seen.since_upgrade = Duration::from_secs(3);
    gives(&seen, Verdict::HandshakeTimeout);
    let at_once = Observation {
        since_upgrade: Duration::from_millis(200),
        ..seen.clone()
    };
    gives(&at_once, Verdict::ClosedBeforeConnect);
    let by_the_client = Observation {
        ended_by: Client,
        ..seen.clone()
    };
    gives(&by_the_client, Verdict::ClosedBeforeConnect);
    let reset = Observation {
        ending: EndingKind::Rst,
        ..seen
    };
    gives(&reset, Verdict::ClosedBeforeConnect);
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
}

#[test]
fn a_plain_1000_long_after_the_first_message_or_before_any_is_a_handshake_timeout_of_unknown_length() {
    let mut seen = closed(Openclaw, Auth, Server, 1000, "");
    seen.since_first_message = Some(Duration::from_secs(5));
    gives(&seen, Verdict::HandshakeTimeout);
    gives(
        &closed(Openclaw, Challenge, Server, 1000, ""),
        Verdict::HandshakeTimeout,
    );
    // Where the timeout is known, a close before it is something else.
    seen.handshake_timeout = Some(Duration::from_secs(60));
    gives(&seen, Verdict::ClosedBeforeConnect);
}
