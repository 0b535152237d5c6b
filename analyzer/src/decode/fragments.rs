//! IP fragments, joined within bounds of memory and time.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use super::Place;
use super::ip::{Fragment, Packet, pass_joined_extensions};

/// Longest payload of an IP packet.
const PACKET_MAX: usize = 65_535;
/// What an unfinished packet costs beside its bytes.
const OVERHEAD_BYTES: usize = 256;

/// How much of unfinished packets is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentLimits {
    /// Memory for all unfinished packets together, in bytes.
    pub memory_bytes: usize,
    /// How long a packet waits for its last fragment, in nanoseconds of capture time.
    pub wait_ns: u64,
}

impl Default for FragmentLimits {
    /// 4 MiB, and 30 s as Linux waits (`net.ipv4.ipfrag_time`).
    fn default() -> Self {
        Self {
            memory_bytes: 4 << 20,
            wait_ns: 30_000_000_000,
        }
    }
}

/// Unfinished packets, oldest first.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    limits: FragmentLimits,
    parts: HashMap<Key, Parts>,
    /// Keys by age. One whose packet is finished is passed over when it comes to the front.
    ages: VecDeque<(Key, u64)>,
    memory_bytes: usize,
    /// Number for the next unfinished packet, to tell a reused key from the old.
    next_serial: u64,
    lost: u64,
    /// The packet joined last.
    joined: Vec<u8>,
}

/// What fragments of one packet share (RFC 791, RFC 8200 4.5), and where they were captured: on `any` a fragment is seen
/// more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    id: u32,
    protocol: u8,
    interface: u32,
}

#[derive(Debug)]
struct Parts {
    serial: u64,
    first_ns: u64,
    bytes: Vec<u8>,
    /// Parts that have come, sorted and apart: from, to.
    ranges: Vec<(usize, usize)>,
    /// Known since the last fragment came.
    total: Option<usize>,
    /// Where the first byte is missing that a snap length cut off.
    intact: usize,
    /// Of the first fragment: its next-header field and TTL speak for the packet.
    head: Option<(u8, u8)>,
}

impl Fragments {
    pub(super) fn new(limits: FragmentLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Adds a fragment; gives the whole packet if it was the last one missing.
    #[cold]
    pub(super) fn add<'s>(&'s mut self, place: &Place, packet: &Packet<'_>) -> Option<Packet<'s>> {
        let fragment = packet.fragment?;
        self.forget_old(place.at_ns);
        let end = fragment.offset + packet.payload_len;
        // All but the last fragment are multiples of eight bytes long.
        if end > PACKET_MAX
            || packet.payload_len == 0
            || (!fragment.is_last && !packet.payload_len.is_multiple_of(8))
        {
            return None;
        }
        let key = Key {
            source: packet.source,
            destination: packet.destination,
            id: fragment.id,
            // In IPv6 it belongs to the fragment's own headers and may differ.
            protocol: if packet.source.is_ipv4() {
                packet.protocol
            } else {
                0
            },
            interface: place.interface,
        };
        let parts = self.parts.entry(key).or_insert_with(|| {
            self.next_serial += 1;
            self.ages.push_back((key, self.next_serial));
            self.memory_bytes += OVERHEAD_BYTES;
            Parts::new(self.next_serial, place.at_ns)
        });
        let before = parts.memory_bytes();
        parts.add(packet, fragment, end);
        let is_whole = parts.is_whole();
        self.memory_bytes = self.memory_bytes + parts.memory_bytes() - before;
        if !is_whole {
            self.forget_excess();
            return None;
        }
        let parts = self.remove(&key)?;
        self.joined = parts.bytes;
        let (protocol, ttl) = parts.head?;
        let mut whole = Packet {
            source: packet.source,
            destination: packet.destination,
            ttl,
            ip_id: packet.ip_id,
            protocol,
            payload: self
                .joined
                .get(..parts.intact.min(self.joined.len()))
                .unwrap_or_default(),
            payload_len: self.joined.len(),
            fragment: None,
        };
        pass_joined_extensions(&mut whole).ok()?;
        Some(whole)
    }

    fn remove(&mut self, key: &Key) -> Option<Parts> {
        let parts = self.parts.remove(key)?;
        self.memory_bytes = self
            .memory_bytes
            .saturating_sub(parts.memory_bytes() + OVERHEAD_BYTES);
        // Finished packets leave their age behind; without this a long row of them would pile up behind one that waits.
        if self.ages.len() > 2 * self.parts.len() + 64 {
            let parts = &self.parts;
            self.ages
                .retain(|(key, serial)| parts.get(key).is_some_and(|parts| parts.serial == *serial));
        }
        Some(parts)
    }

    fn forget_old(&mut self, now_ns: u64) {
        while let Some((key, serial)) = self.ages.front().copied() {
            match self.parts.get(&key).filter(|parts| parts.serial == serial) {
                Some(parts) if now_ns.saturating_sub(parts.first_ns) <= self.limits.wait_ns => break,
                Some(_) => self.forget(&key),
                None => {}
            }
            self.ages.pop_front();
        }
    }

    fn forget_excess(&mut self) {
        while self.memory_bytes > self.limits.memory_bytes {
            let Some((key, serial)) = self.ages.pop_front() else {
                break;
            };
            if self.parts.get(&key).is_some_and(|parts| parts.serial == serial) {
                self.forget(&key);
            }
        }
    }

    fn forget(&mut self, key: &Key) {
        self.lost += 1;
        self.remove(key);
    }
}

impl Parts {
    fn new(serial: u64, first_ns: u64) -> Self {
        Self {
            serial,
            first_ns,
            bytes: Vec::new(),
            ranges: Vec::new(),
            total: None,
            intact: usize::MAX,
            head: None,
        }
    }

    fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.ranges.capacity() * size_of::<(usize, usize)>()
    }

    /// Where fragments overlap, what came first stays.
    fn add(&mut self, packet: &Packet<'_>, fragment: Fragment, end: usize) {
        if fragment.is_last {
            self.total.get_or_insert(end);
        }
        if fragment.offset == 0 && self.head.is_none() {
            self.head = Some((packet.protocol, packet.ttl));
        }
        if packet.payload.len() < packet.payload_len {
            self.intact = self.intact.min(fragment.offset + packet.payload.len());
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        let mut from = fragment.offset;
        for (start, stop) in self.ranges.iter().copied().chain([(end, end)]) {
            if from < start.min(end) {
                copy(
                    &mut self.bytes,
                    packet.payload,
                    fragment.offset,
                    from,
                    start.min(end),
                );
            }
            from = from.max(stop);
        }
        self.ranges.push((fragment.offset, end));
        self.ranges.sort_unstable();
        let mut joined: Vec<(usize, usize)> = Vec::with_capacity(self.ranges.len());
        for (start, stop) in self.ranges.drain(..) {
            match joined.last_mut() {
                Some((_, last)) if start <= *last => *last = stop.max(*last),
                _ => joined.push((start, stop)),
            }
        }
        self.ranges = joined;
    }

    fn is_whole(&self) -> bool {
        matches!((self.ranges.as_slice(), self.total), ([(0, end)], Some(total)) if *end == total)
    }
}

/// Copies what of `payload`, which begins at `offset` of the packet, belongs between `from` and `to`.
fn copy(bytes: &mut [u8], payload: &[u8], offset: usize, from: usize, to: usize) {
    let to = to.min(offset + payload.len());
    if from >= to {
        return;
    }
    if let (Some(into), Some(part)) = (bytes.get_mut(from..to), payload.get(from - offset..to - offset)) {
        into.copy_from_slice(part);
    }
}
