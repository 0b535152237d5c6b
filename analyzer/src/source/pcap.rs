//! The classic format: a header and records, without marks between them.
//!
//! Because nothing marks a record's start, one wrong length makes noise of all that follows. A record header that cannot
//! be true sends the reader looking, byte by byte, for a place where two plausible records follow each other.

use std::ops::Range;

use pcap_parser::PcapHeader;
use pcap_parser::pcap::{
    parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified, parse_pcap_header,
};

use super::file::{FrameRecord, Record};
use super::link_type::LinkType;
use super::summary::{CaptureSummary, Interface, InterfaceStatistics, WarningKind};
use super::timescale::Timescale;
use super::window::Window;

/// Bytes of the file header.
const FILE_HEADER: usize = 24;
/// What libpcap takes at most, whatever the header says (MAXIMUM_SNAPLEN).
const SNAP_LENGTH_USUAL: u32 = 262_144;
/// No file header is believed beyond this.
const SNAP_LENGTH_MAX: u32 = 16 << 20;
/// When looking for the next record: how far its time may be from the last good one.
const NEIGHBOUR_SECONDS: u32 = 7 * 86_400;

/// One pcap file behind its header.
pub(super) struct Pcap {
    file: u32,
    interface: Option<u32>,
    link: LinkType,
    layout: Layout,
    /// Nanoseconds of one unit of the fraction: 1000 or 1.
    fraction_ns: u32,
    /// Longest record that is believed.
    length_max: u32,
    /// Seconds of the last good record.
    last_s: Option<u32>,
    last_ns: u64,
}

/// How a record header is laid out.
#[derive(Clone, Copy)]
enum Layout {
    Little,
    Big,
    /// Kuznetzov's variant: eight more bytes in each record header.
    Modified,
}

/// The fields that decide whether a record header can be true.
struct RecordHeader {
    seconds: u32,
    fraction: u32,
    captured: u32,
    original: u32,
}

impl Pcap {
    /// Reads the file header. The error says what is wrong with it.
    pub(super) fn open(window: &mut Window, file: u32, summary: &mut CaptureSummary) -> Result<Self, String> {
        let Ok((_, header)) = parse_pcap_header(window.want(FILE_HEADER)) else {
            return Err(format!("{} of {FILE_HEADER} bytes", window.bytes().len()));
        };
        window.consume(FILE_HEADER);
        let layout = layout_of(&header);
        // The upper half of the field holds flags on the frame check sequence.
        let link = LinkType((header.network.0 & 0xffff).try_into().unwrap_or(u16::MAX));
        let nanoseconds = header.is_nanosecond_precision();
        let interface = summary.add_interface(Interface {
            file,
            name: None,
            link,
            snap_length: header.snaplen,
            resolution: Timescale::new(if nanoseconds { 9 } else { 6 }, 0).describe(),
            packets: 0,
            statistics: InterfaceStatistics::default(),
        });
        Ok(Self {
            file,
            interface,
            link,
            layout,
            fraction_ns: if nanoseconds { 1 } else { 1000 },
            length_max: header.snaplen.clamp(SNAP_LENGTH_USUAL, SNAP_LENGTH_MAX),
            last_s: None,
            last_ns: 0,
        })
    }

    /// The next record and its size in the window, or nothing at the end.
    #[inline]
    pub(super) fn next(
        &mut self,
        window: &mut Window,
        summary: &mut CaptureSummary,
    ) -> Option<(Record, usize)> {
        loop {
            let header_bytes = self.layout.header_bytes();
            let bytes = window.want(header_bytes);
            let Some(header) = self.layout.read(bytes) else {
                if !bytes.is_empty() {
                    self.warn_cut(window, summary, header_bytes);
                }
                return None;
            };
            if !self.is_sound(&header) && !self.is_followed_by_a_record(window, &header) {
                self.resynchronise(window, summary, &header);
                continue;
            }
            let size = header_bytes + header.captured as usize;
            let bytes = window.want(size);
            let Ok((_, record)) = (match self.layout {
                Layout::Little => parse_pcap_frame(bytes),
                Layout::Big => parse_pcap_frame_be(bytes),
                Layout::Modified => parse_pcap_frame_modified(bytes),
            }) else {
                self.warn_cut(window, summary, size);
                window.consume(size);
                return None;
            };
            let data = header_bytes..header_bytes + record.data.len();
            let Some(interface) = self.interface else {
                summary.skip("too many interfaces");
                window.consume(size);
                continue;
            };
            let at_ns = u64::from(record.ts_sec) * 1_000_000_000
                + u64::from(record.ts_usec) * u64::from(self.fraction_ns);
            let frame = self.frame(interface, at_ns, record.origlen, data);
            self.last_s = Some(header.seconds);
            if at_ns < self.last_ns {
                warn_time_back(summary, self.file, window.offset(), self.last_ns, at_ns);
            }
            self.last_ns = at_ns;
            return Some((frame, size));
        }
    }

