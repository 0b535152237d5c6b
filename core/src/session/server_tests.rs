//! The connection around any dialect, over bytes and a virtual clock.

use super::*;
use crate::time::Instant;
use crate::verdict::{CloseFrame, EndingKind, Observation, Side, Viewpoint};
use crate::ws::{Control, Data, Decoder, Incoming, OpCode, Peer, UpgradeRequest, write_frame, write_request};
use crate::{Dialect, Stage};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

/// Echoes text; `hi` makes it ready, `bye` makes it close, `die` makes it reset.
#[derive(Default)]
struct Echo {
    ready: bool,
    closed_by_client: Option<CloseFrame>,
}

impl ServerDialect for Echo {
    fn dialect(&self) -> Dialect {
        Dialect::Websocket
    }

    fn upgraded(&mut self, _now: Instant, out: &mut Outbox<ServerEvent>) {
        out.text("hello");
    }

    fn message(&mut self, _now: Instant, message: Message<'_>, out: &mut Outbox<ServerEvent>) {
        match message {
            Message::Text("hi") => {
                self.ready = true;
                // Dialects may tell stages too: they must not come twice.
                out.emit(ServerEvent::Reached(Stage::Auth));
                out.emit(ServerEvent::Reached(Stage::Ready));
            }
            Message::Text("bye") => out.close(Some(4001), "bye"),
            Message::Text("die") => out.finish(Finish::Rst),
            Message::Text(text) => out.text(text),
            _ => {}
        }
    }

