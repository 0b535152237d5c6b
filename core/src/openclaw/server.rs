//! The gateway's side of one session (protocol page, sections 3 to 10).

use super::authority::{CLOSE_DEVICE_REMOVED, Method};
use super::connect_schema;
use super::error_code::refusal_of;
use super::gateway::{Gateway, SessionOptions, Timing};
use super::live_devices::LiveDevice;
use super::scopes::{Role, Scopes};
use super::server_connect::{Accepted, Circumstances, Refused, judge};
use super::server_rpc::{self, Caller, Served};
use super::uuid::Uuid;
use super::wire::{ConnectParams, DeviceTokenGrant, EventFrame, Frame, ResponseFrame, ServerInfo};
use crate::Dialect;
use crate::session::{Message, Outbox, ServerDialect, ServerEvent, Stop};
use crate::time::{Instant, earliest};
use crate::verdict::{Observation, Refusal, Side, Violation};
use crate::ws::UpgradeRequest;
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

mod devices;
mod hello;

use hello::{Hello, HelloAuth};

/// Messages that may wait while the answer to connect is held back.
const MAX_PENDING_FRAMES: u8 = 15;
/// Calls for another role that are borne in a row.
const MAX_WRONG_ROLE_CALLS: u8 = 10;

/// One session of an OpenClaw gateway.
///
/// Greets with a challenge, judges the connect as the real gateway does, then ticks and answers requests. What it holds
/// for an idle accepted client is under 200 bytes.
#[derive(Debug)]
pub struct Server {
    gateway: Arc<Gateway>,
    options: SessionOptions,
    state: State,
    conn_id: Uuid,
    nonce: Uuid,
    /// When a delayed challenge goes out.
    challenge_at: Option<Instant>,
    next_tick: Option<Instant>,
    /// Broadcasts sent.
    seq: u64,
    generation: u64,
    role: Role,
    scopes: Scopes,
    wrong_role_calls: u8,
    /// The device that asks to come in.
    device_id: Option<Box<str>>,
    /// The device that is in, with a token of its own.
    device: Option<Arc<LiveDevice>>,
    is_by_shared_secret: bool,
    unanswered: u32,
    shutdown_announced: Option<bool>,
    refusal: Option<Box<Refusal>>,
    violation: Option<&'static str>,
}

#[derive(Debug)]
enum State {
    /// No connect yet.
    Waiting(Box<Door>),
    /// The answer is held back.
    Held(Box<Held>),
    /// hello-ok was sent.
    Ready,
    /// A close was asked for.
    Closed,
}

/// What the upgrade said, as far as connect needs it.
#[derive(Debug)]
struct Door {
    host: String,
    origin: Option<String>,
}

#[derive(Debug)]
struct Held {
    /// `None`: for ever.
    until: Option<Instant>,
    id: String,
    pending_frames: u8,
    answer: Result<Accepted, Refused>,
}

impl Server {
    /// A session for a client that asked for this upgrade.
    pub fn new(gateway: Arc<Gateway>, request: &UpgradeRequest, options: SessionOptions) -> Self {
        Self {
            conn_id: gateway.authority.uuid(),
            nonce: gateway.authority.uuid(),
            generation: gateway.authority.generation(),
            state: State::Waiting(Box::new(Door {
                host: request.host.clone(),
                origin: request.origin.clone(),
            })),
            gateway,
            options,
            challenge_at: None,
            next_tick: None,
            seq: 0,
            role: Role::Operator,
            scopes: Scopes::NONE,
            wrong_role_calls: 0,
            device_id: None,
            device: None,
            is_by_shared_secret: false,
            unanswered: 0,
            shutdown_announced: None,
            refusal: None,
            violation: None,
        }
    }

    /// What the log calls `conn=`.
    pub fn conn_id(&self) -> Uuid {
        self.conn_id
    }

    /// The [`super::Authority::generation`] under which this session began.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Turns the ticks on or off from now on.
    pub fn set_ticks(&mut self, now: Instant, on: bool) {
        self.options.ticks = on;
        if matches!(self.state, State::Ready) {
            self.next_tick = on.then(|| self.gateway.next_tick(now));
        }
    }

