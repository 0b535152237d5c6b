//! What a RST was, from header evidence alone (the dictionary's page, "Resets").
//!
//! Packets are captured in another order than they were sent in, so what comes after a RST need not have been sent after it. What
//! holds in any order, whatever is late, lost or twice:
//!
//! * A socket's own RST has the ACK flag and stands behind everything that the socket has sent.
//! * A kernel without the socket answers a segment, at its ACK number and without the ACK flag; that segment passed before.
//! * A side acknowledges only what reached it while it lived: what passed for the first time after its RST, it never had.

use super::{Half, Seq};
use crate::segment::Segment;
use clw_core::verdict::ResetClass;

/// Two RSTs of one side so close together belong together.
const VOLLEY_NS: u64 = 2_000_000_000;
/// Data of the side that was reset may have been on its way for so long.
const IN_FLIGHT_NS: u64 = 1_000_000_000;
/// Packets overtake one another by less than this, even where delay jumps by seconds.
const OVERTAKEN_NS: u64 = 10_000_000_000;
/// A connection's bytes are no further from a RST of its own.
const NEAR: i32 = 1 << 24;
/// A reason carried by a RST is shown up to so many characters.
const REASON_CHARS: usize = 120;

/// A RST of a connection.
#[derive(Clone, Debug)]
pub struct Reset {
    /// When.
    pub at_ns: u64,
    /// In which frame.
    pub frame: u64,
    /// Index of the half it claims to come from.
    pub by: usize,
    /// What it was.
    pub class: ResetClass,
    /// How sure, 0 to 1.
    pub confidence: f32,
    /// Why, in words that a reader can check.
    pub evidence: String,
    /// The connection went on after it.
    pub survived: bool,
    /// The side in whose name it came went on.
    is_continued: bool,
    /// The text it carried (RFC 9293 section 3.5.3).
    pub reason: Option<String>,
    /// How long neither side had sent data when it came, in nanoseconds.
    pub idle_ns: Option<u64>,
    /// What its sender had sent until then.
    sent: Option<Seq>,
    /// What its sender had acknowledged until then.
    received: Option<Seq>,
    /// What the other side had sent until then.
    heard: Option<Seq>,
    /// Where the other side's first bytes since then begin.
    unheard: Option<Seq>,
    seq: Seq,
    has_ack: bool,
    /// It answers a segment of the other side, as a kernel without the connection does.
    answers: bool,
}

/// A packet of the side in whose name a RST came before.
#[derive(Clone, Copy, Debug)]
pub struct Later {
    /// When.
    pub at_ns: u64,
    /// In which frame.
    pub frame: u64,
    /// What it acknowledges.
    pub ack: Option<Seq>,
    /// Behind its bytes or its FIN, if they are new and the last ones so far.
    pub new_end: Option<Seq>,
    /// It is that side's first packet, a SYN-ACK.
    pub accepts: bool,
    /// The other side sent some of its packets again.
    pub was_asked_again: bool,
}

/// What is known when a RST arrives.
pub struct Scene<'a> {
    /// The half it claims to come from.
    pub own: &'a Half,
    /// The other half.
    pub other: &'a Half,
    /// Earlier RSTs of the connection.
    pub before: &'a [Reset],
    /// The connection's only packet so far is this RST.
    pub is_first: bool,
}

impl Reset {
    /// Judges a RST that claims to come from half `by`.
    pub fn judge(segment: &Segment<'_>, by: usize, scene: &Scene<'_>) -> Self {
        let answers = may_answer(segment, scene);
        let (class, confidence, why) = classify(segment, by, scene, answers);
        Self {
            at_ns: segment.at_ns,
            frame: segment.number,
            by,
            class,
            confidence,
            evidence: why,
            survived: false,
            is_continued: false,
            reason: reason(segment.payload),
            idle_ns: None,
            sent: scene.own.sent,
            received: scene.other.acknowledged,
            heard: scene.other.sent,
            unheard: None,
            seq: Seq(segment.seq),
            has_ack: segment.flags.ack(),
            answers,
        }
    }

    /// A RST of the connection between the same ports before this one, which comes late.
    pub fn of_before(segment: &Segment<'_>, by: usize) -> Self {
        Self {
            at_ns: segment.at_ns,
            frame: segment.number,
            by,
            class: ResetClass::Stray,
            confidence: 0.95,
            evidence: "late: it belongs to the connection between the same ports before this one".to_owned(),
            survived: true,
            is_continued: false,
            reason: reason(segment.payload),
            idle_ns: None,
            sent: None,
            received: None,
            heard: None,
            unheard: None,
            seq: Seq(segment.seq),
            has_ack: segment.flags.ack(),
            answers: false,
        }
    }

