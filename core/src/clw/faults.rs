//! What a server can be made to do wrong. Silence, resets, wrong close codes and broken frames are the connection's
//! ([`crate::session::ServerConnection`]).

use super::server::{Server, State};
use crate::session::{Outbox, ServerEvent};
use crate::time::Instant;
use crate::verdict::{Disconnect, RefusalClass};
use std::time::Duration;

/// Faults that wait for their moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    pub(super) login_refused: Option<RefusalClass>,
    pub(super) refresh_refused: bool,
    pub(super) pongs_stalled: bool,
    pub(super) deaf: bool,
    pub(super) ttl: Option<Duration>,
    pub(super) auth_delay: Duration,
}

impl Server {
    /// The login is refused so, whatever the token; `None`: judged as usual.
    pub fn refuse_logins(&mut self, class: Option<RefusalClass>) {
        self.faults.login_refused = class;
    }

    /// Refreshes are refused (AUTH_ERROR with seq 0xFF), whatever the token.
    pub fn refuse_refresh(&mut self, refuse: bool) {
        self.faults.refresh_refused = refuse;
    }

    /// AUTH_PINGs are heard and not answered.
    pub fn stall_pongs(&mut self, stall: bool) {
        self.faults.pongs_stalled = stall;
    }

    /// AUTH_PINGs that come as datagrams from now on are lost on their way (before the session is live: nothing happens).
    pub fn lose_udp_pings(&mut self) {
        self.backend.datagrams().lose_pings(self.session);
    }

    /// AUTH_PONGs that go out as datagrams from now on are lost on their way.
    pub fn lose_udp_pongs(&mut self) {
        self.backend.datagrams().lose_pongs(self.session);
    }

    /// The login is not heard, so that the handshake timeout ends it.
    pub fn ignore_login(&mut self, ignore: bool) {
        self.faults.deaf = ignore;
    }

    /// The login is checked so much later than its turn in the queue.
    pub fn delay_login(&mut self, delay: Duration) {
        self.faults.auth_delay = delay;
    }

    /// Tokens live so long: the one in use from now, and those to come.
    pub fn set_ttl(&mut self, now: Instant, ttl: Duration) {
        self.faults.ttl = Some(ttl);
        let lead = self.backend.config().refresh_lead;
        if let Some(live) = &mut self.live {
            live.live_for(now, ttl, lead);
        }
    }

    /// The token in use runs out now: DISCONNECT_AUTH `token_expired`.
    pub fn expire_now(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        if let Some(live) = &mut self.live
            && matches!(self.state, State::Ready)
        {
            live.expires = now;
            self.disconnect(now, Disconnect::TokenExpired, out);
        }
    }

    /// Authority is withdrawn from the session: DISCONNECT_AUTH `token_revoked`.
    pub fn revoke(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        self.disconnect(now, Disconnect::TokenRevoked, out);
    }
}
