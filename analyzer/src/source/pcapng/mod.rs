//! pcapng: sections of typed blocks with their length at both ends.
//!
//! Byte order, interfaces and clocks belong to the section and start anew with the next. A block is handed to the parser
//! only when it is in memory as a whole, so whatever the parser then finds missing is damage, not a wish for more.

mod block;
mod interface;

use std::ops::Range;

use pcap_parser::SecretsType;
use pcap_parser::pcapng::{
    parse_decryptionsecretsblock_be, parse_decryptionsecretsblock_le, parse_enhancedpacketblock_be,
    parse_enhancedpacketblock_le,
};

use super::file::{FrameRecord, Record};
use super::pcap::warn_time_back;
use super::summary::{CaptureSummary, WarningKind};
use super::window::Window;
use block::{BlockHeader, Kind, Order};
use interface::SectionInterface;

/// Largest block that is taken into memory. The key log of a hundred thousand sessions still fits.
const BLOCK_MAX: u32 = 32 << 20;
/// A packet block beyond this is looked at twice: a wrong length would hold up a live stream and swallow a file's end.
const PACKET_BLOCK_USUAL: u32 = 256 << 10;
/// Largest block that is believed when looking for the next one after damage.
const BLOCK_MAX_AFTER_DAMAGE: u32 = 1 << 20;
/// Shortest section header: type, length, byte order, version, section length, length.
const SECTION_HEADER: usize = 28;

/// One pcapng file.
pub(super) struct Pcapng {
    file: u32,
    order: Order,
    /// Interfaces of the section. `None` for those beyond the limit over all files.
    interfaces: Vec<Option<SectionInterface>>,
    last_ns: u64,
}

/// A packet, whichever block it came in.
struct Packet {
    interface: u32,
    /// In the interface's ticks; simple packets have none.
    ticks: Option<u64>,
    original_len: u32,
    data: Range<usize>,
}

impl Pcapng {
    /// Looks at the first section header and leaves it in place. The error says what is wrong with it.
    pub(super) fn open(window: &mut Window, file: u32) -> Result<Self, String> {
        let bytes = window.want(SECTION_HEADER);
        if bytes.len() < SECTION_HEADER {
            return Err(format!("{} of {SECTION_HEADER} bytes", bytes.len()));
        }
        let Some(order) = Order::of_section(bytes) else {
            return Err("its byte-order mark is neither 1a2b3c4d nor 4d3c2b1a".to_owned());
        };
        Ok(Self {
            file,
            order,
            interfaces: Vec::new(),
            last_ns: 0,
        })
    }

    /// The next packet or secrets and their block's size in the window, or nothing at the end.
    #[inline]
    pub(super) fn next(
        &mut self,
        window: &mut Window,
        summary: &mut CaptureSummary,
    ) -> Option<(Record, usize)> {
        loop {
            let header = match BlockHeader::read(window.want(12), self.order) {
                Some(header) => header,
                None if window.bytes().is_empty() => return None,
                None => {
                    self.warn_cut(window, summary, 12);
                    return None;
                }
            };
            if header.kind == Kind::Section
                && let Some(order) = header.order
            {
                self.order = order;
            }
            if !header.is_possible() {
                let what = format!("a block of {} bytes cannot be", header.length);
                self.resynchronise(window, summary, &what);
                continue;
            }
            if header.kind == Kind::EnhancedPacket
                && header.length > PACKET_BLOCK_USUAL
                && block::has_doubtful_length(window.want(28), self.order)
            {
                self.resynchronise(window, summary, "a packet block much longer than its packet");
                continue;
            }
            if header.length > BLOCK_MAX {
                if !self.skip_large(window, summary, &header) {
                    return None;
                }
                continue;
            }
            let size = header.length as usize;
            let there = window.want(size).len();
            if there < size {
                if !header.kind.is_known() {
                    self.resynchronise(window, summary, "a block of unknown type runs beyond the end");
                    continue;
                }
                self.warn_cut(window, summary, size);
                window.consume(there);
                return None;
            }
            match self.read_block(window, summary, &header) {
                Ok(Some(record)) => return Some((record, size)),
                Ok(None) => window.consume(size),
                Err(what) => self.resynchronise(window, summary, what),
            }
        }
    }

