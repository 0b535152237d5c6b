//! The envelope around every message (protocol page, Envelope).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The only version there is.
pub const VERSION: &str = "2";

/// Names of events, as far as this project branches on them.
#[expect(missing_docs, reason = "the protocol page explains each")]
pub mod event_name {
    pub const CHALLENGE: &str = "connect.challenge";
    pub const CONNECT: &str = "connect";
    pub const HELLO_OK: &str = "hello-ok";
    pub const HELLO_FAIL: &str = "hello-fail";
    pub const REPLAY_DONE: &str = "replay.done";
    pub const PING: &str = "ping";
    pub const PONG: &str = "pong";
    pub const MESSAGE_SEND: &str = "message.send";
    pub const MESSAGE_REPLY: &str = "message.reply";
    pub const MESSAGE_ACK: &str = "message.ack";
    pub const MESSAGE_ERROR: &str = "message.error";
    pub const NOTIFY_SIGNAL: &str = "notify.signal";
    pub const CURSOR_RESET: &str = "device.cursor.reset";
    pub const PRESENCE_SUBSCRIBE: &str = "presence.subscribe";
    pub const PRESENCE_SNAPSHOT: &str = "presence.snapshot";
}

/// Any message, read just far enough to know what to do with it.
#[derive(Debug, Deserialize)]
pub struct Envelope<'a> {
    /// `2`, or the message belongs to another protocol.
    #[serde(borrow)]
    pub version: Cow<'a, str>,
    /// Its name.
    #[serde(borrow)]
    pub event: Cow<'a, str>,
    /// Joins an answer to its question.
    #[serde(borrow, default)]
    pub trace_id: Cow<'a, str>,
    /// Milliseconds since 1970, unread: an answer repeats it as it came.
    #[serde(borrow, default)]
    pub emitted_at: Option<&'a RawValue>,
    /// Where a business message goes.
    #[serde(borrow, default)]
    pub chat_id: Option<Cow<'a, str>>,
    /// What it carries, unread.
    #[serde(borrow, default)]
    pub payload: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    /// Reads a text message; `None` if it is no envelope of this version (protocol page, Recognising it in packets).
    pub fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str::<Self>(text)
            .ok()
            .filter(|envelope| envelope.version == VERSION && envelope.payload.is_some())
    }

    /// Reads the payload as `T`; `None` if it is something else.
    pub fn payload<T: Deserialize<'a>>(&self) -> Option<T> {
        serde_json::from_str(self.payload?.get()).ok()
    }
}

/// When a message was made.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
pub enum EmittedAt<'a> {
    /// Milliseconds since 1970.
    Ms(u64),
    /// As the question had it.
    Repeated(&'a RawValue),
}

/// A message, to be written.
#[derive(Debug, Serialize)]
pub struct Event<'a, P> {
    version: &'static str,
    #[serde(rename = "event")]
    name: &'a str,
    trace_id: &'a str,
    emitted_at: EmittedAt<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat_id: Option<&'a str>,
    payload: P,
}

impl<'a, P: Serialize> Event<'a, P> {
    /// A message made `epoch_ms` milliseconds after 1970.
    pub fn new(name: &'a str, trace_id: &'a str, epoch_ms: u64, payload: P) -> Self {
        Self {
            version: VERSION,
            name,
            trace_id,
            emitted_at: EmittedAt::Ms(epoch_ms),
            chat_id: None,
            payload,
        }
    }

    /// The same, of a conversation.
    #[must_use]
    pub fn in_chat(mut self, chat_id: Option<&'a str>) -> Self {
        self.chat_id = chat_id;
        self
    }

    /// The same, with its question's time where that had one.
    #[must_use]
    pub fn repeating(mut self, emitted_at: Option<&'a RawValue>) -> Self {
        if let Some(raw) = emitted_at {
            self.emitted_at = EmittedAt::Repeated(raw);
        }
        self
    }
}

/// A payload without content.
#[derive(Debug, Serialize)]
pub struct Empty {}

/// The challenge's payload.
#[derive(Debug, Serialize, Deserialize)]
pub struct Challenge<'a> {
    /// To be echoed; `None` where a server forgot it.
    #[serde(borrow, default)]
    pub nonce: Option<Cow<'a, str>>,
}

/// What a client says of itself. No `Debug`: it holds the token.
#[derive(Serialize, Deserialize)]
pub struct Connect<'a> {
    /// Bearer token.
    #[serde(borrow)]
    pub token: Cow<'a, str>,
    /// The challenge's.
    #[serde(borrow)]
    pub nonce: Cow<'a, str>,
    /// Which device; the server takes the user's id without it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<Cow<'a, str>>,
    /// What the client can do.
    #[serde(default)]
    pub capabilities: Capabilities,
}

/// What a client can do; absent is false.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "they are separate on the wire")]
pub struct Capabilities {
    multi_device: bool,
    device_replay: bool,
    chat_meta_events: bool,
    notify_signals: bool,
    permission_events: bool,
}

impl Capabilities {
    /// The five that the agent plugins send.
    pub const PLUGIN: Self = Self {
        multi_device: false,
        device_replay: true,
        chat_meta_events: true,
        notify_signals: true,
        permission_events: true,
    };
}

/// The server's acceptance.
#[derive(Debug, Serialize, Deserialize)]
pub struct HelloOk<'a> {
    /// The device id to keep and send next time.
    #[serde(borrow, default)]
    pub device_id: Cow<'a, str>,
    /// `device_replay`.
    #[serde(borrow, default)]
    pub delivery_mode: Cow<'a, str>,
}

/// The server's refusal.
#[derive(Debug, Serialize, Deserialize)]
pub struct HelloFailPayload<'a> {
    /// One of five texts, or a later server's own.
    #[serde(borrow, default)]
    pub reason: Cow<'a, str>,
}

/// A notification without content.
#[derive(Debug, Serialize, Deserialize)]
pub struct Signal<'a> {
    /// `friend.added` …
    #[serde(borrow, rename = "type", default)]
    pub kind: Cow<'a, str>,
    /// What it is about.
    #[serde(borrow, default)]
    pub entity_id: Cow<'a, str>,
    /// Unique: the live and the replayed copy share it.
    #[serde(borrow, default)]
    pub event_id: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_is_known_by_its_version_and_payload() {
        let text = r#"{"version":"2","event":"ping","trace_id":"t","emitted_at":7,"payload":{}}"#;
        let envelope = Envelope::read(text).unwrap();
        assert_eq!((&*envelope.event, &*envelope.trace_id), ("ping", "t"));
        for other in [
            r#"{"type":"event","event":"connect.challenge","payload":{"nonce":"n"}}"#,
            r#"{"version":"3","event":"ping","payload":{}}"#,
            r#"{"version":"2","event":"ping"}"#,
            "[]",
            "",
        ] {
            assert!(Envelope::read(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_pong_repeats_the_time_of_its_ping_byte_for_byte() {
        let text = r#"{"version":"2","event":"ping","trace_id":"t","emitted_at":1.50e3,"payload":{}}"#;
        let ping = Envelope::read(text).unwrap();
        let pong = Event::new(event_name::PONG, &ping.trace_id, 9, Empty {}).repeating(ping.emitted_at);
        assert_eq!(
            serde_json::to_string(&pong).unwrap(),
            r#"{"version":"2","event":"pong","trace_id":"t","emitted_at":1.50e3,"payload":{}}"#
        );
    }
}
