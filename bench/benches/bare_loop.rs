//! How much dearer is clw-bench than a bare loop? One run, the same gateway, the same load, CPU seconds compared.
//!
//! `cargo bench -p clw-bench --bench bare_loop [-- SESSIONS [RATE [HOLD_S]]]`
//!
//! The bare loop is epoll and a state byte per session: constant requests, no JSON, no histograms, no verdicts. It is the
//! floor that the kernel sets for connect, upgrade, authenticate, a ping every 10 s, hold, leave.

#![expect(
    clippy::expect_used,
    clippy::cast_possible_truncation,
    reason = "a benchmark may panic, and its numbers are small"
)]

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::resource::{UsageWho, getrusage};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PING_PERIOD: Duration = Duration::from_secs(10);
const TOKEN: &str = "bench-token";
/// Sessions that share one source address (see docs/performance.md on the kernel's port search).
const PER_SOURCE: usize = 8000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    Upgrading,
    Authenticating,
    Ready,
    Gone,
}

struct Session {
    stream: TcpStream,
    state: State,
    due: Instant,
    ends: Instant,
}

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let sessions = numbers.first().copied().unwrap_or(5000);
    let rate = numbers.get(1).copied().unwrap_or(500);
    let hold = numbers.get(2).copied().unwrap_or(30);
    let (mut gateway, address) = start_gateway();

    let before = cpu_seconds();
    let ready = bare_loop(address, sessions, rate, Duration::from_secs(hold));
    let bare = cpu_seconds() - before;
    println!(
        "bare loop : {ready} of {sessions} ready, {:.3} CPU s per 1000 sessions",
        per_1000(bare, sessions)
    );

    let report = clw_bench(address, sessions, rate, hold);
    let cpu = report["generator"]["cpu_s"].as_f64().unwrap_or(f64::NAN);
    let rss = report["generator"]["rss_peak_bytes"].as_f64().unwrap_or(f64::NAN);
    println!(
        "clw-bench : {} of {sessions} ready, {:.3} CPU s per 1000 sessions, {:.1} MiB at its peak, \
         {:.1} KiB a session above 50 MB, schedule lag p99 {} \u{b5}s",
        report["sessions"]["ready"],
        per_1000(cpu, sessions),
        rss / 1_048_576.0,
        (rss - 50e6).max(0.0) / 1024.0 / sessions as f64,
        report["generator"]["schedule_lag_us"]["p99"],
    );
    println!("ratio     : {:.2}", cpu / bare);
    let _ = gateway.kill();
    let _ = gateway.wait();
}

fn per_1000(cpu_s: f64, sessions: u64) -> f64 {
    cpu_s * 1000.0 / sessions as f64
}

fn cpu_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("getrusage");
    [usage.user_time(), usage.system_time()]
        .iter()
        .map(|t| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6)
        .sum()
}

/// The embedded gateway, in a process of its own.
fn start_gateway() -> (Child, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_clw-bench"))
        .args([
            "gateway",
            "--listen",
            "127.0.0.1:0",
            "--token",
            TOKEN,
            "--ping",
            "25s",
            "--tick",
            "10s",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the gateway");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped"))
        .read_line(&mut line)
        .expect("its first line");
    let address = line
        .trim()
        .rsplit("//")
        .next()
        .and_then(|a| a.parse().ok())
        .expect("listening ws://ADDR:PORT");
    (child, address)
}

fn clw_bench(address: SocketAddr, sessions: u64, rate: u64, hold: u64) -> serde_json::Value {
    let out = Command::new(env!("CARGO_BIN_EXE_clw-bench"))
        .args(["-q", "--json", "-", "--workers", "1", "--token", TOKEN])
        .args([
            "-n",
            &sessions.to_string(),
            "-r",
            &rate.to_string(),
            "--hold",
            &format!("{hold}s"),
        ])
        .args(["--heartbeat", "10s", &format!("ws://{address}")])
        .stderr(Stdio::inherit())
        .output()
        .expect("run clw-bench");
    serde_json::from_slice(&out.stdout).expect("its result")
}

