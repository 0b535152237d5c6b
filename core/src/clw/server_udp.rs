//! The server's side of heartbeats as datagrams: offered at the login, answered while the session is live.

use super::datagram::DatagramCounts;
use super::server::{Server, State};
use crate::verdict::DatagramBeats;
use std::net::IpAddr;

/// Where heartbeats are taken as datagrams, and from whom.
#[derive(Debug)]
pub(super) struct Udp {
    /// Told in AUTH_OK.
    pub(super) port: u16,
    peer: IpAddr,
    /// What they came to, once the session is over.
    counts: Option<DatagramCounts>,
}

impl Server {
    /// Offers heartbeats as datagrams in AUTH_OK, at `port`; `peer` is the host at the other end of the stream. They are
    /// answered by [`super::Backend::datagrams`].
    pub fn offer_datagrams(&mut self, port: u16, peer: IpAddr) {
        self.udp = Some(Box::new(Udp {
            port,
            peer,
            counts: None,
        }));
    }

    /// From now on the session is live.
    pub(super) fn became_live(&mut self) {
        self.state = State::Ready;
        if let Some(udp) = &self.udp {
            self.backend.datagrams().open(self.session, udp.peer);
        }
    }

    /// From now on the session is not live, if it was.
    pub(super) fn leave(&mut self, state: State) {
        if matches!(self.state, State::Ready)
            && let Some(udp) = &mut self.udp
        {
            udp.counts = self.backend.datagrams().close(self.session);
        }
        self.state = state;
    }

    pub(super) fn datagrams_seen(&self) -> Option<DatagramBeats> {
        let udp = self.udp.as_deref()?;
        let counts = udp
            .counts
            .or_else(|| self.backend.datagrams().counts(self.session))?;
        Some(DatagramBeats {
            pings: counts.pings,
            pongs: counts.pongs,
            one_way: None,
        })
    }
}
