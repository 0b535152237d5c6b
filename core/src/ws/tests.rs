//! Frames: cut anywhere, compared with tungstenite, and hostile.

use super::*;
use proptest::prelude::*;
use std::io::{self, Cursor, Read, Write};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

/// The limit of the decoders here, bytes.
const LIMIT: usize = 4096;

/// A message, or what was wrong, owned.
#[derive(Clone, Debug, PartialEq)]
enum Item {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Broken,
}

fn owned(incoming: Incoming<'_>) -> Item {
    match incoming {
        Incoming::Text(text) => Item::Text(text.to_owned()),
        Incoming::Binary(bytes) => Item::Binary(bytes.to_vec()),
        Incoming::Ping(bytes) => Item::Ping(bytes.to_vec()),
        Incoming::Pong(bytes) => Item::Pong(bytes.to_vec()),
        Incoming::Close { code, reason } => Item::Close(code, reason.to_owned()),
    }
}

/// Reads `wire` in pieces that end at `cuts`; stops at an error or a close.
fn decode(wire: &[u8], cuts: &[usize]) -> (Vec<Item>, Decoder) {
    let mut decoder = Decoder::new(Peer::Client, LIMIT);
    let mut read = Vec::new();
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut % (wire.len() + 1)).collect();
    ends.push(wire.len());
    ends.sort_unstable();
    let mut at = 0;
    for end in ends {
        let mut piece = wire[at..end].to_vec();
        at = end;
        let result = decoder.decode(&mut piece, |incoming| {
            read.push(owned(incoming));
            true
        });
        if result.is_err() {
            read.push(Item::Broken);
        }
        if matches!(read.last(), Some(Item::Broken | Item::Close(..))) {
            break;
        }
    }
    (read, decoder)
}

/// A stream in memory: reads what is there, swallows what is written.
struct Memory(Cursor<Vec<u8>>);

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for Memory {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What tungstenite's own server reads from the same bytes.
fn tungstenite_reads(wire: &[u8]) -> Vec<Item> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(LIMIT))
        .max_frame_size(Some(LIMIT));
    let stream = Memory(Cursor::new(wire.to_vec()));
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config));
    let mut read = Vec::new();
    loop {
        read.push(match socket.read() {
            Ok(tungstenite::Message::Text(text)) => Item::Text(text.to_string()),
            Ok(tungstenite::Message::Binary(bytes)) => Item::Binary(bytes.to_vec()),
            Ok(tungstenite::Message::Ping(bytes)) => Item::Ping(bytes.to_vec()),
            Ok(tungstenite::Message::Pong(bytes)) => Item::Pong(bytes.to_vec()),
            Ok(tungstenite::Message::Close(frame)) => {
                let (code, reason) = frame.map_or((None, String::new()), |frame| {
                    (Some(u16::from(frame.code)), frame.reason.to_string())
                });
                read.push(Item::Close(code, reason));
                return read;
            }
            Ok(tungstenite::Message::Frame(_)) => continue,
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return read,
            Err(_) => {
                read.push(Item::Broken);
                return read;
            }
        });
    }
}

/// One frame with every bit free.
fn raw_frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut wire = vec![first];
    let masked = u8::from(mask.is_some()) << 7;
    match payload.len() {
        n @ 0..=125 => wire.push(masked + u8::try_from(n).unwrap()),
        n => {
            wire.push(masked + 126);
            wire.extend_from_slice(&u16::try_from(n).unwrap().to_be_bytes());
        }
    }
    let start = wire.len() + mask.map_or(0, |_| 4);
    wire.extend_from_slice(&mask.unwrap_or_default()[..mask.map_or(0, |_| 4)]);
    wire.extend_from_slice(payload);
    if let Some(mask) = mask {
        frame::apply_mask(&mut wire[start..], mask);
    }
    wire
}

const MASK: Option<[u8; 4]> = Some([0x12, 0x34, 0x56, 0x78]);

