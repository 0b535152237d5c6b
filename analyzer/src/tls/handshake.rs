//! Handshake messages out of the records that carry them (RFC 8446 4): several in one record, one over several.

/// The longest message that is kept. Real hellos with post-quantum key shares have some 2 KiB.
const MAX_KEPT_LEN: usize = 1 << 16;
const HEADER_LEN: usize = 4;

/// The messages that tell something here. Others are passed over without being kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageKind {
    ClientHello,
    ServerHello,
    NewSessionTicket,
    EncryptedExtensions,
    Certificate,
    ServerHelloDone,
    Finished,
    KeyUpdate,
    Other,
}

impl MessageKind {
    const fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::ClientHello,
            2 => Self::ServerHello,
            4 => Self::NewSessionTicket,
            8 => Self::EncryptedExtensions,
            11 => Self::Certificate,
            14 => Self::ServerHelloDone,
            20 => Self::Finished,
            24 => Self::KeyUpdate,
            _ => Self::Other,
        }
    }

    const fn is_kept(self) -> bool {
        matches!(
            self,
            Self::ClientHello | Self::ServerHello | Self::EncryptedExtensions
        )
    }
}

/// A message that has come to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: MessageKind,
    /// Its body; empty for kinds that are not kept.
    pub(super) body: Vec<u8>,
    /// Whether it was longer than anything sensible, and its body was let go.
    pub(super) too_long: bool,
}

/// Joins the handshake bytes of one direction. Holds at most one message of a kind that is kept.
#[derive(Debug, Default)]
pub(super) struct MessageReader {
    header: [u8; HEADER_LEN],
    have: usize,
    body: Vec<u8>,
    missing: usize,
}

impl MessageReader {
    /// Takes bytes from `input` up to the end of a message; `None` when there are too few.
    pub(super) fn message(&mut self, input: &mut &[u8]) -> Option<Message> {
        if self.have < HEADER_LEN {
            let (_, wanted) = self.header.split_at_mut(self.have);
            let taken = wanted.len().min(input.len());
            let (now, rest) = input.split_at(taken);
            wanted.get_mut(..taken)?.copy_from_slice(now);
            *input = rest;
            self.have += taken;
            if self.have < HEADER_LEN {
                return None;
            }
            let [_, length @ ..] = self.header;
            self.missing = length_of(length);
        }
        let [kind, length @ ..] = self.header;
        let kind = MessageKind::from_byte(kind);
        let too_long = kind.is_kept() && length_of(length) > MAX_KEPT_LEN;
        let taken = self.missing.min(input.len());
        let (now, rest) = input.split_at(taken);
        *input = rest;
        self.missing -= taken;
        if kind.is_kept() && !too_long {
            self.body.extend_from_slice(now);
        }
        if self.missing > 0 {
            return None;
        }
        let body = std::mem::take(&mut self.body);
        *self = Self::default();
        Some(Message { kind, body, too_long })
    }

    /// How many bytes it keeps.
    pub(super) fn kept_len(&self) -> usize {
        self.have + self.body.len()
    }
}

fn length_of([a, b, c]: [u8; 3]) -> usize {
    usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(chunks: &[&[u8]]) -> Vec<Message> {
        let mut reader = MessageReader::default();
        let mut found = Vec::new();
        for mut input in chunks.iter().copied() {
            while let Some(message) = reader.message(&mut input) {
                found.push(message);
            }
            assert!(input.is_empty());
        }
        found
    }

    #[test]
    fn messages_come_out_whole_however_records_cut_them() {
        let stream = [1, 0, 0, 3, 7, 8, 9, 14, 0, 0, 0, 11, 0, 0, 2, 5, 5, 8, 0, 0, 1, 6];
        let whole = messages(&[&stream]);
        let seen: Vec<_> = whole.iter().map(|m| (m.kind, m.body.as_slice())).collect();
        assert_eq!(
            seen,
            [
                (MessageKind::ClientHello, &[7, 8, 9][..]),
                (MessageKind::ServerHelloDone, &[]),
                (MessageKind::Certificate, &[]),
                (MessageKind::EncryptedExtensions, &[6]),
            ]
        );
        for at in 0..stream.len() {
            let (a, b) = stream.split_at(at);
            assert_eq!(messages(&[a, b]), whole, "cut at {at}");
        }
    }

    #[test]
    fn a_message_that_claims_sixteen_megabytes_is_not_kept() {
        let mut reader = MessageReader::default();
        let zeros = vec![0; 1 << 16];
        let mut header = &[1, 0xff, 0xff, 0xff][..];
        assert!(reader.message(&mut header).is_none());
        for _ in 0..255 {
            assert!(reader.message(&mut zeros.as_slice()).is_none());
            assert!(reader.body.is_empty());
        }
        let message = reader.message(&mut zeros.as_slice()).unwrap();
        assert!(message.too_long && message.body.is_empty());
    }
}