    /// Size of the record that `bytes` begin with.
    #[inline]
    pub(super) fn size_of(&self, bytes: &[u8]) -> Option<usize> {
        let header = self.layout.read(bytes)?;
        Some(self.layout.header_bytes() + header.captured as usize)
    }

    #[inline]
    fn frame(&self, interface: u32, at_ns: u64, original_len: u32, data: Range<usize>) -> Record {
        Record::Frame(FrameRecord {
            at_ns,
            interface,
            link: self.link,
            original_len,
            data,
        })
    }

    /// Whether the header can be true by itself.
    #[inline]
    fn is_sound(&self, header: &RecordHeader) -> bool {
        let empty = header.seconds == 0 && header.captured == 0 && header.original == 0;
        header.captured <= self.length_max
            && header.captured <= header.original
            && u64::from(header.fraction) * u64::from(self.fraction_ns) < 1_000_000_000
            && !empty
    }

    /// Whether an odd header is excused by a sound one right behind it: some tools write such files.
    #[cold]
    fn is_followed_by_a_record(&self, window: &mut Window, header: &RecordHeader) -> bool {
        if header.captured > self.length_max || header.original == 0 {
            return false;
        }
        let header_bytes = self.layout.header_bytes();
        let next = header_bytes + header.captured as usize;
        let bytes = window.want(next + header_bytes);
        bytes.len() == next
            || bytes
                .get(next..)
                .and_then(|next| self.layout.read(next))
                .is_some_and(|next| self.is_sound(&next))
    }

    /// Goes to the next place where two plausible records follow each other, or one ends with the file.
    #[cold]
    fn resynchronise(&self, window: &mut Window, summary: &mut CaptureSummary, bad: &RecordHeader) {
        let from = window.offset();
        let header_bytes = self.layout.header_bytes();
        let found = loop {
            window.consume(1);
            let Some(header) = self.layout.read(window.want(header_bytes)) else {
                break false;
            };
            if !self.is_neighbour(&header) {
                continue;
            }
            let next = header_bytes + header.captured as usize;
            let bytes = window.want(next + header_bytes);
            let is_last = bytes.len() == next;
            let followed = bytes
                .get(next..)
                .and_then(|bytes| self.layout.read(bytes))
                .is_some_and(|next| self.is_neighbour(&next));
            if is_last || followed {
                break true;
            }
        };
        if !found {
            let rest = window.bytes().len();
            window.consume(rest);
        }
        let (captured, skipped) = (bad.captured, window.offset() - from);
        let outcome = if found {
            "the next record was found after"
        } else {
            "no further record in the last"
        };
        summary.warn(WarningKind::Corrupt, self.file, from, || {
            format!("not a record (it would be {captured} bytes long); {outcome} {skipped} bytes")
        });
    }

    fn is_neighbour(&self, header: &RecordHeader) -> bool {
        self.is_sound(header)
            && header.original > 0
            && header.original <= self.length_max.max(1 << 20)
            && self
                .last_s
                .is_none_or(|last| last.abs_diff(header.seconds) <= NEIGHBOUR_SECONDS)
    }

    #[cold]
    fn warn_cut(&self, window: &Window, summary: &mut CaptureSummary, size: usize) {
        let there = window.bytes().len();
        summary.warn(WarningKind::CutOff, self.file, window.offset(), || {
            format!("the file ends inside a record: {there} of {size} bytes; everything before is analysed")
        });
    }
}

/// Says that a packet is older than the one before it.
#[cold]
pub(super) fn warn_time_back(summary: &mut CaptureSummary, file: u32, offset: u64, from_ns: u64, to_ns: u64) {
    summary.warn(WarningKind::TimeBack, file, offset, || {
        format!(
            "time goes back by {} µs; the packet is kept in its place",
            (from_ns - to_ns) / 1000
        )
    });
}

fn layout_of(header: &PcapHeader) -> Layout {
    if header.is_modified_format() {
        Layout::Modified
    } else if header.is_bigendian() {
        Layout::Big
    } else {
        Layout::Little
    }
}

impl Layout {
    #[inline]
    const fn header_bytes(self) -> usize {
        match self {
            Self::Little | Self::Big => 16,
            Self::Modified => 24,
        }
    }

    #[inline]
    fn read(self, bytes: &[u8]) -> Option<RecordHeader> {
        let bytes = bytes.get(..self.header_bytes())?;
        let (words, _) = bytes.as_chunks::<4>();
        let word = |index: usize| {
            let word = words.get(index).copied().unwrap_or_default();
            if matches!(self, Self::Big) {
                u32::from_be_bytes(word)
            } else {
                u32::from_le_bytes(word)
            }
        };
        Some(RecordHeader {
            seconds: word(0),
            fraction: word(1),
            captured: word(2),
            original: word(3),
        })
    }
}
