//! The transport under a session: TCP from a chosen source address, TLS, the bad network inside the process.

use super::clock::Clock;
use super::impaired::Impaired;
use crate::limits::generator_error_name;
use crate::plan::BindRange;
use clw_core::impair;
use clw_core::verdict::Connect;
use clw_gateway::tcp_keepalive;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::SockRef;
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// A connected transport. The plain one is what thousands of sessions use; the rest is boxed away.
pub enum Stream {
    /// TCP.
    Plain(TcpStream),
    /// TLS, or a bad network, or both.
    Layered(Box<dyn Layered>),
}

/// A transport made of layers.
pub trait Layered: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Layered for T {}

impl Stream {
    /// Reads into `buf`; see [`AsyncRead::poll_read`].
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Layered(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }

    /// Writes from `buf` and, where a layer buffers, pushes it out; see [`AsyncWrite::poll_write`].
    pub fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Layered(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    /// Pushes out what a layer holds back.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Layered(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Ends the sending direction (TLS: with close_notify).
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Layered(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Stream::poll_read(self.get_mut(), cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Stream::poll_write(self.get_mut(), cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Stream::poll_flush(self.get_mut(), cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Stream::poll_shutdown(self.get_mut(), cx)
    }
}

/// What to connect to, and how.
pub struct Target {
    /// Addresses of one family, used in turn by session number.
    pub addresses: Vec<SocketAddr>,
    /// Those of the other family, if the name has both: used when the first connect is refused and one of these is not.
    pub others: Vec<SocketAddr>,
    /// Which of the two it is, once that is known.
    pub family: Cell<Family>,
    /// Idle time after which a connection is probed; `None`: never.
    pub tcp_keepalive: Option<Duration>,
    /// Source addresses, used in turn; empty: the kernel's choice.
    pub sources: Vec<BindRange>,
    /// TLS, if the URL says `wss`.
    pub tls: Option<(Arc<tokio_rustls::rustls::ClientConfig>, ServerName<'static>)>,
    /// The bad network inside the process.
    pub impair: Option<impair::Spec>,
}

/// Which addresses of a name that has both families are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// No connect has succeeded yet.
    #[default]
    Unknown,
    /// The preferred one's.
    Preferred,
    /// The other one's.
    Other,
}

/// Why there is no transport.
#[derive(Debug)]
pub enum LinkError {
    /// This machine, not the gateway, is the reason: `EMFILE`, `EADDRNOTAVAIL` …
    Generator(&'static str),
    /// TCP did not come up.
    Connect(Connect),
    /// TCP came up and was torn down before anything was said.
    Lost(io::Error),
    /// TLS did not come up.
    Tls(String),
}

/// TCP is up.
pub struct Connected {
    /// The socket.
    pub stream: TcpStream,
    /// This side's address, to join with a capture or a log.
    pub local: Option<SocketAddr>,
    /// The gateway's.
    pub remote: SocketAddr,
}

impl Target {
    /// The address that session `number` connects to (first).
    pub fn address(&self, number: u64) -> SocketAddr {
        match self.family.get() {
            Family::Other => pick(&self.others, number),
            Family::Unknown | Family::Preferred => pick(&self.addresses, number),
        }
    }

    /// Opens TCP for session `number`. Until one connect has succeeded, a refused one is tried with the other family: a
    /// gateway that listens on 127.0.0.1 is found by the name `localhost`.
    pub async fn connect(&self, number: u64) -> Result<Connected, LinkError> {
        let first = self.connect_to(self.address(number), number).await;
        if self.family.get() != Family::Unknown {
            return first;
        }
        match first {
            Ok(_) => self.family.set(Family::Preferred),
            Err(LinkError::Connect(Connect::Refused | Connect::Unreachable)) if !self.others.is_empty() => {
                if let Ok(connected) = self.connect_to(pick(&self.others, number), number).await {
                    self.family.set(Family::Other);
                    return Ok(connected);
                }
            }
            Err(_) => {}
        }
        first
    }

    async fn connect_to(&self, remote: SocketAddr, number: u64) -> Result<Connected, LinkError> {
        let socket = if remote.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        };
        let socket = socket.map_err(|e| classify(&e))?;
        if let Some(source) =
            BindRange::nth_of(&self.sources, number).filter(|s| s.is_ipv4() == remote.is_ipv4())
        {
            // The port is chosen at connect, where the kernel needs only the four-tuple to be free.
            let _ = setsockopt(&socket, sockopt::IpBindAddressNoPort, &true);
            socket
                .bind(SocketAddr::new(source, 0))
                .map_err(|e| classify(&e))?;
        }
        if let Some(idle) = self.tcp_keepalive {
            // A kernel that refuses leaves the heartbeats to notice.
            let _ = SockRef::from(&socket).set_tcp_keepalive(&tcp_keepalive(idle));
        }
        let stream = socket.connect(remote).await.map_err(|e| classify(&e))?;
        let _ = stream.set_nodelay(true);
        let local = stream.local_addr().ok();
        Ok(Connected {
            stream,
            local,
            remote,
        })
    }

    /// Puts the layers on top of TCP. `seed` decides what the bad network does to this connection.
    pub async fn layer(&self, stream: TcpStream, seed: u64, clock: Clock) -> Result<Stream, LinkError> {
        match (&self.tls, &self.impair) {
            (None, None) => Ok(Stream::Plain(stream)),
            (None, Some(spec)) => Ok(Stream::Layered(Box::new(
                Impaired::open(stream, *spec, seed, clock).await,
            ))),
            (Some((config, name)), None) => {
                let tls = TlsConnector::from(config.clone())
                    .connect(name.clone(), stream)
                    .await;
                Ok(Stream::Layered(Box::new(tls.map_err(|e| tls_error(&e))?)))
            }
            (Some((config, name)), Some(spec)) => {
                let bad = Impaired::open(stream, *spec, seed, clock).await;
                let tls = TlsConnector::from(config.clone())
                    .connect(name.clone(), bad)
                    .await;
                Ok(Stream::Layered(Box::new(tls.map_err(|e| tls_error(&e))?)))
            }
        }
    }

    /// Whether TCP is all there is.
    pub fn is_plain(&self) -> bool {
        self.tls.is_none() && self.impair.is_none()
    }

    /// Whether TLS is spoken.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }
}

fn pick<T: Copy>(list: &[T], number: u64) -> T {
    // The remainder fits: it is smaller than the list's length. Callers never pass an empty list.
    list[usize::try_from(number % list.len() as u64).unwrap_or(0)]
}

fn classify(error: &io::Error) -> LinkError {
    if let Some(name) = error.raw_os_error().and_then(generator_error_name) {
        return LinkError::Generator(name);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => LinkError::Connect(Connect::Refused),
        io::ErrorKind::TimedOut => LinkError::Connect(Connect::TimedOut),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            LinkError::Connect(Connect::Unreachable)
        }
        _ => LinkError::Lost(io::Error::new(error.kind(), error.to_string())),
    }
}

fn tls_error(error: &io::Error) -> LinkError {
    LinkError::Tls(match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server closed before the TLS handshake was done".to_owned(),
        io::ErrorKind::ConnectionReset => {
            "the connection was reset before the TLS handshake was done".to_owned()
        }
        _ => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::getsockopt;
    use std::net::TcpListener;

    fn target(addresses: Vec<SocketAddr>, others: Vec<SocketAddr>) -> Target {
        Target {
            addresses,
            others,
            family: Cell::default(),
            tcp_keepalive: None,
            sources: Vec::new(),
            tls: None,
            impair: None,
        }
    }

    fn listener(address: &str) -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// An address of the other family on which nobody listens.
    fn refused(address: &str) -> SocketAddr {
        listener(address).1
    }

    #[tokio::test]
    async fn a_connection_has_the_keepalive_that_was_asked_for() {
        let (_listener, address) = listener("127.0.0.1:0");
        let mut target = target(vec![address], Vec::new());
        let plain = target.connect(0).await.unwrap().stream;
        assert!(!getsockopt(&plain, sockopt::KeepAlive).unwrap());
        target.tcp_keepalive = Some(Duration::from_secs(10));
        let probed = target.connect(0).await.unwrap().stream;
        assert!(getsockopt(&probed, sockopt::KeepAlive).unwrap());
        assert_eq!(getsockopt(&probed, sockopt::TcpKeepIdle).unwrap(), 10);
        assert_eq!(getsockopt(&probed, sockopt::TcpKeepInterval).unwrap(), 10);
        assert_eq!(getsockopt(&probed, sockopt::TcpKeepCount).unwrap(), 3);
    }

    #[tokio::test]
    async fn the_other_family_is_used_when_the_preferred_one_is_refused_and_stays_so() {
        let (other, address) = listener("127.0.0.1:0");
        let target = target(vec![refused("[::1]:0")], vec![address]);
        for number in 0..3 {
            assert_eq!(target.connect(number).await.unwrap().remote, address);
        }
        assert_eq!((target.family.get(), target.address(7)), (Family::Other, address));
        drop(other);
        let error = target.connect(3).await.err();
        assert!(
            matches!(error, Some(LinkError::Connect(Connect::Refused))),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn a_gateway_that_was_reached_over_the_preferred_family_and_is_gone_is_refused() {
        let (preferred, address) = listener("[::1]:0");
        let (_other, elsewhere) = listener("127.0.0.1:0");
        let target = target(vec![address], vec![elsewhere]);
        assert_eq!(target.connect(0).await.unwrap().remote, address);
        drop(preferred);
        let error = target.connect(1).await.err();
        assert!(
            matches!(error, Some(LinkError::Connect(Connect::Refused))),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn where_both_refuse_the_first_refusal_is_told_and_the_search_goes_on() {
        let target = target(vec![refused("[::1]:0")], vec![refused("127.0.0.1:0")]);
        for number in 0..2 {
            let error = target.connect(number).await.err();
            assert!(
                matches!(error, Some(LinkError::Connect(Connect::Refused))),
                "{error:?}"
            );
            assert_eq!(target.family.get(), Family::Unknown);
        }
    }
}
