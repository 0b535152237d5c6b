//! Where results go.

use super::otlp::OtlpEndpoint;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::fmt;
use std::net::{AddrParseError, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// A file, or standard output (`-`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

/// Where the live snapshots are served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Telemetry {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// All outputs of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// Result.
    pub json: Option<Destination>,
    /// A page for people.
    #[serde(default)]
    pub html: Option<Destination>,
    /// A line per interval.
    pub csv: Option<Destination>,
    /// HDR interval log.
    pub hdr: Option<Destination>,
    /// A line per session.
    pub journal: Option<Destination>,
    /// Live snapshots.
    pub telemetry: Option<Telemetry>,
    /// Where Prometheus may scrape.
    #[serde(default)]
    pub prometheus: Option<SocketAddr>,
    /// Where figures are pushed to.
    #[serde(default)]
    pub otlp: Option<OtlpEndpoint>,
    /// The dashboard in this terminal.
    #[serde(default)]
    pub tui: bool,
}

impl Outputs {
    /// The flags that write to standard output.
    pub fn on_stdout(&self) -> Vec<&'static str> {
        [
            ("--json", &self.json),
            ("--html", &self.html),
            ("--csv", &self.csv),
            ("--hdr", &self.hdr),
            ("--journal", &self.journal),
        ]
        .into_iter()
        .filter(|(_, to)| **to == Some(Destination::Stdout))
        .map(|(flag, _)| flag)
        .collect()
    }
}

impl FromStr for Destination {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.to_owned().into())
    }
}

impl From<String> for Destination {
    fn from(text: String) -> Self {
        if text == "-" {
            Self::Stdout
        } else {
            Self::File(text.into())
        }
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.to_string()
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("-"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl FromStr for Telemetry {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.to_owned().into())
    }
}

/// Reads `ADDR:PORT`; `:9100` and `localhost:9100` are what people write for this machine.
pub fn parse_listen(text: &str) -> Result<SocketAddr, AddrParseError> {
    match text.rsplit_once(':') {
        Some(("" | "localhost", port)) => format!("127.0.0.1:{port}").parse(),
        _ => text.parse(),
    }
}

impl From<String> for Telemetry {
    fn from(text: String) -> Self {
        parse_listen(&text).map_or_else(|_| Self::Unix(text.into()), Self::Tcp)
    }
}

impl From<Telemetry> for String {
    fn from(telemetry: Telemetry) -> Self {
        telemetry.to_string()
    }
}

impl fmt::Display for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telemetry_is_an_address_or_a_path() {
        let read = |t: &str| Telemetry::from(t.to_owned());
        assert_eq!(read(":9100"), Telemetry::Tcp("127.0.0.1:9100".parse().unwrap()));
        assert_eq!(read("[::1]:9100"), Telemetry::Tcp("[::1]:9100".parse().unwrap()));
        assert_eq!(read("/run/clw.sock"), Telemetry::Unix("/run/clw.sock".into()));
    }
}
