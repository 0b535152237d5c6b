//! The client's side: challenge, connect, hello, pings, messages, and leaving for a new token.

use super::envelope::{
    Capabilities, Challenge, Connect, Empty, Envelope, Event, HelloFailPayload, HelloOk, Signal, event_name,
};
use super::{Account, Beats, ClientConfig, Flaw, refusal_class};
use crate::heartbeat::{Action, Heartbeat};
use crate::session::{ClientDialect, ClientEvent, Message, Outbox};
use crate::time::{Instant, earliest, micros};
use crate::verdict::{HeartbeatLoss, Observation, Refusal, Side, Violation};
use crate::{Dialect, Stage};
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// How often a client looks whether the refresh beside its connection is done.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// And how often whether one may begin again.
const WAIT_TO_REFRESH: Duration = Duration::from_secs(1);
/// Real clients wait so long for a message's ack (protocol page, Reconnect).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// Open requests kept per session; past it the oldest counts as unanswered.
const MAX_PENDING: usize = 256;
/// What is kept of a server's texts, bytes.
const KEEP_BYTES: usize = 256;
/// Where a message goes that is told nothing else.
const CHAT: &str = "cnv_01CLWBENCH00000000000000001";

/// One connection's client.
pub struct Client {
    config: Arc<ClientConfig>,
    account: Arc<Account>,
    state: State,
    /// Makes this connection's trace ids and jitter its own.
    seed: u64,
    /// The pair that was presented, by its number.
    token: u64,
    next_trace: u32,
    heartbeat: Heartbeat,
    /// Trace id of the JSON ping that is out.
    ping: u32,
    refresh_at: Option<Instant>,
    pending: Vec<Pending>,
    trouble: Option<Box<Trouble>>,
}

#[derive(Debug, Default)]
struct Trouble {
    refusal: Option<Refusal>,
    violation: Option<Violation>,
    heartbeat_loss: Option<HeartbeatLoss>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    AwaitChallenge,
    AwaitHello { trace: u32 },
    Ready,
    Over { was_ready: bool },
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    trace: u32,
    call: u16,
    scheduled: Instant,
    sent: Instant,
}

impl Client {
    /// A client that waits for the 101. `seed` is its own among all connections.
    pub fn new(config: Arc<ClientConfig>, account: Arc<Account>, seed: u64) -> Self {
        Self {
            heartbeat: Heartbeat::new(config.ping_period, config.pong_timeout),
            config,
            account,
            state: State::AwaitChallenge,
            seed,
            token: 0,
            next_trace: 0,
            ping: 0,
            refresh_at: None,
            pending: Vec::new(),
            trouble: None,
        }
    }

    fn epoch_ms(&self, now: Instant) -> u64 {
        self.account.epoch_ms().saturating_add(now.as_micros() / 1000)
    }

    fn new_trace(&mut self) -> (u32, String) {
        self.next_trace = self.next_trace.wrapping_add(1);
        (self.next_trace, self.trace_id(self.next_trace))
    }

    fn trace_id(&self, trace: u32) -> String {
        format!("trace-{:016x}-{trace:08x}", self.seed)
    }

    /// The number in a trace id of this connection.
    fn trace_of(&self, id: &str) -> Option<u32> {
        let (head, number) = id.rsplit_once('-')?;
        let own = head
            .strip_prefix("trace-")
            .and_then(|seed| u64::from_str_radix(seed, 16).ok());
        (own == Some(self.seed)).then(|| u32::from_str_radix(number, 16).ok())?
    }