    /// Answers requests, or leaves them unanswered, from now on.
    pub fn set_answers_requests(&mut self, on: bool) {
        self.options.answers_requests = on;
    }

    /// Refuses the connect that is still to come.
    pub fn set_refusal(&mut self, refuse: Option<super::ForcedRefusal>) {
        self.options.refuse = refuse;
    }

    /// Sends an event to an accepted client as one of its broadcasts.
    pub fn broadcast(&mut self, event: &str, payload: &impl Serialize, out: &mut Outbox<ServerEvent>) {
        if matches!(self.state, State::Ready) {
            self.seq += 1;
            out.json(&EventFrame {
                kind: "event",
                event,
                payload,
                seq: Some(self.seq),
            });
        }
    }

    fn challenge(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        self.challenge_at = None;
        out.json(&EventFrame {
            kind: "event",
            event: "connect.challenge",
            payload: json!({
                "nonce": self.nonce.to_string(),
                "ts": self.gateway.wall_ms(now),
                "capabilities": ["model-catalog-snapshot"],
            }),
            seq: None,
        });
    }

    fn close(&mut self, code: u16, reason: &str, out: &mut Outbox<ServerEvent>) {
        self.state = State::Closed;
        self.next_tick = None;
        self.challenge_at = None;
        out.close(Some(code), reason);
    }

    /// Closes without an answer: the message broke the protocol.
    fn violate(&mut self, what: &'static str, out: &mut Outbox<ServerEvent>) {
        self.violation = Some(what);
        self.close(1008, what, out);
    }

