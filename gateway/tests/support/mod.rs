//! A client for the tests: the client's machine over a blocking socket, in a dozen lines, so that what the gateway does on a
//! real socket is judged by the client's rules too.
#![allow(dead_code, reason = "each test binary uses its own part")]

use clw_core::Dialect;
use clw_core::clawchat;
use clw_core::clw;
use clw_core::openclaw::{Client, ClientConfig, ClientInfo, Credentials};
use clw_core::secret::Secret;
use clw_core::session::{
    ClientConfig as ConnectionConfig, ClientConnection, ClientDialect, ClientEvent, Finish, Outbox,
};
use clw_core::time::Instant;
use clw_core::verdict::{Connect, EndingKind, Observation, Side, classify};
use clw_gateway::{Config, EndingRecord, Gateway, Summary};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

pub const TOKEN: &str = "test-token";

/// What a test's client does.
#[derive(Clone, Debug)]
pub struct Visit {
    pub dialect: Dialect,
    pub token: &'static str,
    /// From ready until it logs out.
    pub hold: Duration,
    /// Pings of its own: period and wait.
    pub ping: Option<(Duration, Duration)>,
    pub watch_ticks: bool,
    /// Sends a request as soon as it is ready.
    pub call: bool,
    /// From connect until ready.
    pub timeout: Duration,
    /// Told when it is ready.
    pub ready: Arc<AtomicBool>,
    /// Says first a TLS client hello's first bytes.
    pub tls: bool,
}

impl Default for Visit {
    fn default() -> Self {
        Self {
            dialect: Dialect::Openclaw,
            token: TOKEN,
            hold: Duration::from_millis(600),
            ping: None,
            watch_ticks: false,
            call: false,
            timeout: Duration::from_secs(5),
            ready: Arc::default(),
            tls: false,
        }
    }
}

pub fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A gateway with the tests' token that keeps its endings.
pub fn config(faults: &[&str]) -> Config {
    config_of(Dialect::Openclaw, faults)
}

/// The same for another dialect.
pub fn config_of(dialect: Dialect, faults: &[&str]) -> Config {
    let parse = |text: &&str| clw_gateway::fault::FaultSpec::parse(text, dialect).unwrap();
    Config {
        dialect,
        token: Some(Secret::new(TOKEN)),
        next_token: Some(Secret::new("next-token")),
        faults: faults.iter().flat_map(parse).collect(),
        keep_endings: true,
        ..Config::default()
    }
}

/// A session's datagrams, over a socket of its own.
struct Beside {
    socket: UdpSocket,
}

impl Beside {
    fn tell(this: &mut Option<Self>, event: &ClientEvent, server: SocketAddr) {
        match (event, this) {
            (ClientEvent::DatagramsOffered { port, .. }, this) => {
                let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any).unwrap();
                // Connected: what comes from another address than the gateway's is not seen.
                socket.connect((server.ip(), *port)).unwrap();
                socket.set_nonblocking(true).unwrap();
                *this = Some(Self { socket });
            }
            (ClientEvent::Datagram(bytes), Some(this)) => drop(this.socket.send(bytes)),
            _ => {}
        }
    }

    fn hand_over(&self, now: Instant, machine: &mut ClientConnection, out: &mut Outbox<ClientEvent>) {
        let mut bytes = [0; 64];
        while let Ok(length) = self.socket.recv(&mut bytes) {
            machine.datagram(now, &bytes[..length], out);
        }
    }
}

