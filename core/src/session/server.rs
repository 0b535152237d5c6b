//! The server's end of one connection, from accept to its end, without a socket.

mod door;
mod frames;

use super::{Admit, Finish, HttpAnswer, Outbox, ServerConfig, ServerDialect, ServerEvent, Stop};
use crate::time::{Instant, earliest};
use crate::verdict::{
    CloseFrame, EndingKind, HeartbeatLoss, Observation, Side, Viewpoint, Violation, is_helper,
};
use crate::ws::{Decoder, Peer, UpgradeRequest};
use crate::{Dialect, Stage};
use std::sync::Arc;
use std::time::Duration;

/// How far the connection itself is; [`Stage`] says how far the session came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Collecting the HTTP head.
    Head,
    /// The answer to an HTTP call is ready and waits for its time.
    Answering { at: Instant },
    /// 101 was sent.
    Open,
    /// The server's close frame is out; its echo is awaited. Frames cannot be read any more once one was broken.
    Closing { until: Instant, can_read: bool },
    /// Nothing is read or written any more.
    Ended,
}

/// What only the time before the 101 needs.
struct Door<D> {
    bytes: Vec<u8>,
    admit: Box<dyn Admit<D>>,
}

/// What an idle connection does not know yet.
#[derive(Debug, Default)]
struct Facts {
    tls_failure: Option<String>,
    close: Option<CloseFrame>,
    violation: Option<Violation>,
    heartbeat_loss: Option<HeartbeatLoss>,
    slow_consumer: bool,
    handshake_timed_out: bool,
    late_answer: Option<HttpAnswer>,
}

/// The server's end of one connection.
///
/// Bytes and instants go in; bytes, events and the wish to end the transport come out through an [`Outbox`], which the
/// caller empties after each call. Everything the server does by itself is here (upgrade, limits, pings, close handshake,
/// handshake timeout); what is said in messages is the dialect's. The methods from [`ServerConnection::send_close`] on
/// make a server misbehave on purpose.
///
/// Stages are reported here, once each: a dialect need not emit [`ServerEvent::Reached`].
pub struct ServerConnection<D: ServerDialect = Box<dyn ServerDialect>> {
    config: Arc<ServerConfig>,
    door: Option<Box<Door<D>>>,
    dialect: Option<D>,
    request: Option<Box<UpgradeRequest>>,
    decoder: Decoder,
    /// Made when there is a first fact, so that idle connections stay small.
    facts: Option<Box<Facts>>,
    http_status: Option<u16>,
    http_only: bool,
    accepted: Instant,
    upgraded: Option<Instant>,
    ended: Option<Instant>,
    /// The next beat of the server's pings.
    beat: Option<Instant>,
    /// When the ping that is still unanswered was written.
    pinged: Option<Instant>,
    handshake_timeout: Option<Duration>,
    phase: Phase,
    stage: Stage,
    ending: EndingKind,
    ended_by: Side,
    answers_pings: bool,
    mute: bool,
}

impl<D: ServerDialect> ServerConnection<D> {
    /// A connection that was accepted just now. `admit` is asked once, when a valid upgrade request is there.
    pub fn accept(now: Instant, config: Arc<ServerConfig>, admit: Box<dyn Admit<D>>) -> Self {
        Self {
            door: Some(Box::new(Door {
                bytes: Vec::new(),
                admit,
            })),
            dialect: None,
            request: None,
            decoder: Decoder::new(Peer::Client, config.max_message_before_ready),
            facts: None,
            http_status: None,
            http_only: false,
            accepted: now,
            upgraded: None,
            ended: None,
            beat: None,
            pinged: None,
            handshake_timeout: config.handshake_timeout,
            phase: Phase::Head,
            stage: Stage::Tcp,
            ending: EndingKind::Open,
            ended_by: Side::Unknown,
            answers_pings: true,
            mute: false,
            config,
        }
    }

    /// Bytes came. They are unmasked in place.
    pub fn receive(&mut self, now: Instant, bytes: &mut [u8], out: &mut Outbox<ServerEvent>) {
        let start = Mark::of(out);
        match self.phase {
            Phase::Head => self.head(now, bytes, out),
            Phase::Open | Phase::Closing { can_read: true, .. } => self.frames(now, bytes, out),
            Phase::Answering { .. } | Phase::Closing { .. } | Phase::Ended => {}
        }
        self.settle(now, start, out);
    }

    /// A deadline has passed, or may have.
    pub fn timer(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        if self.mute {
            return;
        }
        let start = Mark::of(out);
        match self.phase {
            Phase::Head if now >= self.accepted + self.config.head_timeout => {
                self.facts().handshake_timed_out = true;
                out.finish(Finish::Fin);
            }
            Phase::Open => {
                if self.handshake_deadline().is_some_and(|at| now >= at) {
                    self.facts().handshake_timed_out = true;
                    match self.config.handshake_close {
                        Some(close) => out.close(close.code, close.reason),
                        None => out.finish(Finish::Fin),
                    }
                } else {
                    self.beat(now, out);
                    if out.finish.is_none()
                        && let Some(dialect) = &mut self.dialect
                        && dialect.deadline().is_some_and(|at| now >= at)
                    {
                        dialect.timer(now, out);
                    }
                }
            }
            Phase::Closing { until, .. } if now >= until => out.finish(Finish::Fin),
            Phase::Answering { at } if now >= at => {
                if let Some(answer) = self.facts().late_answer.take() {
                    self.give_answer(&answer, out);
                }
            }
            Phase::Head | Phase::Answering { .. } | Phase::Closing { .. } | Phase::Ended => {}
        }
        self.settle_dialect(now, start, out);
    }

