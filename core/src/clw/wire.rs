//! A message's bytes: 8 bytes of header, then a JSON object or nothing (protocol page, Transport).

use super::Opcode;
use serde::de::{Deserialize, IgnoredAny};
use thiserror::Error;

/// Opcode, flags, seq.
pub const HEADER_BYTES: usize = 8;

/// The seq of the AUTH_ERROR that refuses a refresh (article: `Token refresh failed, seq=0xFF`).
pub const REFUSED_REFRESH_SEQ: u32 = 0xFF;

/// One message, read as far as its header. Flags are ignored by a receiver and always 0 when sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Opcode as it came.
    pub opcode: u16,
    /// Flags as they came.
    pub flags: u16,
    /// A reply repeats the seq of what it answers.
    pub seq: u32,
    payload: &'a [u8],
}

/// What is wrong with a message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// Less than a header.
    #[error("message of {0} bytes, less than the header's {HEADER_BYTES}")]
    TooShort(usize),
    /// An opcode that the page does not have.
    #[error("unknown opcode 0x{0:X}")]
    UnknownOpcode(u16),
    /// The payload is no UTF-8, no JSON or no object.
    #[error("the payload of {0} is not a JSON object")]
    NotAnObject(Opcode),
    /// A field is missing or has a wrong type. The value is not told: it may be a secret in the wrong place.
    #[error("the payload of {opcode} misses a field or has one of a wrong type (at byte {at})")]
    WrongField {
        /// Of which message.
        opcode: Opcode,
        /// Where in the payload, in bytes.
        at: usize,
    },
}

impl<'a> Frame<'a> {
    /// Reads the header of a binary WebSocket message.
    pub fn read(message: &'a [u8]) -> Result<Self, WireError> {
        match message {
            [o0, o1, f0, f1, s0, s1, s2, s3, payload @ ..] => Ok(Self {
                opcode: u16::from_be_bytes([*o0, *o1]),
                flags: u16::from_be_bytes([*f0, *f1]),
                seq: u32::from_be_bytes([*s0, *s1, *s2, *s3]),
                payload,
            }),
            _ => Err(WireError::TooShort(message.len())),
        }
    }

    /// What the message is.
    pub fn known_opcode(&self) -> Result<Opcode, WireError> {
        Opcode::from_number(self.opcode).ok_or(WireError::UnknownOpcode(self.opcode))
    }

    /// Reads the payload as `T`; an empty one is an empty object.
    pub fn payload<T: Deserialize<'a>>(&self) -> Result<T, WireError> {
        let opcode = self.known_opcode()?;
        let text = self.object(opcode)?;
        serde_json::from_str(text).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => WireError::WrongField {
                opcode,
                at: error.column(),
            },
            _ => WireError::NotAnObject(opcode),
        })
    }

    /// Checks a payload whose fields do not matter.
    pub fn no_payload(&self) -> Result<(), WireError> {
        let opcode = self.known_opcode()?;
        let text = self.object(opcode)?;
        serde_json::from_str::<IgnoredAny>(text)
            .map(|_| ())
            .map_err(|_| WireError::NotAnObject(opcode))
    }

    /// The payload's text, if it begins like an object: serde would take an array for a struct.
    fn object(&self, opcode: Opcode) -> Result<&'a str, WireError> {
        if self.payload.is_empty() {
            return Ok("{}");
        }
        std::str::from_utf8(self.payload)
            .ok()
            .filter(|text| text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{'))
            .ok_or(WireError::NotAnObject(opcode))
    }
}

/// A message without payload.
pub fn header(opcode: Opcode, seq: u32) -> [u8; HEADER_BYTES] {
    let [o0, o1] = opcode.number().to_be_bytes();
    let [s0, s1, s2, s3] = seq.to_be_bytes();
    [o0, o1, 0, 0, s0, s1, s2, s3]
}

