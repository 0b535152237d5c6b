//! What one side of a connection sent.

use super::habits::Habits;
use super::rtt::Rtt;
use super::{Reassembly, Seq};

/// A RST further ahead of what was captured is no sign of missing data.
pub(super) const MAX_TAIL: i32 = 1 << 24;

/// One side's sending, as far as it was captured.
#[derive(Debug, Default)]
pub struct Half {
    /// Its initial sequence number, if its SYN was captured.
    pub isn: Option<Seq>,
    /// The position after everything it sent: SND.NXT.
    pub sent: Option<Seq>,
    /// The position before which the other side acknowledged everything.
    pub acknowledged: Option<Seq>,
    /// Its bytes in order.
    pub stream: Reassembly,
    /// How its packets look.
    pub habits: Habits,
    /// Round trips between the capture point and the other side: its data, the other's acknowledgements.
    pub rtt: Rtt,
    /// Window scale from its SYN.
    pub window_scale: Option<u8>,
    /// When it sent a FIN first, and in which frame.
    pub fin: Option<(u64, u64)>,
    /// That FIN itself was not captured: the other side acknowledged it there.
    pub is_fin_unseen: bool,
    /// The position of that FIN, or of a RST of its own: its data ends there.
    pub end_seq: Option<Seq>,
    /// Packets.
    pub packets: u64,
    /// Payload bytes, retransmissions included.
    pub bytes: u64,
    /// Packets whose data had been sent before.
    pub retransmissions: u32,
    /// Keepalive probes: at most one byte, just before what is next.
    pub keepalives: u32,
    /// Times it closed its window.
    pub zero_windows: u32,
    /// Probes and retransmissions since the other side was last heard.
    pub unanswered: u32,
    /// The last run of those.
    run: Option<Box<Run>>,
    /// Retransmissions since the other side last acknowledged something new.
    pub unacknowledged: u32,
    /// Bytes that were sent, but not captured.
    pub missing_bytes: u64,
    /// When it last sent anything.
    pub last_ns: u64,
    /// When it last sent payload for the first time.
    pub last_data_ns: u64,
    /// When it last sent anything that wants an answer: payload or FIN, retransmissions included.
    pub last_wanting_ns: u64,
    /// The last packet, to know its copy on another interface.
    pub last_copy: Option<Copy>,
    /// Since when it has kept its window closed; 0 where it is open.
    closed_ns: u64,
}

/// Packets that nobody answered, one after the other.
#[derive(Debug, Default)]
struct Run {
    /// When they began.
    from_ns: u64,
    /// Until when two or more had gone unanswered; 0: they were fewer.
    until_ns: u64,
}

/// What two captures of one packet have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Control bits.
    pub flags: u8,
    /// Payload length.
    pub payload_len: u32,
    /// IP identification.
    pub ip_id: Option<u16>,
    /// Timestamps option.
    pub timestamps: Option<(u32, u32)>,
}

impl Half {
    /// Whether data it sent was never acknowledged.
    pub fn has_unacknowledged(&self) -> bool {
        match (self.sent, self.acknowledged) {
            (Some(sent), Some(acknowledged)) => acknowledged.is_before(sent),
            (Some(_), None) => self.bytes > 0,
            _ => false,
        }
    }

    /// Bytes at the end of what it sent that were never captured: before its FIN, or acknowledged by the other side.
    pub fn missing_tail(&self) -> u32 {
        let Some(next) = self.stream.next() else { return 0 };
        let hole = |end: Seq| next.to(end).max(0).cast_unsigned();
        match (self.end_seq, self.acknowledged) {
            (Some(end), _) => hole(end),
            // One more may be a FIN that was not captured.
            (None, Some(acknowledged)) => hole(acknowledged).saturating_sub(1),
            (None, None) => 0,
        }
    }

    /// A probe or a retransmission went out.
    pub fn went_unanswered(&mut self, at_ns: u64) {
        self.unanswered += 1;
        let run = self.run.get_or_insert_default();
        if self.unanswered == 1 {
            run.from_ns = at_ns;
            run.until_ns = 0;
        } else {
            run.until_ns = at_ns;
        }
    }

    /// The other side was heard.
    pub fn answered(&mut self, at_ns: u64) {
        if self.unanswered >= 2
            && let Some(run) = &mut self.run
        {
            run.until_ns = at_ns;
        }
        self.unanswered = 0;
    }

    /// When it last sent the same again and again into the void: from when to `now_ns` at the latest.
    pub fn stuck_ns(&self, now_ns: u64) -> (u64, u64) {
        let Some(run) = &self.run else { return (0, 0) };
        let until_ns = if self.unanswered >= 2 {
            now_ns
        } else {
            run.until_ns
        };
        (run.from_ns, until_ns)
    }

    /// Notes an acknowledgement number of the other side.
    pub fn acknowledge(&mut self, ack: Seq) {
        if self.acknowledged.is_none_or(|before| before.is_before(ack)) {
            self.acknowledged = Some(ack);
            self.unacknowledged = 0;
        }
    }

    /// A RST of the other side tells what it has received, captured or not.
    pub fn was_received(&mut self, ack: Seq) {
        if self
            .sent
            .is_some_and(|sent| (1..MAX_TAIL).contains(&sent.to(ack)))
        {
            self.acknowledge(ack);
        }
    }

    /// The other side acknowledged one more than was captured: no data is so short, it was a FIN.
    pub fn infer_fin(&mut self, ack: Seq, at_ns: u64, frame: u64) {
        let Some(sent) = self.sent.filter(|sent| sent.plus(1) == ack) else {
            return;
        };
        // Where data was lost before, a probe one byte back looks the same.
        let is_all_there = self.bytes > 0 && self.stream.next() == Some(sent);
        if self.fin.is_none() && is_all_there {
            // It came before that packet and whatever else is in it.
            self.fin = Some((at_ns.saturating_sub(1), frame));
            self.is_fin_unseen = true;
            self.end_seq = Some(sent);
        }
    }

    /// What came after an inferred FIN shows that it was none, or is the FIN itself.
    pub const fn retract_fin(&mut self) {
        if self.is_fin_unseen {
            self.is_fin_unseen = false;
            self.fin = None;
            self.end_seq = None;
        }
    }

    /// Since when it has kept its window closed: it does not read.
    pub const fn window_closed_ns(&self) -> Option<u64> {
        if self.closed_ns == 0 {
            None
        } else {
            Some(self.closed_ns)
        }
    }

    /// Notes a window.
    pub const fn window(&mut self, is_zero: bool, at_ns: u64) {
        if !is_zero {
            self.closed_ns = 0;
        } else if self.closed_ns == 0 {
            self.closed_ns = at_ns;
            self.zero_windows += 1;
        }
    }
}
