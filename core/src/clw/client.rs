//! The client's side: login, heartbeats, refreshed tokens, logout.

use super::client_config::{Beats, ClientConfig, Flaw};
use super::client_refresh::Refresh;
use super::error_code::refusal_class;
use super::payload::{AuthError, AuthOk, DisconnectAuth, Hello, Ping};
use super::token::TokenId;
use super::udp_beats::UdpBeats;
use super::wire::{REFUSED_REFRESH_SEQ, encode, header};
use super::{Account, Frame, Opcode, WireError, WireVersion};
use crate::heartbeat::{Action, Heartbeat};
use crate::session::{ClientDialect, ClientEvent, Message, Outbox};
use crate::time::{Instant, earliest};
use crate::verdict::{Disconnect, HeartbeatLoss, Observation, Refusal, RefusalClass, Side, Violation};
use crate::{Dialect, Stage};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// After DISCONNECT_AUTH the server closes; if it does not within this time, the client does.
const CLOSE_WAIT: Duration = Duration::from_secs(1);
/// What a server may ask for at the least; anything shorter would be a flood.
const SHORTEST_PERIOD: Duration = Duration::from_millis(100);
/// What is kept of a server's texts, bytes.
const KEEP_BYTES: usize = 256;

/// One connection's client.
pub struct Client {
    pub(super) config: Arc<ClientConfig>,
    pub(super) account: Arc<Account>,
    pub(super) state: State,
    seq: u32,
    /// Of the token that the server has accepted last; before AUTH_OK, of the one presented.
    pub(super) token_id: Option<TokenId>,
    pub(super) refresh: Refresh,
    pub(super) refresh_at: Option<Instant>,
    pub(super) expires: Option<Instant>,
    heartbeat: Heartbeat,
    /// Heartbeats beside the stream; rare, so kept apart.
    pub(super) udp: Option<Box<UdpBeats>>,
    /// When the stream last brought a message.
    pub(super) heard: Instant,
    ping_seq: u32,
    /// The last AUTH_PING, or AUTH_OK before the first.
    last_sign: Instant,
    logged_out: bool,
    disconnect: Option<Disconnect>,
    /// Rare, so kept apart: idle sessions stay small.
    trouble: Option<Box<Trouble>>,
}

#[derive(Debug, Default)]
struct Trouble {
    refusal: Option<Refusal>,
    violation: Option<Violation>,
    heartbeat_loss: Option<HeartbeatLoss>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Before the 101, or with AUTH_HELLO sent.
    Login,
    Ready,
    /// DISCONNECT_AUTH came; the server's close frame is awaited until then.
    Disconnected {
        until: Instant,
    },
    Over {
        was_ready: bool,
    },
}

impl Client {
    /// A client that waits for the 101.
    pub fn new(config: Arc<ClientConfig>, account: Arc<Account>) -> Self {
        Self {
            heartbeat: Heartbeat::new(None, config.pong_timeout),
            config,
            account,
            state: State::Login,
            seq: 0,
            token_id: None,
            refresh: Refresh::Idle,
            refresh_at: None,
            expires: None,
            udp: None,
            heard: Instant::ORIGIN,
            ping_seq: 0,
            last_sign: Instant::ORIGIN,
            logged_out: false,
            disconnect: None,
            trouble: None,
        }
    }

    /// When the session's token runs out, once AUTH_OK has told it.
    pub fn expires_at(&self) -> Option<Instant> {
        self.expires
    }

    /// Whether the token ran out by `now`, or can no longer be refreshed. A server that gives another reason knows better.
    fn token_expired(&self, now: Instant) -> bool {
        match self.disconnect {
            Some(reason) => reason == Disconnect::TokenExpired,
            None => self.refresh == Refresh::Refused || self.expires.is_some_and(|at| now >= at),
        }
    }

    /// The next seq; the one that tells a refused refresh is left out.
    pub(super) fn next_seq(&mut self) -> u32 {
        self.seq = self.seq.wrapping_add(1);
        if self.seq == REFUSED_REFRESH_SEQ {
            self.seq += 1;
        }
        self.seq
    }

    fn say_hello(&mut self, out: &mut Outbox<ClientEvent>) {
        let Some(token) = self.account.next_token() else {
            // Presenting a used token again would be worse than not connecting.
            out.close(Some(1000), "no token left");
            self.over();
            return;
        };
        self.token_id = Some(TokenId::of(token.expose()));
        let session = self.account.session().filter(|_| self.config.resume);
        let seq = self.next_seq();
        out.binary(&[&encode(
            Opcode::AuthHello,
            seq,
            &Hello {
                token: Cow::Borrowed(token.expose()),
                client_version: Cow::Borrowed(&self.config.client_version),
                client_id: Cow::Borrowed(self.account.client_id()),
                resume: session.as_deref().map(Cow::Borrowed),
            },
        )]);
        out.emit(ClientEvent::Reached(Stage::Auth));
    }

