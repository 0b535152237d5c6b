//! `--peer`: the same sessions captured at the other side. What one side saw and the other never sent was made in between.
//!
//! Packets are told by their TCP headers, clocks are aligned by the packets themselves. Connections are joined by address
//! and port, or, where a NAT in between has changed those, by the client's initial sequence number.

use crate::decode::{Decoded, Decoder, FragmentLimits};
use crate::judge::Judged;
use crate::segment::Segment;
use crate::source::{Capture, Item, SourceError};
use clw_core::verdict::{EndingKind, ResetClass, Side, Verdict};
use serde::Serialize;
use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Packets of the other capture that are remembered; past it only RSTs and FINs are.
const MAX_PACKETS: usize = 4_000_000;
/// Findings kept, in words.
const MAX_FINDINGS: usize = 200;

/// What came of the comparison.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// The file.
    pub file: PathBuf,
    /// Connections that both captures hold.
    pub joined: u64,
    /// Of those, whose addresses a NAT in between has changed.
    pub translated: u64,
    /// Connections that only this one holds.
    pub only_here: u64,
    /// Which side this capture was made at.
    pub here: Option<Side>,
    /// The other clock minus this one, milliseconds.
    pub clock_offset_ms: Option<f64>,
    /// The least time between the two capture points, milliseconds.
    pub one_way_ms: Option<f64>,
    /// Packets of joined connections that both saw.
    pub packets_in_both: u64,
    /// Packets that left the near side and did not reach the other: this capture's own side's.
    pub lost_outgoing: u64,
    /// Packets that the other side sent and this one never saw.
    pub lost_incoming: u64,
    /// The other capture was too large to remember all packets: losses are not told.
    pub is_partial: bool,
    /// RSTs and FINs that one side saw and the other never sent.
    pub findings: Vec<String>,
}

/// A direction between two addresses.
type Path2 = (SocketAddr, SocketAddr);

/// The other side's capture.
#[derive(Debug, Default)]
pub struct Peer {
    /// Packets of the other capture that this one has not shown yet: how many alike, and when the last one came.
    packets: HashMap<u64, (u32, u64)>,
    /// Directions that the other capture holds, with the packets left over.
    paths: HashMap<Path2, Seen>,
    /// The other capture's SYNs by their sequence numbers; `None` where several connections have the same one.
    openings: HashMap<u32, Option<Path2>>,
    /// Directions of this capture that have other addresses in the other one.
    translated: HashMap<Path2, Path2>,
    comparison: Comparison,
    /// Frames of this capture with RSTs that the other one does not hold; bounded by the RSTs that are kept of connections.
    unmatched_resets: HashSet<u64>,
    /// The least difference of clocks over packets of each direction, by who sent them: `there - here`.
    deltas: HashMap<Path2, (i64, i64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    there: u64,
    matched: u64,
    only_here: u64,
}

impl Peer {
    /// Reads the other capture.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let mut peer = Self::default();
        path.clone_into(&mut peer.comparison.file);
        let mut capture = Capture::open(&[path.to_owned()])?;
        let mut decoder = Decoder::new(FragmentLimits::default());
        while let Some(item) = capture.next()? {
            if let Item::Frame(frame) = item
                && let Decoded::Tcp(segment) = decoder.decode(&frame)
            {
                let path = (segment.source, segment.destination);
                let seen = peer.paths.entry(path).or_default();
                if segment.flags.syn() && !segment.flags.ack() {
                    let known = peer.openings.entry(segment.seq).or_insert(Some(path));
                    if *known != Some(path) {
                        *known = None;
                    }
                }
                let is_end = segment.flags.rst() || segment.flags.fin();
                if peer.packets.len() >= MAX_PACKETS && !is_end {
                    peer.comparison.is_partial = true;
                    continue;
                }
                seen.there += 1;
                let packet = peer.packets.entry(fingerprint(&segment, path)).or_default();
                packet.0 += 1;
                packet.1 = segment.at_ns;
            }
        }
        Ok(peer)
    }

    /// A packet of this capture.
    pub fn see(&mut self, segment: &Segment<'_>) {
        let here = (segment.source, segment.destination);
        if segment.flags.syn() && !segment.flags.ack() {
            self.translate(here, segment.seq);
        }
        let path = self.there(here);
        let Some(seen) = self.paths.get_mut(&path) else {
            return;
        };
        let Some((left, there_ns)) = self
            .packets
            .get_mut(&fingerprint(segment, path))
            .filter(|(left, _)| *left > 0)
        else {
            seen.only_here += 1;
            if segment.flags.rst() && self.unmatched_resets.len() < MAX_PACKETS {
                self.unmatched_resets.insert(segment.number);
            }
            return;
        };
        *left -= 1;
        seen.matched += 1;
        // Copies of one packet cannot be told apart: their times say nothing.
        if *left == 0 {
            let delta = there_ns.cast_signed().wrapping_sub(segment.at_ns.cast_signed());
            let (least, most) = self.deltas.entry(path).or_insert((delta, delta));
            *least = (*least).min(delta);
            *most = (*most).max(delta);
        }
    }

