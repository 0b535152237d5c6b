//! The dialect that a connection speaks, one type for all of them.

use clw_core::Dialect;
use clw_core::clawchat;
use clw_core::clw;
use clw_core::openclaw;
use clw_core::session::{Message, Outbox, ServerDialect, ServerEvent, Stop};
use clw_core::time::Instant;
use clw_core::verdict::{CloseFrame, Observation};

/// The server's side of one session, in its dialect. An enum instead of a box: an idle session is one allocation less.
pub(crate) enum Spoken {
    Openclaw(openclaw::Server),
    Clw(clw::Server),
    Clawchat(clawchat::Server),
}

impl Spoken {
    /// What the log calls `conn=`.
    pub(crate) fn conn_id(&self) -> String {
        match self {
            Self::Openclaw(server) => server.conn_id().to_string(),
            Self::Clw(server) => server.session().to_string(),
            Self::Clawchat(server) => server.session().to_string(),
        }
    }

    /// No ticks from now on.
    pub(crate) fn stop_ticks(&mut self, now: Instant) {
        match self {
            Self::Openclaw(server) => server.set_ticks(now, false),
            Self::Clw(_) | Self::Clawchat(_) => {}
        }
    }

    /// The client's heartbeats stay unanswered from now on, as far as these are the dialect's.
    pub(crate) fn stop_pongs(&mut self) {
        match self {
            Self::Openclaw(_) => {}
            Self::Clw(server) => {
                server.stall_pongs(true);
                server.lose_udp_pongs();
            }
            Self::Clawchat(server) => server.stop_answering(),
        }
    }

    /// Heartbeats that come as datagrams are lost from now on.
    pub(crate) fn lose_udp_pings(&mut self) {
        if let Self::Clw(server) = self {
            server.lose_udp_pings();
        }
    }

    /// Answers to heartbeats that come as datagrams are lost from now on.
    pub(crate) fn lose_udp_pongs(&mut self) {
        if let Self::Clw(server) = self {
            server.lose_udp_pongs();
        }
    }

    /// Requests stay unanswered from now on.
    pub(crate) fn stop_answering(&mut self) {
        match self {
            Self::Openclaw(server) => server.set_answers_requests(false),
            Self::Clw(_) => {}
            Self::Clawchat(server) => server.stop_answering(),
        }
    }

    /// Ends the session as one that another connection has replaced, where the dialect knows that.
    pub(crate) fn replace(&mut self, out: &mut Outbox<ServerEvent>) {
        if let Self::Clawchat(server) = self {
            server.replace(out);
        }
    }

    /// By which another session's event calls this one, in dialects where sessions do that.
    pub(crate) fn call_sign(&self) -> Option<u64> {
        match self {
            Self::Clawchat(server) => Some(server.session().0),
            Self::Openclaw(server) => server.call_sign(),
            Self::Clw(_) => None,
        }
    }

    /// Takes the device's token away and ends the session, where the dialect has devices.
    pub(crate) fn revoke_device(&mut self, out: &mut Outbox<ServerEvent>) {
        if let Self::Openclaw(server) = self {
            server.revoke_device(out);
        }
    }

    /// Ends the session if it came in by a shared secret that has been changed.
    pub(crate) fn look_at_the_secret(&mut self, out: &mut Outbox<ServerEvent>) {
        if let Self::Openclaw(server) = self {
            server.look_at_the_secret(out);
        }
    }

    /// Withdraws the session's authority, in the dialect's words.
    pub(crate) fn revoke(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        match self {
            Self::Openclaw(_) => {
                let (code, reason) = openclaw::CLOSE_AUTH_CHANGED;
                out.close(Some(code), reason);
            }
            Self::Clw(server) => server.revoke(now, out),
            // The dialect has no word for it; the table keeps the fault away from it.
            Self::Clawchat(_) => {}
        }
    }
}

impl ServerDialect for Spoken {
    fn dialect(&self) -> Dialect {
        match self {
            Self::Openclaw(server) => server.dialect(),
            Self::Clw(server) => server.dialect(),
            Self::Clawchat(server) => server.dialect(),
        }
    }

    fn upgraded(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        match self {
            Self::Openclaw(server) => server.upgraded(now, out),
            Self::Clw(server) => server.upgraded(now, out),
            Self::Clawchat(server) => server.upgraded(now, out),
        }
    }

    fn message(&mut self, now: Instant, message: Message<'_>, out: &mut Outbox<ServerEvent>) {
        match self {
            Self::Openclaw(server) => server.message(now, message, out),
            Self::Clw(server) => server.message(now, message, out),
            Self::Clawchat(server) => server.message(now, message, out),
        }
    }

    fn peer_closed(&mut self, now: Instant, frame: &CloseFrame) {
        match self {
            Self::Openclaw(server) => server.peer_closed(now, frame),
            Self::Clw(server) => server.peer_closed(now, frame),
            Self::Clawchat(server) => server.peer_closed(now, frame),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Openclaw(server) => server.deadline(),
            Self::Clw(server) => server.deadline(),
            Self::Clawchat(server) => server.deadline(),
        }
    }

    fn timer(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        match self {
            Self::Openclaw(server) => server.timer(now, out),
            Self::Clw(server) => server.timer(now, out),
            Self::Clawchat(server) => server.timer(now, out),
        }
    }

    fn stop(&mut self, now: Instant, stop: Stop, out: &mut Outbox<ServerEvent>) {
        match self {
            Self::Openclaw(server) => server.stop(now, stop, out),
            Self::Clw(server) => server.stop(now, stop, out),
            Self::Clawchat(server) => server.stop(now, stop, out),
        }
    }

    fn is_ready(&self) -> bool {
        match self {
            Self::Openclaw(server) => server.is_ready(),
            Self::Clw(server) => server.is_ready(),
            Self::Clawchat(server) => server.is_ready(),
        }
    }

    fn observe(&self, now: Instant, observation: &mut Observation) {
        match self {
            Self::Openclaw(server) => server.observe(now, observation),
            Self::Clw(server) => server.observe(now, observation),
            Self::Clawchat(server) => server.observe(now, observation),
        }
    }
}
