//! The server's side: what a live session says and is told. The login is in `server_login`, faults are in `faults`.

use super::authority::Grant;
use super::error_code::{close_code_of, code_of};
use super::faults::Faults;
use super::payload::{AuthError, DisconnectAuth, Ping, Refresh, RefreshNeeded, RefreshOk};
use super::server_login::Waiting;
use super::server_udp::Udp;
use super::token::TokenId;
use super::wire::{REFUSED_REFRESH_SEQ, encode, header};
use super::{Backend, Frame, Opcode, SessionId, WireError, WireVersion};
use crate::Dialect;
use crate::session::{Message, Outbox, ServerDialect, ServerEvent, Stop};
use crate::time::{Instant, earliest, micros};
use crate::verdict::{
    CloseFrame, Disconnect, HeartbeatLoss, Observation, Refusal, RefusalClass, Side, Violation,
};
use std::borrow::Cow;
use std::time::Duration;

/// After AUTH_LOGOUT the client closes; if it does not within this time, the server does.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// One connection's server.
///
/// Dropping it ends the session for the others: its token counts as used, and it may be resumed.
pub struct Server {
    pub(super) backend: Backend,
    pub(super) session: SessionId,
    pub(super) state: State,
    pub(super) faults: Faults,
    /// From AUTH_OK on.
    pub(super) live: Option<Box<Live>>,
    pub(super) trouble: Option<Box<Trouble>>,
    pub(super) disconnect: Option<Disconnect>,
    logged_out: bool,
    /// Where heartbeats are taken as datagrams, and from whom.
    pub(super) udp: Option<Box<Udp>>,
}

#[derive(Debug)]
pub(super) enum State {
    /// AUTH_HELLO is awaited.
    Login,
    /// It came and waits to be checked.
    Queued(Box<Waiting>),
    /// AUTH_OK was sent.
    Ready,
    /// AUTH_LOGOUT came; the client's close frame is awaited until then.
    LoggedOut { until: Instant },
    /// This side has closed, or the client has.
    Over,
}

/// What is known of a client that is in.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) client_id: Box<str>,
    pub(super) grant: Grant,
    /// The token before, good in heartbeats until then: one may have been on its way when the new token was accepted.
    pub(super) previous: Option<(TokenId, Instant)>,
    pub(super) ttl: Duration,
    pub(super) expires: Instant,
    /// When REFRESH_NEEDED is due; `None` once it was sent.
    pub(super) remind_at: Option<Instant>,
    pub(super) refresh_refused: bool,
    /// The last AUTH_PING, or AUTH_OK before the first.
    pub(super) last_ping: Instant,
    /// The last AUTH_PONG, or AUTH_OK before the first.
    last_pong: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Trouble {
    pub(super) refusal: Option<Refusal>,
    violation: Option<Violation>,
    heartbeat_loss: Option<HeartbeatLoss>,
}

impl Live {
    pub(super) fn new(client_id: Box<str>, grant: Grant, now: Instant) -> Self {
        Self {
            client_id,
            grant,
            previous: None,
            ttl: Duration::ZERO,
            expires: now,
            remind_at: None,
            refresh_refused: false,
            last_ping: now,
            last_pong: now,
        }
    }

    /// The token was accepted now and lives for `ttl`.
    pub(super) fn live_for(&mut self, now: Instant, ttl: Duration, lead: Duration) {
        self.ttl = ttl;
        self.expires = now + ttl;
        self.remind_at = Some(now + ttl.saturating_sub(lead.min(ttl / 2)));
        self.refresh_refused = false;
    }
}

impl Server {
    /// The server of one connection. `session` must be unique among all sessions of `backend` (and of its workers).
    pub fn new(backend: Backend, session: SessionId) -> Self {
        Self {
            backend,
            session,
            state: State::Login,
            faults: Faults::default(),
            live: None,
            trouble: None,
            disconnect: None,
            logged_out: false,
            udp: None,
        }
    }

