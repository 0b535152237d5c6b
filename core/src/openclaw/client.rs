//! The client's side: challenge, connect, hello-ok, ticks, pings, requests.

use super::account::{Account, Attempt};
use super::error_code::refusal_of;
use super::identity::{Identity, SignedFields, signature_text_v3};
use super::scopes::Role;
use super::wire::{
    Auth, Challenge, ClientInfo, ConnectParams, Device, Frame, HelloOk, RequestFrame, ResponseError,
};
use crate::heartbeat::{Action, Heartbeat};
use crate::secret::Secret;
use crate::session::{ClientDialect, ClientEvent, Message, Outbox};
use crate::time::{Instant, earliest};
use crate::verdict::{HeartbeatLoss, Observation, Side, Violation};
use crate::{Dialect, Stage};
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

const CONNECT_ID: &str = "c1";
/// The official client gives a request as long (protocol page, section 7).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Open requests kept per session; past it the oldest counts as unanswered.
const MAX_PENDING: usize = 256;

/// What is the same for all sessions of a kind.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Who connects.
    pub client: ClientInfo,
    /// `operator` or `node`.
    pub role: String,
    /// Scopes asked for.
    pub scopes: Vec<String>,
    /// Lowest and highest protocol offered.
    pub protocols: (u32, u32),
    /// Free text.
    pub user_agent: Option<String>,
    /// Period of the client's own ws pings; `None` for none.
    pub ping_period: Option<Duration>,
    /// How long an answer to a ping may take.
    pub ping_timeout: Duration,
    /// With which code it leaves: 1000, or 1001 where a page is left or loaded again.
    pub leave_code: u16,
    /// Close with 4000 when no tick came for two periods, as the official client does.
    pub watch_ticks: bool,
    /// What it does wrong on purpose, to see what a gateway makes of it.
    pub flaw: Option<Flaw>,
}

/// A client's mistake, made on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Never sends `connect`.
    NoConnect,
    /// Signs something else than it sends.
    BadSignature,
    /// Sends text that is no JSON as its first message.
    NotJson,
    /// Sends another request before `connect`.
    WrongFirst,
    /// Leaves when it is asked who it is, as helpers do.
    Leave,
}

/// What one session proves itself with.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// Shared token.
    pub token: Option<Secret>,
    /// Shared password.
    pub password: Option<Secret>,
    /// A token issued to this device.
    pub device_token: Option<Secret>,
    /// From a setup code.
    pub bootstrap_token: Option<Secret>,
    /// Device identity.
    pub identity: Option<Identity>,
}

/// One session's client.
pub struct Client {
    config: Arc<ClientConfig>,
    credentials: Arc<Credentials>,
    /// The device's account and its turn there, if its tokens outlive the connection.
    turn: Option<Box<(Arc<Account>, Attempt)>>,
    state: State,
    refusal: Option<Box<ResponseError>>,
    violation: Option<&'static str>,
    heartbeat: Heartbeat,
    heartbeat_loss: Option<HeartbeatLoss>,
    tick_period: Duration,
    last_tick: Option<Instant>,
    ticked: bool,
    broadcast_seq: Option<u64>,
    shutdown_announced: Option<bool>,
    next_request: u32,
    pending: Vec<Pending>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    AwaitChallenge,
    AwaitHello,
    Ready,
    Over,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    id: u32,
    call: u16,
    scheduled: Instant,
    sent: Instant,
}

impl Client {
    /// A client that waits for the 101.
    pub fn new(config: Arc<ClientConfig>, credentials: Arc<Credentials>) -> Self {
        Self {
            heartbeat: Heartbeat::new(config.ping_period, config.ping_timeout),
            config,
            credentials,
            turn: None,
            state: State::AwaitChallenge,
            refusal: None,
            violation: None,
            heartbeat_loss: None,
            tick_period: Duration::ZERO,
            last_tick: None,
            ticked: false,
            broadcast_seq: None,
            shutdown_announced: None,
            next_request: 0,
            pending: Vec::new(),
        }
    }

    /// The next connection of a device: shows what its account says, and tells the account what comes of it. `None`: all that
    /// the account held is dead.
    pub fn of_account(
        config: Arc<ClientConfig>,
        account: Arc<Account>,
        identity: Option<Identity>,
    ) -> Option<Self> {
        let role = Role::from_name(Some(&config.role)).unwrap_or(Role::Operator);
        let attempt = account.begin(role)?;
        let credentials = Credentials {
            token: attempt.token.clone(),
            password: attempt.password.clone(),
            device_token: attempt.device_token.clone(),
            bootstrap_token: attempt.bootstrap_token.clone(),
            identity,
        };
        Some(Self {
            turn: Some(Box::new((account, attempt))),
            ..Self::new(config, Arc::new(credentials))
        })
    }

