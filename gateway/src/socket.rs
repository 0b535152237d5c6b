//! The listening socket.

use crate::config::Config;
use crate::error::StartError;
use crate::fault::Kind;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;

/// The kernel cuts it to net.core.somaxconn.
const BACKLOG: i32 = 65_535;
/// Unanswered probes that end an idle connection.
const KEEPALIVE_PROBES: u32 = 3;
/// A backlog of 0 takes one connection; the others make sure that it is there whatever the kernel's rounding.
const FILLERS: usize = 4;

/// A socket that is bound, and listens unless a fault says otherwise.
pub(crate) struct Bound {
    socket: Socket,
    pub(crate) address: SocketAddr,
    listens: bool,
    /// Connections of our own that keep the backlog full.
    _fillers: Vec<Socket>,
}

impl Bound {
    /// Binds, and listens unless a fault of `config` says otherwise.
    pub(crate) fn new(config: &Config) -> Result<Self, StartError> {
        let has = |kind: &Kind| config.faults.iter().any(|f| f.kind == *kind);
        let door = if has(&Kind::NotListening) {
            Door::Closed
        } else if has(&Kind::SynDrop) {
            Door::Full
        } else {
            Door::Open
        };
        Self::with(config.listen, config.share_port, door, config.tcp_keepalive).map_err(|cause| {
            StartError::Listen {
                address: config.listen,
                cause,
            }
        })
    }

    /// Keeps a port for workers that share it, without taking connections.
    pub(crate) fn reserve(listen: SocketAddr) -> Result<Self, StartError> {
        Self::with(listen, true, Door::Closed, None).map_err(|cause| StartError::Listen {
            address: listen,
            cause,
        })
    }

    fn with(
        listen: SocketAddr,
        share_port: bool,
        door: Door,
        tcp_keepalive: Option<Duration>,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(listen), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(share_port)?;
        if let Some(idle) = tcp_keepalive {
            // Accepted sockets have what their listener has.
            socket.set_tcp_keepalive(&keepalive(idle))?;
        }
        socket.bind(&listen.into())?;
        let address = socket
            .local_addr()?
            .as_socket()
            .ok_or_else(|| io::Error::other("the socket has no address"))?;
        let mut fillers = Vec::new();
        match door {
            Door::Open => socket.listen(BACKLOG)?,
            Door::Closed => {}
            Door::Full => {
                socket.listen(0)?;
                fillers = fill_backlog(address)?;
            }
        }
        Ok(Self {
            socket,
            address,
            listens: door == Door::Open,
            _fillers: fillers,
        })
    }

    /// The listener, if it listens. To be called within a runtime.
    pub(crate) fn listener(&self) -> Result<Option<TcpListener>, StartError> {
        if !self.listens {
            return Ok(None);
        }
        let listener = self
            .socket
            .try_clone()
            .and_then(|socket| TcpListener::from_std(socket.into()));
        listener.map(Some).map_err(|cause| StartError::Listen {
            address: self.address,
            cause,
        })
    }
}

/// A connection that was idle for `idle` is probed, and again after each `idle`; the third probe that stays unanswered ends it.
pub fn keepalive(idle: Duration) -> TcpKeepalive {
    // The kernel counts whole seconds.
    let idle = idle.max(Duration::from_secs(1));
    TcpKeepalive::new()
        .with_time(idle)
        .with_interval(idle)
        .with_retries(KEEPALIVE_PROBES)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    /// Bound and not listening: connects are refused.
    Closed,
    /// Listening with a full backlog: the kernel drops SYNs.
    Full,
}

fn fill_backlog(address: SocketAddr) -> io::Result<Vec<Socket>> {
    let mut fillers = Vec::new();
    for _ in 0..FILLERS {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // In progress is what is wanted; those beyond the first stay so.
        let _ = socket.connect(&address.into());
        fillers.push(socket);
    }
    Ok(fillers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{getsockopt, sockopt};
    use std::net::{TcpListener as StdListener, TcpStream};

    #[test]
    fn accepted_sockets_have_the_keepalive_that_was_asked_for() {
        for tcp_keepalive in [None, Some(Duration::from_secs(7))] {
            let config = Config {
                tcp_keepalive,
                ..Config::default()
            };
            let bound = Bound::new(&config).unwrap();
            let listener = StdListener::from(bound.socket.try_clone().unwrap());
            listener.set_nonblocking(false).unwrap();
            let _client = TcpStream::connect(bound.address).unwrap();
            let (accepted, _) = listener.accept().unwrap();
            let is_on = getsockopt(&accepted, sockopt::KeepAlive).unwrap();
            assert_eq!(is_on, tcp_keepalive.is_some());
            if is_on {
                let times = [
                    getsockopt(&accepted, sockopt::TcpKeepIdle).unwrap(),
                    getsockopt(&accepted, sockopt::TcpKeepInterval).unwrap(),
                    getsockopt(&accepted, sockopt::TcpKeepCount).unwrap(),
                ];
                assert_eq!(times, [7, 7, KEEPALIVE_PROBES]);
            }
        }
    }
}
