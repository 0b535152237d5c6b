//! What a stream begins with.

use super::frames::begins_with_frames;

/// Methods that a client may begin with.
const METHODS: [&[u8]; 9] = [
    b"GET ",
    b"POST ",
    b"PUT ",
    b"HEAD ",
    b"DELETE ",
    b"OPTIONS ",
    b"PATCH ",
    b"CONNECT ",
    b"TRACE ",
];
const STATUS_LINE: &[u8] = b"HTTP/1.";

/// What the first bytes of a direction are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// An HTTP request.
    Request,
    /// An HTTP answer.
    Answer,
    /// A TLS record.
    Tls,
    /// WebSocket frames, masked (a client's) or not.
    Frames {
        /// Masked.
        is_client: bool,
    },
    /// Something else.
    Other,
    /// Too few bytes to tell.
    Short,
}

/// What `bytes` are. Only a capture that begins in the middle can begin with frames.
pub fn beginning(bytes: &[u8], may_be_frames: bool) -> Beginning {
    if bytes.is_empty() {
        return Beginning::Short;
    }
    if METHODS.iter().any(|method| bytes.starts_with(method)) {
        return Beginning::Request;
    }
    if bytes.starts_with(STATUS_LINE) {
        return Beginning::Answer;
    }
    if let [0x16, 0x03, ..] = bytes {
        return Beginning::Tls;
    }
    if may_be_frames {
        for is_client in [true, false] {
            if begins_with_frames(bytes, is_client) {
                return Beginning::Frames { is_client };
            }
        }
    }
    let could_be = |whole: &[u8]| whole.starts_with(bytes);
    if METHODS.iter().any(|m| could_be(m)) || could_be(STATUS_LINE) || bytes == [0x16] {
        return Beginning::Short;
    }
    Beginning::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_beginning_is_told_at_its_last_needed_byte() {
        assert_eq!(beginning(b"GE", false), Beginning::Short);
        assert_eq!(beginning(b"GET ", false), Beginning::Request);
        assert_eq!(beginning(b"GEX", false), Beginning::Other);
        assert_eq!(beginning(b"HTTP/1.", false), Beginning::Answer);
        assert_eq!(beginning(&[0x16], false), Beginning::Short);
        assert_eq!(beginning(&[0x16, 3], false), Beginning::Tls);
        assert_eq!(
            beginning(&[0x81, 2, b'h', b'i'], true),
            Beginning::Frames { is_client: false }
        );
        assert_eq!(beginning(&[0x81, 2, b'h', b'i'], false), Beginning::Other);
        assert_eq!(
            beginning(&[0x89, 0x80, 1, 2, 3, 4], true),
            Beginning::Frames { is_client: true }
        );
    }
}