    /// A SYN of this capture whose addresses the other one does not know may have others there.
    fn translate(&mut self, here: Path2, isn: u32) {
        if self.paths.contains_key(&here) {
            self.translated.remove(&here);
            self.translated.remove(&(here.1, here.0));
        } else if let Some(Some(there)) = self.openings.get(&isn).copied() {
            self.translated.insert(here, there);
            self.translated.insert((here.1, here.0), (there.1, there.0));
        }
    }

    /// What a direction is called in the other capture.
    fn there(&self, here: Path2) -> Path2 {
        self.translated.get(&here).copied().unwrap_or(here)
    }

    /// Compares a connection that is over. A RST that ended it and that its sender's side never sent was injected.
    pub fn join(&mut self, judged: &mut Judged) {
        let record = &mut judged.record;
        let here = (record.client, record.server);
        let up = self.there(here);
        let down = (up.1, up.0);
        let (Some(sent_up), Some(sent_down)) = (self.paths.get(&up).copied(), self.paths.get(&down).copied())
        else {
            self.comparison.only_here += 1;
            return;
        };
        self.comparison.joined += 1;
        if up != here {
            self.comparison.translated += 1;
            let (client, server) = up;
            record.evidence.push(format!(
                "at the other side it is {client} → {server}: a NAT is in between"
            ));
        }
        self.comparison.packets_in_both += sent_up.matched + sent_down.matched;
        let Some(here) = self.side_of(up, down) else {
            return;
        };
        self.comparison.here = Some(here);
        let (near, far) = if here == Side::Client {
            (sent_up, sent_down)
        } else {
            (sent_down, sent_up)
        };
        if !self.comparison.is_partial {
            self.comparison.lost_outgoing += near.only_here;
            self.comparison.lost_incoming += far.there.saturating_sub(far.matched);
        }
        for rst in &mut record.ending.rst {
            // Only what claims to come from the far side can be denied by the far side's capture.
            let claims_far = rst.by != here;
            if !claims_far || !self.unmatched_resets.contains(&rst.frame) {
                continue;
            }
            let text = format!(
                "frame {}: a RST in the name of {} that the capture at its side never saw: a middlebox sent it",
                rst.frame,
                if here == Side::Client {
                    record.server
                } else {
                    record.client
                }
            );
            rst.class = ResetClass::Injected.name();
            rst.by = Side::Middlebox;
            rst.confidence = 0.99;
            rst.evidence.clone_from(&text);
            if self.comparison.findings.len() < MAX_FINDINGS {
                self.comparison.findings.push(text.clone());
            }
            record.evidence.insert(0, text);
            let is_the_end = record.ending.kind == EndingKind::Rst;
            let was_told = matches!(
                judged.verdict,
                Some(
                    Verdict::AuthDisconnected
                        | Verdict::PromptDisconnected
                        | Verdict::ClosedBeforeConnect
                        | Verdict::ConnRefused
                )
            );
            if is_the_end && was_told {
                judged.verdict = Some(Verdict::InjectedReset);
                record.verdict = Some(Verdict::InjectedReset.name());
                record.confidence = 0.99;
                record.ending.by = Side::Middlebox;
            }
        }
    }

    /// Which side this capture is at: packets reach the other clock later than they leave this one, both aligned.
    fn side_of(&mut self, up: Path2, down: Path2) -> Option<Side> {
        let (least_up, _) = *self.deltas.get(&up)?;
        let (_, most_down) = *self.deltas.get(&down)?;
        let path_ns = least_up.saturating_sub(most_down) / 2;
        let offset_ns = least_up.saturating_add(most_down) / 2;
        self.comparison.clock_offset_ms = Some(offset_ns as f64 / 1e6);
        self.comparison.one_way_ms = Some(path_ns.unsigned_abs() as f64 / 1e6);
        Some(if path_ns >= 0 { Side::Client } else { Side::Server })
    }

    /// What came of it.
    pub fn finish(self) -> Comparison {
        self.comparison
    }
}

/// What a packet keeps on its way.
fn fingerprint(segment: &Segment<'_>, path: Path2) -> u64 {
    let mut hasher = DefaultHasher::new();
    (path, segment.seq, segment.ack, segment.flags.0).hash(&mut hasher);
    (segment.payload_len, segment.options.timestamps).hash(&mut hasher);
    hasher.finish()
}