fn bare_loop(address: SocketAddr, sessions: u64, rate: u64, hold: Duration) -> u64 {
    let upgrade = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let connect = frame(
        0x81,
        format!(
            r#"{{"type":"req","id":"c1","method":"connect","params":{{"minProtocol":4,"maxProtocol":4,"client":{{"id":"gateway-client","version":"1.0.0","platform":"linux","mode":"backend"}},"role":"operator","scopes":["operator.read"],"auth":{{"token":"{TOKEN}"}}}}}}"#
        )
        .as_bytes(),
    );
    let ping = frame(0x89, b"");
    let epoll = Epoll::new(EpollCreateFlags::empty()).expect("epoll");
    let mut events = vec![EpollEvent::empty(); 1024];
    let mut table: Vec<Session> = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let (mut ready, mut gone, mut next_due) = (0, 0, 0);
    let start = Instant::now();
    while gone < sessions {
        let now = Instant::now();
        let wanted = (now - start).as_micros() as u64 * rate / 1_000_000;
        while (table.len() as u64) < sessions && (table.len() as u64) <= wanted {
            let stream = open(address, table.len());
            let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
            epoll
                .add(&stream, EpollEvent::new(flags, table.len() as u64))
                .expect("epoll add");
            table.push(Session {
                stream,
                state: State::Connecting,
                due: now + PING_PERIOD,
                ends: now + hold,
            });
        }
        let count = epoll
            .wait(&mut events, EpollTimeout::from(1u8))
            .expect("epoll wait");
        for event in &events[..count] {
            let session = &mut table[usize::try_from(event.data()).expect("index")];
            if session.state == State::Connecting && event.events().contains(EpollFlags::EPOLLOUT) {
                session.stream.write_all(upgrade.as_bytes()).expect("upgrade");
                session.state = State::Upgrading;
            }
            if event.events().contains(EpollFlags::EPOLLIN) {
                read(session, &connect, &mut buffer, &mut ready, hold);
            }
        }
        // Sessions start in order and hold equally long, so a round robin finds who is due.
        for _ in 0..table.len().min(256) {
            next_due = (next_due + 1) % table.len();
            let session = &mut table[next_due];
            if session.state != State::Ready {
                continue;
            }
            if now >= session.ends {
                session.state = State::Gone;
                gone += 1;
                let _ = session.stream.shutdown(std::net::Shutdown::Both);
                let _ = epoll.delete(&session.stream);
            } else if now >= session.due {
                session.due += PING_PERIOD;
                session.stream.write_all(&ping).expect("ping");
            }
        }
    }
    ready
}

fn open(address: SocketAddr, number: usize) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).expect("socket");
    socket.set_nonblocking(true).expect("nonblocking");
    socket.set_tcp_nodelay(true).expect("nodelay");
    let last = u8::try_from(2 + number / PER_SOURCE).expect("source");
    nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true)
        .expect("option");
    socket
        .bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)).into())
        .expect("bind");
    match socket.connect(&address.into()) {
        Err(e) if e.raw_os_error() != Some(nix::errno::Errno::EINPROGRESS as i32) => panic!("connect: {e}"),
        _ => socket.into(),
    }
}

/// Reads what is there; the 101 with the challenge comes first, then hello-ok, then what may be thrown away.
fn read(session: &mut Session, connect: &[u8], buffer: &mut [u8], ready: &mut u64, hold: Duration) {
    loop {
        match session.stream.read(buffer) {
            Ok(0) => panic!("the gateway closed a session"),
            Ok(n) => match session.state {
                State::Upgrading if contains(&buffer[..n], b"connect.challenge") => {
                    session.stream.write_all(connect).expect("connect");
                    session.state = State::Authenticating;
                }
                State::Authenticating if contains(&buffer[..n], b"hello-ok") => {
                    session.state = State::Ready;
                    session.due = Instant::now() + PING_PERIOD;
                    session.ends = Instant::now() + hold;
                    *ready += 1;
                }
                _ => {}
            },
            Err(e) if e.kind() == ErrorKind::WouldBlock => return,
            Err(e) => panic!("read: {e}"),
        }
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}

/// A final client frame with a mask of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    if let Ok(short @ 0..=125) = u8::try_from(payload.len()) {
        out.push(0x80 | short);
    } else {
        out.push(0xFE);
        out.extend_from_slice(&u16::try_from(payload.len()).expect("short").to_be_bytes());
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
    out
}
