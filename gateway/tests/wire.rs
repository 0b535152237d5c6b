//! What goes over the wire, read by an independent WebSocket client (tokio-tungstenite) and by bare sockets.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use clw_core::verdict::Verdict;
use clw_gateway::fault::FaultSpec;
use clw_gateway::{Config, Gateway, Mode};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{TOKEN, Visit, config, lasting_session, millis, until};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, HandshakeError, Message, WebSocket, client};

type Socket = WebSocket<TcpStream>;

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// The answer to that key, from RFC 6455 section 1.3.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn start(config: Config) -> Gateway {
    Gateway::start(config).unwrap()
}

fn with(fault: &str) -> Gateway {
    start(config(&[fault]))
}

fn tcp(gateway: &Gateway) -> TcpStream {
    let socket = TcpStream::connect(gateway.address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

fn connect(gateway: &Gateway) -> Socket {
    let url = format!("ws://{}/", gateway.address());
    client(url, tcp(gateway)).unwrap().0
}

fn json(socket: &mut Socket) -> String {
    loop {
        match socket.read().unwrap() {
            Message::Text(text) => return text.to_string(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Logs in as the protocol page says, by hand; returns hello-ok.
fn log_in(socket: &mut Socket) -> String {
    assert!(json(socket).contains("connect.challenge"));
    let connect = format!(
        r#"{{"type":"req","id":"c1","method":"connect","params":{{"minProtocol":4,"maxProtocol":4,
            "client":{{"id":"gateway-client","version":"1","platform":"linux","mode":"backend"}},
            "role":"operator","scopes":["operator.read"],"auth":{{"token":"{TOKEN}"}}}}}}"#
    );
    socket.send(Message::text(connect)).unwrap();
    json(socket)
}

fn ready(gateway: &Gateway) -> Socket {
    let mut socket = connect(gateway);
    let hello = log_in(&mut socket);
    assert!(hello.contains(r#""type":"hello-ok""#), "{hello}");
    socket
}

/// The next close frame; pings and events before it are read over.
fn close_frame(socket: &mut Socket) -> (u16, String) {
    loop {
        match socket.read().unwrap() {
            Message::Close(Some(CloseFrame { code, reason })) => return (code.into(), reason.to_string()),
            Message::Close(None) => return (1005, String::new()),
            _ => {}
        }
    }
}

/// The whole answer to an upgrade request, until the server closes.
fn answer(gateway: &Gateway, request: &str) -> Vec<u8> {
    let mut socket = tcp(gateway);
    socket.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Upgrades on a bare socket and reads until `bytes` have come.
fn until_bytes(socket: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    socket.write_all(UPGRADE.as_bytes()).unwrap();
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    while !all.windows(bytes.len()).any(|w| w == bytes) {
        let n = socket.read(&mut buffer).unwrap();
        assert!(n > 0, "it ended before: {}", String::from_utf8_lossy(&all));
        all.extend_from_slice(&buffer[..n]);
    }
    all
}

#[test]
fn an_independent_client_logs_in_asks_and_leaves() {
    let gateway = with("rst:0%");
    let mut socket = ready(&gateway);
    let ask = r#"{"type":"req","id":"h","method":"health","params":{}}"#;
    socket.send(Message::text(ask)).unwrap();
    assert!(json(&mut socket).contains(r#""id":"h","ok":true"#));
    socket.close(None).unwrap();
    while socket.read().is_ok() {}
    assert_eq!(gateway.stop().count(Verdict::Ok), 1);
}

#[test]
fn the_upgrade_is_answered_as_the_rfc_says() {
    let gateway = with("fin@challenge");
    let head = String::from_utf8_lossy(&answer(&gateway, UPGRADE)).into_owned();
    assert!(
        head.starts_with("HTTP/1.1 101 ") && head.contains(ACCEPT),
        "{head}"
    );
}

#[test]
fn a_stop_is_announced_and_closes_with_1012() {
    let gateway = start(config(&[]));
    let mut socket = ready(&gateway);
    let told = std::thread::spawn(move || (json(&mut socket), close_frame(&mut socket)));
    assert_eq!(gateway.stop().count(Verdict::ServerRestart), 1);
    let (event, close) = told.join().unwrap();
    assert!(
        event.contains("gateway stopping") && !event.contains("restartExpectedMs"),
        "{event}"
    );
    assert_eq!(close, (1012, "service restart".to_owned()));
}

#[test]
fn a_restart_is_announced_and_newcomers_are_told_to_come_back() {
    let gateway = start(config(&[]));
    let mut socket = ready(&gateway);
    gateway.restart();
    assert!(json(&mut socket).contains(r#""restartExpectedMs":1500"#));
    assert_eq!(close_frame(&mut socket).0, 1012);
    let mut early = connect(&gateway);
    assert!(log_in(&mut early).contains("gateway-restarting"));
    assert_eq!(
        close_frame(&mut early),
        (1013, "gateway restart in progress".to_owned())
    );
    until("a gateway that serves again", || {
        log_in(&mut connect(&gateway)).contains("hello-ok")
    });
}

#[test]
fn rst_is_a_reset_and_fin_is_an_end_of_stream() {
    for moment in ["accept", "upgrade", "challenge"] {
        let gateway = with(&format!("rst@{moment}"));
        let mut socket = tcp(&gateway);
        // Whichever call comes after the RST is told of it, and only that one.
        let written = socket.write_all(UPGRADE.as_bytes());
        let read = socket.read_to_end(&mut Vec::new());
        let error = written.err().or(read.err()).unwrap();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{moment}");
        let gateway = with(&format!("fin@{moment}"));
        let mut socket = tcp(&gateway);
        if moment != "accept" {
            socket.write_all(UPGRADE.as_bytes()).unwrap();
        }
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.is_empty(), moment != "challenge", "{moment}");
    }
}

#[test]
fn a_half_closed_connection_still_takes_bytes() {
    let gateway = with("half-close@challenge");
    let mut socket = tcp(&gateway);
    socket.write_all(UPGRADE.as_bytes()).unwrap();
    socket.read_to_end(&mut Vec::new()).unwrap();
    for _ in 0..50 {
        socket.write_all(&[0; 1024]).unwrap();
    }
    assert_eq!(gateway.summary().open, 1);
    drop(socket);
    until("the end", || gateway.summary().open == 0);
}

#[test]
fn a_silent_server_says_nothing_and_does_not_close() {
    let gateway = start(Config {
        ping: Some(millis(20)),
        tick: millis(20),
        ..config(&["silence@ready"])
    });
    let mut socket = ready(&gateway);
    // It is silent as soon as it has answered; what was on its way may still come.
    socket.get_mut().set_read_timeout(Some(millis(150))).unwrap();
    socket.send(Message::Ping(vec![1].into())).unwrap();
    match socket.read() {
        Err(Error::Io(error)) => assert!(matches!(
            error.kind(),
            ErrorKind::WouldBlock | ErrorKind::TimedOut
        )),
        other => panic!("{other:?}"),
    }
    // Stopping does not wait for it for ever, and counts it.
    let begun = Instant::now();
    let summary = gateway.stop();
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert_eq!((summary.open, summary.count(Verdict::AuthDisconnected)), (0, 1));
}

#[test]
fn broken_frames_are_the_bytes_that_they_are_said_to_be() {
    for (fault, bytes) in [
        ("malformed@challenge", &[0x8B, 0x00][..]),
        ("bad-utf8@challenge", &[0x81, 0x02, 0xC3, 0x28]),
        (
            "oversized=104857600@challenge",
            &[0x82, 127, 0, 0, 0, 0, 0x06, 0x40, 0, 0],
        ),
    ] {
        let gateway = with(fault);
        until_bytes(&mut tcp(&gateway), bytes);
    }
    let gateway = with("bad-utf8@challenge");
    let mut socket = connect(&gateway);
    let error = loop {
        if let Err(error) = socket.read() {
            break error;
        }
    };
    assert!(matches!(error, Error::Utf8(_)), "{error:?}");
}

#[test]
fn garbage_is_no_http_and_a_status_is_a_status() {
    let gateway = with("garbage");
    assert!(answer(&gateway, UPGRADE).starts_with(b"SSH-2.0-"));
    assert_eq!(gateway.stop().count(Verdict::ProtocolError), 1);
    let gateway = with("upgrade-status=418");
    match client("ws://localhost/", tcp(&gateway)) {
        Err(HandshakeError::Failure(Error::Http(response))) => assert_eq!(response.status(), 418),
        other => panic!("{other:?}"),
    }
    let over_budget = answer(&with("budget=0"), UPGRADE);
    let text = String::from_utf8_lossy(&over_budget);
    assert!(text.starts_with("HTTP/1.1 503 ") && text.ends_with("Too many unauthenticated sockets"));
}

#[test]
fn a_budget_counts_the_others_that_are_not_ready() {
    let gateway = with("budget=2");
    let _first = connect(&gateway);
    let mut second = connect(&gateway);
    assert!(answer(&gateway, UPGRADE).starts_with(b"HTTP/1.1 503 "));
    log_in(&mut second);
    // The refused one has to be gone, too.
    until("one place", || client("ws://localhost/", tcp(&gateway)).is_ok());
}

#[test]
fn sessions_that_became_ready_give_their_place_in_the_budget_back() {
    let gateway = start(Config {
        mode: Mode::Stock,
        ..config(&[])
    });
    let sessions: Vec<_> = (0..40).map(|_| ready(&gateway)).collect();
    assert_eq!(gateway.summary().ready_now, 40);
    drop(sessions);
    let waiting: Vec<_> = (0..32).map(|_| connect(&gateway)).collect();
    assert!(answer(&gateway, UPGRADE).starts_with(b"HTTP/1.1 503 "));
    drop(waiting);
    until("places in the budget", || {
        client("ws://localhost/", tcp(&gateway)).is_ok()
    });
}

#[test]
fn a_stall_holds_everybody_up_once() {
    let gateway = with("stall=400ms:50%@challenge");
    let others: Vec<_> = (0..8).map(|_| connect(&gateway)).collect();
    let begun = Instant::now();
    ready(&gateway);
    // One stall for all of them, not one each.
    assert!(begun.elapsed() < millis(1500), "{:?}", begun.elapsed());
    drop(others);
    let gateway = with("stall=400ms@ready");
    let begun = Instant::now();
    ready(&gateway);
    let mut second = connect(&gateway);
    json(&mut second);
    assert!(begun.elapsed() >= millis(400), "{:?}", begun.elapsed());
}

#[test]
fn a_stall_with_a_period_comes_again() {
    let gateway = with("stall=100ms/100ms@ready");
    let mut socket = ready(&gateway);
    let mut held_up = 0;
    while held_up < 3 {
        let begun = Instant::now();
        socket.send(Message::Ping(Vec::new().into())).unwrap();
        while !matches!(socket.read().unwrap(), Message::Pong(_)) {}
        held_up += u32::from(begun.elapsed() > millis(50));
    }
}

#[test]
fn the_servers_pings_come_and_a_fault_stops_them() {
    let quick = |faults: &[&str]| Config {
        ping: Some(millis(30)),
        ..config(faults)
    };
    let gateway = start(quick(&[]));
    let mut socket = ready(&gateway);
    while !matches!(socket.read().unwrap(), Message::Ping(_)) {}
    let gateway = start(quick(&["ping-stop"]));
    let mut socket = ready(&gateway);
    socket.get_mut().set_read_timeout(Some(millis(200))).unwrap();
    assert!(matches!(socket.read(), Err(Error::Io(_))));
}

#[test]
fn a_client_without_pongs_is_cut_and_missed() {
    let gateway = start(Config {
        ping: Some(millis(60)),
        ..config(&[])
    });
    let mut socket = ready(&gateway);
    // Reading bare bytes answers nothing.
    socket.get_mut().read_to_end(&mut Vec::new()).unwrap();
    until("the record", || {
        gateway.summary().count(Verdict::HeartbeatMiss) == 1
    });
}

#[test]
fn mute_leaves_requests_unanswered() {
    let gateway = with("mute");
    let mut socket = ready(&gateway);
    let ask = r#"{"type":"req","id":"h","method":"health","params":{}}"#;
    socket.send(Message::text(ask)).unwrap();
    socket.send(Message::Ping(vec![7].into())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong(vec![7].into()));
}

#[test]
fn a_client_that_does_not_read_is_dropped_as_slow() {
    let gateway = start(Config {
        max_buffered_bytes: 64 * 1024,
        ..config(&[])
    });
    let mut socket = ready(&gateway);
    let ask = r#"{"type":"req","id":"hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh","method":"health","params":{}}"#;
    // The kernel's buffers on both sides fill first.
    while gateway.summary().count(Verdict::SlowConsumer) == 0 {
        for _ in 0..2000 {
            if socket.send(Message::text(ask)).is_err() {
                break;
            }
        }
    }
}

#[test]
fn health_probes_are_answered_and_are_no_sessions() {
    let gateway = start(config(&[]));
    let healthy = answer(&gateway, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(String::from_utf8_lossy(&healthy).contains(r#""status":"live""#));
    let summary = gateway.stop();
    assert_eq!((summary.accepted, summary.verdicts.len()), (1, 0));
}

#[test]
fn the_same_seed_strikes_the_same_sessions() {
    let struck = |seed| {
        let gateway = start(Config {
            seed,
            ..config(&["upgrade-status=418:40%"])
        });
        (0..40)
            .map(|_| client("ws://localhost/", tcp(&gateway)).is_err())
            .collect::<Vec<_>>()
    };
    let first = struck(5);
    assert_eq!(first, struck(5));
    assert_ne!(first, struck(6));
    let share = first.iter().filter(|hit| **hit).count();
    assert!((6..27).contains(&share), "{share} of 40 at 40 %");
}

#[test]
fn a_window_of_the_plan_is_kept() {
    let mut spec = FaultSpec::parse("upgrade-status=418", clw_core::Dialect::Openclaw)
        .unwrap()
        .remove(0);
    spec.until = Some(millis(300));
    let gateway = start(Config {
        faults: vec![spec],
        ..config(&[])
    });
    assert!(client("ws://localhost/", tcp(&gateway)).is_err());
    until("the end of the window", || {
        client("ws://localhost/", tcp(&gateway)).is_ok()
    });
}

#[test]
fn many_sessions_are_told_of_the_end_together() {
    let gateway = start(config(&[]));
    let sessions: Vec<_> = (0..20).map(|_| lasting_session(gateway.address())).collect();
    assert_eq!(gateway.stop().count(Verdict::ServerRestart), 20);
    for session in sessions {
        assert_eq!(session.join().unwrap().close.unwrap().code, Some(1012));
    }
}

#[test]
fn tls_serves_the_certificate_that_it_is_given() {
    use rustls::pki_types::ServerName;
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (dir.path().join("chain.pem"), dir.path().join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let gateway = start(Config {
        tls_files: Some((chain, key)),
        handshake_timeout: Some(millis(300)),
        ..config(&[])
    });
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trusting = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let session = rustls::ClientConnection::new(Arc::new(trusting), name).unwrap();
    let stream = rustls::StreamOwned::new(session, tcp(&gateway));
    let (mut socket, _) = client("wss://localhost/", stream).unwrap();
    assert!(
        socket
            .read()
            .unwrap()
            .into_text()
            .unwrap()
            .contains("connect.challenge")
    );
    drop(socket);
    // Clear text to a TLS port, and a handshake that never comes, fail as TLS.
    let mut clear = tcp(&gateway);
    clear.write_all(UPGRADE.as_bytes()).unwrap();
    let _ = clear.read_to_end(&mut Vec::new());
    let _ = tcp(&gateway).read_to_end(&mut Vec::new());
    until("two failures", || {
        gateway.summary().count(Verdict::TlsFailed) == 2
    });
}

#[test]
fn a_gateway_that_is_dropped_lets_its_port_go() {
    let gateway = start(config(&[]));
    let address = gateway.address();
    assert_eq!(Visit::default().to(address).close.unwrap().code, Some(1000));
    drop(gateway);
    start(Config {
        listen: address,
        ..config(&[])
    });
}
