//! What becomes of a session whose device or whose shared secret loses its authority, and what the log says of those that
//! never had any.

use super::super::authority::{CLOSE_AUTH_CHANGED, CLOSE_DEVICE_REMOVED};
use super::super::server_connect::Refused;
use super::super::wire::{Auth, ConnectParams};
use super::{Server, State};
use crate::session::{Outbox, ServerEvent};

impl Server {
    /// By which other sessions' events call this one; `None`: they never do.
    pub fn call_sign(&self) -> Option<u64> {
        self.device.as_ref().map(|device| device.sign)
    }

    /// Takes the device's token for the session's role away, and ends the session; one without a device ends as if the
    /// shared secret had been changed.
    pub fn revoke_device(&mut self, out: &mut Outbox<ServerEvent>) {
        let Some(device) = &self.device else {
            let (code, reason) = CLOSE_AUTH_CHANGED;
            return self.close(code, reason, out);
        };
        let others = self
            .gateway
            .authority
            .revoke_token(&device.device_id, device.role);
        for session in others.into_iter().flatten() {
            out.emit(ServerEvent::TookOver { session });
        }
        let (code, reason) = CLOSE_DEVICE_REMOVED;
        self.close(code, reason, out);
    }

    /// Ends the session if it came in by a shared secret that has been changed since.
    pub fn look_at_the_secret(&mut self, out: &mut Outbox<ServerEvent>) {
        let is_old = self.generation < self.gateway.authority.generation();
        if matches!(self.state, State::Ready) && self.is_by_shared_secret && is_old {
            let (code, reason) = CLOSE_AUTH_CHANGED;
            self.close(code, reason, out);
        }
    }

    pub(super) fn is_withdrawn(&self) -> bool {
        matches!(self.state, State::Ready) && self.device.as_ref().is_some_and(|device| device.is_withdrawn())
    }

    /// The real gateway's log line, without the peer's address, which only the socket's owner knows.
    pub(super) fn unauthorized_line(&self, params: &ConnectParams, refused: &Refused) -> String {
        let auth = params.auth.as_ref();
        let has = |field: fn(&Auth) -> &Option<String>| auth.is_some_and(|auth| field(auth).is_some());
        let kind = if has(|a| &a.token) {
            "token"
        } else if has(|a| &a.password) {
            "password"
        } else if has(|a| &a.device_token) {
            "device-token"
        } else if has(|a| &a.bootstrap_token) {
            "bootstrap-token"
        } else {
            "none"
        };
        let details = refused.error.details.as_ref();
        let reason = details
            .and_then(|d| d.auth_reason.as_deref().or(d.reason.as_deref()))
            .unwrap_or(refused.code);
        // The id and mode are of closed lists; version and role are the client's own words, so they are escaped and cut.
        let word = |text: &str| text.escape_debug().take(40).collect::<String>();
        format!(
            "unauthorized conn={} client={} {} v{} role={} scopes={} auth={kind} device={} reason={reason}",
            self.conn_id,
            params.client.id,
            params.client.mode,
            word(&params.client.version),
            word(params.role.as_deref().unwrap_or("operator")),
            params.scopes.as_ref().map_or(0, Vec::len),
            if params.device.is_some() { "yes" } else { "no" },
        )
    }
}
