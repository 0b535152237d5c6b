//! What a client is told to do.

use std::time::Duration;

/// How a `hello-fail` is read; the generations of clients differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// As the plugin of May 2026: by parts of the text; an unknown reason refreshes a token that is near its end.
    #[default]
    Seed,
    /// As the guide of August 2026: by the exact text; an unknown reason never refreshes.
    Current,
}

/// How a client finds out that its connection is dead (protocol page, Heartbeat).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beats {
    /// The OpenClaw plugin: JSON `ping`; unanswered, it closes 4000.
    #[default]
    Json,
    /// The Hermes plugin: ws pings; unanswered, it closes 1011.
    WebSocket,
}

/// A client's mistake, made on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Never sends `connect`.
    NoConnect,
    /// Sends text that is no JSON as its first message.
    NotJson,
    /// Sends another event before `connect`.
    WrongFirst,
}

/// What is the same for all sessions of a kind (defaults: protocol page, Heartbeat, and the seed's generation).
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// How it keeps the connection alive.
    pub beats: Beats,
    /// Period of that; `None`: it only answers.
    pub ping_period: Option<Duration>,
    /// How long an answer may take.
    pub pong_timeout: Duration,
    /// How it reads a refusal.
    pub reading: Reading,
    /// Renew tokens before their end and after a refusal.
    pub refresh: bool,
    /// What it does wrong on purpose.
    pub flaw: Option<Flaw>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            beats: Beats::default(),
            ping_period: Some(Duration::from_secs(20)),
            pong_timeout: Duration::from_secs(10),
            reading: Reading::default(),
            refresh: true,
            flaw: None,
        }
    }
}