    fn on_text(&mut self, now: Instant, text: &str, out: &mut Outbox<ClientEvent>) {
        let Some(envelope) = Envelope::read(text) else {
            self.violated("a message that is no envelope of version 2", out);
            return;
        };
        match (self.state, &*envelope.event) {
            (State::AwaitChallenge, event_name::CHALLENGE) => self.on_challenge(now, &envelope, out),
            (State::AwaitHello { trace }, event_name::HELLO_OK) => {
                if self.trace_of(&envelope.trace_id) != Some(trace) {
                    self.violated("a hello-ok that answers another connect", out);
                    return;
                }
                self.on_accepted(now, &envelope, out);
            }
            (State::AwaitChallenge | State::AwaitHello { .. }, event_name::HELLO_FAIL) => {
                let fail: Option<HelloFailPayload<'_>> = envelope.payload();
                let reason = fail.map(|fail| cut(&fail.reason).to_owned()).unwrap_or_default();
                self.trouble().refusal = Some(Refusal {
                    class: refusal_class(&reason),
                    code: reason.clone(),
                    message: reason,
                });
                // The server ends the transport; its word stays the last.
                self.over();
            }
            (State::Ready, event_name::PONG) => self.on_pong(now, &envelope.trace_id, out),
            (State::Ready, event_name::MESSAGE_ACK | event_name::PRESENCE_SNAPSHOT) => {
                self.answered(now, &envelope.trace_id, true, out);
            }
            (State::Ready, event_name::MESSAGE_ERROR) => self.answered(now, &envelope.trace_id, false, out),
            (State::Ready, event_name::NOTIFY_SIGNAL) => {
                let signal = envelope.payload::<Signal<'_>>();
                // Without an id or a type it is invalid, and ignored.
                if let Some(signal) = signal.filter(|s| !s.event_id.is_empty() && !s.kind.is_empty()) {
                    let is_new = self.account.is_new_signal(&signal.event_id);
                    out.emit(ClientEvent::Notified { is_new });
                }
            }
            // A later server may say more.
            _ => {}
        }
    }

    fn on_challenge(&mut self, now: Instant, envelope: &Envelope<'_>, out: &mut Outbox<ClientEvent>) {
        let nonce = envelope
            .payload::<Challenge<'_>>()
            .and_then(|challenge| challenge.nonce);
        let Some(nonce) = nonce else {
            // Without a nonce there is nothing to answer; the server's patience ends first.
            return;
        };
        match self.config.flaw {
            Some(Flaw::NoConnect) => return,
            Some(Flaw::NotJson) => out.text("connect"),
            Some(Flaw::WrongFirst) => {
                let (_, id) = self.new_trace();
                out.json(&Event::new(event_name::PING, &id, self.epoch_ms(now), Empty {}));
            }
            None => {
                let Some((token, number)) = self.account.access() else {
                    out.close(Some(1000), "auth failed");
                    self.over();
                    return;
                };
                self.token = number;
                let (trace, id) = self.new_trace();
                let device = self.account.device();
                let connect = Connect {
                    token: Cow::Borrowed(token.expose()),
                    nonce,
                    device_id: Some(Cow::Borrowed(&device)),
                    capabilities: Capabilities::PLUGIN,
                };
                out.json(&Event::new(event_name::CONNECT, &id, self.epoch_ms(now), connect));
                self.state = State::AwaitHello { trace };
            }
        }
        out.emit(ClientEvent::Reached(Stage::Auth));
    }

