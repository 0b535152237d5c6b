//! Sessions that are up: timers, requests, ends; and faults.

use super::super::error_code::AUTH_RATE_LIMITED;
use super::*;

#[test]
fn silence_until_the_handshake_timeout_is_closed_with_1000_and_no_reason() {
    let mut peer = TestClient::connect(&gateway(|_, _| {}));
    peer.pass(Instant::from_millis(14_999));
    assert_eq!(peer.got.len(), 1);
    peer.pass(Instant::from_millis(15_000));
    assert_eq!(peer.closed(), (Some(1000), ""));
    assert!(peer.seen().handshake_timed_out);
    assert_eq!(peer.finish, None, "the echo is awaited for a second");
    peer.pass(Instant::from_millis(16_000));
    assert_eq!(peer.finish, Some(Finish::Fin));
    let seen = peer.seen();
    assert_eq!(
        (seen.ending, seen.ended_by, seen.stage),
        (EndingKind::Fin, Side::Server, Stage::Challenge)
    );
}

#[test]
fn all_sessions_tick_at_the_same_moment_and_seq_counts_on() {
    let gateway = gateway(|_, _| {});
    for start in [0, 7_000, 29_999] {
        let mut peer = TestClient::with(
            &gateway,
            Instant::from_millis(start),
            SessionOptions::default(),
            "",
        );
        peer.login(&params());
        peer.pass(Instant::from_millis(30_000));
        let ticks = peer.events_named("tick");
        assert_eq!(ticks.len(), 1, "{start}");
        assert_eq!(ticks[0]["payload"]["ts"], EPOCH_MS + 30_000);
        assert_eq!(ticks[0]["seq"], 1);
        peer.frame(OpCode::Control(Control::Pong), b"");
        peer.pass(Instant::from_millis(49_000));
        peer.frame(OpCode::Control(Control::Pong), b"");
        peer.pass(Instant::from_millis(60_000));
        let seqs: Vec<_> = peer
            .got
            .iter()
            .filter_map(|got| match got {
                Got::Json(value) => value["seq"].as_u64(),
                _ => None,
            })
            .collect();
        assert_eq!(seqs, [1, 2, 3], "tick, tick, health");
    }
}

