//! The OpenClaw client and the OpenClaw gateway, wired to each other through bytes, with the clock turned by hand.

use clw_core::Stage;
use clw_core::openclaw::{
    Authority, AuthorityConfig, Client, ClientConfig, ClientInfo, Credentials, Flaw, Gateway, GatewayConfig,
    Identity, Server, SessionOptions,
};
use clw_core::secret::Secret;
use clw_core::session::{
    Admission, ClientConfig as ConnectionConfig, ClientConnection, ClientEvent, Outbox, ServerConfig,
    ServerConnection, ServerEvent, Stop,
};
use clw_core::time::{Instant, earliest};
use clw_core::verdict::{EndingKind, Observation, Side};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

const LATENCY: Duration = Duration::from_millis(5);
const START: Instant = Instant::from_millis(1000);

/// Bytes under way; `None` is a FIN.
type Lane = VecDeque<(Instant, Option<Vec<u8>>)>;

struct Pair {
    now: Instant,
    client: ClientConnection,
    server: ServerConnection<Server>,
    client_out: Outbox<ClientEvent>,
    server_out: Outbox<ServerEvent>,
    to_server: Lane,
    to_client: Lane,
    events: Vec<ClientEvent>,
}

fn client_config(flaw: Option<Flaw>) -> ClientConfig {
    ClientConfig {
        client: ClientInfo {
            id: "gateway-client".into(),
            version: "1.0.0".into(),
            platform: "linux".into(),
            mode: "backend".into(),
            display_name: None,
            device_family: None,
            model_identifier: None,
            build_id: None,
            time_zone: None,
            instance_id: None,
        },
        role: "operator".into(),
        scopes: vec!["operator.read".into()],
        protocols: (4, 4),
        user_agent: None,
        ping_period: Some(Duration::from_secs(10)),
        ping_timeout: Duration::from_secs(5),
        leave_code: 1000,
        watch_ticks: true,
        flaw,
    }
}

fn credentials() -> Credentials {
    Credentials {
        token: Some(Secret::new("test-token")),
        ..Credentials::default()
    }
}

fn with_device() -> Credentials {
    Credentials {
        identity: Some(Identity::derive(1, 2)),
        ..credentials()
    }
}

impl Pair {
    fn new(config: ClientConfig, credentials: Credentials, answer_pings: bool) -> Self {
        let authority = Authority::new(AuthorityConfig {
            token: Some(Secret::new("test-token")),
            ..AuthorityConfig::default()
        });
        let gateway = Arc::new(Gateway::new(GatewayConfig::default(), authority));
        let admit = move |_now: Instant, request: &clw_core::ws::UpgradeRequest| {
            Admission::Accept(Server::new(gateway, request, SessionOptions::default()))
        };
        let connection = ConnectionConfig {
            host: "127.0.0.1:18789".into(),
            target: "/".into(),
            user_agent: "test".into(),
            origin: None,
            timeout: Duration::from_secs(20),
            max_message_bytes: 1 << 20,
            handshake_timeout: None,
            answer_pings,
        };
        let dialect = Box::new(Client::new(Arc::new(config), Arc::new(credentials)));
        let mut pair = Self {
            now: START,
            client: ClientConnection::new(Arc::new(connection), dialect, START),
            server: ServerConnection::accept(START, Arc::new(ServerConfig::openclaw()), Box::new(admit)),
            client_out: Outbox::client(1),
            server_out: Outbox::server(),
            to_server: Lane::new(),
            to_client: Lane::new(),
            events: Vec::new(),
        };
        pair.client.connected(START, [7; 16], &mut pair.client_out);
        pair.collect();
        pair
    }

    fn collect(&mut self) {
        fn ship<E>(out: &mut Outbox<E>, lane: &mut Lane, at: Instant) {
            if !out.bytes.is_empty() {
                lane.push_back((at, Some(out.bytes.clone())));
            }
            if out.finish.is_some() {
                lane.push_back((at, None));
            }
            out.clear();
        }
        let at = self.now + LATENCY;
        self.events.append(&mut self.client_out.events);
        ship(&mut self.client_out, &mut self.to_server, at);
        ship(&mut self.server_out, &mut self.to_client, at);
    }

    /// Turns the clock to `until` after the start.
    fn run_until(&mut self, until: Duration) {
        let until = START + until;
        loop {
            let arrivals = earliest(
                self.to_server.front().map(|l| l.0),
                self.to_client.front().map(|l| l.0),
            );
            let next = earliest(arrivals, earliest(self.client.deadline(), self.server.deadline()));
            let Some(next) = next.filter(|at| *at <= until) else {
                break;
            };
            self.now = self.now.max(next);
            let now = self.now;
            if self.to_server.front().is_some_and(|l| l.0 <= now) {
                match self.to_server.pop_front().and_then(|l| l.1) {
                    Some(mut bytes) => self.server.receive(now, &mut bytes, &mut self.server_out),
                    None => self.server.end_of_stream(now, EndingKind::Fin, Side::Client),
                }
            } else if self.to_client.front().is_some_and(|l| l.0 <= now) {
                match self.to_client.pop_front().and_then(|l| l.1) {
                    Some(mut bytes) => self.client.receive(now, &mut bytes, &mut self.client_out),
                    None => self.client.transport_ended(now, EndingKind::Fin, Side::Server),
                }
            } else {
                self.client.timer(now, &mut self.client_out);
                self.server.timer(now, &mut self.server_out);
            }
            self.collect();
        }
        self.now = until;
    }