    fn on_accepted(&mut self, now: Instant, envelope: &Envelope<'_>, out: &mut Outbox<ClientEvent>) {
        if let Some(ok) = envelope.payload::<HelloOk<'_>>() {
            self.account.accepted(&ok.device_id);
        }
        self.state = State::Ready;
        self.heartbeat.start(now);
        if self.config.refresh {
            self.refresh_at = self.account.refresh_at(jitter(self.seed));
        }
        out.emit(ClientEvent::Reached(Stage::Ready));
    }

    fn on_pong(&mut self, now: Instant, trace_id: &str, out: &mut Outbox<ClientEvent>) {
        let is_heartbeats = self.config.beats == Beats::Json && self.trace_of(trace_id) == Some(self.ping);
        if is_heartbeats {
            if let Some(rtt) = self.heartbeat.answered(now) {
                out.emit(ClientEvent::HeartbeatAnswered { rtt });
            }
        } else {
            self.answered(now, trace_id, true, out);
        }
    }

    fn answered(&mut self, now: Instant, trace_id: &str, ok: bool, out: &mut Outbox<ClientEvent>) {
        let trace = self.trace_of(trace_id);
        let Some(at) = self.pending.iter().position(|p| Some(p.trace) == trace) else {
            return;
        };
        let request = self.pending.swap_remove(at);
        out.emit(ClientEvent::Answered {
            call: request.call,
            response: now.since(request.scheduled),
            service: now.since(request.sent),
            ok,
        });
    }

    fn ping(&mut self, now: Instant, out: &mut Outbox<ClientEvent>) {
        match self.config.beats {
            Beats::Json => {
                let (trace, id) = self.new_trace();
                self.ping = trace;
                out.json(&Event::new(event_name::PING, &id, self.epoch_ms(now), Empty {}));
            }
            Beats::WebSocket => out.ping(&self.next_trace.to_be_bytes()),
        }
        out.emit(ClientEvent::HeartbeatSent);
    }

    fn missed(&mut self, silence: Duration, out: &mut Outbox<ClientEvent>) {
        self.trouble().heartbeat_loss = Some(HeartbeatLoss {
            missing_from: Side::Server,
            silence,
        });
        out.emit(ClientEvent::HeartbeatMissed);
        match self.config.beats {
            Beats::Json => out.close(Some(4000), "heartbeat timeout"),
            Beats::WebSocket => out.close(Some(1011), "keepalive ping timeout"),
        }
        self.over();
    }

    /// Renewing is due, or under way: ask for it, or leave with what it brought.
    fn renew(&mut self, now: Instant, out: &mut Outbox<ClientEvent>) {
        if self.account.number() != self.token {
            self.account.will_come_back();
            out.close(Some(1000), "token refresh");
            self.over();
        } else if self.account.is_logged_out() {
            out.close(Some(1000), "auth failed");
            self.over();
        } else if self.account.is_refreshing() {
            self.refresh_at = Some(now + LOOK_EVERY);
        } else if self.account.may_refresh(now) {
            out.emit(ClientEvent::RefreshDue);
            self.refresh_at = Some(now + LOOK_EVERY);
        } else {
            self.refresh_at = Some(now + WAIT_TO_REFRESH);
        }
    }

    fn expire_requests(&mut self, now: Instant, out: &mut Outbox<ClientEvent>) {
        self.pending.retain(|request| {
            let waits = now < request.sent + REQUEST_TIMEOUT;
            if !waits {
                out.emit(ClientEvent::Unanswered { call: request.call });
            }
            waits
        });
    }

    /// The server broke the protocol.
    fn violated(&mut self, what: &str, out: &mut Outbox<ClientEvent>) {
        out.close(Some(4002), what);
        self.trouble().violation = Some(Violation {
            by: Side::Server,
            what: what.to_owned(),
        });
        self.over();
    }

    fn over(&mut self) {
        self.heartbeat.stop();
        self.state = State::Over {
            was_ready: self.is_ready(),
        };
    }

    fn trouble(&mut self) -> &mut Trouble {
        self.trouble.get_or_insert_default()
    }
}

impl ClientDialect for Client {
    fn dialect(&self) -> Dialect {
        Dialect::Clawchat
    }

    fn upgraded(&mut self, _now: Instant, _out: &mut Outbox<ClientEvent>) {}