#[test]
fn a_missing_pong_is_noticed_at_the_next_beat_and_cut_without_a_close_frame() {
    let mut peer = ready(&gateway(|_, _| {}));
    peer.pass(Instant::from_millis(49_999));
    assert_eq!(peer.got.iter().filter(|got| **got == Got::Ping).count(), 1);
    assert_eq!(peer.finish, None);
    peer.text(r#"{"type":"req","id":"x","method":"health"}"#);
    peer.pass(Instant::from_millis(50_000));
    assert_eq!(peer.finish, Some(Finish::Fin), "other traffic does not help");
    assert!(!peer.got.iter().any(|got| matches!(got, Got::Close(..))));
    let seen = peer.seen();
    let loss = seen.heartbeat_loss.unwrap();
    assert_eq!(
        (loss.missing_from, loss.silence),
        (Side::Client, Duration::from_secs(25))
    );
    assert_eq!(seen.unanswered_server_ping, Some(Duration::from_secs(25)));
    assert!(seen.close.is_none());
}

#[test]
fn a_ping_written_late_is_cut_one_beat_later() {
    let mut peer = ready(&gateway(|_, _| {}));
    // The process was busy at the first beat: the ping goes out 3 ms late, so at the second its 25 s are not over.
    peer.now = Instant::from_millis(25_003);
    peer.server.timer(peer.now, &mut peer.out);
    peer.take();
    peer.pass(Instant::from_millis(74_999));
    assert_eq!(peer.finish, None);
    peer.pass(Instant::from_millis(75_000));
    assert_eq!(peer.finish, Some(Finish::Fin));
}

#[test]
fn pongs_keep_a_session_alive() {
    let mut peer = ready(&gateway(|_, _| {}));
    for beat in 1..=8 {
        peer.pass(Instant::from_millis(beat * 25_000));
        peer.frame(OpCode::Control(Control::Pong), b"");
    }
    assert_eq!(peer.finish, None);
    assert_eq!(peer.got.iter().filter(|got| **got == Got::Ping).count(), 8);
    assert_eq!(peer.seen().unanswered_server_ping, None);
}

#[test]
fn requests_are_answered_and_refused_as_the_real_gateway_does() {
    let mut peer = ready(&gateway(|_, _| {}));
    assert_eq!(peer.request("health", &json!({}))["payload"]["ok"], true);
    assert_eq!(
        peer.request("status", &json!({}))["payload"]["runtimeVersion"],
        SERVER_VERSION
    );
    assert_eq!(peer.request("system-presence", &json!({}))["payload"], json!([]));
    assert_eq!(
        peer.request("node.list", &json!({}))["payload"]["nodes"],
        json!([])
    );
    assert_eq!(
        peer.request("ping", &json!({"echo": 7}))["payload"],
        json!({"echo": 7})
    );
    let unknown = peer.request("no.such.method", &json!({}));
    assert_eq!(unknown["error"]["code"], "INVALID_REQUEST");
    let restart = peer.request("gateway.restart.request", &json!({}));
    assert_eq!(restart["error"]["code"], "FORBIDDEN");
    assert_eq!(restart["error"]["message"], "missing scope: operator.admin");
    assert_eq!(restart["error"]["details"]["code"], "MISSING_SCOPE");
    peer.text("no json");
    assert!(
        peer.server.is_ready() && peer.finish.is_none(),
        "the session stays"
    );
}

#[test]
fn an_admin_can_ask_for_a_restart() {
    let gateway = gateway(|_, _| {});
    let mut admin = params();
    admin["scopes"] = json!(["operator.admin"]);
    let mut peer = TestClient::connect(&gateway);
    peer.login(&admin);
    assert_eq!(peer.request("gateway.restart.request", &json!({}))["ok"], true);
    assert!(gateway.authority.take_restart_request());
    assert!(!gateway.authority.take_restart_request());
}

#[test]
fn more_than_ten_calls_for_another_role_end_the_session() {
    let mut peer = ready(&gateway(|_, _| {}));
    for _ in 0..10 {
        let answer = peer.request("node.event", &json!({}));
        assert_eq!(answer["error"]["message"], "unauthorized role: operator");
    }
    assert!(!peer.server.is_ended());
    peer.request("node.event", &json!({}));
    assert_eq!(peer.closed(), (Some(1008), "repeated unauthorized calls"));
}

#[test]
fn a_restart_is_announced_to_accepted_clients_only() {
    let gateway = gateway(|_, _| {});
    let mut accepted = ready(&gateway);
    let mut waiting = TestClient::connect(&gateway);
    for peer in [&mut accepted, &mut waiting] {
        let stop = Stop::Restart { expected_ms: 1500 };
        peer.server.stop(peer.now, stop, &mut peer.out);
        peer.take();
        assert_eq!(peer.closed(), (Some(1012), "service restart"));
    }
    let shutdown = accepted.events_named("shutdown");
    assert_eq!(
        shutdown[0]["payload"],
        json!({"reason": "gateway restarting", "restartExpectedMs": 1500})
    );
    assert_eq!(shutdown[0]["seq"], 1);
    assert_eq!(accepted.seen().shutdown_announced, Some(true));
    assert!(waiting.events_named("shutdown").is_empty());
    assert_eq!(waiting.seen().shutdown_announced, None);
}

#[test]
fn large_messages_are_refused_by_stage() {
    let mut peer = TestClient::connect(&gateway(|_, _| {}));
    peer.frame(OpCode::Data(Data::Text), &vec![b' '; 64 * 1024 + 1]);
    assert_eq!(peer.closed(), (Some(1009), ""));
    assert!(peer.seen().violation.is_some());
    let mut peer = ready(&gateway(|_, _| {}));
    let padded = json!({"pad": "x".repeat(1 << 20)});
    assert_eq!(peer.request("ping", &padded)["payload"], padded);
}

#[test]
fn faults_before_the_answer() {
    let options = SessionOptions {
        challenge: Timing::Delayed(Duration::from_secs(3)),
        answer: Timing::Never,
        ..SessionOptions::default()
    };
    let mut peer = TestClient::with(&gateway(|_, _| {}), Instant::ORIGIN, options, "");
    assert!(peer.got.is_empty());
    peer.pass(Instant::from_millis(3000));
    assert_eq!(peer.events_named("connect.challenge").len(), 1);
    peer.text(&json!({"type": "req", "id": "c", "method": "connect", "params": params()}).to_string());
    peer.pass(Instant::from_millis(15_000));
    assert_eq!(
        peer.closed(),
        (Some(1000), ""),
        "no answer ever, so the handshake times out"
    );
    assert_eq!(peer.seen().stage, Stage::Auth);
}

#[test]
fn forced_refusals_mean_what_they_say() {
    for (refuse, class, close) in [
        (ForcedRefusal::Starting, RefusalClass::Unavailable, 1013),
        (ForcedRefusal::Restarting, RefusalClass::Unavailable, 1013),
        (ForcedRefusal::Busy, RefusalClass::Overloaded, 1013),
        (
            ForcedRefusal::Code(AUTH_RATE_LIMITED),
            RefusalClass::RateLimited,
            1008,
        ),
        (
            ForcedRefusal::Code(error_code::PROTOCOL_MISMATCH),
            RefusalClass::VersionMismatch,
            1002,
        ),
    ] {
        let options = SessionOptions {
            refuse: Some(refuse),
            ..SessionOptions::default()
        };
        let mut peer = TestClient::with(&gateway(|_, _| {}), Instant::ORIGIN, options, "");
        let answer = peer.login(&params());
        let told = refusal_of(&serde_json::from_value(answer["error"].clone()).unwrap());
        assert_eq!(told.class, class, "{refuse:?}");
        assert_eq!(
            peer.seen().refusal,
            Some(told),
            "both sides name the same refusal"
        );
        assert_eq!(peer.closed().0, Some(close));
    }
}

#[test]
fn the_sixteenth_waiting_message_ends_a_held_handshake() {
    let options = SessionOptions {
        answer: Timing::Never,
        ..SessionOptions::default()
    };
    let mut peer = TestClient::with(&gateway(|_, _| {}), Instant::ORIGIN, options, "");
    peer.text(&json!({"type": "req", "id": "c", "method": "connect", "params": params()}).to_string());
    for _ in 0..15 {
        peer.text("{}");
    }
    assert_eq!(peer.got.len(), 1);
    peer.text("{}");
    assert_eq!(peer.closed(), (Some(1008), "too many pending handshake frames"));
}

#[test]
fn refused_clients_are_logged_without_their_secrets() {
    let mut peer = TestClient::connect(&gateway(|_, _| {}));
    let mut wrong = params();
    wrong["auth"]["token"] = json!("s3cret-guess");
    wrong["client"]["version"] = json!("1.0\nfake line");
    peer.login(&wrong);
    let lines: Vec<_> = peer
        .events
        .iter()
        .filter_map(|event| match event {
            ServerEvent::Log(line) => Some(line.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("client=gateway-client backend") && lines[0].contains("reason=token_mismatch"));
    assert!(!lines[0].contains("s3cret") && !lines[0].contains('\n'));
}

#[test]
fn an_idle_accepted_session_is_small() {
    let own = size_of::<ServerConnection<Server>>();
    assert!(own < 600, "{own} bytes");
}

proptest::proptest! {
    #[test]
    fn no_message_makes_the_server_panic_or_go_on_after_its_close(
        texts in proptest::collection::vec(".{0,80}|\\{\"type\":\"req\",\"id\":\"[a-z]?\",\"method\":\"(connect|health|x)\",\"params\":(\\{\\}|null|[0-9]|\\{\"minProtocol\":4\\})\\}", 1..6),
    ) {
        let mut peer = TestClient::connect(&gateway(|_, _| {}));
        for text in &texts {
            peer.text(text);
        }
        proptest::prop_assert!(!peer.server.is_ready());
        let closes = peer.got.iter().filter(|got| matches!(got, Got::Close(..))).count();
        proptest::prop_assert_eq!(closes, 1);
        peer.pass(Instant::from_millis(1000));
        proptest::prop_assert_eq!(peer.finish, Some(Finish::Fin));
    }
}
