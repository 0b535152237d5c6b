//! What is loaded.

use clw_core::secret::sha256_hex8;
use clw_core::{Dialect, clawchat, clw, openclaw};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use thiserror::Error;
use url::{Host, Url};

/// The embedded gateway, or an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetPlan {
    /// An embedded gateway, started on a free loopback port.
    Embedded,
    /// This one.
    At(Target),
}

/// A parsed `ws://` or `wss://` address. Shown without the values of query parameters that look like secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Shown", into = "Shown")]
pub struct Target {
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path with query, as it goes into the request line. May hold secrets.
    pub path: String,
    /// `wss`.
    pub tls: bool,
}

/// An address that cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TargetError {
    /// No URL. The text is not repeated: it may hold a secret.
    #[error("URL: {0}; accepted is ws://HOST[:PORT][/PATH] or wss://HOST[:PORT][/PATH]")]
    Syntax(String),
    /// Another scheme.
    #[error("URL: the scheme is `{0}`; accepted are ws:// and wss://")]
    Scheme(String),
    /// `user:password@host`.
    #[error("URL: a user name or password in the URL is not used by any dialect; give --token or --password")]
    UserInfo,
    /// Port 0.
    #[error("URL: port 0; accepted are 1 to 65535")]
    Port,
}

impl Target {
    /// Reads a URL. Without a port the dialect's is used: 18789 (openclaw), 4433 (clw), 39002 (clawchat), whatever the scheme. Without a
    /// path the dialect's: `/` (openclaw), `/clw/auth` (clw), `/ws` (clawchat).
    pub fn parse(text: &str, dialect: Dialect) -> Result<Self, TargetError> {
        let url = Url::parse(text).map_err(|e| TargetError::Syntax(e.to_string()))?;
        let other = match url.scheme() {
            "ws" => "wss",
            "wss" => "ws",
            scheme => return Err(TargetError::Scheme(scheme.to_owned())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::UserInfo);
        }
        // A URL parser drops the scheme's own port (80, 443); the other scheme shows whether it was written.
        let written = url.port().or_else(|| {
            let mut other_url = text.trim_start().to_owned();
            other_url.replace_range(..url.scheme().len(), other);
            Url::parse(&other_url).ok().and_then(|u| u.port())
        });
        let port = written.unwrap_or(default_port(dialect));
        if port == 0 {
            return Err(TargetError::Port);
        }
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            _ => return Err(TargetError::Syntax("no host".to_owned())),
        };
        let path = if url.path() == "/" {
            default_path(dialect)
        } else {
            url.path()
        };
        let path = match url.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        Ok(Self {
            host,
            port,
            path,
            tls: url.scheme() == "wss",
        })
    }

    /// The embedded gateway's address.
    pub fn embedded(dialect: Dialect, address: SocketAddr) -> Self {
        Self {
            host: address.ip().to_string(),
            port: address.port(),
            path: default_path(dialect).to_owned(),
            tls: false,
        }
    }

    /// The host as an address, if it is written as one; `localhost` counts as 127.0.0.1.
    pub fn ip(&self) -> Option<IpAddr> {
        if self.host.eq_ignore_ascii_case("localhost") {
            return Some(IpAddr::from([127, 0, 0, 1]));
        }
        self.host.parse().ok()
    }

    /// The `Host` header: host (an IPv6 address in brackets) and port.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The URL, to be shown: query parameters that look like secrets have their fingerprints for values.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "wss" } else { "ws" };
        let path = match self.path.split_once('?') {
            Some((path, query)) => {
                let shown: Vec<String> = query.split('&').map(without_secret).collect();
                format!("{path}?{}", shown.join("&"))
            }
            None => self.path.clone(),
        };
        format!("{scheme}://{}{path}", self.authority())
    }
}

fn without_secret(parameter: &str) -> String {
    const WORDS: [&str; 8] = ["token", "pass", "secret", "key", "auth", "code", "sig", "cred"];
    match parameter.split_once('=') {
        Some((name, value)) if WORDS.iter().any(|w| name.to_ascii_lowercase().contains(w)) => {
            format!("{name}=sha256:{}", sha256_hex8(value.as_bytes()))
        }
        _ => parameter.to_owned(),
    }
}

fn default_port(dialect: Dialect) -> u16 {
    match dialect {
        Dialect::Clw => clw::DEFAULT_PORT,
        Dialect::Clawchat => clawchat::DEFAULT_PORT,
        _ => openclaw::DEFAULT_PORT,
    }
}

