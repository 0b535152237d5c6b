//! A client's connection, from the connect call to the last byte: upgrade, frames, close handshake, what was observed.

use super::{ClientDialect, ClientEvent, Finish, Message, Outbox};
use crate::Stage;
use crate::openclaw::refusal_of_http;
use crate::time::{Instant, earliest};
use crate::verdict::{
    CloseFrame, Connect, EndingKind, Observation, Refusal, Side, Viewpoint, Violation, is_helper,
};
use crate::ws::{self, Decoder, Incoming, Peer, UpgradeError};
use std::sync::Arc;
use std::time::Duration;

/// How long to wait for the rest of a close handshake before the transport is cut (the real gateway waits as long).
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// What is the same for all connections to one target.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// `Host` header.
    pub host: String,
    /// Request target: path and query.
    pub target: String,
    /// `User-Agent` header.
    pub user_agent: String,
    /// `Origin` header: the page that a browser's client belongs to.
    pub origin: Option<String>,
    /// Time from the connect call until ready; then the client gives up.
    pub timeout: Duration,
    /// Largest message accepted, in bytes.
    pub max_message_bytes: usize,
    /// The server's handshake timeout, where it is known.
    pub handshake_timeout: Option<Duration>,
    /// Answer the server's pings, as RFC 6455 section 5.5.2 demands; a client that is flawed on purpose does not.
    pub answer_pings: bool,
}

/// One connection attempt as a state machine. The caller owns the socket and the clock.
pub struct ClientConnection {
    config: Arc<ClientConfig>,
    dialect: Box<dyn ClientDialect>,
    decoder: Decoder,
    phase: Phase,
    stage: Stage,
    entered: [Option<Instant>; Stage::ALL.len()],
    ended_at: Option<Instant>,
    cut_at: Option<Instant>,
    facts: Box<Facts>,
}

/// Filled in as things go wrong; most sessions leave it empty but for the close frame.
#[derive(Default)]
struct Facts {
    connect: Connect,
    tls_failure: Option<String>,
    http_status: Option<u16>,
    /// The HTTP answer's words.
    refusal: Option<Refusal>,
    close: Option<CloseFrame>,
    ending: EndingKind,
    ended_by: Side,
    violation: Option<Violation>,
}

enum Phase {
    Connecting,
    /// The request is sent; the answer's head is collected.
    Upgrading {
        key: String,
        head: Vec<u8>,
    },
    Open,
    /// A close frame went one way at least.
    Closing,
    Ended,
}

impl ClientConnection {
    /// A connection whose connect call is made `now`.
    pub fn new(config: Arc<ClientConfig>, dialect: Box<dyn ClientDialect>, now: Instant) -> Self {
        let mut entered = [None; Stage::ALL.len()];
        entered[Stage::Tcp as usize] = Some(now);
        Self {
            decoder: Decoder::new(Peer::Server, config.max_message_bytes),
            config,
            dialect,
            phase: Phase::Connecting,
            stage: Stage::Tcp,
            entered,
            ended_at: None,
            cut_at: None,
            facts: Box::default(),
        }
    }

    /// When the session entered `stage`, if it did.
    pub fn entered(&self, stage: Stage) -> Option<Instant> {
        self.entered[stage as usize]
    }

