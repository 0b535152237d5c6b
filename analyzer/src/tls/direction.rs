//! One direction of a TLS session.

use super::handshake::MessageReader;
use super::opener::Opener;
use super::record::RecordReader;

/// Bytes that may wait for the other side's hello. Nobody sends more before it, 0-RTT apart, which does not wait.
pub(super) const MAX_HELD_LEN: usize = 1 << 16;

/// How the bytes of a direction are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Record after record.
    Framed,
    /// Looking for where a record begins.
    Seeking,
    /// Not TLS: not at all.
    Over,
}

/// What is known about the keys of a direction.
#[derive(Debug)]
pub(super) enum Protection {
    /// Not looked for yet.
    Unknown,
    /// Not in the key log as of this revision.
    NotInKeyLog { revision: u64 },
    /// There cannot be any, or they were given up.
    Impossible,
    /// There.
    Keys(Box<Opener>),
}

/// The state of one direction.
#[derive(Debug)]
pub(super) struct Direction {
    pub(super) mode: Mode,
    pub(super) records: RecordReader,
    pub(super) messages: MessageReader,
    /// Bytes that wait: for the other side's hello, or for more of what may be a record.
    pub(super) held: Vec<u8>,
    /// Whether a record was read.
    pub(super) begun: bool,
    /// Whether its hello was read.
    pub(super) hello: bool,
    /// Whether its hello can no longer come.
    pub(super) hello_missed: bool,
    /// Whether ChangeCipherSpec was seen: up to TLS 1.2 everything after it is protected.
    pub(super) changed_cipher: bool,
    /// Whether the record being read is protected.
    pub(super) record_protected: bool,
    /// Protected records since the keys were new, read or not.
    pub(super) protected_records: u64,
    /// Whether that number is too low, because bytes are missing.
    pub(super) records_missing: bool,
    /// Whether decryption has lost its place.
    pub(super) lost: bool,
    pub(super) protection: Protection,
}

impl Direction {
    pub(super) fn new() -> Self {
        Self {
            mode: Mode::Framed,
            records: RecordReader::new(),
            messages: MessageReader::default(),
            held: Vec::new(),
            begun: false,
            hello: false,
            hello_missed: false,
            changed_cipher: false,
            record_protected: false,
            protected_records: 0,
            records_missing: false,
            lost: false,
            protection: Protection::Unknown,
        }
    }

    pub(super) fn opener(&mut self) -> Option<&mut Opener> {
        match &mut self.protection {
            Protection::Keys(opener) => Some(opener),
            _ => None,
        }
    }

    /// ChangeCipherSpec up to TLS 1.2: new keys from here on.
    pub(super) fn change_cipher(&mut self) {
        self.changed_cipher = true;
        self.protected_records = 0;
        self.records_missing = false;
        self.protection = Protection::Unknown;
        self.messages = MessageReader::default();
    }

    /// Where records begin is no longer known.
    pub(super) fn lose_framing(&mut self) {
        self.mode = Mode::Seeking;
        self.records = RecordReader::new();
        self.messages = MessageReader::default();
        self.held = Vec::new();
        self.records_missing = true;
        self.hello_missed |= !self.hello;
        if let Some(opener) = self.opener() {
            opener.widen();
        }
    }
}
