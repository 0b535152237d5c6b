//! Heartbeats as datagrams, over real sockets.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use clw_core::Dialect;
use clw_core::clw::{Datagram, Opcode, SessionId};
use clw_core::verdict::{Verdict, classify};
use clw_gateway::{Config, Gateway};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::Ordering;
use support::{Visit, config_of, millis, one_session, until};

const WORKER: &[&str] = &["worker_process", "--exact", "--ignored", "--nocapture"];

/// No test: what a worker process runs.
#[test]
#[ignore = "started by another test as a worker process"]
fn worker_process() {
    // The harness has begun a line of its own.
    println!();
    clw_gateway::worker_main();
}

fn config(listen: &str, faults: &[&str]) -> Config {
    let mut config = config_of(Dialect::Clw, faults);
    config.clw.udp_port = Some(0);
    config.listen = listen.parse().unwrap();
    config
}

/// A client that pings every 50 ms and waits 100 ms for an answer.
fn visit() -> Visit {
    Visit {
        dialect: Dialect::Clw,
        ping: Some((millis(50), millis(100))),
        ..Visit::default()
    }
}

/// Where a client reaches a gateway that listens everywhere.
fn reached(gateway: &Gateway, at: &str) -> SocketAddr {
    SocketAddr::new(at.parse().unwrap(), gateway.address().port())
}

#[test]
fn datagrams_are_answered_whatever_address_the_session_came_in_at() {
    for (listen, at) in [
        ("127.0.0.1:0", "127.0.0.1"),
        ("[::1]:0", "::1"),
        ("0.0.0.0:0", "127.0.0.5"),
        ("[::]:0", "127.0.0.1"),
        ("[::]:0", "::1"),
    ] {
        let gateway = Gateway::start(config(listen, &[])).unwrap();
        let seen = visit().to(reached(&gateway, at));
        assert_eq!(classify(&seen).verdict, Verdict::Ok, "{listen}");
        let beats = seen.datagrams.unwrap();
        assert!(
            beats.pongs >= 5 && beats.one_way.is_none(),
            "{listen} {at}: {beats:?}"
        );
        let summary = gateway.stop();
        assert_eq!(summary.udp.sessions, 1);
        assert!(
            summary.udp.pongs >= beats.pongs && summary.udp.pings <= beats.pings,
            "{summary}"
        );
    }
}

#[test]
fn lost_pings_and_lost_pongs_are_one_way_to_the_client_and_the_gateway_knows_which() {
    for (fault, arrive) in [("udp-ping-loss@ready", false), ("udp-pong-loss@ready", true)] {
        let visit = Visit {
            hold: millis(900),
            ..visit()
        };
        let (seen, record, summary) = one_session(config("127.0.0.1:0", &[fault]), &visit);
        assert_eq!(record.unwrap().verdict, Verdict::Ok, "{fault}");
        assert_eq!(classify(&seen).verdict, Verdict::Ok, "the session lives");
        let beats = seen.datagrams.unwrap();
        assert!(
            beats.pongs == 0 && beats.one_way.unwrap().lost >= 3,
            "{fault}: {beats:?}"
        );
        assert_eq!((summary.udp.pings > 0, summary.udp.pongs), (arrive, 0), "{fault}");
    }
}

#[test]
fn a_session_that_falls_silent_is_silent_in_datagrams_too() {
    let (seen, _, summary) = one_session(config("127.0.0.1:0", &["silence@ready+120ms"]), &visit());
    assert_eq!(classify(&seen).verdict, Verdict::HeartbeatMiss);
    assert_eq!(
        seen.datagrams.unwrap().one_way,
        None,
        "the stream is dead as well"
    );
    assert!(summary.udp.pongs <= 3, "{summary}");
}

#[test]
fn each_worker_answers_its_own_sessions() {
    let gateway = Gateway::start_workers(config("127.0.0.1:0", &[]), 2, WORKER).unwrap();
    for _ in 0..8 {
        let seen = visit().to(gateway.address());
        let beats = seen.datagrams.unwrap();
        assert!(beats.pongs >= 5, "{beats:?}");
    }
    assert_eq!(gateway.stop().udp.sessions, 8);
}

#[test]
fn without_the_option_nothing_is_offered() {
    let (seen, _, summary) = one_session(config_of(Dialect::Clw, &[]), &visit());
    assert_eq!((seen.datagrams, summary.udp.sessions), (None, 0));
}

#[test]
fn what_is_no_ping_of_a_live_session_gets_no_answer() {
    let port = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut config = config("127.0.0.1:0", &[]);
    config.clw.udp_port = Some(port);
    let gateway = Gateway::start(config).unwrap();
    let address = gateway.address();
    let visit = Visit {
        hold: millis(60_000),
        ..visit()
    };
    let ready = visit.ready.clone();
    let session = std::thread::spawn(move || visit.to(address));
    until("a ready session", || ready.load(Ordering::Acquire));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", port)).unwrap();
    let ping = |session, seq| Datagram {
        opcode: Opcode::AuthPing,
        seq,
        session: SessionId(session).key(),
    };
    let long = [&ping(1, 1).write()[..], b"more"].concat();
    for bytes in [
        b"",
        &b"hello"[..],
        &ping(2, 1).write(),
        &ping(1, 1).write()[..23],
        &long,
    ] {
        socket.send(bytes).unwrap();
    }
    // One socket answers in turn: the first answer is that of the last question.
    socket.send(&ping(1, 77).write()).unwrap();
    let mut bytes = [0; 100];
    let length = socket.recv(&mut bytes).unwrap();
    let answer = Datagram::read(&bytes[..length]).unwrap();
    assert_eq!((answer.opcode, answer.seq), (Opcode::AuthPong, 77));
    gateway.stop();
    session.join().unwrap();
}

#[test]
fn a_port_that_is_taken_is_told_at_the_start() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut config = config("127.0.0.1:0", &[]);
    config.clw.udp_port = Some(taken.local_addr().unwrap().port());
    let error = Gateway::start(config).err().unwrap().to_string();
    assert!(
        error.contains("--udp-heartbeat") && error.contains("choose another port"),
        "{error}"
    );
}
