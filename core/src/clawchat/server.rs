//! The server's side: challenge, hello, replay, acks, and the end of whoever another connection replaces.

use super::backend::Place;
use super::client::epoch_s;
use super::envelope::{
    Challenge, Connect, Empty, Envelope, Event, HelloFailPayload, HelloOk, Signal, event_name,
};
use super::{Backend, HelloFail, refusal_class};
use crate::Dialect;
use crate::session::{Message, Outbox, ServerDialect, ServerEvent, Stop};
use crate::time::Instant;
use crate::verdict::{Observation, Refusal, Side, Violation};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// What a replaced connection is told (protocol page, Ways a session ends).
const CLOSE_REPLACED: (u16, &str) = (4001, "connection replaced by a newer session for this device");

/// A session's number, unique among those of a [`Backend`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One connection's server. Dropping it makes room for the device's next connection.
pub struct Server {
    backend: Backend,
    session: SessionId,
    state: State,
    nonce: String,
    live: Option<Box<Live>>,
    trouble: Option<Box<Trouble>>,
    faults: Faults,
    /// Requests that got no answer.
    unanswered: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The challenge waits for its (late) time.
    Late {
        until: Instant,
    },
    AwaitConnect,
    Ready,
    Over,
}

struct Live {
    user: Box<str>,
    device: Box<str>,
    place: Place,
}

#[derive(Debug, Default)]
struct Trouble {
    refusal: Option<Refusal>,
    violation: Option<Violation>,
}

/// What goes wrong on purpose.
#[derive(Clone, Copy, Debug, Default)]
struct Faults {
    challenge: Timing,
    deaf: bool,
    mute: bool,
    refuse: Option<HelloFail>,
    unavailable: bool,
    life: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Timing {
    #[default]
    AtOnce,
    After(Duration),
    Never,
}

impl Server {
    /// The server of one connection. `session` must be unique among all sessions of `backend`.
    pub fn new(backend: Backend, session: SessionId) -> Self {
        let mut bytes = [0; 18];
        ChaCha8Rng::seed_from_u64(backend.config().seed ^ session.0).fill_bytes(&mut bytes);
        Self {
            nonce: URL_SAFE_NO_PAD.encode(bytes),
            backend,
            session,
            state: State::AwaitConnect,
            live: None,
            trouble: None,
            faults: Faults::default(),
            unanswered: 0,
        }
    }

    /// The session's id.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Sends no challenge (`None`), or so late.
    pub fn delay_challenge(&mut self, delay: Option<Duration>) {
        self.faults.challenge = delay.map_or(Timing::Never, Timing::After);
    }

    /// The login stays unheard.
    pub fn ignore_login(&mut self, deaf: bool) {
        self.faults.deaf = deaf;
    }

    /// Messages and pings stay unanswered from now on.
    pub fn stop_answering(&mut self) {
        self.faults.mute = true;
    }

    /// Refuses the login for this reason, whatever it says.
    pub fn refuse_logins(&mut self, why: HelloFail) {
        self.faults.refuse = Some(why);
    }

    /// Closes 1013 when the login comes.
    pub fn be_unavailable(&mut self) {
        self.faults.unavailable = true;
    }

    /// Tokens count as run out so long after they were made.
    pub fn set_token_life(&mut self, life: Duration) {
        self.faults.life = Some(life);
    }

    /// Ends the session as one that another connection of its device has replaced.
    pub fn replace(&mut self, out: &mut Outbox<ServerEvent>) {
        let (code, reason) = CLOSE_REPLACED;
        out.close(Some(code), reason);
        self.state = State::Over;
    }

    fn epoch_ms(&self, now: Instant) -> u64 {
        self.backend
            .config()
            .epoch_ms
            .saturating_add(now.as_micros() / 1000)
    }

    fn challenge(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        let payload = Challenge {
            nonce: Some(Cow::Borrowed(&self.nonce)),
        };
        out.json(&Event::new(
            event_name::CHALLENGE,
            "challenge",
            self.epoch_ms(now),
            payload,
        ));
        self.state = State::AwaitConnect;
    }

    fn on_login(&mut self, now: Instant, text: &str, out: &mut Outbox<ServerEvent>) {
        if self.faults.unavailable {
            out.close(Some(1013), "starting, try again later");
            self.state = State::Over;
            return;
        }
        let envelope = Envelope::read(text);
        let trace = envelope.as_ref().map(|e| e.trace_id.clone()).unwrap_or_default();
        match self.check_login(now, envelope.as_ref()) {
            Ok((user, device)) => self.accept(now, &trace, &user, &device, out),
            Err(why) => self.refuse(now, &trace, why, out),
        }
    }