    fn peer_closed(&mut self, _now: Instant, frame: &CloseFrame) {
        self.closed_by_client = Some(frame.clone());
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn timer(&mut self, _now: Instant, _out: &mut Outbox<ServerEvent>) {}

    fn stop(&mut self, _now: Instant, _stop: Stop, out: &mut Outbox<ServerEvent>) {
        out.close(Some(1001), "");
    }

    fn is_ready(&self) -> bool {
        self.ready
    }

    fn observe(&self, _now: Instant, _observation: &mut Observation) {}
}

struct Rig {
    server: ServerConnection<Echo>,
    out: Outbox<ServerEvent>,
}

/// Frames as short words: `t:text`, `pong:payload`, `close:code:reason`.
fn words(bytes: &[u8]) -> Vec<String> {
    let mut bytes = bytes.to_vec();
    let mut words = Vec::new();
    Decoder::new(Peer::Server, 1 << 20)
        .decode(&mut bytes, |incoming| {
            words.push(match incoming {
                Incoming::Text(text) => format!("t:{text}"),
                Incoming::Binary(bytes) => format!("b:{}", bytes.len()),
                Incoming::Ping(_) => "ping".to_owned(),
                Incoming::Pong(payload) => format!("pong:{}", String::from_utf8_lossy(payload)),
                Incoming::Close { code, reason } => format!("close:{}:{reason}", code.unwrap_or(0)),
            });
            true
        })
        .unwrap();
    words
}

fn request(target: &str, protocols: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_request(&mut bytes, "h", target, protocols, "agent", None, [1; 16]);
    bytes
}

fn client_frame(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(&mut bytes, opcode, Some([9, 8, 7, 6]), |out| {
        out.extend_from_slice(payload);
    });
    bytes
}

fn text(text: &str) -> Vec<u8> {
    client_frame(OpCode::Data(Data::Text), text.as_bytes())
}

fn close(code: u16, reason: &str) -> Vec<u8> {
    let body = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
    client_frame(OpCode::Control(Control::Close), &body)
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

impl Rig {
    fn new(change: impl FnOnce(&mut ServerConfig)) -> Self {
        Self::admitting(change, |_: Instant, _: &UpgradeRequest| {
            Admission::Accept(Echo::default())
        })
    }

    fn admitting(change: impl FnOnce(&mut ServerConfig), admit: impl Admit<Echo> + 'static) -> Self {
        let mut config = ServerConfig::openclaw();
        change(&mut config);
        Self {
            server: ServerConnection::accept(Instant::ORIGIN, Arc::new(config), Box::new(admit)),
            out: Outbox::server(),
        }
    }

    fn open() -> Self {
        let mut rig = Self::new(|_| {});
        rig.send(Instant::ORIGIN, &request("/", &[]));
        rig
    }

    fn ready() -> Self {
        let mut rig = Self::open();
        rig.send(Instant::ORIGIN, &text("hi"));
        rig
    }

    /// Sends bytes; returns what was written and how the transport ends.
    fn send(&mut self, now: Instant, bytes: &[u8]) -> (Vec<u8>, Option<Finish>) {
        self.server.receive(now, &mut bytes.to_vec(), &mut self.out);
        self.taken()
    }

    fn timer(&mut self, now: Instant) -> (Vec<u8>, Option<Finish>) {
        self.server.timer(now, &mut self.out);
        self.taken()
    }

    fn taken(&mut self) -> (Vec<u8>, Option<Finish>) {
        let taken = (std::mem::take(&mut self.out.bytes), self.out.finish);
        self.out.clear();
        taken
    }

    fn seen(&self) -> Observation {
        self.server.observation(at(60_000))
    }
}

/// Status line, and whether the transport ends.
fn http(rig: &mut Rig, bytes: &[u8]) -> (String, Option<Finish>) {
    let (answer, finish) = rig.send(at(1), bytes);
    let line = String::from_utf8_lossy(&answer)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    (line, finish)
}

#[test]
fn the_upgrade_is_answered_with_the_first_subprotocol() {
    let mut rig = Rig::new(|_| {});
    let (answer, finish) = rig.send(at(1), &request("/any?path", &["b", "a"]));
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
    assert!(answer.contains("\r\nSec-WebSocket-Protocol: b\r\n"));
    assert_eq!(finish, None);
    assert_eq!(rig.server.request().map(|r| r.target.as_str()), Some("/any?path"));
    let seen = rig.seen();
    assert_eq!(
        (seen.viewpoint, seen.stage),
        (Viewpoint::Server, Stage::Challenge)
    );
    assert_eq!(seen.http_status, Some(101));
}

#[test]
fn a_server_with_preferences_chooses_its_own_subprotocol() {
    let clw = ServerConfig::clw();
    let offered = ["x", "clw.auth.v1", "clw.auth.v2"].map(str::to_owned);
    assert_eq!(clw.protocols.choose(&offered), Some("clw.auth.v2"));
    assert_eq!(clw.protocols.choose(&offered[..2]), Some("clw.auth.v1"));
    assert_eq!(clw.protocols.choose(&offered[..1]), None);
}

#[test]
fn http_without_an_upgrade_gets_what_it_asked_for() {
    for (bytes, line, status) in [
        ("GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK", 200),
        ("GET /readyz?x HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK", 200),
        ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 426 Upgrade Required", 426),
        (
            "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
            "HTTP/1.1 426 Upgrade Required",
            426,
        ),
        ("\x16\x03\x01\x00", "HTTP/1.1 400 Bad Request", 400),
    ] {
        let mut rig = Rig::new(|_| {});
        assert_eq!(
            http(&mut rig, bytes.as_bytes()),
            (line.to_owned(), Some(Finish::Fin)),
            "{bytes}"
        );
        let seen = rig.seen();
        assert_eq!(seen.http_status, Some(status));
        assert_eq!((seen.ending, seen.ended_by), (EndingKind::Fin, Side::Server));
        assert_eq!(rig.server.is_http_only(), status != 400);
    }
}

#[test]
fn another_path_than_the_only_one_is_not_found() {
    for bytes in [request("/other", &[]), b"GET /other HTTP/1.1\r\n\r\n".to_vec()] {
        let mut rig = Rig::new(|config| config.path = Some("/clw/auth"));
        assert_eq!(http(&mut rig, &bytes).0, "HTTP/1.1 404 Not Found");
    }
    let mut rig = Rig::new(|config| config.path = Some("/clw/auth"));
    assert!(
        http(&mut rig, &request("/clw/auth", &[]))
            .0
            .starts_with("HTTP/1.1 101")
    );
}

#[test]
fn the_caller_may_reject_an_upgrade() {
    let mut rig = Rig::admitting(
        |_| {},
        |_: Instant, _: &UpgradeRequest| {
            Admission::<Echo>::Reject(Rejection {
                retry_after: Some(Duration::from_millis(1500)),
                ..Rejection::over_budget()
            })
        },
    );
    let (answer, finish) = rig.send(at(1), &request("/", &[]));
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    assert!(answer.contains("\r\nRetry-After: 2\r\n"));
    assert!(answer.ends_with("\r\n\r\nToo many unauthenticated sockets"));
    assert_eq!(finish, Some(Finish::Fin));
    let seen = rig.seen();
    assert_eq!((seen.http_status, seen.stage), (Some(503), Stage::Upgrade));
}

#[test]
fn a_forwarding_header_without_trusted_proxies_is_forbidden() {
    let mut bytes = request("/", &[]);
    let end = bytes.len() - 2;
    bytes.splice(end..end, b"X-Forwarded-For: 10.0.0.1\r\n".iter().copied());
    let mut rig = Rig::new(|_| {});
    assert_eq!(http(&mut rig, &bytes).0, "HTTP/1.1 403 Forbidden");
    let mut rig = Rig::new(|config| config.refuse_forwarded = false);
    assert!(http(&mut rig, &bytes).0.starts_with("HTTP/1.1 101"));
}

#[test]
fn an_endless_head_is_refused_and_a_slow_one_is_cut() {
    let mut rig = Rig::new(|_| {});
    let head = [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'a'; 20_000]].concat();
    assert!(http(&mut rig, &head).0.starts_with("HTTP/1.1 431"));
    let mut rig = Rig::new(|_| {});
    rig.send(at(1), b"GET / HT");
    assert_eq!(rig.server.deadline(), Some(at(15_000)));
    assert_eq!(rig.timer(at(14_999)).1, None);
    assert_eq!(rig.timer(at(15_000)), (vec![], Some(Finish::Fin)));
    assert!(rig.seen().handshake_timed_out);
    assert_eq!(rig.server.deadline(), None);
}

#[test]
fn stages_are_told_once_each() {
    let mut rig = Rig::new(|_| {});
    let mut reached = Vec::new();
    for bytes in [request("/", &[]), text("a"), text("hi"), text("hi")] {
        rig.server.receive(at(1), &mut bytes.clone(), &mut rig.out);
        reached.extend(rig.out.events.iter().filter_map(|event| match event {
            ServerEvent::Reached(stage) => Some(*stage),
            _ => None,
        }));
        rig.out.clear();
    }
    assert_eq!(
        reached,
        [Stage::Upgrade, Stage::Challenge, Stage::Auth, Stage::Ready]
    );
}

#[test]
fn a_client_close_is_echoed_and_ends_with_fin() {
    let mut rig = Rig::ready();
    let (bytes, finish) = rig.send(at(5), &close(1000, "done"));
    assert_eq!(words(&bytes), ["close:1000:done"]);
    assert_eq!(finish, Some(Finish::Fin));
    let frame = CloseFrame {
        by: Side::Client,
        code: Some(1000),
        reason: "done".to_owned(),
    };
    assert_eq!(rig.seen().close.as_ref(), Some(&frame));
    assert_eq!(
        rig.server.dialect().and_then(|d| d.closed_by_client.clone()),
        Some(frame)
    );
    assert_eq!(rig.seen().duration, Duration::from_millis(5));
}

#[test]
fn the_servers_close_waits_a_second_for_its_echo_and_reads_nothing_else() {
    let mut rig = Rig::ready();
    let (bytes, finish) = rig.send(at(0), &text("bye"));
    assert_eq!(words(&bytes), ["close:4001:bye"]);
    assert_eq!(finish, None);
    assert_eq!(rig.send(at(10), &text("ignored")), (vec![], None));
    assert_eq!(rig.send(at(20), &close(4001, "")), (vec![], Some(Finish::Fin)));
    let mut silent = Rig::ready();
    silent.send(at(0), &text("bye"));
    assert_eq!(silent.timer(at(999)).1, None);
    assert_eq!(silent.timer(at(1000)).1, Some(Finish::Fin));
    for rig in [rig, silent] {
        let close = rig.seen().close.unwrap();
        assert_eq!((close.by, close.code), (Side::Server, Some(4001)));
    }
}

#[test]
fn pings_are_answered_unless_a_fault_forbids_it() {
    let ping = client_frame(OpCode::Control(Control::Ping), b"abc");
    let mut rig = Rig::ready();
    assert_eq!(words(&rig.send(at(1), &ping).0), ["pong:abc"]);
    rig.server.set_pong(false);
    assert!(rig.send(at(2), &ping).0.is_empty());
}

#[test]
fn a_broken_frame_is_told_and_the_rest_is_dropped_until_the_grace_is_over() {
    let mut rig = Rig::ready();
    let mut bad = text("fine");
    bad.extend_from_slice(&[0xff; 40]);
    let (bytes, finish) = rig.send(at(0), &bad);
    assert_eq!(words(&bytes), ["t:fine", "close:1002:"]);
    assert_eq!(finish, None);
    assert_eq!(rig.send(at(1), &[0xff; 4000]), (vec![], None));
    assert_eq!(rig.timer(at(1000)).1, Some(Finish::Fin));
    let violation = rig.seen().violation.unwrap();
    assert_eq!(violation.by, Side::Client);
}

#[test]
fn ready_lifts_the_message_limit_and_ends_the_handshake_timeout() {
    let long = text(&"x".repeat(70_000));
    let mut rig = Rig::open();
    assert_eq!(words(&rig.send(at(1), &long).0), ["close:1009:"]);
    let mut rig = Rig::ready();
    assert_eq!(
        rig.server.deadline(),
        Some(at(25_000)),
        "the first ping, no timeout"
    );
    assert_eq!(words(&rig.send(at(1), &long).0).len(), 1);
    assert!(rig.seen().violation.is_none());
}

#[test]
fn the_handshake_timeout_can_be_changed_or_taken_away() {
    let mut rig = Rig::open();
    rig.server.set_handshake_timeout(Some(Duration::from_secs(2)));
    assert_eq!(words(&rig.timer(at(2000)).0), ["close:1000:"]);
    let mut rig = Rig::open();
    rig.server.set_handshake_timeout(None);
    assert_eq!(rig.server.deadline(), None);
}

#[test]
fn faults_do_what_they_say() {
    let mut rig = Rig::ready();
    rig.server.send_raw(b"garbage", &mut rig.out);
    assert_eq!(rig.taken(), (b"garbage".to_vec(), None));
    rig.server.send_close(at(1), Some(1011), "internal", &mut rig.out);
    assert_eq!(words(&rig.taken().0), ["close:1011:internal"]);
    rig.server.send_close(at(1), Some(1012), "again", &mut rig.out);
    assert_eq!(rig.taken(), (vec![], None));

    let mut rig = Rig::ready();
    rig.server.set_mute(true);
    assert_eq!(rig.send(at(1), &text("echo")), (vec![], None));
    assert_eq!(rig.send(at(1), &text("bye")), (vec![], None));
    assert_eq!(rig.server.deadline(), None);
    assert_eq!(rig.timer(at(100_000)), (vec![], None));
    assert!(rig.seen().close.is_none(), "what was not written was not said");
    rig.server.close_transport(at(2), Finish::Rst, &mut rig.out);
    assert_eq!(rig.taken().1, Some(Finish::Rst));
    assert_eq!(
        (rig.seen().ending, rig.seen().ended_by),
        (EndingKind::Rst, Side::Server)
    );

    let mut rig = Rig::ready();
    assert_eq!(rig.send(at(1), &text("die")).1, Some(Finish::Rst));
    assert_eq!(rig.send(at(2), &text("echo")), (vec![], None));
}

#[test]
fn a_client_that_does_not_read_is_dropped_as_a_slow_consumer() {
    let mut rig = Rig::ready();
    rig.server.slow_consumer(at(1), &mut rig.out);
    assert_eq!(words(&rig.taken().0), ["close:1008:slow consumer"]);
    assert!(rig.seen().slow_consumer);
}

#[test]
fn a_stop_closes_in_the_dialects_words_and_before_the_101_with_fin() {
    let mut rig = Rig::ready();
    rig.server.stop(at(1), Stop::Stop, &mut rig.out);
    assert_eq!(words(&rig.taken().0), ["close:1001:"]);
    let mut rig = Rig::new(|_| {});
    rig.server.stop(at(1), Stop::Stop, &mut rig.out);
    assert_eq!(rig.taken(), (vec![], Some(Finish::Fin)));
}

#[test]
fn only_the_first_end_counts() {
    let mut rig = Rig::ready();
    rig.server.end_of_stream(at(7000), EndingKind::Rst, Side::Client);
    rig.server.end_of_stream(at(8000), EndingKind::Fin, Side::Server);
    let seen = rig.seen();
    assert_eq!((seen.ending, seen.ended_by), (EndingKind::Rst, Side::Client));
    assert_eq!(seen.duration, Duration::from_secs(7));
    assert!(rig.server.is_ended());
}

#[test]
fn messages_behind_the_upgrade_request_are_read() {
    let mut rig = Rig::new(|_| {});
    let bytes = [request("/", &[]), text("early")].concat();
    let (answer, _) = rig.send(at(1), &bytes);
    let head = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(words(&answer[head..]), ["t:hello", "t:early"]);
}

#[test]
fn boxed_dialects_work_as_well() {
    let admit = |_: Instant, _: &UpgradeRequest| {
        Admission::Accept(Box::new(Echo::default()) as Box<dyn ServerDialect>)
    };
    let config = Arc::new(ServerConfig::openclaw());
    let mut server: ServerConnection = ServerConnection::accept(at(0), config, Box::new(admit));
    let mut out = Outbox::server();
    server.receive(at(0), &mut request("/", &[]), &mut out);
    server.receive(at(0), &mut text("hi"), &mut out);
    assert!(server.is_ready());
}

proptest! {
    #[test]
    fn where_the_bytes_are_cut_makes_no_difference(
        texts in prop::collection::vec("(hi|bye|[a-z]{0,200})", 0..6),
        cuts in prop::collection::vec(any::<usize>(), 0..10),
    ) {
        let mut wire = request("/", &["p"]);
        for t in &texts {
            wire.extend(text(t));
        }
        wire.extend(close(1000, "end"));
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut % wire.len()).chain([wire.len()]).collect();
        ends.sort_unstable();
        let run = |ends: &[usize]| {
            let mut rig = Rig::new(|_| {});
            let (mut written, mut finish, mut start) = (Vec::new(), None, 0);
            for end in ends {
                let (bytes, how) = rig.send(at(1), &wire[start..*end]);
                written.extend(bytes);
                finish = finish.or(how);
                start = *end;
            }
            (written, finish, rig.server.stage(), rig.seen().close)
        };
        prop_assert_eq!(run(&ends), run(&[wire.len()]));
    }

    #[test]
    fn no_bytes_make_it_panic_or_wait_for_ever(
        upgraded in any::<bool>(),
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..10),
    ) {
        let mut rig = if upgraded { Rig::open() } else { Rig::new(|_| {}) };
        for chunk in &chunks {
            rig.send(at(1), chunk);
        }
        for _ in 0..100 {
            match rig.server.deadline() {
                Some(deadline) => { rig.timer(deadline); }
                None => break,
            }
        }
        prop_assert!(rig.server.is_ended());
        prop_assert!(rig.seen().ending != EndingKind::Open);
    }
}