/// Whole messages and single faults, as bytes.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let text = "\\PC{0,60}";
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    let small = prop::collection::vec(any::<u8>(), 0..125);
    prop_oneof![
        8 => text.prop_map(|t| raw_frame(0x81, MASK, t.as_bytes())),
        4 => bytes.clone().prop_map(|b| raw_frame(0x82, MASK, &b)),
        4 => small.clone().prop_map(|b| raw_frame(0x89, MASK, &b)),
        4 => small.clone().prop_map(|b| raw_frame(0x8a, MASK, &b)),
        4 => (text, bytes.clone(), small.clone()).prop_map(|(t, b, ping)| {
            // A fragmented text with a ping inside, then a fragmented binary.
            let middle = (0..=t.len() / 2).rev().find(|&i| t.is_char_boundary(i)).unwrap();
            [raw_frame(0x01, MASK, &t.as_bytes()[..middle]), raw_frame(0x89, MASK, &ping),
             raw_frame(0x80, MASK, &t.as_bytes()[middle..]), raw_frame(0x02, MASK, &b),
             raw_frame(0x00, MASK, &[]), raw_frame(0x80, MASK, &b)].concat()
        }),
        1 => (prop_oneof![Just(1000u16), Just(1001), Just(1008), 3000u16..5000], "\\PC{0,20}").prop_map(|(code, reason)| {
            let mut body = code.to_be_bytes().to_vec();
            body.extend_from_slice(reason.as_bytes());
            raw_frame(0x88, MASK, &body)
        }),
        1 => Just(raw_frame(0x88, MASK, &[])),
        1 => Just(raw_frame(0x88, MASK, &[3])),
        1 => Just(raw_frame(0x81, None, b"unmasked")),
        1 => Just(raw_frame(0xc1, MASK, b"reserved bit")),
        1 => (3u8..8).prop_map(|op| raw_frame(0x80 | op, MASK, b"reserved opcode")),
        1 => (11u8..16).prop_map(|op| raw_frame(0x80 | op, MASK, b"reserved opcode")),
        1 => Just(raw_frame(0x09, MASK, b"fragmented ping")),
        1 => Just(raw_frame(0x89, MASK, &[0; 126])),
        1 => Just(raw_frame(0x80, MASK, b"continues nothing")),
        1 => Just([raw_frame(0x01, MASK, b"a"), raw_frame(0x81, MASK, b"inside another")].concat()),
        1 => Just(raw_frame(0x81, MASK, b"\xff\xfe")),
        1 => Just(raw_frame(0x82, MASK, &[7; LIMIT + 1])),
        1 => Just([raw_frame(0x02, MASK, &[7; LIMIT]), raw_frame(0x80, MASK, &[7])].concat()),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(piece(), 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn where_a_stream_is_cut_makes_no_difference(
        wire in stream(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let whole = decode(&wire, &[]).0;
        prop_assert_eq!(&decode(&wire, &cuts).0, &whole);
        let each_byte: Vec<_> = (0..wire.len().min(3000)).collect();
        prop_assert_eq!(&decode(&wire, &each_byte).0, &whole);
    }

    #[test]
    fn tungstenite_reads_the_same(wire in stream()) {
        prop_assert_eq!(decode(&wire, &[]).0, tungstenite_reads(&wire));
    }

    #[test]
    fn random_bytes_are_survived_within_bounded_memory(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..20),
        from_client in any::<bool>(),
    ) {
        let peer = if from_client { Peer::Client } else { Peer::Server };
        let mut decoder = Decoder::new(peer, LIMIT);
        for mut chunk in chunks {
            let result = decoder.decode(&mut chunk, |incoming| {
                if let Incoming::Text(text) = incoming {
                    assert!(text.len() <= LIMIT);
                }
                true
            });
            // At most a message, its header and the piece after it, with the growth of a vector, twice.
            prop_assert!(decoder.held_bytes() <= 4 * (LIMIT + 14 + 600), "{}", decoder.held_bytes());
            if let Err(error) = result {
                prop_assert!(matches!(error.close_code(), 1002 | 1007 | 1009));
                break;
            }
        }
    }

    #[test]
    fn what_is_written_reads_back(
        payload in prop::collection::vec(any::<u8>(), 0..70_000),
        seed in any::<u64>(),
    ) {
        for mask in [None, Some(Masks::new(seed).next_mask())] {
            let mut wire = vec![1, 2, 3];
            write_frame(&mut wire, OpCode::Data(Data::Binary), mask, |out| out.extend_from_slice(&payload));
            prop_assert_eq!(&wire[..3], &[1, 2, 3]);
            let peer = if mask.is_some() { Peer::Client } else { Peer::Server };
            let mut decoder = Decoder::new(peer, 1 << 20);
            let mut got = None;
            decoder.decode(&mut wire[3..], |incoming| {
                got = Some(owned(incoming));
                true
            }).unwrap();
            prop_assert_eq!(got, Some(Item::Binary(payload.clone())));
            prop_assert_eq!(decoder.held_bytes(), 0);
        }
    }

    #[test]
    fn http_heads_are_survived_and_complete_in_one_place_only(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in any::<usize>()) {
        let _ = parse_http_request(&bytes);
        let _ = parse_answer(&bytes, "key");
        let mut request = Vec::new();
        let key = write_request(&mut request, "h:1", "/p?q", &["a", "b"], "agent", None, [9; 16]);
        let head = request.len();
        let cut = cut % head;
        prop_assert_eq!(parse_request(&request[..cut]), Ok(None));
        request.extend_from_slice(&bytes);
        let (read, used) = parse_request(&request).unwrap().unwrap();
        prop_assert_eq!(used, head);
        prop_assert_eq!(read.key, key);
        prop_assert_eq!(read.protocols, ["a", "b"]);
        prop_assert_eq!(read.target, "/p?q");
    }
}

#[test]
fn every_broken_rule_has_its_name_and_close_code() {
    let mut long = vec![0x82, 0x80 | 127];
    long.extend_from_slice(&u64::MAX.to_be_bytes());
    long.extend_from_slice(&[0; 4]);
    for (wire, error, code) in [
        (raw_frame(0xc1, MASK, b""), WsError::ReservedBits, 1002),
        (raw_frame(0x83, MASK, b""), WsError::BadOpcode, 1002),
        (raw_frame(0x81, None, b""), WsError::Unmasked, 1002),
        (raw_frame(0x89, MASK, &[0; 126]), WsError::LongControl(126), 1002),
        (raw_frame(0x09, MASK, b""), WsError::FragmentedControl, 1002),
        (raw_frame(0x80, MASK, b""), WsError::FragmentOrder, 1002),
        (raw_frame(0x81, MASK, b"\xff"), WsError::BadUtf8, 1007),
        (raw_frame(0x88, MASK, b"\x03\xe8\xff"), WsError::BadUtf8, 1007),
        (raw_frame(0x88, MASK, b"\x03"), WsError::BadClose, 1002),
        (
            raw_frame(0x88, MASK, &1005u16.to_be_bytes()),
            WsError::BadClose,
            1002,
        ),
        (
            long,
            WsError::TooBig {
                size: u64::MAX,
                limit: LIMIT,
            },
            1009,
        ),
    ] {
        let mut decoder = Decoder::new(Peer::Client, LIMIT);
        let mut wire = wire;
        let result = decoder.decode(&mut wire, |_| true);
        assert_eq!(result, Err(error.clone()));
        assert_eq!(error.close_code(), code);
    }
    let mut masked = raw_frame(0x81, MASK, b"x");
    let mut decoder = Decoder::new(Peer::Server, LIMIT);
    assert_eq!(decoder.decode(&mut masked, |_| true), Err(WsError::Masked));
}

#[test]
fn an_oversized_message_is_refused_by_its_header_before_its_bytes_come() {
    let whole = raw_frame(0x82, MASK, &[0; LIMIT + 1]);
    let mut decoder = Decoder::new(Peer::Client, LIMIT);
    let mut head = whole[..8].to_vec();
    assert!(matches!(
        decoder.decode(&mut head, |_| true),
        Err(WsError::TooBig { .. })
    ));
}

#[test]
fn a_large_message_leaves_nothing_behind() {
    let wire = raw_frame(0x82, MASK, &[7; 4000]);
    let (read, decoder) = decode(&wire, &[10, 2000]);
    assert_eq!(read, [Item::Binary(vec![7; 4000])]);
    assert_eq!(decoder.held_bytes(), 0);
}

#[test]
fn masks_repeat_with_their_seed() {
    let masks = |seed| {
        let mut masks = Masks::new(seed);
        [masks.next_mask(), masks.next_mask()]
    };
    assert_eq!(masks(1), masks(1));
    assert_ne!(masks(1), masks(2));
}

fn request_with(lines: &str) -> Result<UpgradeRequest, UpgradeError> {
    let head = format!("GET /x HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
    parse_request(head.as_bytes()).map(|read| read.unwrap().0)
}

const GOOD: &str = "Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[test]
fn upgrades_are_recognised_in_their_spellings() {
    let lines = format!(
        "{GOOD}Sec-WebSocket-Protocol: one, two\r\nsec-websocket-protocol: three\r\nOrigin: http://o\r\nX-Forwarded-For: 10.0.0.1\r\n"
    );
    let read = request_with(&lines).unwrap();
    assert_eq!(read.protocols, ["one", "two", "three"]);
    assert_eq!(read.origin.as_deref(), Some("http://o"));
    assert_eq!(read.forwarded.as_deref(), Some("10.0.0.1"));
    // RFC 6455 section 1.3.
    assert_eq!(accept_key(&read.key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn requests_that_lack_a_part_say_which() {
    for (from, to, why) in [
        ("WebSocket\r\n", "h2c\r\n", "no Upgrade: websocket"),
        ("keep-alive, Upgrade", "keep-alive", "no Connection: Upgrade"),
        ("Version: 13", "Version: 8", "Sec-WebSocket-Version is not 13"),
        ("Sec-WebSocket-Key", "X-Key", "no Sec-WebSocket-Key"),
        (
            "dGhlIHNhbXBsZSBub25jZQ==",
            "c2hvcnQ=",
            "Sec-WebSocket-Key is not 16 bytes in base64",
        ),
    ] {
        let lines = GOOD.replacen(from, to, 1);
        assert_eq!(request_with(&lines), Err(UpgradeError::NotWebSocket(why)));
    }
    let post = format!("POST / HTTP/1.1\r\n{GOOD}\r\n");
    assert_eq!(
        parse_request(post.as_bytes()),
        Err(UpgradeError::NotWebSocket("method is not GET"))
    );
    let endless = vec![b'a'; MAX_HEAD_BYTES + 1];
    let long = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &endless].concat();
    assert_eq!(parse_request(&long), Err(UpgradeError::TooLong));
    assert!(matches!(
        parse_request(b"\x16\x03\x01\x02"),
        Err(UpgradeError::NotHttp(_))
    ));
}

#[test]
fn an_answer_must_prove_itself() {
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    let answer = |accept: &str| {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: p\r\n\r\nrest"
        )
    };
    let good = answer("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let read = parse_answer(good.as_bytes(), key).unwrap().unwrap();
    assert_eq!((read.status, read.protocol.as_deref()), (101, Some("p")));
    assert_eq!(&good[read.head_bytes..], "rest");
    assert_eq!(
        parse_answer(answer("bogus").as_bytes(), key),
        Err(UpgradeError::NotWebSocket("wrong Sec-WebSocket-Accept"))
    );
    let busy = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(parse_answer(busy, key).unwrap().unwrap().status, 503);
    assert_eq!(parse_answer(&busy[..20], key), Ok(None));
}