    fn seen(&self) -> (Observation, Observation) {
        (
            self.client.observation(self.now),
            self.server.observation(self.now),
        )
    }

    fn count(&self, wanted: impl Fn(&ClientEvent) -> bool) -> usize {
        self.events.iter().filter(|e| wanted(e)).count()
    }
}

#[test]
fn a_session_lives_for_an_hour_with_ticks_and_pings_and_logs_out() {
    let mut pair = Pair::new(client_config(None), credentials(), true);
    pair.run_until(Duration::from_secs(3600));
    assert!(pair.client.is_ready() && pair.server.is_ready());
    assert_eq!(pair.count(|e| matches!(e, ClientEvent::Tick { .. })), 120);
    let sent = pair.count(|e| matches!(e, ClientEvent::HeartbeatSent));
    assert!((350..=360).contains(&sent), "{sent}");
    assert_eq!(
        pair.count(|e| matches!(e, ClientEvent::HeartbeatAnswered { .. })),
        sent
    );
    pair.client.log_out(pair.now, &mut pair.client_out);
    pair.collect();
    pair.run_until(Duration::from_secs(3610));
    let (client, server) = pair.seen();
    for seen in [&client, &server] {
        let close = seen.close.as_ref().expect("a close frame");
        assert_eq!((close.by, close.code), (Side::Client, Some(1000)));
        assert_eq!(seen.stage, Stage::Ready);
    }
    assert!(pair.client.is_over() && pair.server.is_ended());
}

#[test]
fn a_device_identity_is_accepted_and_a_forged_signature_is_told() {
    let mut pair = Pair::new(client_config(None), with_device(), true);
    pair.run_until(Duration::from_secs(1));
    assert!(pair.client.is_ready());

    let mut pair = Pair::new(client_config(Some(Flaw::BadSignature)), with_device(), true);
    pair.run_until(Duration::from_secs(3));
    let (client, server) = pair.seen();
    assert_eq!(
        client.refusal.expect("told").code,
        "DEVICE_AUTH_SIGNATURE_INVALID"
    );
    let close = server.close.expect("closed");
    assert_eq!((close.by, close.code), (Side::Server, Some(1008)));
    assert_eq!(close.reason, "device signature invalid");
}

#[test]
fn a_client_that_never_connects_meets_the_handshake_timeout() {
    let mut pair = Pair::new(client_config(Some(Flaw::NoConnect)), credentials(), true);
    pair.run_until(Duration::from_secs(19));
    let (client, server) = pair.seen();
    assert!(server.handshake_timed_out);
    let close = client.close.expect("closed");
    assert_eq!(
        (close.by, close.code, close.reason.as_str()),
        (Side::Server, Some(1000), "")
    );
    assert!(
        (15_000..15_100).contains(&client.since_upgrade.as_millis()),
        "{:?}",
        client.since_upgrade
    );
}

#[test]
fn a_client_that_answers_no_ping_is_cut_without_a_close_frame() {
    let mut pair = Pair::new(client_config(None), credentials(), false);
    pair.run_until(Duration::from_secs(100));
    let (client, server) = pair.seen();
    assert!(pair.client.is_over());
    assert!(client.close.is_none() && server.close.is_none());
    assert_eq!(client.ending, EndingKind::Fin);
    assert!(
        client.duration >= Duration::from_secs(50),
        "{:?}",
        client.duration
    );
}

#[test]
fn a_restart_is_announced_and_closes_with_1012() {
    let mut pair = Pair::new(client_config(None), credentials(), true);
    pair.run_until(Duration::from_secs(1));
    pair.server.stop(
        pair.now,
        Stop::Restart { expected_ms: 1500 },
        &mut pair.server_out,
    );
    pair.collect();
    pair.run_until(Duration::from_secs(5));
    let (client, _) = pair.seen();
    assert_eq!(client.shutdown_announced, Some(true));
    assert_eq!(client.close.and_then(|c| c.code), Some(1012));
}

#[test]
fn requests_are_answered_and_unknown_methods_are_errors() {
    let mut pair = Pair::new(client_config(None), credentials(), true);
    pair.run_until(Duration::from_secs(1));
    let now = pair.now;
    assert!(
        pair.client
            .request(now, 0, now, "health", "{}", &mut pair.client_out)
    );
    assert!(
        pair.client
            .request(now, 1, now, "no.such.method", "{}", &mut pair.client_out)
    );
    pair.collect();
    pair.run_until(Duration::from_secs(2));
    let answered: Vec<_> = pair
        .events
        .iter()
        .filter_map(|e| match e {
            ClientEvent::Answered {
                call, ok, service, ..
            } => Some((*call, *ok, *service)),
            _ => None,
        })
        .collect();
    assert_eq!(answered, [(0, true, 2 * LATENCY), (1, false, 2 * LATENCY)]);
}