    /// The first message: it must be a connect.
    fn first_message(&mut self, now: Instant, text: &str, out: &mut Outbox<ServerEvent>) {
        let Ok(frame) = serde_json::from_str::<Frame<'_>>(text) else {
            if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
                self.violate("invalid request frame", out);
            } else {
                // The real gateway tells nothing: 1000 without a reason.
                self.close(1000, "", out);
            }
            return;
        };
        let Some((id, method)) = request_of(&frame) else {
            self.violate("invalid request frame", out);
            return;
        };
        if method != "connect" {
            let message = "invalid handshake: first request must be connect";
            self.refuse(id, Refused::invalid(message.to_owned()), out);
            return;
        }
        match connect_schema::read(frame.params) {
            Err(fault) => {
                let refused = Refused::invalid(format!("invalid connect params: {fault}"));
                self.refuse(id, refused, out);
            }
            Ok(params) if params.role.as_deref() == Some("worker") => self.violate("invalid-handshake", out),
            Ok(params) => self.connect(now, id, &params, out),
        }
    }

    fn connect(&mut self, now: Instant, id: &str, params: &ConnectParams, out: &mut Outbox<ServerEvent>) {
        let State::Waiting(door) = &self.state else {
            return;
        };
        let answer = judge(
            params,
            &Circumstances {
                gateway: &self.gateway,
                now,
                address: self.options.address,
                nonce: &self.nonce.to_string(),
                host: &door.host,
                origin: door.origin.as_deref(),
                refuse: self.options.refuse,
            },
        );
        self.device_id = params.device.as_ref().map(|device| device.id.as_str().into());
        if let Err(refused) = &answer {
            out.emit(ServerEvent::Log(self.unauthorized_line(params, refused)));
        }
        let penalty = answer
            .as_ref()
            .map_or_else(|refused| refused.delay, |_| Duration::ZERO);
        let until = match self.options.answer {
            Timing::Prompt if penalty.is_zero() => return self.answer(now, id, answer, out),
            Timing::Prompt => Some(now + penalty),
            Timing::Delayed(delay) => Some(now + delay.max(penalty)),
            Timing::Never => None,
        };
        self.state = State::Held(Box::new(Held {
            until,
            id: id.to_owned(),
            pending_frames: 0,
            answer,
        }));
    }

    fn answer(
        &mut self,
        now: Instant,
        id: &str,
        answer: Result<Accepted, Refused>,
        out: &mut Outbox<ServerEvent>,
    ) {
        match answer {
            Ok(accepted) => self.hello(now, id, &accepted, out),
            Err(refused) => self.refuse(id, refused, out),
        }
    }

    fn refuse(&mut self, id: &str, refused: Refused, out: &mut Outbox<ServerEvent>) {
        self.refusal = Some(Box::new(refusal_of(&refused.error)));
        out.emit(ServerEvent::Refused { code: refused.code });
        out.json(&ResponseFrame::<()> {
            kind: "res",
            id,
            ok: false,
            payload: None,
            error: Some(*refused.error),
        });
        self.close(refused.close, &refused.reason, out);
    }

    fn hello(&mut self, now: Instant, id: &str, accepted: &Accepted, out: &mut Outbox<ServerEvent>) {
        self.role = accepted.role;
        self.scopes = accepted.scopes;
        self.is_by_shared_secret = matches!(accepted.method, Method::Token | Method::Password);
        let device_id = self.device_id.take().filter(|_| accepted.grant.is_some());
        self.device = device_id.map(|id| {
            self.gateway
                .authority
                .enter(&id, accepted.role, self.conn_id.sign())
        });
        self.state = State::Ready;
        self.challenge_at = None;
        self.next_tick = self.options.ticks.then(|| self.gateway.next_tick(now));
        let token = accepted.grant.as_ref().map(|grant| grant.token.expose());
        let handed_over = accepted
            .extra
            .iter()
            .map(|(role, grant)| DeviceTokenGrant {
                device_token: grant.token.expose().to_owned(),
                role: role.name().to_owned(),
                scopes: grant.scopes.names().map(str::to_owned).collect(),
                issued_at_ms: Some(grant.issued_at_ms),
            })
            .collect();
        out.json(&ResponseFrame {
            kind: "res",
            id,
            ok: true,
            payload: Some(Hello {
                kind: "hello-ok",
                protocol: accepted.protocol,
                server: ServerInfo {
                    version: self.gateway.config.version.clone(),
                    boot_id: self.gateway.boot_id.to_string(),
                    conn_id: self.conn_id.to_string(),
                },
                features: self.gateway.features.as_deref(),
                snapshot: json!({
                    "suspension": {"phase": "accepting"},
                    "presence": [],
                    "health": {},
                    "stateVersion": {"presence": 1, "health": 1},
                    "uptimeMs": crate::time::micros(now.since(self.gateway.config.started)) / 1000,
                    "sessionDefaults": {},
                }),
                auth: HelloAuth {
                    method: accepted.method.name(),
                    role: accepted.role.name(),
                    scopes: accepted.scopes,
                    device_token: token,
                    issued_at_ms: accepted.grant.as_ref().map(|grant| grant.issued_at_ms),
                    device_tokens: handed_over,
                },
                policy: self.gateway.policy(),
            }),
            error: None,
        });
    }

    /// A message of an accepted client.
    fn call(&mut self, now: Instant, text: &str, out: &mut Outbox<ServerEvent>) {
        let frame = serde_json::from_str::<Frame<'_>>(text).ok();
        let request = frame.as_ref().and_then(|frame| Some((frame, request_of(frame)?)));
        let Some((frame, (id, method))) = request else {
            let id = frame
                .as_ref()
                .and_then(|frame| frame.id.as_deref())
                .unwrap_or("invalid");
            server_rpc::refuse(out, id, server_rpc::invalid("invalid request frame".to_owned()));
            return;
        };
        if !self.options.answers_requests {
            self.unanswered = self.unanswered.saturating_add(1);
            return;
        }
        let caller = Caller {
            gateway: &self.gateway,
            role: self.role,
            scopes: self.scopes,
            device_id: self.device.as_ref().map(|device| &*device.device_id),
        };
        match server_rpc::serve(&caller, now, id, method, frame, out) {
            Served::Answered => self.wrong_role_calls = 0,
            Served::WrongRole => {
                self.wrong_role_calls += 1;
                if self.wrong_role_calls > MAX_WRONG_ROLE_CALLS {
                    self.close(1008, "repeated unauthorized calls", out);
                }
            }
        }
    }

    fn tick(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        self.next_tick = Some(self.gateway.next_tick(now));
        let wall_ms = self.gateway.wall_ms(now);
        self.broadcast("tick", &json!({"ts": wall_ms}), out);
        let period = crate::time::micros(self.gateway.config.tick_interval).max(1);
        let number = crate::time::micros(now.since(self.gateway.config.started)) / period;
        if self.gateway.config.health_events && number.is_multiple_of(2) {
            self.broadcast("health", &server_rpc::health(wall_ms), out);
        }
    }
}

