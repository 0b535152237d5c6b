//! ClientHello and ServerHello (RFC 8446 4.1, RFC 5246 7.4.1): what the two sides offer and choose.

use super::cursor::Cursor;
use super::suite::CipherSuite;
use super::version::Version;

/// The random by which a ServerHello says that it is a HelloRetryRequest (RFC 8446 4.1.3).
const HELLO_RETRY_RANDOM: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91, 0xC2,
    0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];

/// How many ALPN protocols are kept, of what a hello may list.
const MAX_PROTOCOLS: usize = 16;
/// How many bytes of a name are kept; DNS and ALPN allow no more than 255.
const MAX_NAME_LEN: usize = 255;

mod extension {
    pub(super) const SERVER_NAME: u16 = 0;
    pub(super) const ALPN: u16 = 16;
    pub(super) const PRE_SHARED_KEY: u16 = 41;
    pub(super) const EARLY_DATA: u16 = 42;
    pub(super) const SUPPORTED_VERSIONS: u16 = 43;
}

/// What the client offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientHello {
    pub(super) random: [u8; 32],
    /// The newest released version on offer.
    pub(super) newest_version: Version,
    /// The name it asks for, as printable ASCII.
    pub(super) server_name: Option<String>,
    /// ALPN protocols, as printable ASCII.
    pub(super) protocols: Vec<String>,
    /// Whether data encrypted for an earlier session follows at once (0-RTT).
    pub(super) early_data: bool,
}

impl ClientHello {
    /// Reads a ClientHello's body; `None` if even the fixed part does not hold. Extensions that do not parse are as absent.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut body = Cursor::new(body);
        let legacy_version = Version(body.u16()?);
        let random = body.array()?;
        let _session_id = body.vec8()?;
        let _suites = body.vec16()?;
        let _compression = body.vec8()?;
        let mut hello = Self {
            random,
            newest_version: legacy_version,
            server_name: None,
            protocols: Vec::new(),
            early_data: false,
        };
        for (kind, data) in extensions(&mut body) {
            match kind {
                extension::SERVER_NAME => hello.server_name = server_name(data),
                extension::ALPN => hello.protocols = protocols(data),
                extension::EARLY_DATA => hello.early_data = true,
                extension::SUPPORTED_VERSIONS => {
                    let versions = Cursor::new(data).vec8().unwrap_or_default();
                    let (pairs, _) = versions.as_chunks::<2>();
                    let versions = pairs.iter().map(|pair| Version(u16::from_be_bytes(*pair)));
                    let newest = versions.filter(|version| version.name().is_some()).max();
                    hello.newest_version = newest.unwrap_or(legacy_version);
                }
                _ => {}
            }
        }
        Some(hello)
    }
}

/// What the server chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerHello {
    pub(super) random: [u8; 32],
    pub(super) version: Version,
    pub(super) suite: CipherSuite,
    /// Whether records are compressed: then what decryption gives is not yet the content.
    pub(super) compressed: bool,
    /// The ALPN protocol; in TLS 1.3 it comes encrypted, in [`encrypted_extensions_protocol`].
    pub(super) protocol: Option<String>,
    /// Whether it accepts a pre-shared key, which in TLS 1.3 is a resumption.
    pub(super) pre_shared_key: bool,
    /// Whether it is a HelloRetryRequest: the client is to try again with another key share.
    pub(super) is_retry: bool,
}

impl ServerHello {
    /// Reads a ServerHello's body; `None` if even the fixed part does not hold.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut body = Cursor::new(body);
        let legacy_version = Version(body.u16()?);
        let random = body.array()?;
        let _session_id = body.vec8()?;
        let suite = CipherSuite(body.u16()?);
        let compressed = body.u8()? != 0;
        let mut hello = Self {
            random,
            version: legacy_version,
            suite,
            compressed,
            protocol: None,
            pre_shared_key: false,
            is_retry: random == HELLO_RETRY_RANDOM,
        };
        for (kind, data) in extensions(&mut body) {
            match kind {
                extension::ALPN => hello.protocol = protocols(data).into_iter().next(),
                extension::PRE_SHARED_KEY => hello.pre_shared_key = true,
                extension::SUPPORTED_VERSIONS => {
                    hello.version = Cursor::new(data).u16().map_or(legacy_version, Version);
                }
                _ => {}
            }
        }
        Some(hello)
    }
}

