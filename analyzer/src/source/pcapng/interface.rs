//! Interface descriptions and statistics.
//!
//! Option values are read here rather than by the parser's accessors, which take them for little-endian always.

use pcap_parser::PcapNGOption;
use pcap_parser::pcapng::{
    OptionCode, parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le,
    parse_interfacestatisticsblock_be, parse_interfacestatisticsblock_le,
};

use super::block::Order;
use crate::source::link_type::LinkType;
use crate::source::summary::{Interface, InterfaceStatistics};
use crate::source::timescale::Timescale;

/// Longest interface name kept.
const NAME_MAX_CHARS: usize = 64;

/// What a packet needs to know about its interface.
pub(super) struct SectionInterface {
    /// Over all files.
    pub(super) number: u32,
    pub(super) link: LinkType,
    pub(super) snap_length: u32,
    pub(super) timescale: Timescale,
}

/// An interface description, read.
pub(super) struct Described {
    pub(super) for_summary: Interface,
    timescale: Timescale,
}

impl Described {
    pub(super) fn in_section(&self, number: u32) -> SectionInterface {
        SectionInterface {
            number,
            link: self.for_summary.link,
            snap_length: self.for_summary.snap_length,
            timescale: self.timescale,
        }
    }
}

/// Reads an interface description block.
pub(super) fn describe(whole: &[u8], order: Order, file: u32) -> Result<Described, &'static str> {
    let parsed = match order {
        Order::Little => parse_interfacedescriptionblock_le(whole),
        Order::Big => parse_interfacedescriptionblock_be(whole),
    };
    let Ok((_, block)) = parsed else {
        return Err("a broken interface description");
    };
    let name = option(&block.options, OptionCode::IfName).map(|name| {
        String::from_utf8_lossy(name)
            .chars()
            .take(NAME_MAX_CHARS)
            .collect()
    });
    let resolution = option(&block.options, OptionCode::IfTsresol).and_then(|value| value.first().copied());
    let offset_s = option(&block.options, OptionCode::IfTsoffset).and_then(|value| order.u64_of(value));
    let timescale = match (resolution, offset_s) {
        (None, None) => Timescale::MICROSECONDS,
        (resolution, offset_s) => Timescale::new(
            resolution.unwrap_or(6),
            offset_s.unwrap_or_default().cast_signed(),
        ),
    };
    Ok(Described {
        for_summary: Interface {
            file,
            name,
            link: LinkType(block.linktype.0.try_into().unwrap_or(u16::MAX)),
            snap_length: block.snaplen,
            resolution: timescale.describe(),
            packets: 0,
            statistics: InterfaceStatistics::default(),
        },
        timescale,
    })
}

/// Reads an interface statistics block: the interface's number in its section, and its counts.
pub(super) fn statistics(whole: &[u8], order: Order) -> Result<(u32, InterfaceStatistics), &'static str> {
    let parsed = match order {
        Order::Little => parse_interfacestatisticsblock_le(whole),
        Order::Big => parse_interfacestatisticsblock_be(whole),
    };
    let Ok((_, block)) = parsed else {
        return Err("a broken statistics block");
    };
    let count = |code| option(&block.options, code).and_then(|value| order.u64_of(value));
    let statistics = InterfaceStatistics {
        received: count(OptionCode::IsbIfRecv),
        dropped_by_interface: count(OptionCode::IsbIfDrop),
        dropped_by_system: count(OptionCode::IsbOsDrop),
    };
    Ok((block.if_id, statistics))
}

fn option<'a>(options: &'a [PcapNGOption<'_>], code: OptionCode) -> Option<&'a [u8]> {
    options
        .iter()
        .take_while(|option| option.code != OptionCode::EndOfOpt)
        .find(|option| option.code == code)
        .and_then(|option| option.as_bytes().ok())
}
