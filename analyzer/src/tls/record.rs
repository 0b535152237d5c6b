//! The record layer: cutting one direction's bytes into records (RFC 8446 5.1).

/// Bytes before a record's body.
pub(super) const HEADER_LEN: usize = 5;
/// The longest body: 2^14 bytes and what protection may add to them (RFC 8446 5.2).
pub(super) const MAX_BODY_LEN: u16 = (1 << 14) + 256;

/// What a record carries, as its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ContentType {
    ChangeCipherSpec,
    Alert,
    Handshake,
    ApplicationData,
    Heartbeat,
}

impl ContentType {
    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            20 => Self::ChangeCipherSpec,
            21 => Self::Alert,
            22 => Self::Handshake,
            23 => Self::ApplicationData,
            24 => Self::Heartbeat,
            _ => return None,
        })
    }

    const fn to_byte(self) -> u8 {
        match self {
            Self::ChangeCipherSpec => 20,
            Self::Alert => 21,
            Self::Handshake => 22,
            Self::ApplicationData => 23,
            Self::Heartbeat => 24,
        }
    }
}

/// A record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) content: ContentType,
    /// The second byte of the version; the first is 3 in all of them.
    minor: u8,
    /// Length of the body in bytes, at most [`MAX_BODY_LEN`].
    pub(super) len: u16,
}

impl RecordHeader {
    /// `None` when no TLS endpoint sends such a header.
    pub(super) fn parse([content, major, minor, high, low]: [u8; HEADER_LEN]) -> Option<Self> {
        let len = u16::from_be_bytes([high, low]);
        let possible = major == 3 && minor <= 4 && len <= MAX_BODY_LEN;
        let content = ContentType::from_byte(content).filter(|_| possible)?;
        Some(Self { content, minor, len })
    }

    pub(super) fn to_bytes(self) -> [u8; HEADER_LEN] {
        let [high, low] = self.len.to_be_bytes();
        [self.content.to_byte(), 3, self.minor, high, low]
    }
}

/// Whether a connection's first bytes can be TLS: every byte there is fits the beginning of a record.
///
/// One byte is enough to tell it from HTTP. An empty slice does not look like anything.
pub fn looks_like_tls(bytes: &[u8]) -> bool {
    let fits = |at: usize, possible: fn(u8) -> bool| bytes.get(at).is_none_or(|byte| possible(*byte));
    match bytes.first_chunk() {
        Some(header) => RecordHeader::parse(*header).is_some_and(|header| header.len > 0),
        None => {
            !bytes.is_empty()
                && fits(0, |byte| ContentType::from_byte(byte).is_some())
                && fits(1, |byte| byte == 3)
                && fits(2, |byte| byte <= 4)
                && fits(3, |byte| u16::from(byte) <= MAX_BODY_LEN >> 8)
        }
    }
}

/// Where the reader is.
#[derive(Debug)]
enum Place {
    /// In the header; so many bytes of it are there.
    Header([u8; HEADER_LEN], usize),
    /// In the body: what is there of it (nothing if it is not kept), and how many bytes are still to come.
    Body {
        header: RecordHeader,
        body: Option<Vec<u8>>,
        missing: usize,
        damaged: bool,
    },
}

/// A whole record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) header: RecordHeader,
    /// Its body; `None` if it was not to be kept, or if bytes of it are missing.
    pub(super) body: Option<Vec<u8>>,
    /// Whether bytes of the body are missing from the capture.
    pub(super) damaged: bool,
}

/// These bytes are not a record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotARecord;

/// Cuts one direction into records. Holds at most one body, and only if it is wanted and did not come in one piece.
#[derive(Debug)]
pub(super) struct RecordReader(Place);

impl RecordReader {
    pub(super) const fn new() -> Self {
        Self(Place::Header([0; HEADER_LEN], 0))
    }

    /// Reads up to the end of a header. `None` when `input` ended first, or when a body is being read.
    /// The body follows by [`Self::begin_body`] and [`Self::body`].
    pub(super) fn header(&mut self, input: &mut &[u8]) -> Option<Result<RecordHeader, NotARecord>> {
        let Place::Header(bytes, have) = &mut self.0 else {
            return None;
        };
        let (_, wanted) = bytes.split_at_mut(*have);
        let taken = wanted.len().min(input.len());
        let (now, rest) = input.split_at(taken);
        wanted[..taken].copy_from_slice(now);
        *input = rest;
        *have += taken;
        if *have < HEADER_LEN {
            return None;
        }
        let bytes = *bytes;
        *self = Self::new();
        Some(RecordHeader::parse(bytes).ok_or(NotARecord))
    }

    /// Goes on with the body of `header`, keeping it or passing over it.
    pub(super) fn begin_body(&mut self, header: RecordHeader, keep: bool) {
        let body = keep.then(Vec::new);
        self.0 = Place::Body {
            header,
            body,
            missing: usize::from(header.len),
            damaged: false,
        };
    }