fn default_path(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Clw => clw::PATH,
        Dialect::Clawchat => clawchat::PATH,
        _ => "/",
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.url())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url())
    }
}

/// A target in a result file.
#[derive(Serialize, Deserialize)]
struct Shown {
    url: String,
}

impl From<Target> for Shown {
    fn from(target: Target) -> Self {
        Self { url: target.url() }
    }
}

impl TryFrom<Shown> for Target {
    type Error = TargetError;

    fn try_from(shown: Shown) -> Result<Self, TargetError> {
        // Port and path are always written.
        Self::parse(&shown.url, Dialect::Openclaw)
    }
}

/// TLS settings of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsSettings {
    /// No check of the certificate.
    pub insecure: bool,
    /// The only certificates accepted, by SHA-256 of their DER form.
    pub pins: Vec<Pin>,
    /// Certificate authorities beside the system's.
    pub ca_file: Option<PathBuf>,
    /// TLS secrets in SSLKEYLOGFILE form.
    pub keylog: Option<PathBuf>,
}

/// SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pin(pub [u8; 32]);

/// A pin that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not the SHA-256 of a certificate: 64 hex digits, with or without colons")]
pub struct PinError(String);

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let fail = || PinError(text.to_owned());
        let lower = text.trim().to_ascii_lowercase();
        let digits: Vec<u8> = lower
            .strip_prefix("sha256:")
            .unwrap_or(&lower)
            .bytes()
            .filter(|b| *b != b':')
            .collect();
        if digits.len() != 64 {
            return Err(fail());
        }
        let mut pin = [0; 32];
        for (byte, pair) in pin.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| fail())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| fail())?;
        }
        Ok(Self(pin))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&clw_core::secret::hex(&self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Pin {
    type Error = PinError;

    fn try_from(text: String) -> Result<Self, PinError> {
        text.parse()
    }
}

impl From<Pin> for String {
    fn from(pin: Pin) -> Self {
        pin.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Target {
        Target::parse(text, Dialect::Openclaw).unwrap()
    }

    #[test]
    fn ports_and_paths_follow_the_dialect_unless_written() {
        assert_eq!(parse("ws://gw").url(), "ws://gw:18789/");
        assert_eq!(parse("wss://gw").url(), "wss://gw:18789/");
        assert_eq!(parse("ws://gw:80").port, 80);
        assert_eq!(parse("wss://gw:443/x").url(), "wss://gw:443/x");
        assert_eq!(parse("ws://[::1]:7/a?b=c").url(), "ws://[::1]:7/a?b=c");
        assert_eq!(parse("ws://[::1]").ip(), Some("::1".parse().unwrap()));
        assert_eq!(parse("ws://localhost").ip(), Some("127.0.0.1".parse().unwrap()));
        assert_eq!(parse("ws://gw.example").ip(), None);
        let clw = |text| Target::parse(text, Dialect::Clw).unwrap().url();
        assert_eq!(clw("ws://gw"), "ws://gw:4433/clw/auth");
        assert_eq!(clw("ws://gw/other"), "ws://gw:4433/other");
    }

    #[test]
    fn secrets_in_a_query_are_not_shown() {
        let target = parse("ws://gw/ws?session=7&token=test-token");
        assert!(target.path.contains("test-token"));
        let shown = format!("{target} {target:?} {}", serde_json::to_string(&target).unwrap());
        assert!(!shown.contains("test-token"), "{shown}");
        assert!(shown.contains("session=7&token=sha256:"), "{shown}");
    }

    #[test]
    fn what_is_no_target_is_refused_with_what_is_accepted() {
        for (text, part) in [
            ("gw", "accepted is ws://HOST"),
            ("ws://", "accepted is ws://HOST"),
            ("http://gw", "the scheme is `http`; accepted are ws:// and wss://"),
            ("gw:1234", "the scheme is `gw`"),
            ("ws://me:secret@gw", "give --token or --password"),
            ("ws://gw:0", "port 0; accepted are 1 to 65535"),
            ("ws://gw:99999", "accepted is ws://HOST"),
        ] {
            let message = Target::parse(text, Dialect::Openclaw).unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn pins_are_64_hex_digits() {
        let digits = "AB".repeat(32);
        let colons = ["ab"; 32].join(":");
        assert_eq!(digits.parse::<Pin>().unwrap(), colons.parse::<Pin>().unwrap());
        assert_eq!(digits.parse::<Pin>().unwrap().to_string(), "ab".repeat(32));
        for text in ["", "ab", "zz".repeat(32).as_str(), "é".repeat(32).as_str()] {
            assert!(text.parse::<Pin>().is_err());
        }
    }
}