    /// The user and the device, in the order of the checks that the reasons tell.
    fn check_login(
        &self,
        now: Instant,
        envelope: Option<&Envelope<'_>>,
    ) -> Result<(String, String), HelloFail> {
        if let Some(why) = self.faults.refuse {
            return Err(why);
        }
        let envelope = envelope
            .filter(|envelope| envelope.event == event_name::CONNECT)
            .ok_or(HelloFail::InvalidEvent)?;
        let connect: Connect<'_> = envelope.payload().ok_or(HelloFail::InvalidPayload)?;
        if connect.nonce != self.nonce {
            return Err(HelloFail::NonceMismatch);
        }
        let now_s = epoch_s(self.backend.config().epoch_ms, now);
        let user = self
            .backend
            .authority()
            .check(&connect.token, now_s, self.faults.life)
            .ok_or(HelloFail::AuthenticationFailed)?;
        let device = connect.device_id.filter(|id| !id.is_empty()).map(Cow::into_owned);
        Ok((user.clone(), device.unwrap_or(user)))
    }

    fn accept(&mut self, now: Instant, trace: &str, user: &str, device: &str, out: &mut Outbox<ServerEvent>) {
        let epoch_ms = self.epoch_ms(now);
        let payload = HelloOk {
            device_id: Cow::Borrowed(device),
            delivery_mode: Cow::Borrowed("device_replay"),
        };
        out.json(&Event::new(event_name::HELLO_OK, trace, epoch_ms, payload));
        let (place, before) = self.backend.take_place(user, device, self.session);
        if let Some(session) = before {
            out.emit(ServerEvent::TookOver { session: session.0 });
        }
        self.live = Some(Box::new(Live {
            user: user.into(),
            device: device.into(),
            place,
        }));
        self.state = State::Ready;
        self.replay(epoch_ms, out);
    }

    /// What the device missed, always ended by one `replay.done`; then the same notifications live, as a server that does
    /// not know what was delivered.
    fn replay(&self, epoch_ms: u64, out: &mut Outbox<ServerEvent>) {
        let signals = self.backend.config().signals;
        let signal = |number: u32, out: &mut Outbox<ServerEvent>| {
            let payload = Signal {
                kind: Cow::Borrowed("agent.config.changed"),
                entity_id: Cow::Borrowed("agt_1"),
                event_id: Cow::Owned(format!("ntf_{number:08}")),
            };
            out.json(&Event::new(
                event_name::NOTIFY_SIGNAL,
                "replay",
                epoch_ms,
                payload,
            ));
        };
        for number in 0..signals {
            signal(number, out);
        }
        let id = format!("rd-{}", self.session);
        out.json(&Event::new(event_name::REPLAY_DONE, &id, epoch_ms, Empty {}));
        for number in 0..signals {
            signal(number, out);
        }
    }

    /// `hello-fail`, then the end of the transport without a close frame.
    fn refuse(&mut self, now: Instant, trace: &str, why: HelloFail, out: &mut Outbox<ServerEvent>) {
        let reason = why.reason();
        let payload = HelloFailPayload {
            reason: Cow::Borrowed(reason),
        };
        out.json(&Event::new(
            event_name::HELLO_FAIL,
            trace,
            self.epoch_ms(now),
            payload,
        ));
        out.emit(ServerEvent::Refused { code: reason });
        out.emit(ServerEvent::Log(format!(
            "closed before connect conn={} reason={reason}",
            self.session
        )));
        self.trouble.get_or_insert_default().refusal = Some(Refusal {
            class: refusal_class(reason),
            code: reason.to_owned(),
            message: reason.to_owned(),
        });
        self.state = State::Over;
        out.finish(crate::session::Finish::Fin);
    }