    /// The session's id: the one given to [`Server::new`], or the one that was resumed.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The client's name, once it was accepted.
    pub fn client_id(&self) -> Option<&str> {
        self.live.as_deref().map(|live| &*live.client_id)
    }

    fn on_binary(
        &mut self,
        now: Instant,
        bytes: &[u8],
        out: &mut Outbox<ServerEvent>,
    ) -> Result<(), (u32, WireError)> {
        let frame = Frame::read(bytes).map_err(|error| (0, error))?;
        let wrong = |error| (frame.seq, error);
        let opcode = match frame.known_opcode() {
            Ok(opcode) => opcode,
            // A later release may say more once it is in.
            Err(_) if matches!(self.state, State::Ready) => return Ok(()),
            Err(error) => return Err(wrong(error)),
        };
        match (opcode, &self.state) {
            (Opcode::AuthHello, State::Login) => {
                let hello = frame.payload().map_err(wrong)?;
                self.on_hello(now, frame.seq, &hello, out);
            }
            (Opcode::AuthLogout, _) => {
                frame.no_payload().map_err(wrong)?;
                self.logged_out = true;
                self.leave(State::LoggedOut {
                    until: now + CLOSE_WAIT,
                });
            }
            (Opcode::AuthPing, State::Ready) => {
                let ping = frame.payload().map_err(wrong)?;
                self.on_ping(now, frame.seq, &ping, out);
            }
            (Opcode::AuthRefresh, State::Ready) => {
                let refresh: Refresh<'_> = frame.payload().map_err(wrong)?;
                self.on_refresh(now, frame.seq, &refresh.token, out);
            }
            _ => self.violated(frame.seq, format!("{opcode} that may not come here"), out),
        }
        Ok(())
    }

    fn on_ping(&mut self, now: Instant, seq: u32, ping: &Ping<'_>, out: &mut Outbox<ServerEvent>) {
        let Some(live) = &mut self.live else {
            return;
        };
        let config = self.backend.config();
        match &ping.token_id {
            _ if config.wire < WireVersion::V2_2 => {}
            None if config.compatible => {}
            None => return self.disconnect(now, Disconnect::VersionMismatch, out),
            Some(id) if live.grant.token_id.is(id) => {}
            Some(id) => {
                let previous = live.previous.filter(|(previous, _)| previous.is(id));
                match previous {
                    Some((_, until)) if now <= until => {}
                    Some(_) => return self.disconnect(now, Disconnect::TokenExpired, out),
                    None => {
                        say_error(
                            seq,
                            code_of(RefusalClass::Credentials),
                            "the heartbeat's token_id is not this session's token",
                            out,
                        );
                        out.close(Some(1008), "unknown token_id");
                        self.leave(State::Over);
                        return;
                    }
                }
            }
        }
        live.last_ping = now;
        if !self.faults.pongs_stalled {
            live.last_pong = now;
            out.binary(&[&header(Opcode::AuthPong, seq)]);
            out.emit(ServerEvent::Heartbeat);
        }
    }

    fn on_refresh(&mut self, now: Instant, seq: u32, token: &str, out: &mut Outbox<ServerEvent>) {
        let Some(live) = &mut self.live else {
            return;
        };
        if now >= live.expires {
            return self.disconnect(now, Disconnect::TokenExpired, out);
        }
        let checked = self.backend.tokens().check(token, &live.client_id);
        let accepted = checked
            .ok()
            .filter(|grant| grant.token_id != live.grant.token_id && !self.faults.refresh_refused);
        let Some(grant) = accepted else {
            live.refresh_refused = true;
            let code = code_of(RefusalClass::Credentials);
            say_error(REFUSED_REFRESH_SEQ, code, "Token refresh failed, seq=0xFF", out);
            out.emit(ServerEvent::Refused { code });
            return;
        };
        let config = self.backend.config();
        let overlap = config.grace.unwrap_or(config.ttl);
        live.previous = Some((live.grant.token_id, now + overlap));
        live.grant = grant;
        live.live_for(now, live.ttl, config.refresh_lead);
        let ttl_s = whole_seconds(live.ttl);
        out.binary(&[&encode(Opcode::RefreshOk, seq, &RefreshOk { ttl_s })]);
        out.emit(ServerEvent::Refreshed);
    }