    /// Size of the packet's block that `bytes` begin with; other blocks are followed by more before there is a packet.
    #[inline]
    pub(super) fn size_of(&self, bytes: &[u8]) -> Option<usize> {
        let header = BlockHeader::read(bytes, self.order)?;
        header.kind.is_packet().then_some(header.length as usize)
    }

    /// Reads one block that is in memory as a whole. The error says what is broken in it.
    #[inline]
    fn read_block(
        &mut self,
        window: &Window,
        summary: &mut CaptureSummary,
        header: &BlockHeader,
    ) -> Result<Option<Record>, &'static str> {
        let whole = window.bytes().get(..header.length as usize).unwrap_or_default();
        let packet = match header.kind {
            Kind::EnhancedPacket => self.enhanced_packet(whole)?,
            Kind::SimplePacket => self.simple_packet(whole)?,
            Kind::OldPacket => block::old_packet(whole, self.order)?,
            Kind::Secrets => return self.secrets(whole),
            kind => {
                if !block::ends_agree(whole) {
                    return Err("a block whose lengths at both ends differ");
                }
                match kind {
                    Kind::Section => self.interfaces.clear(),
                    Kind::Interface => self.describe_interface(window, summary, whole)?,
                    Kind::Statistics => self.count_statistics(summary, whole)?,
                    _ => {}
                }
                return Ok(None);
            }
        };
        Ok(self.place(window, summary, packet))
    }

    #[inline]
    fn enhanced_packet(&self, whole: &[u8]) -> Result<Packet, &'static str> {
        let parsed = match self.order {
            Order::Little => parse_enhancedpacketblock_le(whole),
            Order::Big => parse_enhancedpacketblock_be(whole),
        };
        let Ok((_, packet)) = parsed else {
            return Err("a broken packet block");
        };
        let captured = (packet.caplen as usize).min(packet.data.len());
        Ok(Packet {
            interface: packet.if_id,
            ticks: Some(u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low)),
            original_len: packet.origlen,
            data: 28..28 + captured,
        })
    }

    /// Simple packets belong to the section's first interface, whose snap length tells data from padding.
    fn simple_packet(&self, whole: &[u8]) -> Result<Packet, &'static str> {
        if whole.len() < 16 || !block::ends_agree(whole) {
            return Err("a broken simple packet block");
        }
        let original_len = self.order.u32_at(whole, 8).unwrap_or_default();
        let snap = match self.interfaces.first() {
            Some(Some(interface)) if interface.snap_length > 0 => interface.snap_length,
            _ => u32::MAX,
        };
        let captured = (original_len.min(snap) as usize).min(whole.len() - 16);
        Ok(Packet {
            interface: 0,
            ticks: None,
            original_len,
            data: 12..12 + captured,
        })
    }

    fn secrets(&self, whole: &[u8]) -> Result<Option<Record>, &'static str> {
        let parsed = match self.order {
            Order::Little => parse_decryptionsecretsblock_le(whole),
            Order::Big => parse_decryptionsecretsblock_be(whole),
        };
        let Ok((_, secrets)) = parsed else {
            return Err("a broken secrets block");
        };
        if secrets.secrets_type != SecretsType::TlsKeyLog {
            return Ok(None);
        }
        let length = (secrets.secrets_len as usize).min(secrets.data.len());
        Ok(Some(Record::Secrets(16..16 + length)))
    }

    /// Gives the packet its interface and its time.
    #[inline]
    fn place(&mut self, window: &Window, summary: &mut CaptureSummary, packet: Packet) -> Option<Record> {
        let interface = match self.interfaces.get(packet.interface as usize) {
            Some(Some(interface)) => interface,
            Some(None) => {
                summary.skip("too many interfaces");
                return None;
            }
            None => {
                summary.skip("unknown interface");
                summary.warn(WarningKind::UnknownInterface, self.file, window.offset(), || {
                    format!(
                        "a packet of interface {}, which its section does not describe",
                        packet.interface
                    )
                });
                return None;
            }
        };
        // Without a time of its own, a packet has the time of the one before it.
        let at_ns = packet
            .ticks
            .map_or(self.last_ns, |ticks| interface.timescale.to_ns(ticks));
        if at_ns < self.last_ns {
            warn_time_back(summary, self.file, window.offset(), self.last_ns, at_ns);
        }
        self.last_ns = at_ns;
        Some(Record::Frame(FrameRecord {
            at_ns,
            interface: interface.number,
            link: interface.link,
            original_len: packet.original_len,
            data: packet.data,
        }))
    }

    #[cold]
    fn describe_interface(
        &mut self,
        window: &Window,
        summary: &mut CaptureSummary,
        whole: &[u8],
    ) -> Result<(), &'static str> {
        let described = interface::describe(whole, self.order, self.file)?;
        let number = summary.add_interface(described.for_summary.clone());
        if number.is_none() {
            summary.warn(WarningKind::Corrupt, self.file, window.offset(), || {
                "more interfaces than are kept; its packets are skipped".to_owned()
            });
            // Nothing is stored for interfaces beyond the limit, or their number alone would fill the memory.
            if self.interfaces.len() > usize::from(u16::MAX) {
                return Ok(());
            }
        }
        self.interfaces
            .push(number.map(|number| described.in_section(number)));
        Ok(())
    }

    #[cold]
    fn count_statistics(&self, summary: &mut CaptureSummary, whole: &[u8]) -> Result<(), &'static str> {
        let (index, statistics) = interface::statistics(whole, self.order)?;
        if let Some(Some(interface)) = self.interfaces.get(index as usize)
            && let Some(entry) = summary.interface_mut(interface.number)
        {
            entry.statistics = statistics;
        }
        Ok(())
    }

    /// Passes over a block too large for memory. Whether the file goes on behind it.
    #[cold]
    fn skip_large(
        &mut self,
        window: &mut Window,
        summary: &mut CaptureSummary,
        header: &BlockHeader,
    ) -> bool {
        if header.kind.is_packet() || !header.kind.is_known() {
            let what = format!("a block of {} bytes is not believed", header.length);
            self.resynchronise(window, summary, &what);
            return true;
        }
        let from = window.offset();
        let skipped = window.skip(u64::from(header.length));
        let length = header.length;
        summary.warn(WarningKind::Corrupt, self.file, from, || {
            format!("a block of {length} bytes is passed over: at most {BLOCK_MAX} are read")
        });
        skipped == u64::from(length)
    }

    /// Goes to the next place that has a known block with the same length at both ends.
    #[cold]
    fn resynchronise(&mut self, window: &mut Window, summary: &mut CaptureSummary, what: &str) {
        let from = window.offset();
        let found = loop {
            window.consume(1);
            let Some(header) = BlockHeader::read(window.want(12), self.order) else {
                break false;
            };
            if !header.kind.is_known() || !header.is_possible() || header.length > BLOCK_MAX_AFTER_DAMAGE {
                continue;
            }
            let size = header.length as usize;
            if window.want(size).get(..size).is_some_and(block::ends_agree) {
                break true;
            }
        };
        if !found {
            let rest = window.bytes().len();
            window.consume(rest);
        }
        let skipped = window.offset() - from;
        let outcome = if found {
            "the next block was found after"
        } else {
            "no further block in the last"
        };
        summary.warn(WarningKind::Corrupt, self.file, from, || {
            format!("{what}; {outcome} {skipped} bytes")
        });
    }

    #[cold]
    fn warn_cut(&self, window: &Window, summary: &mut CaptureSummary, size: usize) {
        let there = window.bytes().len();
        summary.warn(WarningKind::CutOff, self.file, window.offset(), || {
            format!("the file ends inside a block: {there} of {size} bytes; everything before is analysed")
        });
    }
}
