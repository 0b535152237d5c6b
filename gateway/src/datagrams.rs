//! Heartbeats as datagrams (CLW): a UDP socket for each local address that sessions come in at.
//!
//! A worker process has ports of its own, since AUTH_OK tells each session its port: a port shared by all workers would
//! bring most datagrams to one that does not know the session.

use crate::config::Config;
use crate::error::StartError;
use crate::fault::{Action, FaultSpec, Kind};
use clw_core::Dialect;
use clw_core::clw::{Backend, DATAGRAM_BYTES};
use socket2::SockRef;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

/// Local addresses that get a socket; 127.0.0.0/8 has sixteen million.
const MAX_ADDRESSES: usize = 64;
/// Longer than a heartbeat, so that what is cut is not taken for one.
const READ_BYTES: usize = DATAGRAM_BYTES + 40;
/// What the kernel keeps while the thread is busy: a thousand heartbeats take a megabyte.
const RECEIVE_BYTES: usize = 4 * 1024 * 1024;
/// A pause after an error of the socket, which must not keep the thread busy.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// Where heartbeats are taken as datagrams.
#[derive(Debug)]
pub(crate) struct Datagrams {
    /// `Some(0)`: any port will do; `None`: they are not taken.
    port: Option<u16>,
    doors: RefCell<HashMap<IpAddr, Door>>,
}

#[derive(Debug)]
enum Door {
    /// Bound, and not read before a session comes in there.
    Bound(UdpSocket),
    /// Read and answered.
    Open(u16),
    /// It could not be bound: sessions there are offered none.
    Shut,
}

impl Datagrams {
    /// Binds the port at the listener's address, so that a port that is taken is known at the start; where the gateway
    /// listens at all addresses, each is bound when a session comes in there.
    pub(crate) fn new(config: &Config, listen: SocketAddr) -> Result<Self, StartError> {
        let (worker, _) = config.worker;
        let port = config.clw.udp_port.map(|port| match port {
            0 => 0,
            _ => port.saturating_add(u16::try_from(worker).unwrap_or(u16::MAX)),
        });
        let mut doors = HashMap::new();
        if let Some(port) = port.filter(|_| !listen.ip().is_unspecified()) {
            let address = SocketAddr::new(listen.ip(), port);
            let socket = bind(address).map_err(|cause| StartError::Udp { address, cause })?;
            doors.insert(listen.ip(), Door::Bound(socket));
        }
        Ok(Self {
            port,
            doors: RefCell::new(doors),
        })
    }

    /// Whether sessions are offered datagrams.
    pub(crate) fn are_taken(&self) -> bool {
        self.port.is_some()
    }

    /// The port to offer to a session that came in at `local`; from now on it is read. To be called within a `LocalSet`.
    pub(crate) fn port_at(&self, local: IpAddr, backend: &Backend) -> Option<u16> {
        let port = self.port?;
        let mut doors = self.doors.borrow_mut();
        if !doors.contains_key(&local) {
            if doors.len() >= MAX_ADDRESSES {
                return None;
            }
            let bound = bind(SocketAddr::new(local, port)).map_or(Door::Shut, Door::Bound);
            doors.insert(local, bound);
        }
        let door = doors.get_mut(&local)?;
        if let Door::Bound(socket) = door {
            *door = open(socket, backend.clone()).map_or(Door::Shut, Door::Open);
        }
        match door {
            Door::Open(port) => Some(*port),
            Door::Bound(_) | Door::Shut => None,
        }
    }
}

/// What does not fit together of what was typed: heartbeats as datagrams are CLW's, each worker has a port of its own, and
/// their faults need them.
pub(crate) fn check(
    port: Option<u16>,
    workers: u32,
    dialect: Dialect,
    faults: &[FaultSpec],
) -> Result<(), String> {
    let Some(port) = port else {
        let loses =
            |fault: &FaultSpec| matches!(fault.kind, Kind::At(Action::UdpPingLoss | Action::UdpPongLoss));
        return if faults.iter().any(loses) {
            Err("--fault udp-ping-loss and udp-pong-loss need --udp-heartbeat".to_owned())
        } else {
            Ok(())
        };
    };
    if dialect != Dialect::Clw {
        return Err(format!(
            "--udp-heartbeat means nothing to --dialect {dialect}: it is CLW's"
        ));
    }
    let last = u32::from(port) + workers.saturating_sub(1);
    if port > 0 && last > u32::from(u16::MAX) {
        return Err(format!(
            "--udp-heartbeat {port}: each of {workers} workers needs a port from there on, and the last is 65535"
        ));
    }
    Ok(())
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    // As far as the kernel allows.
    let _ = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BYTES);
    Ok(socket)
}

/// Answers what comes in at `socket`, as long as the gateway runs.
fn open(socket: &UdpSocket, backend: Backend) -> io::Result<u16> {
    let port = socket.local_addr()?.port();
    let socket = tokio::net::UdpSocket::from_std(socket.try_clone()?)?;
    tokio::task::spawn_local(async move {
        let mut bytes = [0; READ_BYTES];
        loop {
            let Ok((length, from)) = socket.recv_from(&mut bytes).await else {
                tokio::time::sleep(ERROR_PAUSE).await;
                continue;
            };
            let answer = backend.datagrams().answer(from.ip(), &bytes[..length]);
            if let Some(answer) = answer {
                // What the socket does not take now is lost, as datagrams may be.
                let _ = socket.try_send_to(&answer, from);
            }
        }
    });
    Ok(port)
}
