//! The listening socket.

use crate::config::Config;
use crate::error::StartError;
use crate::fault::Kind;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// The kernel cuts it to net.core.somaxconn.
const BACKLOG: i32 = 65_535;
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
        Self::with(config.listen, config.share_port, door).map_err(|cause| StartError::Listen {
            address: config.listen,
            cause,
        })
    }

    /// Keeps a port for workers that share it, without taking connections.
    pub(crate) fn reserve(listen: SocketAddr) -> Result<Self, StartError> {
        Self::with(listen, true, Door::Closed).map_err(|cause| StartError::Listen {
            address: listen,
            cause,
        })
    }

    fn with(listen: SocketAddr, share_port: bool, door: Door) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(listen), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(share_port)?;
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
