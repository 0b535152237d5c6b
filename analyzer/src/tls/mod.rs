//! TLS as a capture shows it: what two sides agree on, how they part, and, with their session secrets, what they say.
//!
//! [`TlsSession`] takes the bytes of both directions and tells [`TlsEvent`]s; [`TlsSession::info`] has version, SNI, ALPN
//! and cipher suite. With the session's secrets in a [`KeyLog`], records of TLS 1.2 and 1.3 under AES-GCM and
//! ChaCha20-Poly1305 are decrypted. Nothing here reads a file, checks a certificate or can encrypt.
//!
//! ```
//! use clw_analyzer::tls::{KeyLog, TlsEvent, TlsSession, looks_like_tls};
//! use clw_core::verdict::Side;
//!
//! let first = [0x15, 3, 1, 0, 2, 2, 40]; // an alert in clear
//! assert!(looks_like_tls(&first));
//! let mut session = TlsSession::new();
//! let mut events = Vec::new();
//! session.feed(Side::Server, &first, &KeyLog::new(), &mut events);
//! let [TlsEvent::Alert { side: Side::Server, alert }] = events[..] else { panic!("{events:?}") };
//! assert_eq!(alert.to_string(), "fatal handshake_failure (40)");
//! ```
//!
//! What it deliberately lacks: CBC, CCM and RC4 suites, 0-RTT data, key exchange by a server's private key, and Encrypted
//! Client Hello (its outer hello is read; the key log names such sessions by the inner one).

mod aead;
mod alert;
mod cursor;
mod direction;
mod event;
mod handshake;
mod hello;
mod info;
mod key_log;
mod key_log_line;
mod opener;
mod per_side;
mod prf;
mod record;
mod session;
mod session_framing;
mod session_handshake;
mod session_records;
mod suite;
mod traffic_secret;
mod version;

#[cfg(test)]
mod tests;

pub use alert::Alert;
pub use event::{NoKeys, TlsEvent};
pub use info::TlsInfo;
pub use key_log::{KeyLog, LineCounts};
pub use record::looks_like_tls;
pub use session::TlsSession;
pub use suite::CipherSuite;
pub use version::Version;
