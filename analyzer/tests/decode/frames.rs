//! Builds frames for the tests, header by header.

/// A TCP segment from port 1000 to port 80 with `options` and `payload`.
pub fn tcp_with(options: &[u8], payload: &[u8]) -> Vec<u8> {
    assert!(options.len().is_multiple_of(4));
    let mut out = vec![0x03, 0xe8, 0x00, 0x50, 0, 0, 0, 9, 0, 0, 0, 7];
    out.push(u8::try_from((20 + options.len()) / 4).unwrap() << 4);
    out.extend([0x18, 0x20, 0x00, 0, 0, 0, 0]);
    out.extend(options);
    out.extend(payload);
    out
}

pub fn tcp(payload: &[u8]) -> Vec<u8> {
    tcp_with(&[], payload)
}

/// An IPv4 packet from 10.0.0.1 to 10.0.0.2; `place` is the field of flags and fragment offset.
pub fn ipv4_with(protocol: u8, id: u16, place: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x40 | u8::try_from((20 + options.len()) / 4).unwrap(), 0];
    out.extend(
        u16::try_from(20 + options.len() + payload.len())
            .unwrap_or(0)
            .to_be_bytes(),
    );
    out.extend(id.to_be_bytes());
    out.extend(place.to_be_bytes());
    out.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    out.extend(options);
    out.extend(payload);
    out
}

pub fn ipv4(payload: &[u8]) -> Vec<u8> {
    ipv4_with(6, 0x1234, 0x4000, &[], payload)
}

/// An IPv6 packet from fe80::1 to fe80::2.
pub fn ipv6(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x60, 0, 0, 0];
    out.extend(u16::try_from(payload.len()).unwrap_or(0).to_be_bytes());
    out.extend([next_header, 55]);
    for last in [1, 2] {
        out.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    out.extend(payload);
    out
}

pub fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![2; 12];
    out.extend(ethertype.to_be_bytes());
    out.extend(payload);
    out
}