    fn on_event(&mut self, now: Instant, frame: &Frame<'_>, out: &mut Outbox<ClientEvent>) {
        if let (Some(seq), Some(before)) = (frame.seq, self.broadcast_seq)
            && seq > before + 1
        {
            out.emit(ClientEvent::BroadcastsLost(seq - before - 1));
        }
        self.broadcast_seq = frame.seq.or(self.broadcast_seq);
        match frame.event.as_deref() {
            Some("connect.challenge") if self.state == State::AwaitChallenge => {
                let challenge = frame
                    .payload
                    .and_then(|p| serde_json::from_str::<Challenge<'_>>(p.get()).ok());
                match challenge {
                    Some(challenge) => self.answer(&challenge, out),
                    None => self.violated("connect.challenge without a nonce", out),
                }
            }
            Some("tick") => {
                let gap = self
                    .ticked
                    .then_some(self.last_tick)
                    .flatten()
                    .map(|at| now.since(at));
                out.emit(ClientEvent::Tick { gap });
                self.last_tick = Some(now);
                self.ticked = true;
            }
            Some("shutdown") => {
                let restart = frame
                    .payload
                    .is_some_and(|p| p.get().contains("restartExpectedMs"));
                self.shutdown_announced = Some(restart);
            }
            // Presence, health and whatever later releases add.
            _ => {}
        }
    }

    fn answer(&mut self, challenge: &Challenge<'_>, out: &mut Outbox<ClientEvent>) {
        match self.config.flaw {
            Some(Flaw::NoConnect) => return,
            Some(Flaw::Leave) => {
                self.state = State::Over;
                return out.close(Some(1000), "");
            }
            Some(Flaw::NotJson) => out.text("connect"),
            Some(Flaw::WrongFirst) => {
                out.json(&RequestFrame {
                    kind: "req",
                    id: CONNECT_ID,
                    method: "health",
                    params: [(); 0],
                });
            }
            Some(Flaw::BadSignature) | None => self.connect(challenge, out),
        }
        out.emit(ClientEvent::Reached(Stage::Auth));
        self.state = State::AwaitHello;
    }

    fn connect(&self, challenge: &Challenge<'_>, out: &mut Outbox<ClientEvent>) {
        let config = &self.config;
        let credentials = &self.credentials;
        let device = credentials.identity.as_ref().map(|identity| {
            let text = signature_text_v3(&SignedFields {
                device_id: &identity.device_id,
                client_id: &config.client.id,
                client_mode: &config.client.mode,
                role: &config.role,
                scopes: &config.scopes,
                signed_at_ms: challenge.ts,
                token: [
                    &credentials.token,
                    &credentials.device_token,
                    &credentials.bootstrap_token,
                ]
                .into_iter()
                .find_map(Option::as_ref),
                nonce: &challenge.nonce,
                platform: &config.client.platform,
                device_family: config.client.device_family.as_deref().unwrap_or_default(),
            });
            Device {
                id: identity.device_id.clone(),
                public_key: identity.public_key.clone(),
                signature: identity.sign(if config.flaw == Some(Flaw::BadSignature) {
                    ""
                } else {
                    &text
                }),
                signed_at: challenge.ts,
                nonce: challenge.nonce.clone().into_owned(),
            }
        });
        let text = |secret: &Option<Secret>| secret.as_ref().map(|s| s.expose().to_owned());
        let auth = Auth {
            token: text(&credentials.token),
            password: text(&credentials.password),
            device_token: text(&credentials.device_token),
            bootstrap_token: text(&credentials.bootstrap_token),
        };
        let params = ConnectParams {
            min_protocol: config.protocols.0,
            max_protocol: config.protocols.1,
            client: config.client.clone(),
            role: Some(config.role.clone()),
            scopes: Some(config.scopes.clone()),
            caps: Some(Vec::new()),
            commands: None,
            permissions: None,
            path_env: None,
            auth: (auth != Auth::default()).then_some(auth),
            device,
            locale: Some("en-US".to_owned()),
            user_agent: config.user_agent.clone(),
        };
        out.json(&RequestFrame {
            kind: "req",
            id: CONNECT_ID,
            method: "connect",
            params,
        });
    }

    fn on_response(&mut self, now: Instant, frame: Frame<'_>, out: &mut Outbox<ClientEvent>) {
        let id = frame.id.as_deref().unwrap_or_default();
        let ok = frame.ok.unwrap_or(false);
        if id == CONNECT_ID && self.state == State::AwaitHello {
            if ok {
                let hello = frame
                    .payload
                    .and_then(|p| serde_json::from_str::<HelloOk>(p.get()).ok());
                match hello {
                    Some(hello) => self.on_hello(now, hello, out),
                    None => self.violated("hello-ok that cannot be read", out),
                }
            } else {
                let error = frame.error.unwrap_or_default();
                if let Some((account, attempt)) = self.turn.as_deref() {
                    account.refused(attempt, &error);
                }
                self.refusal = Some(Box::new(error));
                self.state = State::Over;
            }
            return;
        }
        let number = id.strip_prefix('r').and_then(|n| n.parse::<u32>().ok());
        // An answer to a request that was given up, or to none: nothing to do.
        let Some(at) = number.and_then(|n| self.pending.iter().position(|p| p.id == n)) else {
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

    fn on_hello(&mut self, now: Instant, hello: HelloOk, out: &mut Outbox<ClientEvent>) {
        self.state = State::Ready;
        self.tick_period = Duration::from_millis(hello.policy.tick_interval_ms);
        self.last_tick = Some(now);
        self.heartbeat.start(now);
        if let Some((account, attempt)) = self.turn.as_deref() {
            account.accepted(attempt, &hello);
        }
        out.emit(ClientEvent::Reached(Stage::Ready));
        if !hello.server.version.is_empty() {
            out.emit(ClientEvent::ServerVersion(hello.server.version));
        }
        if let Some(token) = hello.auth.device_token {
            out.emit(ClientEvent::DeviceToken {
                role: hello.auth.role,
                token: Secret::new(token),
            });
        }
        for grant in hello.auth.device_tokens {
            out.emit(ClientEvent::DeviceToken {
                role: grant.role,
                token: Secret::new(grant.device_token),
            });
        }
    }

    /// When two tick periods will have passed in silence.
    fn tick_deadline(&self) -> Option<Instant> {
        let watched = self.state == State::Ready && self.config.watch_ticks && !self.tick_period.is_zero();
        self.last_tick
            .filter(|_| watched)
            .map(|at| at + 2 * self.tick_period)
    }

    fn lost(&mut self, silence: Duration, out: &mut Outbox<ClientEvent>) {
        self.heartbeat_loss = Some(HeartbeatLoss {
            missing_from: Side::Server,
            silence,
        });
        self.state = State::Over;
        out.emit(ClientEvent::HeartbeatMissed);
        out.close(Some(4000), "heartbeat timeout");
    }

    fn violated(&mut self, what: &'static str, out: &mut Outbox<ClientEvent>) {
        self.violation = Some(what);
        self.state = State::Over;
        out.close(Some(1002), what);
    }
}

impl ClientDialect for Client {
    fn dialect(&self) -> Dialect {
        Dialect::Openclaw
    }

    fn upgraded(&mut self, _now: Instant, _out: &mut Outbox<ClientEvent>) {}

    fn message(&mut self, now: Instant, message: Message<'_>, out: &mut Outbox<ClientEvent>) {
        if self.state == State::Over {
            return;
        }
        match message {
            Message::Text(text) => match serde_json::from_str::<Frame<'_>>(text) {
                Ok(frame) => match &*frame.kind {
                    "event" => self.on_event(now, &frame, out),
                    "res" => self.on_response(now, frame, out),
                    _ => {}
                },
                Err(_) => self.violated("message that is no JSON frame", out),
            },
            Message::Pong(_) => {
                if let Some(rtt) = self.heartbeat.answered(now) {
                    out.emit(ClientEvent::HeartbeatAnswered { rtt });
                }
            }
            Message::Ping(_) | Message::Binary(_) => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let request = self.pending.iter().map(|p| p.sent + REQUEST_TIMEOUT).min();
        earliest(earliest(self.heartbeat.deadline(), self.tick_deadline()), request)
    }

    fn timer(&mut self, now: Instant, out: &mut Outbox<ClientEvent>) {
        self.pending.retain(|p| {
            let waits = now.since(p.sent) < REQUEST_TIMEOUT;
            if !waits {
                out.emit(ClientEvent::Unanswered { call: p.call });
            }
            waits
        });
        match self.heartbeat.poll(now) {
            Action::Send => {
                out.ping(b"clw");
                out.emit(ClientEvent::HeartbeatSent);
            }
            Action::Missed { silence } => return self.lost(silence, out),
            Action::Nothing => {}
        }
        if self.tick_deadline().is_some_and(|at| now >= at) {
            self.lost(now.since(self.last_tick.unwrap_or(now)), out);
        }
    }

    fn log_out(&mut self, _now: Instant, out: &mut Outbox<ClientEvent>) {
        self.state = State::Over;
        out.close(Some(self.config.leave_code), "done");
    }

    fn request(
        &mut self,
        now: Instant,
        call: u16,
        scheduled: Instant,
        method: &str,
        params: &str,
        out: &mut Outbox<ClientEvent>,
    ) -> bool {
        let Ok(params) = serde_json::from_str::<&RawValue>(params) else {
            return false;
        };
        if self.pending.len() >= MAX_PENDING {
            let oldest = self.pending.remove(0);
            out.emit(ClientEvent::Unanswered { call: oldest.call });
        }
        let id = self.next_request;
        self.next_request = self.next_request.wrapping_add(1);
        out.json(&RequestFrame {
            kind: "req",
            id: &format!("r{id}"),
            method,
            params,
        });
        self.pending.push(Pending {
            id,
            call,
            scheduled,
            sent: now,
        });
        true
    }

    fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    fn observe(&self, _now: Instant, observation: &mut Observation) {
        observation.refusal = self.refusal.as_deref().map(refusal_of);
        observation.shutdown_announced = self.shutdown_announced;
        observation.heartbeat_loss = self.heartbeat_loss;
        observation.pending_requests = u32::try_from(self.pending.len()).unwrap_or(u32::MAX);
        if let Some(what) = self.violation {
            observation.violation = Some(Violation {
                by: Side::Server,
                what: what.to_owned(),
            });
        }
    }
}
