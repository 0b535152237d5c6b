//! What is known of a TLS session as a whole.

use super::per_side::PerSide;
use super::suite::CipherSuite;
use super::version::Version;
use clw_core::verdict::Side;

/// The facts of a session, as far as its bytes have shown them. Names are printable ASCII, everything else escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsInfo {
    /// The version the server chose.
    pub version: Option<Version>,
    /// The newest version the client offered: what there is to say when no server answered.
    pub offered_version: Option<Version>,
    /// The host name the client asked for (SNI).
    pub server_name: Option<String>,
    /// The application protocols the client offered (ALPN), at most 16.
    pub alpn_offered: Vec<String>,
    /// The one the server chose; in TLS 1.3 visible only when decrypted.
    pub alpn_selected: Option<String>,
    /// The suite the server chose.
    pub cipher_suite: Option<CipherSuite>,
    /// Whether an earlier session was resumed. In TLS 1.3: whether a pre-shared key was accepted.
    pub resumed: Option<bool>,
    /// Whether the server made the client start over (HelloRetryRequest).
    pub hello_retried: bool,
    /// Whether the client announced 0-RTT data. It is never decrypted.
    pub early_data_offered: bool,
    /// Tickets for later sessions that the server has issued, as far as visible.
    pub tickets: u32,
    /// Whether the client's and the server's part of the handshake is done.
    pub(super) finished: PerSide<bool>,
    /// Whether a record of theirs was decrypted.
    pub(super) decrypted: PerSide<bool>,
}

impl TlsInfo {
    /// Whether `side` has sent its Finished message.
    ///
    /// Without keys this is a conclusion. TLS 1.2: a handshake record after its ChangeCipherSpec. TLS 1.3: the client's
    /// first encrypted record after the ServerHello that is not as short as an alert proves both sides'.
    pub fn handshake_done(&self, side: Side) -> bool {
        *self.finished.of(side)
    }

    /// Whether any record was decrypted, in either direction.
    pub const fn is_decrypted(&self) -> bool {
        *self.decrypted.of(Side::Client) || *self.decrypted.of(Side::Server)
    }

    /// Whether any record of this direction was decrypted.
    pub fn is_side_decrypted(&self, side: Side) -> bool {
        *self.decrypted.of(side)
    }
}