    /// When [`ServerConnection::timer`] wants to be called, if nothing else happens.
    pub fn deadline(&self) -> Option<Instant> {
        if self.mute {
            return None;
        }
        match self.phase {
            Phase::Head => Some(self.accepted + self.config.head_timeout),
            Phase::Open => {
                let own = earliest(self.handshake_deadline(), self.beat);
                earliest(own, self.dialect.as_ref().and_then(ServerDialect::deadline))
            }
            Phase::Answering { at: until } | Phase::Closing { until, .. } => Some(until),
            Phase::Ended => None,
        }
    }

    /// The transport ended without this machine's doing: the peer's FIN or RST, or a time-out of the kernel. Only the
    /// first end counts.
    pub fn end_of_stream(&mut self, now: Instant, kind: EndingKind, by: Side) {
        if self.ended.is_none() {
            self.ended = Some(now);
            self.ending = kind;
            self.ended_by = by;
        }
        self.phase = Phase::Ended;
        self.door = None;
    }

    /// The server stops or restarts: the dialect says so and closes; before the 101 there is only FIN.
    pub fn stop(&mut self, now: Instant, stop: Stop, out: &mut Outbox<ServerEvent>) {
        let start = Mark::of(out);
        match (self.phase, &mut self.dialect) {
            (Phase::Open, Some(dialect)) => dialect.stop(now, stop, out),
            (Phase::Ended | Phase::Closing { .. }, _) => {}
            _ => out.finish(Finish::Fin),
        }
        self.settle_dialect(now, start, out);
    }

    /// The server holds more for this client than it may: close 1008 `slow consumer`.
    pub fn slow_consumer(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        if self.phase == Phase::Open {
            self.facts().slow_consumer = true;
            self.send_close(now, Some(1008), "slow consumer", out);
        }
    }

    /// The client's TLS handshake has begun.
    pub fn tls_started(&mut self, out: &mut Outbox<ServerEvent>) {
        self.reach(Stage::Tls, out);
    }

    /// TLS failed before its handshake was done; the transport ends.
    pub fn tls_failed(&mut self, now: Instant, what: String) {
        self.facts().tls_failure = Some(what);
        self.end_of_stream(now, EndingKind::Fin, Side::Server);
    }

    /// What was seen so far; after the end, the facts of the whole session.
    pub fn observation(&self, now: Instant) -> Observation {
        let end = self.ended.unwrap_or(now);
        let nothing = Facts::default();
        let facts = self.facts.as_deref().unwrap_or(&nothing);
        let mut seen = Observation {
            viewpoint: Viewpoint::Server,
            dialect: self
                .dialect
                .as_ref()
                .map_or(self.config.dialect, ServerDialect::dialect),
            stage: self.stage,
            duration: end - self.accepted,
            since_upgrade: end - self.upgraded.unwrap_or(self.accepted),
            handshake_timeout: self.handshake_timeout,
            tls_failure: facts.tls_failure.clone(),
            http_status: self.http_status,
            close: facts.close.clone(),
            ending: self.ending,
            ended_by: self.ended_by,
            heartbeat_loss: facts.heartbeat_loss,
            unanswered_server_ping: self.pinged.map(|at| end - at),
            slow_consumer: facts.slow_consumer,
            handshake_timed_out: facts.handshake_timed_out,
            helper: self
                .request
                .as_ref()
                .and_then(|request| request.user_agent.as_deref())
                .is_some_and(is_helper),
            ..Observation::default()
        };
        if self.http_only {
            seen.dialect = Dialect::Http;
        }
        if let Some(dialect) = &self.dialect {
            dialect.observe(now, &mut seen);
        }
        if facts.violation.is_some() {
            seen.violation.clone_from(&facts.violation);
        }
        seen
    }

    /// Whether the client was accepted.
    pub fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// Whether the connection has ended.
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Whether this was HTTP without an upgrade (health probes): no session to be counted.
    pub fn is_http_only(&self) -> bool {
        self.http_only
    }

    /// The furthest stage.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// When it was accepted.
    pub fn accepted_at(&self) -> Instant {
        self.accepted
    }

    /// The upgrade request, once it was read.
    pub fn request(&self) -> Option<&UpgradeRequest> {
        self.request.as_deref()
    }

    /// The dialect, from the 101 on.
    pub fn dialect(&self) -> Option<&D> {
        self.dialect.as_ref()
    }

    /// The dialect, from the 101 on. What it is made to write goes through [`ServerConnection::with_dialect`].
    pub fn dialect_mut(&mut self) -> Option<&mut D> {
        self.dialect.as_mut()
    }