    /// The side in whose name this RST came sent another packet: something that a side that had sent the RST cannot have sent?
    pub fn followed(&mut self, later: Later) {
        if self.is_continued || self.class == ResetClass::Stray {
            return;
        }
        // What the side said before the RST may come after it; what is beyond the RST's end, it did not say before.
        let is_beyond = later.new_end.is_some_and(|end| self.seq.is_before(end));
        let is_late = later.at_ns.saturating_sub(self.at_ns) > OVERTAKEN_NS;
        let knows_later = matches!((self.unheard, later.ack), (Some(from), Some(ack)) if from.is_before(ack));
        // Whoever was refused may ask again, and something may listen by then.
        self.survived |= later.accepts && later.was_asked_again;
        // Far from where it stands, it is another attempt to connect that goes on.
        let is_same = later
            .new_end
            .is_some_and(|end| (0..NEAR).contains(&self.seq.to(end)));
        let what = if later.accepts && self.has_ack && !later.was_asked_again {
            "sent a SYN-ACK after it"
        } else if (is_same && is_late) || (is_beyond && !self.answers) {
            "went on after it"
        } else if knows_later {
            "acknowledged what was sent to it after it"
        } else {
            return;
        };
        self.class = ResetClass::Injected;
        self.confidence = 0.97;
        self.is_continued = true;
        self.evidence = format!("the same side {what}, in frame {}", later.frame);
    }

    /// The other side sent the bytes from `seq` to `end`.
    pub fn heard(&mut self, seq: Seq, end: Seq) {
        let is_new = self.heard.is_none_or(|heard| heard.is_before(end));
        if is_new && self.unheard.is_none() {
            let known = self.heard.filter(|heard| seq.is_before(*heard));
            self.unheard = Some(known.unwrap_or(seq));
        }
    }

    /// The side that was to be reset goes on: it acknowledged up to `ack`, at `at_ns`, or sent data of its own. What it sent
    /// before the RST reached it proves nothing.
    pub fn lived_through(&mut self, at_ns: u64, ack: Option<Seq>, is_new_data: bool) {
        let acknowledges_later = matches!((self.sent, ack), (Some(sent), Some(ack)) if sent.is_before(ack));
        let speaks = is_new_data && at_ns.saturating_sub(self.at_ns) > IN_FLIGHT_NS;
        self.survived |= acknowledges_later || speaks;
    }

    /// The side in whose name it came acknowledged up to `ack`: the other one had sent it something new long after the RST.
    pub fn heard_again(&mut self, at_ns: u64, ack: Option<Seq>) {
        let is_late = at_ns.saturating_sub(self.at_ns) > IN_FLIGHT_NS;
        self.survived |=
            is_late && matches!((self.received, ack), (Some(before), Some(ack)) if before.is_before(ack));
    }

    /// Whether this RST and `other`, of one side, are a forger's volley: their sequence numbers step, and neither answers
    /// a segment.
    pub fn is_volley_with(&self, other: &Self) -> bool {
        self.by == other.by
            && self.class != ResetClass::Stray
            && other.class != ResetClass::Stray
            && self.seq != other.seq
            && !self.answers
            && !other.answers
            && self.at_ns.abs_diff(other.at_ns) <= VOLLEY_NS
    }

    /// Marks it as one of a volley.
    pub fn in_volley(&mut self, other_frame: u64) {
        if self.class != ResetClass::Injected || self.confidence < 0.97 {
            self.class = ResetClass::Injected;
            self.confidence = 0.97;
            self.evidence =
                format!("another RST of the same side, frame {other_frame}, has a stepped sequence number");
        }
    }
}