    fn on_message(&mut self, now: Instant, text: &str, out: &mut Outbox<ServerEvent>) {
        // Bad JSON and unknown events are met with silence (protocol page, Load).
        let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(text) else {
            return;
        };
        let epoch_ms = self.epoch_ms(now);
        let trace = &*envelope.trace_id;
        let is_request = matches!(
            &*envelope.event,
            event_name::PING
                | event_name::MESSAGE_SEND
                | event_name::MESSAGE_REPLY
                | event_name::PRESENCE_SUBSCRIBE
        );
        if self.faults.mute {
            self.unanswered += u32::from(is_request);
            return;
        }
        if envelope.version != super::envelope::VERSION {
            let payload = json!({"code": "unsupported_version", "rejected_at": epoch_ms});
            out.json(&Event::new(event_name::MESSAGE_ERROR, trace, epoch_ms, payload));
            return;
        }
        match &*envelope.event {
            event_name::PING => {
                out.json(
                    &Event::new(event_name::PONG, trace, epoch_ms, Empty {}).repeating(envelope.emitted_at),
                );
                out.emit(ServerEvent::Heartbeat);
            }
            event_name::MESSAGE_SEND | event_name::MESSAGE_REPLY => {
                // Without a conversation it goes nowhere, and nobody says so.
                let Some(chat) = envelope.chat_id.as_deref() else {
                    return;
                };
                let id = envelope
                    .payload::<serde_json::Map<String, serde_json::Value>>()
                    .and_then(|mut payload| payload.remove("message_id"));
                let payload = json!({"message_id": id, "accepted_at": epoch_ms});
                out.json(&Event::new(event_name::MESSAGE_ACK, trace, epoch_ms, payload).in_chat(Some(chat)));
                out.emit(ServerEvent::Served);
            }
            // The close is the answer: the device comes back and is replayed everything.
            event_name::CURSOR_RESET => {
                out.close(None, "");
                self.state = State::Over;
            }
            event_name::PRESENCE_SUBSCRIBE => {
                let payload = json!({"users": []});
                out.json(&Event::new(
                    event_name::PRESENCE_SNAPSHOT,
                    trace,
                    epoch_ms,
                    payload,
                ));
                out.emit(ServerEvent::Served);
            }
            _ => {}
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(live) = &self.live {
            self.backend.leave_place(&live.user, &live.device, self.session);
        }
    }
}

impl ServerDialect for Server {
    fn dialect(&self) -> Dialect {
        Dialect::Clawchat
    }

    fn upgraded(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        match self.faults.challenge {
            Timing::AtOnce => self.challenge(now, out),
            Timing::After(delay) => self.state = State::Late { until: now + delay },
            Timing::Never => {}
        }
    }

    fn message(&mut self, now: Instant, message: Message<'_>, out: &mut Outbox<ServerEvent>) {
        match (self.state, message) {
            (State::Ready, Message::Text(text)) => self.on_message(now, text, out),
            (State::AwaitConnect | State::Late { .. }, Message::Text(_)) if self.faults.deaf => {}
            (State::AwaitConnect | State::Late { .. }, Message::Text(text)) => self.on_login(now, text, out),
            (State::AwaitConnect | State::Late { .. } | State::Ready, Message::Binary(_)) => {
                let what = "a binary message where only text may come";
                out.close(Some(1003), what);
                self.trouble.get_or_insert_default().violation = Some(Violation {
                    by: Side::Client,
                    what: what.to_owned(),
                });
                self.state = State::Over;
            }
            _ => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Late { until } => Some(until),
            // Whoever took the place wakes this connection; it is late already.
            State::Ready => self
                .live
                .as_ref()
                .filter(|live| live.place.is_lost())
                .map(|_| Instant::ORIGIN),
            State::AwaitConnect | State::Over => None,
        }
    }

    fn timer(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        match self.state {
            State::Late { until } if now >= until => self.challenge(now, out),
            State::Ready if self.live.as_ref().is_some_and(|live| live.place.is_lost()) => self.replace(out),
            _ => {}
        }
    }

    fn stop(&mut self, _now: Instant, stop: Stop, out: &mut Outbox<ServerEvent>) {
        match stop {
            Stop::Stop => out.close(Some(1001), "going away"),
            Stop::Restart { .. } => out.close(Some(1012), "service restart"),
        }
        self.state = State::Over;
    }

    fn is_ready(&self) -> bool {
        self.live.is_some()
    }

    fn observe(&self, _now: Instant, seen: &mut Observation) {
        seen.pending_requests = self.unanswered;
        if let Some(trouble) = &self.trouble {
            seen.refusal.clone_from(&trouble.refusal);
            if trouble.violation.is_some() {
                seen.violation.clone_from(&trouble.violation);
            }
        }
    }
}