/// A message with payload.
pub fn encode(opcode: Opcode, seq: u32, payload: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    bytes.extend_from_slice(&header(opcode, seq));
    // Only maps with keys that are no strings fail; no payload has one.
    let _ = serde_json::to_writer(&mut bytes, payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::payload::{AuthError, AuthOk, DisconnectAuth, Hello, Ping, Refresh, RefreshOk};
    use super::*;
    use crate::verdict::Disconnect;
    use proptest::prelude::*;
    use std::borrow::Cow;

    fn message(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        [&header(opcode, 7)[..], payload].concat()
    }

    #[test]
    fn a_disconnect_is_these_bytes() {
        let payload = DisconnectAuth {
            reason: Disconnect::TokenExpired,
        };
        let bytes = encode(Opcode::DisconnectAuth, 0x0102_0304, &payload);
        assert_eq!(
            bytes,
            b"\x0A\x03\x00\x00\x01\x02\x03\x04{\"reason\":\"token_expired\"}"
        );
        let frame = Frame::read(&bytes).unwrap();
        assert_eq!(frame.known_opcode(), Ok(Opcode::DisconnectAuth));
        assert_eq!(frame.seq, 0x0102_0304);
        assert_eq!(frame.payload::<DisconnectAuth>(), Ok(payload));
    }

    #[test]
    fn flags_and_unknown_fields_are_ignored_and_defaults_are_the_pages() {
        let mut bytes = message(Opcode::AuthOk, br#" {"session":"s","later":[1,{}]}"#);
        bytes[2] = 0xFF;
        let frame = Frame::read(&bytes).unwrap();
        let ok: AuthOk<'_> = frame.payload().unwrap();
        assert_eq!((ok.ttl_s, ok.heartbeat_ms, ok.grace_ms), (300, 2000, 5000));
        assert_eq!(frame.flags, 0xFF00);
    }

    #[test]
    fn a_reason_of_a_later_release_is_not_an_error() {
        let bytes = message(Opcode::DisconnectAuth, br#"{"reason":"solar_flare"}"#);
        let read = Frame::read(&bytes).unwrap().payload::<DisconnectAuth>();
        assert_eq!(read.unwrap().reason, Disconnect::Other);
    }

    #[test]
    fn payloads_that_are_no_objects_are_refused() {
        for payload in [
            &b"[\"token\"]"[..],
            b"\"x\"",
            b"7",
            b"null",
            b"{",
            b"{}x",
            b"{\"a\":\xFF}",
            b"{\"a\":\"\xFF\"}",
            b" ",
        ] {
            let bytes = message(Opcode::AuthRefresh, payload);
            let frame = Frame::read(&bytes).unwrap();
            assert_eq!(
                frame.no_payload(),
                Err(WireError::NotAnObject(Opcode::AuthRefresh)),
                "{payload:?}"
            );
            assert!(frame.payload::<Refresh<'_>>().is_err(), "{payload:?}");
        }
    }

    #[test]
    fn errors_name_the_message_and_never_a_value() {
        for payload in [&br#"{"token":7}"#[..], br#"{"token":["hunter2"]}"#, b"{}", b""] {
            let bytes = message(Opcode::AuthRefresh, payload);
            let Err(error) = Frame::read(&bytes).unwrap().payload::<Refresh<'_>>() else {
                panic!("{payload:?} was read");
            };
            assert!(matches!(error, WireError::WrongField { .. }), "{payload:?}");
            assert!(error.to_string().contains("AUTH_REFRESH"));
            assert!(!error.to_string().contains("hunter2"));
        }
        let hello = Hello {
            token: Cow::Borrowed("hunter2"),
            client_version: Cow::Borrowed("2.2.0"),
            client_id: Cow::Borrowed("c"),
            resume: None,
        };
        assert!(!format!("{hello:?}").contains("hunter2"));
    }

    #[test]
    fn messages_shorter_than_a_header_are_refused() {
        for length in 0..HEADER_BYTES {
            assert_eq!(Frame::read(&vec![0xA0; length]), Err(WireError::TooShort(length)));
        }
        let frame = Frame::read(&[0xFF; 8]).unwrap();
        assert_eq!(frame.known_opcode(), Err(WireError::UnknownOpcode(0xFFFF)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), known: bool, which in 0u16..10) {
            let mut bytes = bytes;
            if known && bytes.len() > 1 {
                bytes[..2].copy_from_slice(&(0xA00 + which).to_be_bytes());
            }
            if let Ok(frame) = Frame::read(&bytes) {
                let _ = frame.no_payload();
                let _ = frame.payload::<Hello<'_>>();
                let _ = frame.payload::<AuthOk<'_>>();
                let _ = frame.payload::<AuthError<'_>>();
            }
        }

        #[test]
        fn what_is_written_is_read(seq: u32, token in ".{0,40}", ttl_s: u64) {
            let bytes = encode(Opcode::AuthPing, seq, &Ping { token_id: Some(Cow::Borrowed(&token)) });
            let frame = Frame::read(&bytes).unwrap();
            prop_assert_eq!((frame.known_opcode(), frame.seq), (Ok(Opcode::AuthPing), seq));
            let ping: Ping<'_> = frame.payload().unwrap();
            prop_assert_eq!(ping.token_id.as_deref(), Some(token.as_str()));
            let bytes = encode(Opcode::RefreshOk, seq, &RefreshOk { ttl_s });
            prop_assert_eq!(Frame::read(&bytes).unwrap().payload::<RefreshOk>(), Ok(RefreshOk { ttl_s }));
        }
    }
}