impl Visit {
    /// One session, from connect to its end, as the client saw it.
    pub fn to(&self, address: SocketAddr) -> Observation {
        let origin = std::time::Instant::now();
        let now = || Instant::ORIGIN + origin.elapsed();
        let mut machine = self.machine(address, now());
        let mut out = Outbox::client(7);
        let mut socket = match TcpStream::connect_timeout(&address, self.timeout) {
            Ok(socket) => socket,
            Err(error) => {
                match error.kind() {
                    ErrorKind::ConnectionRefused => machine.connect_failed(now(), Connect::Refused),
                    // The RST of a connection that was already established may come before connect returns.
                    ErrorKind::ConnectionReset => {
                        machine.transport_ended(now(), EndingKind::Rst, Side::Server);
                    }
                    _ => machine.connect_failed(now(), Connect::TimedOut),
                }
                return machine.observation(now());
            }
        };
        socket.set_nodelay(true).unwrap();
        if self.tls {
            machine.tls_started(now());
            let _ = socket.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]);
            let mut answer = Vec::new();
            let _ = socket.read_to_end(&mut answer);
            machine.tls_failed(now(), format!("{} bytes that are no TLS", answer.len()));
            return machine.observation(now());
        }
        machine.connected(now(), *b"0123456789abcdef", &mut out);
        let mut buffer = vec![0; 64 * 1024];
        let mut ready_at = None;
        let mut beside = None;
        loop {
            for event in &out.events {
                Beside::tell(&mut beside, event, address);
            }
            if let Some(beside) = &beside {
                beside.hand_over(now(), &mut machine, &mut out);
            }
            let finish = out.finish;
            if !out.bytes.is_empty() && socket.write_all(&out.bytes).is_err() && finish.is_none() {
                // What the server sent before it went may still be read.
                out.bytes.clear();
            }
            out.clear();
            if machine.is_over() || finish.is_some() {
                machine.transport_ended(now(), EndingKind::Fin, Side::Client);
                if finish == Some(Finish::Rst) {
                    drop(socket);
                }
                return machine.observation(now());
            }
            if machine.is_ready() && ready_at.is_none() {
                ready_at = Some(now());
                self.ready.store(true, Ordering::Release);
                if self.call {
                    machine.request(now(), 0, now(), "health", "{}", &mut out);
                    continue;
                }
            }
            let leave = ready_at.map(|at| at + self.hold);
            if leave.is_some_and(|at| now() >= at) && machine.is_ready() {
                machine.log_out(now(), &mut out);
                continue;
            }
            let next = clw_core::time::earliest(machine.deadline(), leave.filter(|_| machine.is_ready()));
            let longest = if beside.is_some() {
                millis(2)
            } else {
                millis(60_000)
            };
            let wait = next.map_or(millis(50), |at| at.since(now()));
            let wait = wait.clamp(millis(1), longest);
            socket.set_read_timeout(Some(wait)).unwrap();
            match socket.read(&mut buffer) {
                Ok(0) => machine.transport_ended(now(), EndingKind::Fin, Side::Server),
                Ok(n) => machine.receive(now(), &mut buffer[..n], &mut out),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    machine.timer(now(), &mut out);
                }
                Err(_) => machine.transport_ended(now(), EndingKind::Rst, Side::Server),
            }
        }
    }

    fn machine(&self, address: SocketAddr, now: Instant) -> ClientConnection {
        let (dialect, target) = match self.dialect {
            Dialect::Clw => (self.clw(), clw::PATH),
            Dialect::Clawchat => (self.clawchat(), clawchat::PATH),
            _ => (self.openclaw(), "/"),
        };
        let connection = ConnectionConfig {
            host: address.to_string(),
            target: target.to_owned(),
            user_agent: "gateway-tests".to_owned(),
            origin: None,
            timeout: self.timeout,
            max_message_bytes: 16 * 1024 * 1024,
            handshake_timeout: None,
            answer_pings: true,
        };
        ClientConnection::new(Arc::new(connection), dialect, now)
    }

    fn clw(&self) -> Box<dyn ClientDialect> {
        let mut config = clw::ClientConfig::default();
        if let Some((period, wait)) = self.ping {
            (config.beats, config.pong_timeout) = (clw::Beats::Every(period), wait);
        }
        let secret = Arc::new(Secret::new(self.token));
        let account = clw::Account::derived("client-1".into(), secret);
        Box::new(clw::Client::new(Arc::new(config), Arc::new(account)))
    }

    fn clawchat(&self) -> Box<dyn ClientDialect> {
        let mut config = clawchat::ClientConfig::default();
        if let Some((period, wait)) = self.ping {
            (config.ping_period, config.pong_timeout) = (Some(period), wait);
        }
        let tokens = clawchat::Tokens {
            access: Secret::new(self.token),
            refresh: None,
        };
        let account = clawchat::Account::new(tokens, "device-1", "device-1".into(), 0);
        Box::new(clawchat::Client::new(Arc::new(config), Arc::new(account), 1))
    }

    fn openclaw(&self) -> Box<dyn ClientDialect> {
        let client = ClientConfig {
            client: ClientInfo {
                id: "gateway-client".to_owned(),
                version: "1.0.0".to_owned(),
                platform: "linux".to_owned(),
                mode: "backend".to_owned(),
                display_name: None,
                device_family: None,
                model_identifier: None,
                build_id: None,
                time_zone: None,
                instance_id: None,
            },
            role: "operator".to_owned(),
            scopes: vec!["operator.read".to_owned()],
            protocols: (4, 4),
            user_agent: None,
            ping_period: self.ping.map(|(period, _)| period),
            ping_timeout: self.ping.map_or(millis(1000), |(_, wait)| wait),
            leave_code: 1000,
            watch_ticks: self.watch_ticks,
            flaw: None,
        };
        let credentials = Credentials {
            token: Some(Secret::new(self.token)),
            ..Credentials::default()
        };
        Box::new(Client::new(Arc::new(client), Arc::new(credentials)))
    }
}

/// One session against a gateway with these settings: what the client saw, what the gateway recorded.
pub fn one_session(config: Config, visit: &Visit) -> (Observation, Option<EndingRecord>, Summary) {
    let gateway = Gateway::start(config).unwrap();
    let seen = visit.to(gateway.address());
    let summary = gateway.stop();
    (seen, summary.endings.first().cloned(), summary)
}

/// The client's verdict and the gateway's.
pub fn verdicts(config: Config, visit: &Visit) -> (&'static str, &'static str) {
    let (seen, record, summary) = one_session(config, visit);
    assert_eq!(summary.open, 0, "{summary}");
    let gateway = record.map_or("nothing", |record| record.verdict.name());
    (classify(&seen).verdict.name(), gateway)
}

/// A session on a thread of its own, which is ready when this returns and stays until the gateway ends it.
pub fn lasting_session(address: SocketAddr) -> JoinHandle<Observation> {
    let visit = Visit {
        hold: millis(60_000),
        ..Visit::default()
    };
    let ready = visit.ready.clone();
    let session = std::thread::spawn(move || visit.to(address));
    until("a ready session", || ready.load(Ordering::Acquire));
    session
}

/// Waits for something that other threads bring about.
pub fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "never came: {what}");
        std::thread::yield_now();
    }
}
