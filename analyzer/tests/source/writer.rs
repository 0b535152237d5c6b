//! Writes captures for the tests, byte by byte as the formats say.

/// Byte order of a file or section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Little,
    Big,
}

impl Order {
    pub fn u16(self, value: u16) -> [u8; 2] {
        if self == Self::Big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    pub fn u32(self, value: u32) -> [u8; 4] {
        if self == Self::Big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    pub fn u64(self, value: u64) -> [u8; 8] {
        if self == Self::Big {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }
}

/// A packet to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub at_ns: u64,
    pub data: Vec<u8>,
    pub original_len: u32,
}

/// A packet that was captured whole.
pub fn packet(at_ns: u64, data: &[u8]) -> Packet {
    Packet {
        at_ns,
        data: data.to_vec(),
        original_len: u32::try_from(data.len()).unwrap(),
    }
}

/// A moment of November 2026, `ns` nanoseconds on.
pub fn at(ns: u64) -> u64 {
    1_795_000_000_000_000_000 + ns
}

pub fn pcap_header(order: Order, nanoseconds: bool, link: u32) -> Vec<u8> {
    let magic = if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
    let mut out = Vec::new();
    out.extend(order.u32(magic));
    out.extend(order.u16(2));
    out.extend(order.u16(4));
    out.extend([0; 8]);
    out.extend(order.u32(262_144));
    out.extend(order.u32(link));
    out
}

pub fn pcap_record(order: Order, nanoseconds: bool, packet: &Packet) -> Vec<u8> {
    let fraction = packet.at_ns % 1_000_000_000 / if nanoseconds { 1 } else { 1000 };
    let mut out = Vec::new();
    out.extend(order.u32(u32::try_from(packet.at_ns / 1_000_000_000).unwrap()));
    out.extend(order.u32(u32::try_from(fraction).unwrap()));
    out.extend(order.u32(u32::try_from(packet.data.len()).unwrap()));
    out.extend(order.u32(packet.original_len));
    out.extend(&packet.data);
    out
}

pub fn pcap(order: Order, nanoseconds: bool, packets: &[Packet]) -> Vec<u8> {
    let mut out = pcap_header(order, nanoseconds, 1);
    for packet in packets {
        out.extend(pcap_record(order, nanoseconds, packet));
    }
    out
}

/// Writes pcapng blocks.
pub struct Pcapng {
    pub order: Order,
    pub bytes: Vec<u8>,
}

impl Pcapng {
    pub fn new(order: Order) -> Self {
        Self {
            order,
            bytes: Vec::new(),
        }
        .section(order)
    }

    pub fn block(mut self, kind: u32, body: &[u8]) -> Self {
        let padding = body.len().next_multiple_of(4) - body.len();
        let length = self.order.u32(u32::try_from(12 + body.len() + padding).unwrap());
        self.bytes.extend(self.order.u32(kind));
        self.bytes.extend(length);
        self.bytes.extend(body);
        self.bytes.extend(std::iter::repeat_n(0, padding));
        self.bytes.extend(length);
        self
    }

    pub fn section(mut self, order: Order) -> Self {
        self.order = order;
        let mut body = Vec::new();
        body.extend(order.u32(0x1a2b_3c4d));
        body.extend(order.u16(1));
        body.extend(order.u16(0));
        body.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &body)
    }

    fn options(&self, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (code, value) in options
            .iter()
            .chain((!options.is_empty()).then_some(&(0, &[][..])))
        {
            out.extend(self.order.u16(*code));
            out.extend(self.order.u16(u16::try_from(value.len()).unwrap()));
            out.extend(*value);
            out.extend(std::iter::repeat_n(
                0,
                value.len().next_multiple_of(4) - value.len(),
            ));
        }
        out
    }

    pub fn interface(self, link: u16, snap_length: u32, options: &[(u16, &[u8])]) -> Self {
        let mut body = Vec::new();
        body.extend(self.order.u16(link));
        body.extend([0; 2]);
        body.extend(self.order.u32(snap_length));
        body.extend(self.options(options));
        self.block(1, &body)
    }

    fn packet_body(&self, ticks: u64, data: &[u8], original_len: u32) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend(self.order.u32(u32::try_from(ticks >> 32).unwrap()));
        body.extend(self.order.u32(u32::try_from(ticks & 0xffff_ffff).unwrap()));
        body.extend(self.order.u32(u32::try_from(data.len()).unwrap()));
        body.extend(self.order.u32(original_len));
        body.extend(data);
        body.extend(std::iter::repeat_n(
            0,
            data.len().next_multiple_of(4) - data.len(),
        ));
        body
    }

    pub fn enhanced(self, interface: u32, ticks: u64, data: &[u8]) -> Self {
        let mut body = self.order.u32(interface).to_vec();
        body.extend(self.packet_body(ticks, data, u32::try_from(data.len()).unwrap()));
        // A comment, as editors leave it behind.
        body.extend(self.options(&[(1, b"seen")]));
        self.block(6, &body)
    }

    pub fn old(self, interface: u16, ticks: u64, data: &[u8]) -> Self {
        let mut body = self.order.u16(interface).to_vec();
        body.extend([0xff; 2]);
        body.extend(self.packet_body(ticks, data, u32::try_from(data.len()).unwrap()));
        self.block(2, &body)
    }

    pub fn simple(self, data: &[u8], original_len: u32) -> Self {
        let mut body = self.order.u32(original_len).to_vec();
        body.extend(data);
        self.block(3, &body)
    }

    pub fn statistics(self, interface: u32, received: u64, dropped: u64) -> Self {
        let mut body = self.order.u32(interface).to_vec();
        body.extend([0; 8]);
        body.extend(self.options(&[(4, &self.order.u64(received)), (5, &self.order.u64(dropped))]));
        self.block(5, &body)
    }

    pub fn secrets(self, kind: u32, text: &[u8]) -> Self {
        let mut body = self.order.u32(kind).to_vec();
        body.extend(self.order.u32(u32::try_from(text.len()).unwrap()));
        body.extend(text);
        self.block(0x0a, &body)
    }
}