    /// Lets the caller make the dialect say something; closes and stages are noticed. `None` unless frames can be sent.
    pub fn with_dialect<T>(
        &mut self,
        now: Instant,
        out: &mut Outbox<ServerEvent>,
        call: impl FnOnce(&mut D, &mut Outbox<ServerEvent>) -> T,
    ) -> Option<T> {
        if self.phase != Phase::Open {
            return None;
        }
        let start = Mark::of(out);
        let result = self.dialect.as_mut().map(|dialect| call(dialect, out));
        self.settle_dialect(now, start, out);
        result
    }

    /// Frames read so far.
    pub fn frames_received(&self) -> u64 {
        self.decoder.frames()
    }

    /// Closes as told, with the usual wait for the echo. Does nothing before the 101 and after a close.
    pub fn send_close(
        &mut self,
        now: Instant,
        code: Option<u16>,
        reason: &str,
        out: &mut Outbox<ServerEvent>,
    ) {
        if self.phase == Phase::Open {
            let start = Mark::of(out);
            out.close(code, reason);
            self.settle(now, start, out);
        }
    }

    /// Sends bytes as they are, framed or not, after what is already queued.
    pub fn send_raw(&mut self, bytes: &[u8], out: &mut Outbox<ServerEvent>) {
        if !self.mute && self.phase != Phase::Ended {
            out.bytes.extend_from_slice(bytes);
        }
    }

    /// Whether the client's pings are answered.
    pub fn set_pong(&mut self, answers: bool) {
        self.answers_pings = answers;
    }

    /// Nothing is written any more and no timer runs, as if the process hung; only
    /// [`ServerConnection::close_transport`] still ends it.
    pub fn set_mute(&mut self, mute: bool) {
        self.mute = mute;
    }

    /// Ends the transport without a word of WebSocket.
    pub fn close_transport(&mut self, now: Instant, how: Finish, out: &mut Outbox<ServerEvent>) {
        if self.phase != Phase::Ended {
            out.finish(how);
            self.finished(now, how);
        }
    }

    /// Another handshake timeout for this connection; `None` waits for ever.
    pub fn set_handshake_timeout(&mut self, timeout: Option<Duration>) {
        self.handshake_timeout = timeout;
    }

    fn facts(&mut self) -> &mut Facts {
        self.facts.get_or_insert_default()
    }

    fn handshake_deadline(&self) -> Option<Instant> {
        if self.is_ready() {
            return None;
        }
        Some(self.upgraded? + self.handshake_timeout?)
    }

    fn reach(&mut self, stage: Stage, out: &mut Outbox<ServerEvent>) {
        if stage > self.stage {
            self.stage = stage;
            out.emit(ServerEvent::Reached(stage));
        }
    }

    /// Takes note of what the dialect did since `start`. Stages are told once, even if the dialect tells them too.
    fn settle_dialect(&mut self, now: Instant, start: Mark, out: &mut Outbox<ServerEvent>) {
        let mut index = start.events.min(out.events.len());
        while let Some(event) = out.events.get(index) {
            match event {
                ServerEvent::Reached(stage) if *stage <= self.stage => {
                    out.events.remove(index);
                }
                ServerEvent::Reached(stage) => {
                    self.stage = *stage;
                    index += 1;
                }
                _ => index += 1,
            }
        }
        self.settle(now, start, out);
    }

    /// Takes note of what was written since `start`: ready, a close, the end.
    fn settle(&mut self, now: Instant, start: Mark, out: &mut Outbox<ServerEvent>) {
        if self.dialect.as_ref().is_some_and(ServerDialect::is_ready) {
            self.reach(Stage::Ready, out);
            if self.beat.is_none() {
                self.beat = self.config.ping_every.map(|every| now + every);
                self.decoder
                    .set_max_message_bytes(self.config.max_message_after_ready);
            }
        }
        if self.mute {
            out.bytes.truncate(start.bytes);
            out.closed = None;
            if self.phase != Phase::Ended {
                out.finish = None;
            }
            return;
        }
        if self.phase == Phase::Open
            && let Some((code, reason)) = &out.closed
        {
            self.facts().close.get_or_insert_with(|| CloseFrame {
                by: Side::Server,
                code: *code,
                reason: reason.clone(),
            });
            self.phase = Phase::Closing {
                until: now + self.config.close_grace,
                can_read: true,
            };
        }
        if let Some(how) = out.finish {
            self.finished(now, how);
        }
    }

    fn finished(&mut self, now: Instant, how: Finish) {
        let kind = match how {
            Finish::Fin => EndingKind::Fin,
            Finish::Rst => EndingKind::Rst,
        };
        self.end_of_stream(now, kind, Side::Server);
    }
}

/// Where an outbox stood before a call.
#[derive(Clone, Copy)]
struct Mark {
    bytes: usize,
    events: usize,
}

impl Mark {
    fn of(out: &Outbox<ServerEvent>) -> Self {
        Self {
            bytes: out.bytes.len(),
            events: out.events.len(),
        }
    }
}
