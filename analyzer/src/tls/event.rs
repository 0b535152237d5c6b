//! What a TLS session tells as its bytes come in.

use super::alert::Alert;
use super::suite::CipherSuite;
use super::version::Version;
use clw_core::verdict::Side;
use std::fmt;

/// Something that happened in a TLS session, in the order of the bytes that showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsEvent {
    /// A ClientHello was read; twice if the server asked for another. [`super::TlsInfo`] has what it says.
    ClientHello,
    /// The server asked for another ClientHello.
    HelloRetryRequest,
    /// The ServerHello was read: version and suite are known.
    ServerHello,
    /// Both sides have finished the handshake. Without keys this is told from the records' kinds and order.
    HandshakeDone,
    /// Decrypted application bytes, never empty.
    Data {
        /// Who sent them.
        side: Side,
        /// The bytes of one record.
        bytes: Vec<u8>,
    },
    /// A record of application data (in TLS 1.3 perhaps of the handshake) that is not decrypted: for lack of keys, or
    /// because it is 0-RTT data.
    Encrypted {
        /// Who sent it.
        side: Side,
        /// Length of the record's body, protection included: 17 bytes in TLS 1.3 and 16 to 24 in TLS 1.2 with AEAD.
        record_len: u16,
    },
    /// Application bytes that decryption cannot give: of a record that does not open, or before one that does. TLS 1.3
    /// hides whether a record was of the application at all: it may have been a ticket, a KeyUpdate or an alert.
    DataLost {
        /// Who sent them.
        side: Side,
        /// How many, if the records around them tell (in TLS 1.3: unless they were padded).
        bytes: Option<u64>,
    },
    /// An alert other than close_notify.
    Alert {
        /// Who sent it.
        side: Side,
        /// What it says.
        alert: Alert,
    },
    /// The sender will write no more, and did not break off: an orderly end.
    CloseNotify {
        /// Who sent it.
        side: Side,
    },
    /// An alert that cannot be read: a close_notify or a failure.
    EncryptedAlert {
        /// Who sent it.
        side: Side,
        /// TLS 1.3 shows its length only. When this is false it may be two bytes of application data instead, such as a
        /// WebSocket ping without payload from the server.
        certain: bool,
    },
    /// TLS 1.3: the sender went on to its next keys.
    KeyUpdate {
        /// Who sent it.
        side: Side,
    },
    /// Protected records will not be decrypted. Told once, at the first of them; if the secrets turn up in the key log
    /// later, [`Self::DecryptionResumed`] follows.
    NoKeys(NoKeys),
    /// A record cannot be opened, or bytes are missing. Attempts to find the place again go on for a while.
    DecryptionLost {
        /// Whose direction.
        side: Side,
    },
    /// Decryption found its place again.
    DecryptionResumed {
        /// Whose direction.
        side: Side,
    },
    /// Decryption of this direction is given up.
    DecryptionStopped {
        /// Whose direction.
        side: Side,
    },
    /// The direction's first bytes are no TLS record; nothing more is read from it.
    NotTls {
        /// Who sent them.
        side: Side,
    },
    /// Records no longer follow one another; they are looked for in what comes.
    FramingLost {
        /// Whose direction.
        side: Side,
    },
    /// Something against the protocol that did not stop the reading.
    Malformed {
        /// Who sent it.
        side: Side,
        /// What is wrong.
        what: &'static str,
    },
}

/// Why records stay encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKeys {
    /// The key log has no secret for this session's client random (yet).
    NotInKeyLog,
    /// The capture lacks the ClientHello or the ServerHello, without which no key can be found or made.
    HelloMissing,
    /// The suite's records cannot be decrypted here: CBC, CCM, RC4, or unknown.
    Suite(CipherSuite),
    /// The version is not TLS 1.2 or 1.3.
    Version(Version),
    /// The records are compressed.
    Compressed,
}

impl fmt::Display for NoKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInKeyLog => f.write_str("the key log has no secrets for this session"),
            Self::HelloMissing => f.write_str("the capture lacks the session's ClientHello or ServerHello"),
            Self::Suite(suite) => write!(
                f,
                "{suite} cannot be decrypted (AES-GCM and ChaCha20-Poly1305 can)"
            ),
            Self::Version(version) => write!(f, "{version} cannot be decrypted (TLS 1.2 and 1.3 can)"),
            Self::Compressed => f.write_str("its records are compressed"),
        }
    }
}
