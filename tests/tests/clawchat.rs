//! ClawChat from end to end: an independent client against our gateway, and our client under the faults of its protocol.

#![expect(clippy::expect_used, reason = "helpers of a test may panic")]

use clw_e2e::{Gateway, binary, count, result_of, verdicts};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client, protocol::CloseFrame};

type Socket = WebSocket<TcpStream>;

fn gateway(args: &[&str]) -> Gateway {
    Gateway::start(&[&["--dialect", "clawchat"], args].concat())
}

fn open(gateway: &Gateway) -> Socket {
    let address = gateway.url.strip_prefix("ws://").expect("a URL");
    let stream = TcpStream::connect(address).expect("connect");
    client(format!("{}/ws", gateway.url), stream).expect("upgrade").0
}

/// The next message that is not a ping.
fn hear(socket: &mut Socket) -> Result<Value, Option<CloseFrame>> {
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => return Ok(serde_json::from_str(&text).expect("JSON")),
            Ok(Message::Close(frame)) => return Err(frame),
            Ok(_) => {}
            Err(_) => return Err(None),
        }
    }
}

fn say(socket: &mut Socket, event: &str, trace: &str, payload: &Value) {
    let message = json!({
        "version": "2", "event": event, "trace_id": trace, "emitted_at": 7, "chat_id": "cnv_1", "payload": payload,
    });
    socket
        .send(Message::Text(message.to_string().into()))
        .expect("send");
}

/// Logs in; what the server answered.
fn log_in(socket: &mut Socket, token: &str, device: &str) -> Value {
    let challenge = hear(socket).expect("a challenge");
    assert_eq!(challenge["event"], "connect.challenge");
    assert_eq!(challenge["trace_id"], "challenge");
    let nonce = challenge["payload"]["nonce"].as_str().expect("a nonce");
    assert_eq!(nonce.len(), 24);
    let payload = json!({"token": token, "nonce": nonce, "device_id": device});
    say(socket, "connect", "trace-1", &payload);
    let answer = hear(socket).expect("an answer");
    assert_eq!(answer["trace_id"], "trace-1");
    answer
}

/// A call of the refresh endpoint in so many pieces: status and body.
fn refresh(gateway: &Gateway, device: Option<&str>, body: &str, pieces: usize) -> (u16, Value) {
    try_refresh(gateway, device, body, pieces).expect("an answer")
}

