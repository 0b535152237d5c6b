//! pcapng: sections, interfaces, clocks, and every kind of block.

use clw_analyzer::source::WarningKind;

use crate::read;
use crate::writer::{Order, Pcapng};

const TLS_KEY_LOG: u32 = 0x544c_534b;

#[test]
fn every_packet_block_in_both_byte_orders() {
    for order in [Order::Little, Order::Big] {
        let bytes = Pcapng::new(order)
            .interface(1, 6, &[(2, b"eth0"), (9, &[9])])
            .enhanced(0, 5_000_000_001, b"enhanced")
            .simple(b"simple", 100)
            .old(0, 5_000_000_002, b"old")
            .bytes;
        let seen = read(&bytes).unwrap();
        let frames: Vec<_> = seen
            .frames
            .iter()
            .map(|f| (f.number, f.at_ns, f.data.as_slice(), f.original_len))
            .collect();
        assert_eq!(
            frames,
            [
                (1, 5_000_000_001, &b"enhanced"[..], 8),
                (2, 5_000_000_001, &b"simple"[..], 100),
                (3, 5_000_000_002, &b"old"[..], 3),
            ]
        );
        assert_eq!(seen.summary.interfaces[0].name.as_deref(), Some("eth0"));
        assert_eq!(
            (
                seen.summary.interfaces[0].packets,
                seen.summary.interfaces[0].snap_length
            ),
            (3, 6)
        );
        assert_eq!(seen.summary.warnings, []);
    }
}

#[test]
fn clocks_belong_to_interfaces() {
    for order in [Order::Little, Order::Big] {
        let minus_one = order.u64(u64::MAX);
        let bytes = Pcapng::new(order)
            .interface(1, 0, &[])
            .interface(101, 0, &[(9, &[0x80 | 0x0a])])
            .interface(113, 0, &[(9, &[3]), (14, &minus_one)])
            .enhanced(0, 1_000_000, b"a")
            .enhanced(1, 1024 + 512, b"b")
            .enhanced(2, 3000, b"c")
            .bytes;
        let seen = read(&bytes).unwrap();
        let frames: Vec<_> = seen
            .frames
            .iter()
            .map(|f| (f.at_ns, f.interface, f.link))
            .collect();
        assert_eq!(
            frames,
            [
                (1_000_000_000, 0, 1),
                (1_500_000_000, 1, 101),
                (2_000_000_000, 2, 113)
            ]
        );
        let resolutions: Vec<_> = seen
            .summary
            .interfaces
            .iter()
            .map(|i| i.resolution.as_str())
            .collect();
        assert_eq!(resolutions, ["1 µs", "2^-10 s", "1 ms"]);
    }
}

#[test]
fn each_section_has_its_own_interfaces_and_byte_order() {
    let bytes = Pcapng::new(Order::Little)
        .interface(1, 0, &[])
        .interface(101, 0, &[])
        .enhanced(1, 1, b"first")
        .section(Order::Big)
        .interface(276, 0, &[])
        .enhanced(0, 2, b"second")
        .enhanced(1, 3, b"not described in this section")
        .bytes;
    let seen = read(&bytes).unwrap();
    let frames: Vec<_> = seen
        .frames
        .iter()
        .map(|f| (f.at_ns, f.interface, f.link))
        .collect();
    assert_eq!(frames, [(1000, 1, 101), (2000, 2, 276)]);
    assert_eq!(seen.summary.warnings[0].kind, WarningKind::UnknownInterface);
    assert_eq!(seen.summary.skipped["unknown interface"], 1);
}

#[test]
fn secrets_come_in_their_place_and_other_secrets_not_at_all() {
    let log = b"CLIENT_RANDOM 00 11\n";
    let bytes = Pcapng::new(Order::Little)
        .secrets(TLS_KEY_LOG, log)
        .secrets(0x5747_4b4c, b"wireguard")
        .interface(1, 0, &[])
        .enhanced(0, 1, b"packet")
        .bytes;
    let seen = read(&bytes).unwrap();
    assert_eq!(seen.secrets, [log.to_vec()]);
    assert_eq!(seen.frames.len(), 1);
}

#[test]
fn a_key_log_larger_than_the_window_is_read() {
    let log = b"CLIENT_RANDOM 00 11\n".repeat(150_000);
    let bytes = Pcapng::new(Order::Big)
        .secrets(TLS_KEY_LOG, &log)
        .interface(1, 0, &[])
        .enhanced(0, 1, b"packet")
        .bytes;
    let seen = read(&bytes).unwrap();
    assert_eq!(seen.secrets, [log]);
    assert_eq!((seen.frames.len(), seen.summary.warnings.len()), (1, 0));
}

#[test]
fn drops_are_taken_from_the_last_statistics() {
    for order in [Order::Little, Order::Big] {
        let bytes = Pcapng::new(order)
            .interface(1, 0, &[])
            .interface(1, 0, &[])
            .statistics(0, 10, 1)
            .statistics(0, 20, 3)
            .statistics(1, 5, 4)
            .bytes;
        let seen = read(&bytes).unwrap();
        assert_eq!(seen.summary.interfaces[0].statistics.received, Some(20));
        assert_eq!(
            seen.summary.interfaces[0].statistics.dropped_by_interface,
            Some(3)
        );
        assert_eq!(seen.summary.dropped(), Some(7));
    }
}

#[test]
fn blocks_without_use_and_of_unknown_type_are_passed_over() {
    let mut writer = Pcapng::new(Order::Little).interface(1, 0, &[]);
    for (kind, tick) in [4, 9, 0x0bad, 0x4000_0bad, 0x8000_0001, 0x7777]
        .into_iter()
        .zip(1..)
    {
        writer = writer.block(kind, b"whatever it is").enhanced(0, tick, b"packet");
    }
    let seen = read(&writer.bytes).unwrap();
    assert_eq!((seen.frames.len(), seen.summary.warnings.len()), (6, 0));
}

#[test]
fn dropped_is_unknown_without_statistics() {
    assert_eq!(
        read(&Pcapng::new(Order::Little).interface(1, 0, &[]).bytes)
            .unwrap()
            .summary
            .dropped(),
        None
    );
}