    fn on_binary(
        &mut self,
        now: Instant,
        bytes: &[u8],
        out: &mut Outbox<ClientEvent>,
    ) -> Result<(), WireError> {
        let frame = Frame::read(bytes)?;
        let opcode = match frame.known_opcode() {
            Ok(opcode) => opcode,
            // A later release may say more to a client that is in.
            Err(_) if self.state == State::Ready => return Ok(()),
            Err(error) => return Err(error),
        };
        let ready = self.state == State::Ready;
        match opcode {
            Opcode::AuthOk if !ready => self.on_accepted(now, &frame.payload()?, out),
            Opcode::AuthError => self.on_error(frame.seq, &frame.payload()?, out),
            Opcode::DisconnectAuth => {
                let payload: DisconnectAuth = frame.payload()?;
                self.on_disconnect(now, payload.reason);
            }
            Opcode::AuthPong if ready => {
                frame.no_payload()?;
                if frame.seq == self.ping_seq
                    && let Some(rtt) = self.heartbeat.answered(now)
                {
                    out.emit(ClientEvent::HeartbeatAnswered { rtt });
                }
            }
            Opcode::RefreshNeeded if ready => {
                frame.no_payload()?;
                self.ask_refresh(now, out);
            }
            Opcode::RefreshOk if ready => self.on_refreshed(now, frame.seq, frame.payload()?, out),
            _ => self.violated(format!("{opcode} that may not come here"), out),
        }
        Ok(())
    }

    fn on_accepted(&mut self, now: Instant, ok: &AuthOk<'_>, out: &mut Outbox<ClientEvent>) {
        self.state = State::Ready;
        self.last_sign = now;
        self.account.remember(Some(&ok.session));
        self.live_for(now, ok.ttl_s);
        let period = match self.config.beats {
            Beats::Every(period) => Some(period),
            Beats::Off => None,
            Beats::AsServerSays => {
                (ok.heartbeat_ms > 0).then(|| Duration::from_millis(ok.heartbeat_ms).max(SHORTEST_PERIOD))
            }
        };
        self.heartbeat = Heartbeat::new(period, self.config.pong_timeout);
        self.heartbeat.start(now);
        out.emit(ClientEvent::Reached(Stage::Ready));
        if !ok.server_version.is_empty() {
            out.emit(ClientEvent::ServerVersion(cut(&ok.server_version).to_owned()));
        }
        self.begin_datagrams(now, period, ok, out);
    }

    fn on_error(&mut self, seq: u32, error: &AuthError<'_>, out: &mut Outbox<ClientEvent>) {
        let class = refusal_class(&error.code);
        if self.state == State::Login {
            // A server that tells its handshake timeout so refuses nothing; its close frame says the rest.
            if error.code != "clw-handshake-timeout" {
                self.trouble().refusal = Some(Refusal {
                    class,
                    code: cut(&error.code).to_owned(),
                    message: cut(&error.message).to_owned(),
                });
            }
            self.over();
        } else if seq == REFUSED_REFRESH_SEQ {
            if matches!(self.refresh, Refresh::Asked { .. }) {
                self.refresh = Refresh::Refused;
                out.emit(ClientEvent::RefreshRefused);
            }
        } else if class == RefusalClass::Protocol {
            let what = cut(&error.message).to_owned();
            self.trouble().violation = Some(Violation {
                by: Side::Client,
                what,
            });
        }
    }

    fn on_disconnect(&mut self, now: Instant, reason: Disconnect) {
        self.disconnect = Some(reason);
        self.heartbeat.stop();
        if self.state != State::Ready {
            self.over();
            return;
        }
        if reason == Disconnect::HeartbeatTimeout {
            let silence = now.since(self.last_sign);
            self.trouble().heartbeat_loss = Some(HeartbeatLoss {
                missing_from: Side::Client,
                silence,
            });
        }
        self.state = State::Disconnected {
            until: now + CLOSE_WAIT,
        };
    }

    fn ping(&mut self, now: Instant, out: &mut Outbox<ClientEvent>) {
        let seq = self.next_seq();
        self.ping_seq = seq;
        self.last_sign = now;
        match self.token_id.filter(|_| self.config.wire >= WireVersion::V2_2) {
            Some(id) => {
                let token_id = Some(Cow::Owned(id.to_hex()));
                out.binary(&[&encode(Opcode::AuthPing, seq, &Ping { token_id })]);
            }
            None => out.binary(&[&header(Opcode::AuthPing, seq)]),
        }
        out.emit(ClientEvent::HeartbeatSent);
    }