/// The ALPN protocol in a TLS 1.3 EncryptedExtensions message, if one was chosen.
pub(super) fn encrypted_extensions_protocol(body: &[u8]) -> Option<String> {
    let (_, data) = extensions(&mut Cursor::new(body)).find(|(kind, _)| *kind == extension::ALPN)?;
    protocols(data).into_iter().next()
}

/// The extensions up to the first that does not hold. A hello without any is fine.
fn extensions<'a>(body: &mut Cursor<'a>) -> impl Iterator<Item = (u16, &'a [u8])> {
    let mut list = Cursor::new(body.vec16().unwrap_or_default());
    std::iter::from_fn(move || Some((list.u16()?, list.vec16()?)))
}

fn server_name(data: &[u8]) -> Option<String> {
    let mut names = Cursor::new(Cursor::new(data).vec16()?);
    while !names.is_empty() {
        let (kind, name) = (names.u8()?, names.vec16()?);
        if kind == 0 {
            return Some(printable(name));
        }
    }
    None
}

fn protocols(data: &[u8]) -> Vec<String> {
    let mut list = Cursor::new(Cursor::new(data).vec16().unwrap_or_default());
    std::iter::from_fn(|| list.vec8().map(printable))
        .take(MAX_PROTOCOLS)
        .collect()
}

/// Names come from strangers and go to terminals: what is no printable ASCII is escaped.
fn printable(name: &[u8]) -> String {
    name.iter()
        .take(MAX_NAME_LEN)
        .copied()
        .collect::<Vec<_>>()
        .escape_ascii()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn client_hello(extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
        let list: Vec<u8> = extensions
            .iter()
            .flat_map(|(kind, data)| {
                let len = u16::try_from(data.len()).unwrap();
                [&kind.to_be_bytes()[..], &len.to_be_bytes(), data].concat()
            })
            .collect();
        body.extend(u16::try_from(list.len()).unwrap().to_be_bytes());
        body.extend(list);
        body
    }

    #[test]
    fn a_client_hello_tells_name_protocols_and_newest_version() {
        let body = client_hello(&[
            (0, b"\0\x0c\0\0\x09localhost"),
            (16, b"\0\x0c\x08http/1.1\x02h2"),
            (43, &[6, 0x7a, 0x7a, 3, 4, 3, 3]),
            (42, b""),
        ]);
        let hello = ClientHello::parse(&body).unwrap();
        assert_eq!(hello.server_name.as_deref(), Some("localhost"));
        assert_eq!(hello.protocols, ["http/1.1", "h2"]);
        assert_eq!(hello.newest_version, Version::TLS_1_3, "GREASE is no version");
        assert!(hello.early_data);
    }

    #[test]
    fn a_name_with_terminal_escapes_is_escaped() {
        let body = client_hello(&[(0, b"\0\x07\0\0\x04a\x1b[m")]);
        assert_eq!(
            ClientHello::parse(&body).unwrap().server_name.as_deref(),
            Some("a\\x1b[m")
        );
    }

    proptest! {
        #[test]
        fn a_hello_cut_or_spoilt_anywhere_never_panics(at in 0_usize..80, byte: u8, cut in 0_usize..100) {
            let mut body = client_hello(&[(0, b"\0\x0c\0\0\x09localhost"), (16, b"\0\x03\x02h2")]);
            if let Some(place) = body.get_mut(at) {
                *place = byte;
            }
            body.truncate(cut);
            let _ = ClientHello::parse(&body);
            let _ = ServerHello::parse(&body);
            let _ = encrypted_extensions_protocol(&body);
        }
    }
}