    /// Reads up to the end of the body. `None` when `input` ended first, or when a header is being read.
    pub(super) fn body(&mut self, input: &mut &[u8]) -> Option<Record> {
        let Place::Body {
            header,
            body,
            missing,
            damaged,
        } = &mut self.0
        else {
            return None;
        };
        let taken = (*missing).min(input.len());
        let (now, rest) = input.split_at(taken);
        *input = rest;
        *missing -= taken;
        if let Some(body) = body {
            // A body in one piece is one allocation of its size; a slow one doubles, but never beyond its end.
            body.reserve_exact(taken.max(body.len().min(taken + *missing)));
            body.extend_from_slice(now);
        }
        if *missing > 0 {
            return None;
        }
        let record = Record {
            header: *header,
            body: body.take(),
            damaged: *damaged,
        };
        *self = Self::new();
        Some(record)
    }

    /// Lets go of what there is of a body, as if a part of it had not been captured; returns whether there was any.
    pub(super) fn let_go(&mut self) -> bool {
        let Place::Body { body, damaged, .. } = &mut self.0 else {
            return false;
        };
        let is_some = body.take().is_some();
        *damaged |= is_some;
        is_some
    }

    /// How many bytes it keeps.
    pub(super) fn kept_len(&self) -> usize {
        match &self.0 {
            Place::Header(_, have) => *have,
            Place::Body { body, .. } => HEADER_LEN + body.as_ref().map_or(0, Vec::len),
        }
    }

    /// Takes away what there is of the body being read, for what is complete in it.
    pub(super) fn take_begun(&mut self) -> Option<(ContentType, Vec<u8>)> {
        match &mut self.0 {
            Place::Body { header, body, .. } => Some((header.content, body.take()?)),
            Place::Header(..) => None,
        }
    }

    /// Passes over `len` bytes that were not captured, if they all lie within a body: the records after it are then read
    /// as if nothing had happened. Otherwise (`false`) the reader no longer knows where records begin.
    pub(super) fn pass_over(&mut self, len: u64) -> bool {
        let Place::Body {
            body,
            missing,
            damaged,
            ..
        } = &mut self.0
        else {
            return len == 0;
        };
        let Some(left) = usize::try_from(len).ok().and_then(|len| missing.checked_sub(len)) else {
            return false;
        };
        if len > 0 {
            (*missing, *damaged, *body) = (left, true, None);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(chunks: &[&[u8]]) -> Vec<Record> {
        let mut reader = RecordReader::new();
        let mut found = Vec::new();
        for mut input in chunks.iter().copied() {
            loop {
                if let Some(header) = reader.header(&mut input) {
                    reader.begin_body(header.unwrap(), true);
                }
                match reader.body(&mut input) {
                    Some(record) => found.push(record),
                    None => break,
                }
            }
        }
        found
    }

    #[test]
    fn records_come_out_whole_however_they_are_cut() {
        let stream = [22, 3, 1, 0, 3, 7, 8, 9, 23, 3, 3, 0, 0, 21, 3, 3, 0, 2, 1, 0];
        let whole = records(&[&stream]);
        assert_eq!(whole.len(), 3);
        assert_eq!(whole[0].body.as_deref(), Some(&[7, 8, 9][..]));
        for at in 0..stream.len() {
            let (a, b) = stream.split_at(at);
            assert_eq!(records(&[a, b]), whole, "cut at {at}");
        }
    }

    #[test]
    fn a_length_over_the_limit_is_not_a_record() {
        let [high, low] = (MAX_BODY_LEN + 1).to_be_bytes();
        assert_eq!(RecordHeader::parse([23, 3, 3, high, low]), None);
        let [high, low] = MAX_BODY_LEN.to_be_bytes();
        assert!(RecordHeader::parse([23, 3, 3, high, low]).is_some());
    }

    #[test]
    fn bytes_missing_within_a_body_leave_the_framing_whole() {
        let mut reader = RecordReader::new();
        let mut input = &[23, 3, 3, 0, 10, 1, 2, 3][..];
        let header = reader.header(&mut input).unwrap().unwrap();
        reader.begin_body(header, true);
        assert!(reader.body(&mut input).is_none());
        assert!(!reader.pass_over(8), "more than the record has");
        assert!(reader.pass_over(5));
        let mut input = &[9, 9, 21][..];
        let record = reader.body(&mut input).unwrap();
        assert!(record.damaged && record.body.is_none());
        assert_eq!(input, [21]);
    }

    #[test]
    fn http_does_not_look_like_tls() {
        assert!(looks_like_tls(&[22]));
        assert!(looks_like_tls(&[22, 3, 1, 2]));
        assert!(looks_like_tls(&[22, 3, 1, 2, 0, 1, 0]));
        assert!(!looks_like_tls(b"GET / HTTP/1.1\r\n"));
        assert!(!looks_like_tls(b""));
        assert!(!looks_like_tls(&[22, 3, 9]));
        assert!(!looks_like_tls(&[22, 3, 1, 0xff]));
    }
}