fn classify(segment: &Segment<'_>, by: usize, scene: &Scene<'_>, answers: bool) -> (ResetClass, f32, String) {
    let (own, other) = (scene.own, scene.other);
    let seq = Seq(segment.seq);
    if scene.is_first {
        return (
            ResetClass::Stray,
            0.99,
            "no other packet of its connection is in the capture".to_owned(),
        );
    }
    if own.packets == 0
        && other.bytes == 0
        && segment.flags.ack()
        && other.isn.is_some_and(|isn| isn.plus(1) == Seq(segment.ack))
    {
        return (
            ResetClass::Refused,
            0.99,
            "its ACK is the SYN's sequence number + 1, and no SYN-ACK came".to_owned(),
        );
    }
    if let Some(usual) = own.habits.ttl_off(segment.ttl) {
        let why = format!("TTL {} where that side's packets have {usual}", segment.ttl);
        return (ResetClass::Injected, 0.97, why);
    }
    let signs = weak_signs(segment, own, answers);
    if signs.len() >= 2 {
        let confidence = if segment.ip_id.is_none() { 0.55 } else { 0.75 };
        return (ResetClass::Injected, confidence, signs.join("; "));
    }
    if own.unanswered >= 2 {
        let why = format!(
            "{} probes or retransmissions of that side were unanswered",
            own.unanswered
        );
        return (ResetClass::Keepalive, 0.95, why);
    }
    let closed_ns = own
        .fin
        .map(|(at, _)| at)
        .into_iter()
        .chain(
            scene
                .before
                .iter()
                .filter(|r| r.by == by && !r.survived)
                .map(|r| r.at_ns),
        )
        .min();
    if closed_ns.is_some_and(|at| other.last_wanting_ns >= at) {
        return (
            ResetClass::AfterClose,
            0.97,
            "that side had closed, and data came for it since".to_owned(),
        );
    }
    if own.fin.is_some() && other.fin.is_some() {
        return (ResetClass::AfterClose, 0.9, "both sides had closed".to_owned());
    }
    if answers && closed_ns.is_none() {
        let why = if own.acknowledged == Some(seq) {
            "no ACK flag, and its sequence number is the ACK of the segment it answers"
        } else {
            "no ACK flag, and its sequence number is the ACK of an earlier segment that it answers"
        };
        return (ResetClass::HalfOpen, 0.9, why.to_owned());
    }
    if segment.flags.ack() && own.sent == Some(seq) {
        let why = format!(
            "RST and ACK at the sender's next byte, TTL {} as before",
            segment.ttl
        );
        return (ResetClass::Abort, 0.95, why);
    }
    (
        ResetClass::Abort,
        0.6,
        format!("TTL {} as before; nothing points elsewhere", segment.ttl),
    )
}

/// Whether a kernel without the connection may have sent it, to answer a segment of the other side: one with any ACK number up to
/// the highest, for it is not known how many are on their way.
fn may_answer(segment: &Segment<'_>, scene: &Scene<'_>) -> bool {
    let other = scene.other;
    // Of a side that was not captured nobody knows what it sent.
    let is_unheard = other.packets == 0;
    let is_recent = segment.at_ns.saturating_sub(other.last_ns) <= OVERTAKEN_NS;
    let acknowledged = scene.own.acknowledged;
    let is_known = acknowledged.is_some_and(|acknowledged| !acknowledged.is_before(Seq(segment.seq)));
    !segment.flags.ack() && (is_unheard || (is_recent && is_known))
}

/// Signs of which one alone proves nothing. IP ID 0, no window and no options are a kernel at work, not a sign; nor has a kernel
/// that answers without the connection its habits.
fn weak_signs(segment: &Segment<'_>, own: &Half, answers: bool) -> Vec<&'static str> {
    let mut signs = Vec::new();
    if answers {
        return signs;
    }
    let has_timestamps = segment.options.timestamps.is_some();
    let is_kernels = segment.ip_id.is_none_or(|id| id == 0) && segment.window == 0 && !has_timestamps;
    let ahead = own.sent.map_or(0, |sent| sent.to(Seq(segment.seq)));
    if !is_kernels {
        // Packets that were lost on their way to the capture leave both numbers ahead.
        if segment
            .ip_id
            .is_some_and(|id| own.habits.ip_id_off(id, ahead > 0))
        {
            signs.push("its IP ID is off that side's sequence");
        }
        if own.habits.always_has_timestamps() && !has_timestamps {
            signs.push("it has no timestamps where that side always has them");
        }
    }
    if !segment.flags.ack() {
        signs.push("it has no ACK flag, and answers nothing");
    }
    if ahead != 0 {
        signs.push("its sequence number is not the sender's next");
    }
    signs
}

/// The text in a RST, if it is text.
fn reason(payload: &[u8]) -> Option<String> {
    let text: String = String::from_utf8_lossy(payload)
        .chars()
        .filter(|c| !c.is_control())
        .take(REASON_CHARS)
        .collect();
    (!text.trim().is_empty()).then(|| text.trim().to_owned())
}
