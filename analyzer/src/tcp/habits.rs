//! What a side's packet headers usually look like: what a forged packet gets wrong.

use crate::segment::Segment;

/// A middlebox is at least this many hops away from the side it speaks for.
const TTL_STEP: u8 = 2;
/// An IP ID may skip so many numbers: the sender has other connections, and the capture may have lost packets.
const IP_ID_STEP: u16 = 64;
/// Further on than this is before.
const IP_ID_AHEAD: u16 = 1 << 15;
/// So many packets make a habit.
const HABIT: u8 = 3;

/// One side's habits, learned from all of its packets but the RSTs.
#[derive(Clone, Debug, Default)]
pub struct Habits {
    /// Distinct TTLs seen; the first few.
    ttls: [u8; 4],
    ttl_count: u8,
    last_ip_id: Option<u16>,
    /// Steps of the IP ID that were small and forward, and those that were not.
    ip_id_steps: (u8, u8),
    /// Packets with and without timestamps, after the SYN.
    timestamps: (u8, u8),
}

impl Habits {
    /// Learns from a packet that is surely the side's own.
    pub fn learn(&mut self, segment: &Segment<'_>) {
        let known = &self.ttls[..usize::from(self.ttl_count)];
        if !known.contains(&segment.ttl) && usize::from(self.ttl_count) < self.ttls.len() {
            self.ttls[usize::from(self.ttl_count)] = segment.ttl;
            self.ttl_count += 1;
        }
        // A SYN-ACK's IP ID is 0 on Linux, whatever the connection uses later.
        if !segment.flags.syn()
            && let Some(id) = segment.ip_id
        {
            if let Some(last) = self.last_ip_id {
                let step = id.wrapping_sub(last);
                if (1..=IP_ID_STEP).contains(&step) {
                    self.ip_id_steps.0 = self.ip_id_steps.0.saturating_add(1);
                } else {
                    self.ip_id_steps.1 = self.ip_id_steps.1.saturating_add(1);
                }
            }
            self.last_ip_id = Some(id);
        }
        let counter = if segment.options.timestamps.is_some() {
            &mut self.timestamps.0
        } else {
            &mut self.timestamps.1
        };
        *counter = counter.saturating_add(1);
    }

    /// The TTL that the side is known for and that `ttl` is off, if it is off by two or more from every one seen.
    pub fn ttl_off(&self, ttl: u8) -> Option<u8> {
        let known = &self.ttls[..usize::from(self.ttl_count)];
        let nearest = known.iter().min_by_key(|seen| seen.abs_diff(ttl))?;
        (nearest.abs_diff(ttl) >= TTL_STEP).then_some(*nearest)
    }

    /// Whether the side counts its IP IDs up and `id` is not in that sequence; where packets are missing, it may be well ahead.
    pub fn ip_id_off(&self, id: u16, is_missing: bool) -> bool {
        let (steady, odd) = self.ip_id_steps;
        let in_sequence = self
            .last_ip_id
            .is_some_and(|last| id.wrapping_sub(last) <= if is_missing { IP_ID_AHEAD } else { IP_ID_STEP });
        steady >= HABIT && odd == 0 && !in_sequence
    }

    /// Whether the side puts timestamps into every packet.
    pub fn always_has_timestamps(&self) -> bool {
        self.timestamps.0 >= HABIT && self.timestamps.1 == 0
    }
}
