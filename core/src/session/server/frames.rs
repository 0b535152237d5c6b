//! After the 101: messages, close frames, broken frames, and the server's pings.

use super::{Mark, Phase, ServerConnection};
use crate::Stage;
use crate::session::{Finish, Message, Outbox, ServerDialect, ServerEvent};
use crate::time::Instant;
use crate::verdict::{CloseFrame, HeartbeatLoss, Side, Violation};
use crate::ws::{Decoder, Incoming, Peer, WsError};

impl<D: ServerDialect> ServerConnection<D> {
    pub(super) fn frames(&mut self, now: Instant, bytes: &mut [u8], out: &mut Outbox<ServerEvent>) {
        let mut decoder = std::mem::replace(&mut self.decoder, Decoder::new(Peer::Client, 0));
        let result = decoder.decode(bytes, |incoming| self.incoming(now, incoming, out));
        self.decoder = decoder;
        if self.is_ready() {
            self.decoder
                .set_max_message_bytes(self.config.max_message_after_ready);
        }
        if let Err(error) = result {
            self.broken_frame(now, &error, out);
        }
    }

    /// One message; returns whether more are wanted.
    fn incoming(&mut self, now: Instant, incoming: Incoming<'_>, out: &mut Outbox<ServerEvent>) -> bool {
        if let Incoming::Close { code, reason } = incoming {
            self.peer_closed(now, code, reason, out);
            return false;
        }
        if self.phase != Phase::Open {
            // The server's own close is out: what comes before its echo is dropped.
            return self.phase != Phase::Ended;
        }
        let message = match incoming {
            Incoming::Text(text) => Message::Text(text),
            Incoming::Binary(bytes) => Message::Binary(bytes),
            Incoming::Ping(payload) => {
                if self.answers_pings && !self.mute {
                    out.pong(payload);
                    out.emit(ServerEvent::Heartbeat);
                }
                Message::Ping(payload)
            }
            Incoming::Pong(payload) => {
                if self.pinged.take().is_some() {
                    out.emit(ServerEvent::Heartbeat);
                }
                Message::Pong(payload)
            }
            Incoming::Close { .. } => return false,
        };
        if matches!(message, Message::Text(_) | Message::Binary(_)) {
            self.reach(Stage::Auth, out);
        }
        let start = Mark::of(out);
        if let Some(dialect) = &mut self.dialect {
            dialect.message(now, message, out);
        }
        self.settle_dialect(now, start, out);
        self.phase != Phase::Ended
    }

    fn peer_closed(&mut self, now: Instant, code: Option<u16>, reason: &str, out: &mut Outbox<ServerEvent>) {
        if self.phase == Phase::Open {
            let frame = CloseFrame {
                by: Side::Client,
                code,
                reason: reason.to_owned(),
            };
            if let Some(dialect) = &mut self.dialect {
                dialect.peer_closed(now, &frame);
            }
            self.facts().close = Some(frame);
            if !self.mute {
                out.close(code, reason);
            }
        }
        if !self.mute {
            out.finish(Finish::Fin);
        }
    }

    fn broken_frame(&mut self, now: Instant, error: &WsError, out: &mut Outbox<ServerEvent>) {
        let was_open = self.phase == Phase::Open;
        if was_open {
            self.facts().violation = Some(Violation {
                by: Side::Client,
                what: error.to_string(),
            });
            self.send_close(now, Some(error.close_code()), "", out);
        }
        // Where one frame ends and the next begins is lost. What still comes is read and dropped until the grace is over:
        // closing at once would answer it with a RST, and the client would never see the close frame.
        if let Phase::Closing { can_read, .. } = &mut self.phase {
            *can_read = false;
        }
    }

    /// One beat of the server's pings: looks at the last ping, then sends the next.
    pub(super) fn beat(&mut self, now: Instant, out: &mut Outbox<ServerEvent>) {
        let (Some(every), Some(beat)) = (self.config.ping_every, self.beat) else {
            return;
        };
        if now < beat {
            return;
        }
        let mut next = beat + every;
        if next <= now {
            next = now + every;
        }
        self.beat = Some(next);
        let wait = self.config.pong_wait.unwrap_or(every);
        match self.pinged {
            Some(at) if now - at >= wait => {
                self.facts().heartbeat_loss = Some(HeartbeatLoss {
                    missing_from: Side::Client,
                    silence: now - at,
                });
                out.finish(Finish::Fin);
            }
            // A wait that is no multiple of the period ends between two beats.
            Some(at) => self.beat = Some(self.config.pong_wait.map_or(next, |wait| next.min(at + wait))),
            None => {
                out.ping(b"");
                self.pinged = Some(now);
            }
        }
    }
}
