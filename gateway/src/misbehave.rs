//! Doing to a connection what the fault plan says.

use crate::connection::Connection;
use crate::fault::Action;
use crate::shared::Shared;
use crate::spoken::Spoken;
use clw_core::session::Finish;
use clw_core::time::Instant;
use std::task::Context;
use std::time::Duration;

/// How often a silent connection looks whether its client has gone.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// As much of an oversized frame as is sent.
const OVERSIZED_SENT_BYTES: u64 = 64 * 1024;

impl Connection {
    /// Does what is due now.
    pub(crate) fn misbehave(&mut self, shared: &Shared, now: Instant, cx: &mut Context<'_>) {
        while !self.machine.is_ended()
            && let Some(misdeeds) = &mut self.misdeeds
            && let Some(action) = misdeeds.take_due(now)
        {
            self.act(shared, &action, now);
            self.settle(shared, now, cx);
        }
        self.look_for_the_client(now);
    }

    /// A silent server reads nothing, but the end of its client ends the connection: what it said last is read then.
    fn look_for_the_client(&mut self, now: Instant) {
        if let Some(misdeeds) = &mut self.misdeeds
            && misdeeds.silent.is_some_and(|at| at <= now)
        {
            misdeeds.silent = (!self.stream.is_peer_gone()).then(|| now + LOOK_EVERY);
        }
    }

    fn act(&mut self, shared: &Shared, action: &Action, now: Instant) {
        let Some(misdeeds) = &mut self.misdeeds else {
            return;
        };
        let mut out = shared.outbox.borrow_mut();
        let (machine, out) = (&mut self.machine, &mut *out);
        match action {
            Action::Rst => machine.close_transport(now, Finish::Rst, out),
            Action::Fin => machine.close_transport(now, Finish::Fin, out),
            Action::HalfClose => {
                machine.set_mute(true);
                misdeeds.is_mute = true;
                self.stream.half_close();
                misdeeds.half_closed = true;
            }
            Action::Silence => {
                machine.set_mute(true);
                misdeeds.is_mute = true;
                misdeeds.silent = Some(now + LOOK_EVERY);
                misdeeds.stopped_heartbeats(now);
                machine.with_dialect(now, out, |spoken, _| spoken.lose_udp_pings());
            }
            Action::Close(code, reason) => machine.send_close(now, Some(*code), reason, out),
            Action::Kick => machine.send_close(now, None, "", out),
            Action::Replace => {
                machine.with_dialect(now, out, Spoken::replace);
            }
            Action::Malformed => {
                machine.send_raw(&[0x8B, 0x00], out);
                misdeeds.violated("a frame with a reserved opcode (fault plan)");
            }
            Action::BadUtf8 => {
                machine.send_raw(&[0x81, 0x02, 0xC3, 0x28], out);
                misdeeds.violated("a text frame that is no UTF-8 (fault plan)");
            }
            Action::Oversized(bytes) => {
                let mut frame = vec![0x82, 127];
                frame.extend_from_slice(&bytes.to_be_bytes());
                let begun = usize::try_from(OVERSIZED_SENT_BYTES.min(*bytes)).unwrap_or(0);
                frame.resize(frame.len() + begun, 0);
                machine.send_raw(&frame, out);
                misdeeds.violated("the beginning of an oversized frame (fault plan)");
            }
            Action::TickStall => {
                machine.with_dialect(now, out, |spoken, _| spoken.stop_ticks(now));
                misdeeds.stopped_heartbeats(now);
            }
            Action::PongLoss => {
                machine.set_pong(false);
                machine.with_dialect(now, out, |spoken, _| spoken.stop_pongs());
                misdeeds.stopped_heartbeats(now);
            }
            Action::UdpPingLoss => {
                machine.with_dialect(now, out, |spoken, _| spoken.lose_udp_pings());
            }
            Action::UdpPongLoss => {
                machine.with_dialect(now, out, |spoken, _| spoken.lose_udp_pongs());
            }
            Action::Stall(length, every) => shared.stall(*length, *every),
            Action::Restart => {
                machine.stop(now, shared.restart(), out);
            }
            Action::Revoke => {
                machine.with_dialect(now, out, |spoken, out| spoken.revoke(now, out));
            }
            Action::RevokeDevice => {
                machine.with_dialect(now, out, Spoken::revoke_device);
            }
            Action::SlowConsumer => machine.slow_consumer(now, out),
            Action::Mute => {
                machine.with_dialect(now, out, |spoken, _| spoken.stop_answering());
            }
        }
    }

    /// Answers an upgrade with bytes that are no HTTP.
    pub(crate) fn answer_garbage(&mut self, shared: &Shared, now: Instant, cx: &mut Context<'_>) {
        let mut out = shared.outbox.borrow_mut();
        self.machine
            .send_raw(b"SSH-2.0-OpenSSH_9.2\r\n\x00\x01\x02\xFF\r\n\r\n", &mut out);
        self.machine.close_transport(now, Finish::Fin, &mut out);
        drop(out);
        if let Some(misdeeds) = &mut self.misdeeds {
            misdeeds.violated("bytes that are no HTTP instead of an answer (fault plan)");
        }
        self.settle(shared, now, cx);
    }
}
