//! What a machine wants done: bytes to send, events to count, the connection to be ended.

use crate::Stage;
use crate::clw::{DATAGRAM_BYTES, SessionKey};
use crate::secret::Secret;
use crate::ws::{self, Control, Data, Masks, OpCode};
use std::time::Duration;

/// What a client's machine reports as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// The session entered this stage now.
    Reached(Stage),
    /// A heartbeat (ws ping, AUTH_PING) was sent.
    HeartbeatSent,
    /// Its answer came.
    HeartbeatAnswered {
        /// Round trip.
        rtt: Duration,
    },
    /// Its answer did not come in time.
    HeartbeatMissed,
    /// The server takes heartbeats as datagrams too, at this port of its address; this session's have this key.
    DatagramsOffered {
        /// UDP port.
        port: u16,
        /// The session's id in them.
        session: SessionKey,
    },
    /// A heartbeat to be sent as a datagram.
    Datagram([u8; DATAGRAM_BYTES]),
    /// The answer to a heartbeat as a datagram came.
    DatagramAnswered {
        /// Round trip.
        rtt: Duration,
    },
    /// Answers to so many heartbeats as datagrams did not come in time.
    DatagramsLost(u64),
    /// Datagrams go out and none comes back, while the stream lives: told once, and again after a datagram has come.
    OneWayLoss,
    /// A server's heartbeat (tick) came.
    Tick {
        /// Time since the one before.
        gap: Option<Duration>,
    },
    /// A request was answered.
    Answered {
        /// Which call of the scenario.
        call: u16,
        /// From its scheduled instant.
        response: Duration,
        /// From the instant it was sent.
        service: Duration,
        /// Whether the answer was a success.
        ok: bool,
    },
    /// A request got no answer in time.
    Unanswered {
        /// Which call of the scenario.
        call: u16,
    },
    /// The token was refreshed in the session.
    Refreshed,
    /// A refresh was refused: the credential is dead.
    RefreshRefused,
    /// A new token is needed for a refresh, and is to be got elsewhere; the machine watches its account for it (CLW).
    TokenWanted,
    /// The token should be renewed beside the connection (ClawChat's REST endpoint); the machine watches for the result.
    RefreshDue,
    /// A notification came (ClawChat).
    Notified {
        /// Not a copy of one that was seen before.
        is_new: bool,
    },
    /// The server issued a device token.
    DeviceToken {
        /// The role it is for.
        role: String,
        /// The token.
        token: Secret,
    },
    /// The server told its version.
    ServerVersion(String),
    /// Time of a broadcast lost (a jump in `seq`), how many.
    BroadcastsLost(u64),
}

/// What a server's machine reports as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// The session entered this stage now.
    Reached(Stage),
    /// Credentials were refused; the code is the wire's most specific one.
    Refused {
        /// E.g. `AUTH_TOKEN_MISMATCH`.
        code: &'static str,
    },
    /// A request was served.
    Served,
    /// A heartbeat of the client was answered, or the client answered the server's.
    Heartbeat,
    /// A token was refreshed.
    Refreshed,
    /// The place of another session was taken, or its authority withdrawn: that one is to be woken, so that it can say goodbye.
    TookOver {
        /// Its number.
        session: u64,
    },
    /// A line for the gateway's log (without time and prefix).
    Log(String),
}

/// Scratch that a machine writes into. One serves all sessions of a worker: it is emptied after each call.
#[derive(Debug)]
pub struct Outbox<E> {
    /// Bytes to send, already framed.
    pub bytes: Vec<u8>,
    /// What happened, in order.
    pub events: Vec<E>,
    /// A close frame was written: its code and reason.
    pub closed: Option<(Option<u16>, String)>,
    /// End the transport once `bytes` are sent.
    pub finish: Option<Finish>,
    masks: Option<Masks>,
    frames: u64,
}

/// How to end a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// FIN after everything is sent.
    Fin,
    /// RST at once.
    Rst,
}

impl<E> Outbox<E> {
    /// For a client: frames are masked, from a seed.
    pub fn client(seed: u64) -> Self {
        Self::new(Some(Masks::new(seed)))
    }

    /// For a server: frames are not masked.
    pub fn server() -> Self {
        Self::new(None)
    }

    fn new(masks: Option<Masks>) -> Self {
        Self {
            bytes: Vec::new(),
            events: Vec::new(),
            closed: None,
            finish: None,
            masks,
            frames: 0,
        }
    }

    /// Reports an event.
    pub fn emit(&mut self, event: E) {
        self.events.push(event);
    }

    /// Sends a text message.
    pub fn text(&mut self, text: &str) {
        self.frame(OpCode::Data(Data::Text), |out| {
            out.extend_from_slice(text.as_bytes());
        });
    }

    /// Sends a value as a JSON text message.
    pub fn json(&mut self, value: &impl serde::Serialize) {
        // Only maps with keys that are no strings fail; none of the wire types has one.
        self.frame(OpCode::Data(Data::Text), |out| {
            let _ = serde_json::to_writer(out, value);
        });
    }

    /// Sends a binary message made of `parts`.
    pub fn binary(&mut self, parts: &[&[u8]]) {
        self.frame(OpCode::Data(Data::Binary), |out| {
            for part in parts {
                out.extend_from_slice(part);
            }
        });
    }

    /// Sends a ping.
    pub fn ping(&mut self, payload: &[u8]) {
        self.frame(OpCode::Control(Control::Ping), |out| {
            out.extend_from_slice(payload);
        });
    }

    /// Sends a pong.
    pub fn pong(&mut self, payload: &[u8]) {
        self.frame(OpCode::Control(Control::Pong), |out| {
            out.extend_from_slice(payload);
        });
    }

    /// Sends a close frame, once; a second call does nothing. The reason is cut at 123 bytes.
    pub fn close(&mut self, code: Option<u16>, reason: &str) {
        if self.closed.is_some() {
            return;
        }
        let cut = (0..=reason.len().min(123))
            .rev()
            .find(|&i| reason.is_char_boundary(i))
            .unwrap_or(0);
        let reason = &reason[..cut];
        self.frame(OpCode::Control(Control::Close), |out| {
            if let Some(code) = code {
                out.extend_from_slice(&code.to_be_bytes());
                out.extend_from_slice(reason.as_bytes());
            }
        });
        self.closed = Some((code, reason.to_owned()));
    }

    /// Ends the transport after what is already queued.
    pub fn finish(&mut self, how: Finish) {
        self.finish.get_or_insert(how);
    }

    /// Frames written since the last [`Outbox::clear`].
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Empties it for the next call.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.events.clear();
        self.closed = None;
        self.finish = None;
        self.frames = 0;
    }

    fn frame(&mut self, opcode: OpCode, payload: impl FnOnce(&mut Vec<u8>)) {
        let mask = self.masks.as_mut().map(Masks::next_mask);
        ws::write_frame(&mut self.bytes, opcode, mask, payload);
        self.frames += 1;
    }
}
