//! A rustls client and server joined in memory: what they write is the capture.

use clw_core::secret::hex;
use clw_core::verdict::Side;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, Connection, KeyLog, RootCertStore, ServerConfig, ServerConnection,
    SupportedCipherSuite, SupportedProtocolVersion,
};
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};

/// What went over the wire, in order, and the secrets behind it.
#[derive(Clone, Debug)]
pub(super) struct Capture {
    pub(super) wire: Vec<(Side, Vec<u8>)>,
    pub(super) key_log: String,
}

/// Collects the lines that a key log file would get.
#[derive(Debug, Default)]
struct Secrets(Mutex<String>);

impl KeyLog for Secrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}\n", hex(client_random), hex(secret));
        self.0.lock().unwrap().push_str(&line);
    }
}

/// The settings of both ends, shared by the sessions that resume one another.
pub(super) struct Ends {
    pub(super) client: ClientConfig,
    pub(super) server: ServerConfig,
    secrets: Arc<Secrets>,
}

/// How the two ends differ from what rustls does by itself.
pub(super) struct Settings {
    pub(super) client: CryptoProvider,
    pub(super) server: CryptoProvider,
    pub(super) client_versions: Vec<&'static SupportedProtocolVersion>,
    pub(super) server_versions: Vec<&'static SupportedProtocolVersion>,
    /// Whether the client trusts the server's certificate.
    pub(super) trusting: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            client: ring::default_provider(),
            server: ring::default_provider(),
            client_versions: rustls::ALL_VERSIONS.to_vec(),
            server_versions: rustls::ALL_VERSIONS.to_vec(),
            trusting: true,
        }
    }
}

impl Settings {
    /// The client speaks this version only.
    pub(super) fn version(version: &'static SupportedProtocolVersion) -> Self {
        Self {
            client_versions: vec![version],
            ..Self::default()
        }
    }

    /// The client offers one suite only.
    pub(super) fn suite(suite: SupportedCipherSuite) -> Self {
        let mut settings = Self::version(suite.version());
        settings.client.cipher_suites = vec![suite];
        settings
    }
}

impl Ends {
    pub(super) fn new(settings: Settings) -> Self {
        let secrets = Arc::new(Secrets::default());
        let (certificate, key) = identity();
        let mut roots = RootCertStore::empty();
        roots
            .add(if settings.trusting {
                certificate.clone()
            } else {
                stranger()
            })
            .unwrap();
        let mut client = ClientConfig::builder_with_provider(Arc::new(settings.client))
            .with_protocol_versions(&settings.client_versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.key_log = secrets.clone();
        let mut server = ServerConfig::builder_with_provider(Arc::new(settings.server))
            .with_protocol_versions(&settings.server_versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        server.ticketer = ring::Ticketer::new().unwrap();
        Self {
            client,
            server,
            secrets,
        }
    }

    /// Begins a session.
    pub(super) fn connect(&self) -> Pair {
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(Arc::new(self.client.clone()), name).unwrap();
        let server = ServerConnection::new(Arc::new(self.server.clone())).unwrap();
        Pair {
            client: client.into(),
            server: server.into(),
            secrets: self.secrets.clone(),
            wire: Vec::new(),
            failed: false,
        }
    }
}

/// A certificate that the server does not have.
fn stranger() -> CertificateDer<'static> {
    let mut made = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    made.distinguished_name
        .push(rcgen::DnType::CommonName, "somebody else");
    made.self_signed(&rcgen::KeyPair::generate().unwrap())
        .unwrap()
        .der()
        .clone()
}

fn identity() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    (made.cert.der().clone(), key.into())
}

/// A client and a server, and everything they have sent.
pub(super) struct Pair {
    pub(super) client: Connection,
    pub(super) server: Connection,
    secrets: Arc<Secrets>,
    wire: Vec<(Side, Vec<u8>)>,
    /// Whether one of them refused what the other sent.
    pub(super) failed: bool,
}

impl Pair {
    /// Lets both sides write and read until neither has more to send.
    pub(super) fn run(&mut self) -> &mut Self {
        loop {
            let client = self.flight(Side::Client);
            let server = self.flight(Side::Server);
            if !client && !server {
                return self;
            }
        }
    }

    fn flight(&mut self, side: Side) -> bool {
        let (from, to) = match side {
            Side::Client => (&mut self.client, &mut self.server),
            _ => (&mut self.server, &mut self.client),
        };
        let mut bytes = Vec::new();
        while from.wants_write() {
            from.write_tls(&mut bytes).unwrap();
        }
        let mut unread = bytes.as_slice();
        while !unread.is_empty() && to.wants_read() {
            to.read_tls(&mut unread).unwrap();
            self.failed |= to.process_new_packets().is_err();
            let mut plain = Vec::new();
            // A connection that is closed or still open tells so by an error; the bytes before it are all that counts.
            let _ = to.reader().read_to_end(&mut plain);
        }
        let any = !bytes.is_empty();
        if any {
            self.wire.push((side, bytes));
        }
        any
    }

    /// Writes application data and delivers it.
    pub(super) fn say(&mut self, side: Side, text: &[u8]) -> &mut Self {
        for part in text.chunks(10_000) {
            self.end(side).writer().write_all(part).unwrap();
            self.run();
        }
        self
    }

    /// Ends the session in order, the client first.
    pub(super) fn close(&mut self) -> &mut Self {
        for side in [Side::Client, Side::Server] {
            self.end(side).send_close_notify();
            self.flight(side);
        }
        self
    }

    pub(super) fn end(&mut self, side: Side) -> &mut Connection {
        match side {
            Side::Client => &mut self.client,
            _ => &mut self.server,
        }
    }

    pub(super) fn capture(&self) -> Capture {
        Capture {
            wire: self.wire.clone(),
            key_log: self.secrets.0.lock().unwrap().clone(),
        }
    }
}