fn try_refresh(
    gateway: &Gateway,
    device: Option<&str>,
    body: &str,
    pieces: usize,
) -> std::io::Result<(u16, Value)> {
    let address = gateway.url.strip_prefix("ws://").expect("a URL");
    let mut stream = TcpStream::connect(address).expect("connect");
    let device = device
        .map(|d| format!("X-Device-Id: {d}\r\n"))
        .unwrap_or_default();
    let request = format!(
        "POST /v1/auth/refresh HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{device}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for piece in request.as_bytes().chunks(request.len().div_ceil(pieces)) {
        stream.write_all(piece).expect("write");
        stream.flush().expect("flush");
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer[9..12].parse().expect("a status");
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    Ok((status, serde_json::from_str(body).expect("JSON")))
}

#[test]
fn an_independent_client_logs_in_is_acked_and_says_goodbye() {
    let gateway = gateway(&[]);
    let mut socket = open(&gateway);
    let answer = log_in(&mut socket, "test-token", "dev-1");
    assert_eq!(answer["event"], "hello-ok");
    assert_eq!(answer["payload"]["device_id"], "dev-1");
    assert_eq!(
        hear(&mut socket).expect("the replay's end")["event"],
        "replay.done"
    );
    say(
        &mut socket,
        "message.send",
        "t-2",
        &json!({"message_id": "msg-1"}),
    );
    let ack = hear(&mut socket).expect("an ack");
    assert_eq!(
        (&ack["event"], &ack["trace_id"]),
        (&json!("message.ack"), &json!("t-2"))
    );
    assert_eq!(ack["payload"]["message_id"], "msg-1");
    say(&mut socket, "ping", "t-3", &json!({}));
    let pong = hear(&mut socket).expect("a pong");
    assert_eq!((&pong["event"], &pong["emitted_at"]), (&json!("pong"), &json!(7)));
    say(&mut socket, "device.cursor.reset", "t-4", &json!({}));
    assert!(matches!(socket.read(), Ok(Message::Close(None))));
}

#[test]
fn a_wrong_token_and_a_wrong_first_message_are_refused_without_a_close_frame() {
    let gateway = gateway(&[]);
    let mut socket = open(&gateway);
    let answer = log_in(&mut socket, "another", "dev-1");
    assert_eq!(answer["event"], "hello-fail");
    assert_eq!(answer["payload"]["reason"], "authentication failed");
    assert_eq!(hear(&mut socket), Err(None));
    let mut socket = open(&gateway);
    hear(&mut socket).expect("a challenge");
    say(&mut socket, "ping", "t", &json!({}));
    let answer = hear(&mut socket).expect("an answer");
    assert_eq!(answer["payload"]["reason"], "invalid connect event");
    assert_eq!(hear(&mut socket), Err(None));
}

#[test]
fn the_same_device_again_takes_the_older_connection_over() {
    let gateway = gateway(&[]);
    let mut older = open(&gateway);
    log_in(&mut older, "test-token", "dev-1");
    hear(&mut older).expect("the replay's end");
    let mut newer = open(&gateway);
    log_in(&mut newer, "test-token", "dev-1");
    let frame = hear(&mut older).expect_err("the end").expect("a close frame");
    assert_eq!(u16::from(frame.code), 4001);
    hear(&mut newer).expect("the replay's end");
    let mut other = open(&gateway);
    log_in(&mut other, "test-token", "dev-2");
    say(&mut newer, "ping", "t", &json!({}));
    assert_eq!(hear(&mut newer).expect("still there")["event"], "pong");
}

#[test]
fn the_refresh_endpoint_answers_whatever_it_is_asked() {
    let gateway = gateway(&[]);
    let code = |device, body, pieces| {
        let (status, answer) = refresh(&gateway, device, body, pieces);
        assert_eq!(status, 200);
        answer["code"].as_i64().expect("a code")
    };
    let known = r#"{"refresh_token":"test-token"}"#;
    assert_eq!(code(None, known, 1), 400, "no device");
    assert_eq!(code(Some("dev"), "{", 1), 400, "no JSON");
    assert_eq!(code(Some("dev"), r#"{"refresh_token":"other"}"#, 1), 10003);
    assert_eq!(code(Some("dev"), known, 5), 0, "in pieces");
    assert_eq!(code(Some("dev"), known, 1), 10003, "used up");
    let (status, _) = refresh(
        &gateway,
        Some("dev"),
        &format!("{{\"x\":\"{}\"}}", "y".repeat(70_000)),
        1,
    );
    assert_eq!(status, 200, "a long one is answered, not waited for");
}

#[test]
fn an_answer_that_is_lost_after_the_rotation_leaves_a_dead_token() {
    let gateway = gateway(&["--fault", "refresh=lose"]);
    let body = r#"{"refresh_token":"test-token"}"#;
    let lost = try_refresh(&gateway, Some("dev"), body, 1).expect_err("reset");
    assert_eq!(lost.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(refresh(&gateway, Some("dev"), body, 1).1["code"], 10003);
}

#[test]
fn a_foreign_refresh_token_is_taken_where_the_fault_says_so_and_as_late_as_it_says() {
    let gateway = gateway(&["--fault", "refresh=0", "--fault", "refresh-delay=300ms"]);
    let asked = std::time::Instant::now();
    let (status, answer) = refresh(&gateway, Some("dev"), r#"{"refresh_token":"foreign"}"#, 1);
    assert!(asked.elapsed() >= std::time::Duration::from_millis(300));
    assert_eq!((status, &answer["code"]), (200, &json!(0)));
    let token = answer["data"]["access_token"].as_str().expect("a token");
    assert_eq!(log_in(&mut open(&gateway), token, "dev")["event"], "hello-ok");
}

#[test]
fn a_rotated_token_lets_in_and_the_old_one_does_not() {
    let gateway = gateway(&[]);
    let (_, first) = refresh(&gateway, Some("dev"), r#"{"refresh_token":"test-token"}"#, 1);
    let token = |answer: &Value| {
        answer["data"]["access_token"]
            .as_str()
            .expect("a token")
            .to_owned()
    };
    let old = token(&first);
    let body = json!({"refresh_token": first["data"]["refresh_token"]}).to_string();
    let (_, second) = refresh(&gateway, Some("dev"), &body, 1);
    let login = |token: &str| log_in(&mut open(&gateway), token, "dev")["event"].clone();
    assert_eq!(login(&token(&second)), "hello-ok");
    assert_eq!(login(&old), "hello-fail");
    let (_, again) = refresh(&gateway, Some("dev"), &body, 1);
    assert_eq!(again["code"], 10003);
}

const DROPPED: [&str; 12] = [
    "--dialect",
    "clawchat",
    "-c",
    "10",
    "-n",
    "10",
    "--hold",
    "5s",
    "--fault",
    "rst@ready+2s",
    "--backoff",
    "100ms",
];

#[test]
fn tokens_that_have_run_out_are_renewed_and_nobody_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = folder.path().join("plan.toml");
    let faults = "[[fault]]\nname = \"rst\"\nmoment = \"ready\"\ndelay = \"3s\"\nuntil = \"2s\"\n";
    std::fs::write(&plan, faults).expect("write");
    let gateway = gateway(&[
        "--plan",
        plan.to_str().expect("a path"),
        "--fault",
        "token-expire=2s",
    ]);
    let run = |more: &[&str]| {
        let args = [
            "--dialect",
            "clawchat",
            "-c",
            "10",
            "-n",
            "10",
            "--hold",
            "5s",
            "--token",
            "test-token",
        ];
        result_of(
            &[
                &args[..],
                &["--reconnect", "on", "--backoff", "100ms"],
                more,
                &[&gateway.url],
            ]
            .concat(),
        )
    };
    let (result, code) = run(&[]);
    assert_eq!(code, 0, "{result:#}");
    assert_eq!(verdicts(&result), r#"{"ok":10}"#);
    // Each once because it was refused, and once more before the new token ran out.
    assert!((10..=30).contains(&count(&result, "/refresh/done")), "{result:#}");
    assert_eq!(count(&result, "/refresh/refused"), 0);
    assert_eq!(count(&result, "/drops/clw-auth-failed"), 10);
}

#[test]
fn a_refresh_that_is_refused_for_good_logs_out_and_one_that_fails_does_not() {
    let run = |refresh| {
        let more = [
            "--reconnect",
            "on",
            "--fault",
            "token-expire=1s",
            "--fault",
            refresh,
        ];
        result_of(&[&DROPPED[..], &more].concat()).0
    };
    let gone = run("refresh=10003");
    assert_eq!(verdicts(&gone), r#"{"clw-auth-failed":10}"#);
    assert_eq!(count(&gone, "/refresh/refused"), 10);
    let later = run("refresh=500");
    assert_eq!(count(&later, "/refresh/refused"), 0);
    assert!(count(&later, "/reconnect/attempts") > 10, "it goes on trying");
}

#[test]
fn a_server_that_rotates_and_rejects_makes_nobody_run_in_circles() {
    let more = [
        "--reconnect",
        "on",
        "--retries",
        "20",
        "--fault",
        "token-expire=1s",
        "--fault",
        "refresh=reject",
    ];
    let (result, _) = result_of(&[&DROPPED[..], &more].concat());
    let renewals = count(&result, "/refresh/done");
    assert!(
        (10..=30).contains(&renewals),
        "three for each at most: {renewals}"
    );
}

#[test]
fn an_auth_service_that_is_down_never_costs_a_token() {
    let more = ["--reconnect", "on", "--fault", "auth-down:50%"];
    let (result, _) = result_of(&[&DROPPED[..], &more].concat());
    assert_eq!(
        count(&result, "/refresh/done") + count(&result, "/refresh/refused"),
        0
    );
}

#[test]
fn notifications_count_once() {
    let gateway = gateway(&["--clawchat-signals", "5"]);
    let (result, code) = result_of(&[
        "--dialect",
        "clawchat",
        "-c",
        "4",
        "-n",
        "4",
        "--hold",
        "200ms",
        "--token",
        "test-token",
        &gateway.url,
    ]);
    assert_eq!(code, 0);
    assert_eq!(count(&result, "/notifications/new"), 20);
    assert_eq!(count(&result, "/notifications/duplicates"), 20);
}

#[test]
fn both_plugins_name_a_silent_gateway_by_their_own_code() {
    for (plugin, code) in [("openclaw", "4000"), ("hermes", "1011")] {
        let (result, _) = result_of(&[
            "--dialect",
            "clawchat",
            "-c",
            "3",
            "-n",
            "3",
            "--hold",
            "5s",
            "--heartbeat",
            "200ms",
            "--heartbeat-timeout",
            "300ms",
            "--plugin",
            plugin,
            "--fault",
            "pong-loss",
        ]);
        assert_eq!(verdicts(&result), r#"{"clw-heartbeat-miss":3}"#);
        assert_eq!(count(&result, &format!("/close_codes/{code}")), 3);
    }
}

#[test]
fn a_reproduction_brings_its_capture_and_the_packets_agree() {
    let folder = tempfile::tempdir().expect("a folder");
    let capture = folder.path().join("a.pcap");
    let path = capture.to_str().expect("a path");
    let output = Command::new(binary("clw-bench"))
        .args([
            "reproduce",
            "clw-session-replaced",
            "--dialect",
            "clawchat",
            "--json",
            "-",
            "--capture",
            path,
        ])
        .output()
        .expect("clw-bench");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let analysed = Command::new(binary("clw-analyze"))
        .args(["-q", "--json", "-", path])
        .output()
        .expect("clw-analyze");
    let result: Value = serde_json::from_slice(&analysed.stdout).expect("JSON");
    assert_eq!(
        result["summary"]["by_verdict"],
        json!({"clw-session-replaced": 6})
    );
}