    fn missed(&mut self, silence: Duration, out: &mut Outbox<ClientEvent>) {
        self.trouble().heartbeat_loss = Some(HeartbeatLoss {
            missing_from: Side::Server,
            silence,
        });
        out.emit(ClientEvent::HeartbeatMissed);
        out.close(Some(4000), "heartbeat timeout");
        self.over();
    }

    /// The server broke the protocol.
    fn violated(&mut self, what: String, out: &mut Outbox<ClientEvent>) {
        out.close(Some(1002), &what);
        self.trouble().violation = Some(Violation {
            by: Side::Server,
            what,
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
        Dialect::Clw
    }

    fn protocols(&self) -> &'static [&'static str] {
        self.config.wire.offers()
    }

    fn upgraded(&mut self, _now: Instant, out: &mut Outbox<ClientEvent>) {
        if self.state != State::Login || self.token_id.is_some() {
            return;
        }
        match self.config.flaw {
            None => self.say_hello(out),
            Some(Flaw::NoHello) => {}
            Some(Flaw::NotJson) => {
                out.binary(&[&header(Opcode::AuthHello, 1), b"hello"]);
                out.emit(ClientEvent::Reached(Stage::Auth));
            }
            Some(Flaw::WrongFirst) => {
                out.binary(&[&header(Opcode::AuthPing, 1)]);
                out.emit(ClientEvent::Reached(Stage::Auth));
            }
        }
    }

    fn message(&mut self, now: Instant, message: Message<'_>, out: &mut Outbox<ClientEvent>) {
        if !matches!(self.state, State::Login | State::Ready) {
            return;
        }
        self.heard = now;
        match message {
            Message::Binary(bytes) => {
                if let Err(error) = self.on_binary(now, bytes, out) {
                    self.violated(error.to_string(), out);
                }
            }
            Message::Text(_) => self.violated("text where only binary messages may come".to_owned(), out),
            Message::Ping(_) | Message::Pong(_) => {}
        }
    }

    fn datagram(&mut self, now: Instant, bytes: &[u8], out: &mut Outbox<ClientEvent>) {
        self.on_datagram(now, bytes, out);
    }

    fn without_datagrams(&mut self) {
        self.udp = None;
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Ready => {
                let refresh = self.refresh_due();
                let udp = self.udp.as_deref().and_then(UdpBeats::deadline);
                earliest(earliest(self.heartbeat.deadline(), refresh), udp)
            }
            State::Disconnected { until } => Some(until),
            State::Login | State::Over { .. } => None,
        }
    }

    fn timer(&mut self, now: Instant, out: &mut Outbox<ClientEvent>) {
        match self.state {
            State::Ready => {
                if self.refresh_due().is_some_and(|at| now >= at) {
                    self.ask_refresh(now, out);
                }
                self.poll_datagrams(now, out);
                match self.heartbeat.poll(now) {
                    Action::Send => self.ping(now, out),
                    Action::Missed { silence } => self.missed(silence, out),
                    Action::Nothing => {}
                }
            }
            State::Disconnected { until } if now >= until => {
                out.close(Some(1000), "disconnected by the server");
                self.over();
            }
            State::Disconnected { .. } | State::Login | State::Over { .. } => {}
        }
    }

    fn log_out(&mut self, _now: Instant, out: &mut Outbox<ClientEvent>) {
        if self.state == State::Ready {
            let seq = self.next_seq();
            out.binary(&[&header(Opcode::AuthLogout, seq)]);
            self.logged_out = true;
            self.account.remember(None);
        }
        out.close(Some(1000), "");
        self.over();
    }

    fn is_ready(&self) -> bool {
        match self.state {
            State::Ready | State::Disconnected { .. } => true,
            State::Over { was_ready } => was_ready,
            State::Login => false,
        }
    }

    fn observe(&self, now: Instant, seen: &mut Observation) {
        seen.logged_out = self.logged_out;
        seen.disconnect = self.disconnect;
        seen.token_expired = self.token_expired(now);
        seen.datagrams = self.udp.as_deref().map(UdpBeats::seen);
        if let Some(trouble) = &self.trouble {
            seen.refusal.clone_from(&trouble.refusal);
            seen.heartbeat_loss = trouble.heartbeat_loss;
            if trouble.violation.is_some() {
                seen.violation.clone_from(&trouble.violation);
            }
        }
    }
}

/// The beginning of a server's text.
fn cut(text: &str) -> &str {
    let end = (0..=text.len().min(KEEP_BYTES))
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0);
    &text[..end]
}
