//! What was read, and what was wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use super::link_type::LinkType;

/// Warnings kept in full, for each kind; the rest is counted.
const WARNINGS_KEPT_OF_A_KIND: u64 = 20;

/// Interfaces remembered over all files. Real captures have a handful; a hostile one has as many blocks as bytes allow.
const INTERFACES_MAX: usize = 65_536;

/// Everything that is known about the capture so far.
#[derive(Clone, Debug, Default)]
pub struct CaptureSummary {
    /// Inputs, as they were named, in the order given (a folder's captures by name). [`super::Frame::file`] indexes it.
    pub files: Vec<String>,
    /// Files in the folders given that are no captures.
    pub files_passed_over: u64,
    /// Frames handed out.
    pub packets: u64,
    /// Bytes of these frames, as captured.
    pub bytes: u64,
    /// Earliest frame, nanoseconds since the Unix epoch.
    pub first_ns: Option<u64>,
    /// Latest frame, nanoseconds since the Unix epoch.
    pub last_ns: Option<u64>,
    /// Frames shorter than they were on the wire.
    pub truncated_packets: u64,
    /// Interfaces over all files. [`super::Frame::interface`] indexes it.
    pub interfaces: Vec<Interface>,
    /// Packets that were not analysed, by reason: those the reader could not place, and those that
    /// [`super::Capture::count_skipped`] was told about.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Damage found, in the order of finding; at most a bounded number of each kind.
    pub warnings: Vec<Warning>,
    /// Number of warnings of each kind, including those not kept.
    pub warning_counts: BTreeMap<WarningKind, u64>,
    /// Bytes taken from the inputs so far (compressed size, if they are compressed).
    pub bytes_read: u64,
    /// Size of all inputs, if all of them have one: a pipe has none.
    pub bytes_total: Option<u64>,
}

/// One interface of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Index of its file in [`CaptureSummary::files`].
    pub file: u32,
    /// Name, if the capture tells it (pcapng only).
    pub name: Option<String>,
    /// Link type of its frames.
    pub link: LinkType,
    /// Most bytes captured of a frame; 0 for no limit.
    pub snap_length: u32,
    /// Ticks of its clock: "1 µs", "1 ns", "2^-20 s".
    pub resolution: String,
    /// Frames handed out.
    pub packets: u64,
    /// Its latest statistics block.
    pub statistics: InterfaceStatistics,
}

/// What the capturing side counted on an interface (pcapng statistics block).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceStatistics {
    /// Packets that arrived.
    pub received: Option<u64>,
    /// Packets dropped for want of room at the interface.
    pub dropped_by_interface: Option<u64>,
    /// Packets dropped by the operating system.
    pub dropped_by_system: Option<u64>,
}

/// Damage in a capture that did not stop the reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Index of the file in [`CaptureSummary::files`].
    pub file: u32,
    /// Byte offset in the file (in what it unpacks to, if it is compressed).
    pub offset: u64,
    /// What kind of damage.
    pub kind: WarningKind,
    /// What exactly, and what was done about it.
    pub what: String,
}

/// Kinds of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WarningKind {
    /// The file ends inside a record or a compressed block.
    CutOff,
    /// A record that cannot be what it says; reading went on at the next plausible one.
    Corrupt,
    /// A packet older than the one before it in the same file.
    TimeBack,
    /// A packet for an interface that its section never described.
    UnknownInterface,
    /// The system refused to read on.
    ReadFailure,
}

impl CaptureSummary {
    /// Link types of the interfaces that gave frames.
    pub fn link_types(&self) -> BTreeSet<LinkType> {
        self.interfaces
            .iter()
            .filter(|interface| interface.packets > 0)
            .map(|interface| interface.link)
            .collect()
    }

    /// Packets that the capturing side says it lost, over all interfaces; `None` if it said nothing.
    pub fn dropped(&self) -> Option<u64> {
        self.interfaces
            .iter()
            .flat_map(|i| [i.statistics.dropped_by_interface, i.statistics.dropped_by_system])
            .flatten()
            .reduce(u64::saturating_add)
    }

    /// Warnings that were counted but not kept.
    pub fn warnings_not_kept(&self) -> u64 {
        self.warning_counts.values().sum::<u64>() - self.warnings.len() as u64
    }

    /// A warning as one line: file, offset, what.
    pub fn describe(&self, warning: &Warning) -> String {
        let name = self.files.get(warning.file as usize).map_or("?", String::as_str);
        format!("{name}: at byte {}: {}", warning.offset, warning.what)
    }

    pub(super) fn warn(&mut self, kind: WarningKind, file: u32, offset: u64, what: impl FnOnce() -> String) {
        let count = self.warning_counts.entry(kind).or_default();
        *count += 1;
        if *count <= WARNINGS_KEPT_OF_A_KIND {
            self.warnings.push(Warning {
                file,
                offset,
                kind,
                what: what(),
            });
        }
    }

    pub(super) fn skip(&mut self, reason: &'static str) {
        self.skip_many(reason, 1);
    }

    /// Notes so many of them, if there are any.
    pub(super) fn skip_many(&mut self, reason: &'static str, packets: u64) {
        if packets > 0 {
            *self.skipped.entry(reason).or_default() += packets;
        }
    }

    /// Its number over all files, or nothing if there are too many of them.
    pub(super) fn add_interface(&mut self, interface: Interface) -> Option<u32> {
        if self.interfaces.len() >= INTERFACES_MAX {
            return None;
        }
        let number = u32::try_from(self.interfaces.len()).ok()?;
        self.interfaces.push(interface);
        Some(number)
    }

    pub(super) fn interface_mut(&mut self, number: u32) -> Option<&mut Interface> {
        self.interfaces.get_mut(number as usize)
    }
}