    /// Ends the session with DISCONNECT_AUTH and the close frame that goes with it, at whatever stage it is.
    pub fn disconnect(&mut self, now: Instant, reason: Disconnect, out: &mut Outbox<ServerEvent>) {
        let (code, text) = match reason {
            Disconnect::Overload => (1013, "overload"),
            Disconnect::TokenExpired => (1008, "token expired"),
            Disconnect::TokenRevoked => (1008, "token revoked"),
            Disconnect::VersionMismatch => (1008, "version mismatch"),
            Disconnect::HeartbeatTimeout => (1008, "heartbeat timeout"),
            Disconnect::Shutdown => (1001, "shutdown"),
            Disconnect::Other => (1008, "disconnected"),
        };
        self.disconnect_with(now, reason, code, text, out);
    }

    fn disconnect_with(
        &mut self,
        now: Instant,
        reason: Disconnect,
        code: u16,
        text: &str,
        out: &mut Outbox<ServerEvent>,
    ) {
        if matches!(self.state, State::Over | State::LoggedOut { .. }) {
            return;
        }
        if reason == Disconnect::HeartbeatTimeout
            && let Some(live) = &self.live
        {
            let silence = now.since(live.last_ping);
            self.trouble().heartbeat_loss = Some(HeartbeatLoss {
                missing_from: Side::Client,
                silence,
            });
        }
        self.disconnect = Some(reason);
        out.binary(&[&encode(Opcode::DisconnectAuth, 0, &DisconnectAuth { reason })]);
        out.close(Some(code), text);
        out.emit(ServerEvent::Log(format!(
            "[clw] disconnected session={} reason={text}",
            self.session
        )));
        self.leave(State::Over);
    }

    /// The client broke the protocol: AUTH_ERROR and close 1002.
    pub(super) fn violated(&mut self, seq: u32, what: String, out: &mut Outbox<ServerEvent>) {
        say_error(seq, code_of(RefusalClass::Protocol), &what, out);
        out.close(Some(close_code_of(RefusalClass::Protocol)), &what);
        out.emit(ServerEvent::Log(format!(
            "[clw] protocol error session={} {what}",
            self.session
        )));
        self.trouble().violation = Some(Violation {
            by: Side::Client,
            what,
        });
        self.leave(State::Over);
    }

    pub(super) fn trouble(&mut self) -> &mut Trouble {
        self.trouble.get_or_insert_default()
    }

    /// When the client will have been silent for too long.
    fn silence_deadline(&self, live: &Live) -> Option<Instant> {
        self.backend.config().grace.map(|grace| live.last_ping + grace)
    }

    fn ready_timer(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        let Some(live) = &self.live else {
            return;
        };
        let silent = self.silence_deadline(live).filter(|at| now >= *at);
        let expired = Some(live.expires).filter(|at| now >= *at);
        // Where the timer was late, what came first counts.
        match (silent, expired) {
            (None, None) => self.remind(now, out),
            (Some(silent), expired) if expired.is_none_or(|expired| silent < expired) => {
                self.disconnect(now, Disconnect::HeartbeatTimeout, out);
            }
            _ => self.disconnect(now, Disconnect::TokenExpired, out),
        }
    }

    /// REFRESH_NEEDED, once for each token.
    fn remind(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        let Some(live) = &mut self.live else {
            return;
        };
        if live.remind_at.is_some_and(|at| now >= at) {
            live.remind_at = None;
            let expires_in_ms = micros(live.expires.since(now)) / 1000;
            out.binary(&[&encode(
                Opcode::RefreshNeeded,
                0,
                &RefreshNeeded { expires_in_ms },
            )]);
        }
    }
}

