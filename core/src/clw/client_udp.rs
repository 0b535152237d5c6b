//! The client's side of heartbeats as datagrams: taken up when AUTH_OK offers them, counted, and never a reason to end.

use super::client::{Client, State};
use super::payload::AuthOk;
use super::udp_beats::UdpBeats;
use crate::session::{ClientEvent, Outbox};
use crate::time::Instant;
use std::time::Duration;

impl Client {
    /// Takes the server's offer, if there is one, with the stream's own period.
    pub(super) fn begin_datagrams(
        &mut self,
        now: Instant,
        period: Option<Duration>,
        ok: &AuthOk<'_>,
        out: &mut Outbox<ClientEvent>,
    ) {
        let period = period.filter(|period| !period.is_zero());
        let port = ok.udp_port.filter(|port| *port > 0 && self.config.datagrams);
        // Another server's ids may not fit; the stream does without.
        let session = ok.session.as_bytes().try_into().ok();
        if let (Some(port), Some(session), Some(period)) = (port, session, period) {
            let beats = UdpBeats::new(session, period, self.config.pong_timeout, now);
            self.udp = Some(Box::new(beats));
            out.emit(ClientEvent::DatagramsOffered { port, session });
        }
    }

    pub(super) fn on_datagram(&mut self, now: Instant, bytes: &[u8], out: &mut Outbox<ClientEvent>) {
        if self.state == State::Ready
            && let Some(udp) = &mut self.udp
            && let Some(rtt) = udp.receive(now, bytes)
        {
            out.emit(ClientEvent::DatagramAnswered { rtt });
        }
    }

    pub(super) fn poll_datagrams(&mut self, now: Instant, out: &mut Outbox<ClientEvent>) {
        let Some(udp) = &mut self.udp else {
            return;
        };
        let due = udp.poll(now, self.heard);
        if due.lost > 0 {
            out.emit(ClientEvent::DatagramsLost(due.lost));
        }
        if due.one_way {
            out.emit(ClientEvent::OneWayLoss);
        }
        if let Some(ping) = due.ping {
            out.emit(ClientEvent::Datagram(ping));
        }
    }
}