    /// The furthest stage.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether the server has accepted the client and nothing has ended it since.
    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Open) && self.dialect.is_ready()
    }

    /// Whether the transport is gone, or must be let go.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// Frames received.
    pub fn frames_received(&self) -> u64 {
        self.decoder.frames()
    }

    /// TCP is there and TLS begins.
    pub fn tls_started(&mut self, now: Instant) {
        self.enter(Stage::Tls, now);
    }

    /// The transport is there: ask for the upgrade. `nonce` makes the request's key.
    pub fn connected(&mut self, now: Instant, nonce: [u8; 16], out: &mut Outbox<ClientEvent>) {
        let config = &self.config;
        let key = ws::write_request(
            &mut out.bytes,
            &config.host,
            &config.target,
            self.dialect.protocols(),
            &config.user_agent,
            config.origin.as_deref(),
            nonce,
        );
        self.phase = Phase::Upgrading {
            key,
            head: Vec::new(),
        };
        self.enter(Stage::Upgrade, now);
        out.emit(ClientEvent::Reached(Stage::Upgrade));
    }

    /// The TCP connect failed.
    pub fn connect_failed(&mut self, now: Instant, how: Connect) {
        self.facts.connect = how;
        self.over(now, EndingKind::Open, Side::Unknown);
    }

    /// TLS failed before its handshake was done.
    pub fn tls_failed(&mut self, now: Instant, what: String) {
        self.facts.tls_failure = Some(what);
        self.over(now, EndingKind::Fin, Side::Server);
    }

    /// The transport ended: end of stream, reset, or silence.
    pub fn transport_ended(&mut self, now: Instant, ending: EndingKind, by: Side) {
        if !self.is_over() {
            self.over(now, ending, by);
        }
    }

    /// Bytes came. They are unmasked in place.
    pub fn receive(&mut self, now: Instant, bytes: &mut [u8], out: &mut Outbox<ClientEvent>) {
        match &mut self.phase {
            Phase::Connecting | Phase::Ended => {}
            Phase::Upgrading { key, head } => {
                let before = head.len();
                head.extend_from_slice(bytes);
                match ws::parse_answer(head, key) {
                    Ok(None) => {}
                    Ok(Some(answer)) => {
                        self.facts.http_status = Some(answer.status);
                        if answer.status == 101 {
                            let rest = answer.head_bytes.saturating_sub(before).min(bytes.len());
                            self.phase = Phase::Open;
                            self.enter(Stage::Challenge, now);
                            out.emit(ClientEvent::Reached(Stage::Challenge));
                            self.dialect.upgraded(now, out);
                            self.settle(now, out);
                            self.read_frames(now, &mut bytes[rest..], out);
                        } else {
                            let body = head.get(answer.head_bytes..).unwrap_or_default();
                            self.facts.refusal = refusal_of_http(answer.status, body);
                            self.give_up(now, out);
                        }
                    }
                    Err(error) => {
                        if matches!(error, UpgradeError::NotWebSocket(_)) {
                            self.facts.http_status = Some(101);
                        }
                        self.violated(error.to_string());
                        self.give_up(now, out);
                    }
                }
            }
            Phase::Open | Phase::Closing => self.read_frames(now, bytes, out),
        }
    }

    /// When [`ClientConnection::timer`] wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Ended => None,
            Phase::Closing => self.cut_at,
            Phase::Open if self.dialect.is_ready() => self.dialect.deadline(),
            Phase::Open => earliest(self.ready_deadline(), self.dialect.deadline()),
            Phase::Connecting | Phase::Upgrading { .. } => self.ready_deadline(),
        }
    }

    /// A deadline has passed.
    pub fn timer(&mut self, now: Instant, out: &mut Outbox<ClientEvent>) {
        match self.phase {
            Phase::Ended => return,
            Phase::Closing => {
                if self.cut_at.is_some_and(|at| now >= at) {
                    self.give_up(now, out);
                }
                return;
            }
            Phase::Open => {
                self.dialect.timer(now, out);
                self.settle(now, out);
            }
            Phase::Connecting | Phase::Upgrading { .. } => {}
        }
        let waiting = !matches!(self.phase, Phase::Closing | Phase::Ended) && !self.dialect.is_ready();
        if waiting && self.ready_deadline().is_some_and(|at| now >= at) {
            if matches!(self.phase, Phase::Connecting) {
                self.connect_failed(now, Connect::TimedOut);
            } else {
                self.give_up(now, out);
            }
        }
    }

    /// Ends a ready session gracefully; one that is not ready is just closed.
    pub fn log_out(&mut self, now: Instant, out: &mut Outbox<ClientEvent>) {
        match self.phase {
            Phase::Open => {
                if self.dialect.is_ready() {
                    self.dialect.log_out(now, out);
                }
                out.close(Some(1000), "");
                self.settle(now, out);
            }
            Phase::Connecting | Phase::Upgrading { .. } => self.give_up(now, out),
            Phase::Closing | Phase::Ended => {}
        }
    }

    /// Sends a request of the scenario; `false` if the session cannot.
    pub fn request(
        &mut self,
        now: Instant,
        call: u16,
        scheduled: Instant,
        method: &str,
        params: &str,
        out: &mut Outbox<ClientEvent>,
    ) -> bool {
        self.is_ready() && self.dialect.request(now, call, scheduled, method, params, out)
    }

    /// A datagram came for this session, beside its stream. It never ends the connection.
    pub fn datagram(&mut self, now: Instant, bytes: &[u8], out: &mut Outbox<ClientEvent>) {
        if matches!(self.phase, Phase::Open) {
            self.dialect.datagram(now, bytes, out);
        }
    }

    /// Datagrams that were offered cannot be sent from here: they are left out.
    pub fn without_datagrams(&mut self) {
        self.dialect.without_datagrams();
    }

    /// What was seen of this connection, as of `now`.
    pub fn observation(&self, now: Instant) -> Observation {
        let end = self.ended_at.unwrap_or(now);
        let since = |stage: Stage| self.entered(stage).map_or(Duration::ZERO, |at| end.since(at));
        let mut seen = Observation {
            viewpoint: Viewpoint::Client,
            dialect: self.dialect.dialect(),
            stage: self.stage,
            duration: since(Stage::Tcp),
            since_upgrade: self
                .entered(Stage::Challenge)
                .map_or_else(|| since(Stage::Tcp), |at| end.since(at)),
            handshake_timeout: self.config.handshake_timeout,
            connect: self.facts.connect,
            tls_failure: self.facts.tls_failure.clone(),
            http_status: self.facts.http_status,
            close: self.facts.close.clone(),
            ending: self.facts.ending,
            ended_by: self.facts.ended_by,
            violation: self.facts.violation.clone(),
            since_first_message: self.entered(Stage::Auth).map(|at| end.since(at)),
            helper: is_helper(&self.config.user_agent),
            ..Observation::default()
        };
        self.dialect.observe(end, &mut seen);
        seen.refusal = seen.refusal.or_else(|| self.facts.refusal.clone());
        seen
    }

    fn ready_deadline(&self) -> Option<Instant> {
        self.entered(Stage::Tcp).map(|at| at + self.config.timeout)
    }

    fn enter(&mut self, stage: Stage, now: Instant) {
        self.stage = self.stage.max(stage);
        self.entered[stage as usize].get_or_insert(now);
    }

    fn violated(&mut self, what: String) {
        self.facts.violation.get_or_insert(Violation {
            by: Side::Server,
            what,
        });
    }

    fn over(&mut self, now: Instant, ending: EndingKind, by: Side) {
        self.facts.ending = ending;
        self.facts.ended_by = by;
        self.ended_at.get_or_insert(now);
        self.phase = Phase::Ended;
    }

    /// Lets the transport go from this side.
    fn give_up(&mut self, now: Instant, out: &mut Outbox<ClientEvent>) {
        out.finish(Finish::Fin);
        self.over(now, EndingKind::Fin, Side::Client);
    }

    fn read_frames(&mut self, now: Instant, bytes: &mut [u8], out: &mut Outbox<ClientEvent>) {
        let Self {
            decoder,
            dialect,
            config,
            ..
        } = self;
        let mut closed_by_server = None;
        let result = decoder.decode(bytes, |incoming| {
            match incoming {
                Incoming::Text(text) => dialect.message(now, Message::Text(text), out),
                Incoming::Binary(data) => dialect.message(now, Message::Binary(data), out),
                Incoming::Pong(data) => dialect.message(now, Message::Pong(data), out),
                Incoming::Ping(data) => {
                    if config.answer_pings {
                        out.pong(data);
                    }
                    dialect.message(now, Message::Ping(data), out);
                }
                Incoming::Close { code, reason } => closed_by_server = Some((code, reason.to_owned())),
            }
            out.finish.is_none()
        });
        self.settle(now, out);
        if let Err(error) = result {
            self.violated(error.to_string());
            out.close(Some(error.close_code()), "");
            self.settle(now, out);
        }
        if let Some((code, reason)) = closed_by_server {
            if self.facts.close.is_none() {
                self.facts.close = Some(CloseFrame {
                    by: Side::Server,
                    code,
                    reason,
                });
                // The echo repeats the code (RFC 6455 section 5.5.1).
                out.close(code, "");
            }
            self.begin_closing(now);
        }
    }

    /// Takes over what a dialect's call has done: stages entered, a close frame sent, the transport let go.
    fn settle(&mut self, now: Instant, out: &mut Outbox<ClientEvent>) {
        for event in &out.events {
            if let ClientEvent::Reached(stage) = event {
                self.stage = self.stage.max(*stage);
                self.entered[*stage as usize].get_or_insert(now);
            }
        }
        if let Some((code, reason)) = &out.closed {
            if self.facts.close.is_none() {
                self.facts.close = Some(CloseFrame {
                    by: Side::Client,
                    code: *code,
                    reason: reason.clone(),
                });
            }
            self.begin_closing(now);
        }
        if let Some(finish) = out.finish {
            let ending = if finish == Finish::Rst {
                EndingKind::Rst
            } else {
                EndingKind::Fin
            };
            if !self.is_over() {
                self.over(now, ending, Side::Client);
            }
        }
    }

    fn begin_closing(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Open) {
            self.phase = Phase::Closing;
            self.cut_at = Some(now + CLOSE_WAIT);
        }
    }
}
