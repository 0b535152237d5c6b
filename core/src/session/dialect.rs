//! The seam where a dialect plugs in.

use super::{ClientEvent, Outbox, ServerEvent};
use crate::Dialect;
use crate::time::Instant;
use crate::verdict::{CloseFrame, Observation};

/// A WebSocket message, as a dialect sees it. Close frames and answers to pings are handled around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A pong came for a ping that this side sent.
    Pong(&'a [u8]),
    /// The peer sent a ping (its pong is already on the way).
    Ping(&'a [u8]),
}

/// The client's side of a dialect, from the 101 on.
pub trait ClientDialect: Send {
    /// Which dialect.
    fn dialect(&self) -> Dialect;

    /// Subprotocols to offer in the upgrade.
    fn protocols(&self) -> &'static [&'static str] {
        &[]
    }

    /// The server answered 101.
    fn upgraded(&mut self, now: Instant, out: &mut Outbox<ClientEvent>);

    /// A message came.
    fn message(&mut self, now: Instant, message: Message<'_>, out: &mut Outbox<ClientEvent>);

    /// A datagram came for this session, beside its stream (CLW).
    fn datagram(&mut self, now: Instant, bytes: &[u8], out: &mut Outbox<ClientEvent>) {
        let _ = (now, bytes, out);
    }

    /// Datagrams that were offered cannot be sent from here: they are left out.
    fn without_datagrams(&mut self) {}

    /// When [`ClientDialect::timer`] wants to be called, if nothing else happens.
    fn deadline(&self) -> Option<Instant>;

    /// A deadline has passed. May be called early; must not assume which one.
    fn timer(&mut self, now: Instant, out: &mut Outbox<ClientEvent>);

    /// Ends a ready session gracefully, in the dialect's words (and with [`Outbox::close`] where these end it).
    fn log_out(&mut self, now: Instant, out: &mut Outbox<ClientEvent>);

    /// Sends request number `call` of the scenario. Returns `false` if the dialect has no requests or is not ready.
    fn request(
        &mut self,
        now: Instant,
        call: u16,
        scheduled: Instant,
        method: &str,
        params: &str,
        out: &mut Outbox<ClientEvent>,
    ) -> bool {
        let _ = (now, call, scheduled, method, params, out);
        false
    }

    /// Whether the server's acceptance (hello-ok, AUTH_OK) has come.
    fn is_ready(&self) -> bool;

    /// Adds what only the dialect knows: refusal, disconnect, logged_out, shutdown_announced, heartbeat_loss,
    /// pending_requests, token_expired, violation.
    fn observe(&self, now: Instant, observation: &mut Observation);
}

/// Why a server ends everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It stops.
    Stop,
    /// It restarts and says when it expects to be back.
    Restart {
        /// Expected time until it is back, in milliseconds.
        expected_ms: u64,
    },
}

/// The server's side of a dialect, from the 101 on.
pub trait ServerDialect: Send {
    /// Which dialect.
    fn dialect(&self) -> Dialect;

    /// 101 was sent; greet the client where the dialect does so.
    fn upgraded(&mut self, now: Instant, out: &mut Outbox<ServerEvent>);

    /// A message came.
    fn message(&mut self, now: Instant, message: Message<'_>, out: &mut Outbox<ServerEvent>);

    /// The client sent a close frame; it is echoed around this.
    fn peer_closed(&mut self, now: Instant, frame: &CloseFrame) {
        let _ = (now, frame);
    }

    /// When [`ServerDialect::timer`] wants to be called.
    fn deadline(&self) -> Option<Instant>;

    /// A deadline has passed.
    fn timer(&mut self, now: Instant, out: &mut Outbox<ServerEvent>);

    /// The gateway stops or restarts: say so and close.
    fn stop(&mut self, now: Instant, stop: Stop, out: &mut Outbox<ServerEvent>);

    /// Whether the client was accepted.
    fn is_ready(&self) -> bool;

    /// Adds what only the dialect knows.
    fn observe(&self, now: Instant, observation: &mut Observation);
}

impl<T: ServerDialect + ?Sized> ServerDialect for Box<T> {
    fn dialect(&self) -> Dialect {
        (**self).dialect()
    }

    fn upgraded(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        (**self).upgraded(now, out);
    }

    fn message(&mut self, now: Instant, message: Message<'_>, out: &mut Outbox<ServerEvent>) {
        (**self).message(now, message, out);
    }

    fn peer_closed(&mut self, now: Instant, frame: &CloseFrame) {
        (**self).peer_closed(now, frame);
    }

    fn deadline(&self) -> Option<Instant> {
        (**self).deadline()
    }

    fn timer(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        (**self).timer(now, out);
    }

    fn stop(&mut self, now: Instant, stop: Stop, out: &mut Outbox<ServerEvent>) {
        (**self).stop(now, stop, out);
    }

    fn is_ready(&self) -> bool {
        (**self).is_ready()
    }

    fn observe(&self, now: Instant, observation: &mut Observation) {
        (**self).observe(now, observation);
    }
}
