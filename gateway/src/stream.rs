//! A connection's transport.

use std::future::Future as _;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd as _;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// TCP, or TLS over it.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }

    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => {
                let written = Pin::new(&mut **stream).poll_write(cx, bytes);
                // TLS keeps records for itself; what cannot go now goes with the next write.
                let _ = Pin::new(&mut **stream).poll_flush(cx);
                written
            }
        }
    }

    /// FIN (after TLS's close_notify) for what is still to be sent; reading goes on.
    pub(crate) fn shut_writing(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        match self {
            Self::Plain(stream) => drop(Pin::new(stream).poll_shutdown(&mut cx)),
            Self::Tls(stream) => drop(Pin::new(&mut **stream).poll_shutdown(&mut cx)),
        }
    }

    /// FIN of the TCP connection, whatever runs over it.
    pub(crate) fn half_close(&self) {
        // It fails where the peer has gone already, and then there is nothing to close.
        let _ = nix::sys::socket::shutdown(self.tcp().as_raw_fd(), nix::sys::socket::Shutdown::Write);
    }

    /// Closing will send RST.
    pub(crate) fn close_with_rst(&self) {
        let _ = self.tcp().set_zero_linger();
    }

    /// Whether the peer has closed or reset, found out without reading.
    pub(crate) fn is_peer_gone(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        match pin!(self.tcp().ready(Interest::READABLE)).poll(&mut cx) {
            Poll::Ready(Ok(ready)) => ready.is_read_closed(),
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        }
    }

    /// This side's address, where the client came in.
    pub(crate) fn local_ip(&self) -> Option<IpAddr> {
        self.tcp().local_addr().ok().map(|address| address.ip())
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}