pub(super) fn say_error(seq: u32, code: &str, message: &str, out: &mut Outbox<ServerEvent>) {
    let payload = AuthError {
        code: Cow::Borrowed(code),
        message: Cow::Borrowed(message),
    };
    out.binary(&[&encode(Opcode::AuthError, seq, &payload)]);
}

/// Seconds, rounded up: a client that believes in a longer life than it has is told better by REFRESH_NEEDED.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

impl ServerDialect for Server {
    fn dialect(&self) -> Dialect {
        Dialect::Clw
    }

    fn upgraded(&mut self, _now: Instant, _out: &mut Outbox<ServerEvent>) {}

    fn message(&mut self, now: Instant, message: Message<'_>, out: &mut Outbox<ServerEvent>) {
        let deaf = self.faults.deaf && matches!(self.state, State::Login);
        if deaf || matches!(self.state, State::LoggedOut { .. } | State::Over) {
            return;
        }
        match message {
            Message::Binary(bytes) => {
                if let Err((seq, error)) = self.on_binary(now, bytes, out) {
                    self.violated(seq, error.to_string(), out);
                }
            }
            Message::Text(_) => {
                self.violated(0, "text where only binary messages may come".to_owned(), out);
            }
            Message::Ping(_) | Message::Pong(_) => {}
        }
    }

    fn peer_closed(&mut self, now: Instant, frame: &CloseFrame) {
        if matches!(self.state, State::Ready)
            && frame.code == Some(4000)
            && let Some(live) = &self.live
        {
            let silence = now.since(live.last_pong);
            self.trouble().heartbeat_loss = Some(HeartbeatLoss {
                missing_from: Side::Server,
                silence,
            });
        }
        self.leave(State::Over);
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Queued(waiting) => Some(waiting.done),
            State::Ready => {
                let live = self.live.as_deref()?;
                let quiet = self.silence_deadline(live);
                earliest(earliest(quiet, live.remind_at), Some(live.expires))
            }
            State::LoggedOut { until } => Some(*until),
            State::Login | State::Over => None,
        }
    }

    fn timer(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        match &self.state {
            State::Queued(waiting) if now >= waiting.done => self.check_login(now, out),
            State::Ready => self.ready_timer(now, out),
            State::LoggedOut { until } if now >= *until => {
                out.close(Some(1000), "");
                self.leave(State::Over);
            }
            _ => {}
        }
    }

    fn stop(&mut self, now: Instant, stop: Stop, out: &mut Outbox<ServerEvent>) {
        let text = match stop {
            Stop::Stop => "shutdown",
            Stop::Restart { .. } => "restart",
        };
        if matches!(self.state, State::LoggedOut { .. }) {
            out.close(Some(1000), "");
            self.leave(State::Over);
        }
        self.disconnect_with(now, Disconnect::Shutdown, 1001, text, out);
    }

    fn is_ready(&self) -> bool {
        self.live.is_some()
    }

    fn observe(&self, now: Instant, seen: &mut Observation) {
        seen.logged_out = self.logged_out;
        seen.disconnect = self.disconnect;
        if let Some(live) = &self.live {
            // A reason that was given says more than the token's clock.
            seen.token_expired = match self.disconnect {
                Some(reason) => reason == Disconnect::TokenExpired,
                None => live.refresh_refused || now >= live.expires,
            };
        }
        seen.datagrams = self.datagrams_seen();
        if let Some(trouble) = &self.trouble {
            seen.refusal.clone_from(&trouble.refusal);
            seen.violation.clone_from(&trouble.violation);
            if trouble.heartbeat_loss.is_some() {
                seen.heartbeat_loss = trouble.heartbeat_loss;
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.leave(State::Over);
        if let Some(live) = self.live.take()
            && !self.logged_out
        {
            self.backend.tokens().disconnected(&live.client_id, live.grant);
            self.backend.resumable().keep(self.session, &live.client_id);
        }
    }
}
