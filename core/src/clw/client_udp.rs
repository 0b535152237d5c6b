//! The client's side of heartbeats as datagrams: taken up when AUTH_OK offers them, counted, and never a reason to end.

use super::client::{Client, State};
use super::datagram::SessionKey;
use super::payload::AuthOk;
use super::udp_beats::UdpBeats;
use crate::session::{ClientEvent, Outbox};
use crate::time::{Instant, micros};
use std::time::Duration;

/// When within a period a session's datagrams go: thousands that became ready together share one socket at either end, and
/// a burst of all of them would overflow what the kernel keeps for it, always for the same ones.
fn phase(session: &SessionKey, period: Duration) -> Duration {
    // FNV-1a, and the high half of a product: neighbouring ids are far apart.
    let hash = session.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    let spread = u128::from(hash.wrapping_mul(0x9E37_79B9_7F4A_7C15)) * u128::from(micros(period));
    Duration::from_micros(u64::try_from(spread >> 64).unwrap_or(0) + 1)
}

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
            let first = now + phase(&session, period);
            let beats = UdpBeats::new(session, period, self.config.pong_timeout, first);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clw::SessionId;

    #[test]
    fn the_datagrams_of_neighbouring_sessions_are_spread_over_the_period() {
        let period = Duration::from_secs(2);
        let mut slots = [0; 20];
        for id in 1..=2000 {
            let at = phase(&SessionId(id).key(), period);
            assert!(!at.is_zero() && at <= period, "{at:?}");
            slots[usize::try_from(at.as_micros().saturating_sub(1) / 100_000).unwrap()] += 1;
        }
        // A hundred each, give or take.
        assert!(slots.iter().all(|count| (50..200).contains(count)), "{slots:?}");
    }
}
