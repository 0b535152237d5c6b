//! The transport under a session: TCP from a chosen source address, TLS, the bad network inside the process.

use super::clock::Clock;
use super::impaired::Impaired;
use crate::limits::generator_error_name;
use crate::plan::BindRange;
use clw_core::impair;
use clw_core::verdict::Connect;
use nix::sys::socket::{setsockopt, sockopt};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
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
    /// Addresses, tried in turn by session number.
    pub addresses: Vec<SocketAddr>,
    /// Source addresses, used in turn; empty: the kernel's choice.
    pub sources: Vec<BindRange>,
    /// TLS, if the URL says `wss`.
    pub tls: Option<(Arc<tokio_rustls::rustls::ClientConfig>, ServerName<'static>)>,
    /// The bad network inside the process.
    pub impair: Option<impair::Spec>,
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
}

impl Target {
    /// The address that session `number` connects to.
    pub fn address(&self, number: u64) -> SocketAddr {
        pick(&self.addresses, number)
    }

    /// Opens TCP for session `number`.
    pub async fn connect(&self, number: u64) -> Result<Connected, LinkError> {
        let remote = self.address(number);
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
        let stream = socket.connect(remote).await.map_err(|e| classify(&e))?;
        let _ = stream.set_nodelay(true);
        let local = stream.local_addr().ok();
        Ok(Connected { stream, local })
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