    fn message(&mut self, now: Instant, message: Message<'_>, out: &mut Outbox<ClientEvent>) {
        if matches!(self.state, State::Over { .. }) {
            return;
        }
        match message {
            Message::Text(text) => self.on_text(now, text, out),
            Message::Binary(_) => self.violated("a binary message where only text may come", out),
            Message::Pong(_) if self.config.beats == Beats::WebSocket => {
                if let Some(rtt) = self.heartbeat.answered(now) {
                    out.emit(ClientEvent::HeartbeatAnswered { rtt });
                }
            }
            Message::Ping(_) | Message::Pong(_) => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        if self.state != State::Ready {
            return None;
        }
        let request = self.pending.iter().map(|p| p.sent + REQUEST_TIMEOUT).min();
        earliest(earliest(self.heartbeat.deadline(), self.refresh_at), request)
    }

    fn timer(&mut self, now: Instant, out: &mut Outbox<ClientEvent>) {
        if self.state != State::Ready {
            return;
        }
        self.expire_requests(now, out);
        match self.heartbeat.poll(now) {
            Action::Send => self.ping(now, out),
            Action::Missed { silence } => self.missed(silence, out),
            Action::Nothing => {}
        }
        if self.state == State::Ready && self.refresh_at.is_some_and(|at| now >= at) {
            self.renew(now, out);
        }
    }

    fn log_out(&mut self, _now: Instant, out: &mut Outbox<ClientEvent>) {
        out.close(Some(1000), "client close");
        self.over();
    }

    /// `message.send`, `ping`, `presence.subscribe`: any event, its payload as it is given.
    fn request(
        &mut self,
        now: Instant,
        call: u16,
        scheduled: Instant,
        method: &str,
        params: &str,
        out: &mut Outbox<ClientEvent>,
    ) -> bool {
        if self.state != State::Ready {
            return false;
        }
        if self.pending.len() >= MAX_PENDING {
            let oldest = self.pending.remove(0);
            out.emit(ClientEvent::Unanswered { call: oldest.call });
        }
        let (trace, id) = self.new_trace();
        let epoch_ms = self.epoch_ms(now);
        let chat = method.starts_with("message.").then_some(CHAT);
        let is_empty = matches!(params.trim(), "" | "{}");
        match serde_json::from_str::<&RawValue>(params) {
            Ok(payload) if !is_empty => {
                out.json(&Event::new(method, &id, epoch_ms, payload).in_chat(chat));
            }
            _ if chat.is_some() => {
                let payload = json!({
                    "message_id": message_id(self.seed, trace),
                    "message_mode": "normal",
                    "message": {
                        "body": {"fragments": [{"kind": "text", "text": "hello"}]},
                        "context": {"mentions": [], "reply": null},
                    },
                });
                out.json(&Event::new(method, &id, epoch_ms, payload).in_chat(chat));
            }
            _ => out.json(&Event::new(method, &id, epoch_ms, Empty {})),
        }
        self.pending.push(Pending {
            trace,
            call,
            scheduled,
            sent: now,
        });
        true
    }

    fn is_ready(&self) -> bool {
        match self.state {
            State::Ready => true,
            State::Over { was_ready } => was_ready,
            State::AwaitChallenge | State::AwaitHello { .. } => false,
        }
    }

    fn observe(&self, _now: Instant, seen: &mut Observation) {
        let ping = self.config.beats == Beats::Json && self.heartbeat.unanswered_since().is_some();
        seen.pending_requests = u32::try_from(self.pending.len()).unwrap_or(u32::MAX) + u32::from(ping);
        if let Some(trouble) = &self.trouble {
            seen.refusal.clone_from(&trouble.refusal);
            seen.heartbeat_loss = trouble.heartbeat_loss;
            if trouble.violation.is_some() {
                seen.violation.clone_from(&trouble.violation);
            }
        }
    }
}

/// `msg-` and 26 digits of Crockford's base 32 (protocol page, Envelope).
fn message_id(seed: u64, trace: u32) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut bits = (u128::from(seed) << 32) | u128::from(trace);
    let mut digits = [b'0'; 26];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(bits & 31) as usize];
        bits >>= 5;
    }
    format!("msg-{}", String::from_utf8_lossy(&digits))
}

/// -1 to 1, from a seed.
fn jitter(seed: u64) -> f64 {
    use rand::{RngExt as _, SeedableRng as _};
    rand_chacha::ChaCha8Rng::seed_from_u64(seed).random::<f64>() * 2.0 - 1.0
}

/// The beginning of a server's text.
fn cut(text: &str) -> &str {
    let end = (0..=text.len().min(KEEP_BYTES))
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0);
    &text[..end]
}

/// Seconds since 1970 at an instant.
pub(super) fn epoch_s(epoch_ms: u64, now: Instant) -> u64 {
    epoch_ms.saturating_add(micros(now.since(Instant::ORIGIN)) / 1000) / 1000
}