/// Id and method, if this is a request.
fn request_of<'a>(frame: &'a Frame<'_>) -> Option<(&'a str, &'a str)> {
    let id = frame.id.as_deref().filter(|id| !id.is_empty())?;
    let method = frame.method.as_deref().filter(|method| !method.is_empty())?;
    (frame.kind == "req").then_some((id, method))
}

impl ServerDialect for Server {
    fn dialect(&self) -> Dialect {
        Dialect::Openclaw
    }

    fn upgraded(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        match self.options.challenge {
            Timing::Prompt => self.challenge(now, out),
            Timing::Delayed(delay) => self.challenge_at = Some(now + delay),
            Timing::Never => {}
        }
    }

    fn message(&mut self, now: Instant, message: Message<'_>, out: &mut Outbox<ServerEvent>) {
        let text = match message {
            Message::Text(text) => text,
            // The real gateway reads binary messages as text too.
            Message::Binary(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
            Message::Ping(_) | Message::Pong(_) => return,
        };
        match &mut self.state {
            State::Waiting(_) => self.first_message(now, text, out),
            State::Held(held) => {
                held.pending_frames += 1;
                if held.pending_frames > MAX_PENDING_FRAMES {
                    self.violate("too many pending handshake frames", out);
                }
            }
            State::Ready => self.call(now, text, out),
            State::Closed => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        if self.is_withdrawn() {
            return Some(Instant::ORIGIN);
        }
        let held = match &self.state {
            State::Held(held) => held.until,
            _ => None,
        };
        earliest(earliest(self.challenge_at, self.next_tick), held)
    }

    fn timer(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        if self.is_withdrawn() {
            let (code, reason) = CLOSE_DEVICE_REMOVED;
            return self.close(code, reason, out);
        }
        if self.challenge_at.is_some_and(|at| now >= at) {
            self.challenge(now, out);
        }
        if matches!(&self.state, State::Held(held) if held.until.is_some_and(|at| now >= at))
            && let State::Held(held) = std::mem::replace(&mut self.state, State::Closed)
        {
            self.answer(now, &held.id, held.answer, out);
        }
        if self.next_tick.is_some_and(|at| now >= at) {
            self.tick(now, out);
        }
    }

    fn stop(&mut self, _now: Instant, stop: Stop, out: &mut Outbox<ServerEvent>) {
        let payload = match stop {
            Stop::Stop => json!({"reason": "gateway stopping"}),
            Stop::Restart { expected_ms } => {
                json!({"reason": "gateway restarting", "restartExpectedMs": expected_ms})
            }
        };
        if matches!(self.state, State::Ready) {
            self.broadcast("shutdown", &payload, out);
            self.shutdown_announced = Some(matches!(stop, Stop::Restart { .. }));
        }
        self.close(1012, "service restart", out);
    }

    fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready)
    }

    fn observe(&self, _now: Instant, observation: &mut Observation) {
        observation.refusal = self.refusal.as_deref().cloned();
        observation.shutdown_announced = self.shutdown_announced;
        observation.pending_requests = self.unanswered;
        observation.violation = self.violation.map(|what| Violation {
            by: Side::Client,
            what: what.to_owned(),
        });
    }
}
