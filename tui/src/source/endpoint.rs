//! Where a telemetry stream is offered.

use std::fmt;
use std::io::{self, Read};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// Longest wait for a TCP connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Longest silence of a stream that tells something every second.
pub const SILENCE: Duration = Duration::from_secs(30);

/// `HOST:PORT`, `:PORT` (this machine) or the path of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// TCP, as host and port.
    Tcp(String),
    /// A Unix socket.
    Unix(PathBuf),
}

/// A text that is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("an endpoint is HOST:PORT, :PORT or the path of a Unix socket")]
pub struct EndpointError;

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if text.is_empty() {
            return Err(EndpointError);
        }
        if text.contains('/') {
            return Ok(Self::Unix(PathBuf::from(text)));
        }
        match text.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => {
                let host = if host.is_empty() { "127.0.0.1" } else { host };
                Ok(Self::Tcp(format!("{host}:{port}")))
            }
            _ => Ok(Self::Unix(PathBuf::from(text))),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Endpoint {
    /// Connects. Reads fail when nothing comes for a long time: a host that died says nothing.
    pub fn connect(&self) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(SILENCE))?;
                Ok(Box::new(stream))
            }
            Self::Tcp(address) => {
                let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                for address in address.to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                        Ok(stream) => {
                            stream.set_read_timeout(Some(SILENCE))?;
                            return Ok(Box::new(stream));
                        }
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths_are_told_apart() {
        let read = |text: &str| text.parse::<Endpoint>().unwrap();
        assert_eq!(read(":9100"), Endpoint::Tcp("127.0.0.1:9100".to_owned()));
        assert_eq!(read("load-1:9100"), Endpoint::Tcp("load-1:9100".to_owned()));
        assert_eq!(read("[::1]:9100"), Endpoint::Tcp("[::1]:9100".to_owned()));
        assert_eq!(read("run.sock"), Endpoint::Unix("run.sock".into()));
        assert_eq!(read("./a:1"), Endpoint::Unix("./a:1".into()));
        assert!("".parse::<Endpoint>().is_err());
    }
}
