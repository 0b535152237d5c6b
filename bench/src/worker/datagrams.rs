//! Heartbeats as datagrams: one UDP socket for each source address of a worker, shared by all its sessions.
//!
//! A session's datagrams leave from the address that its stream has, so that they meet the same NATs and firewalls.

use crate::limits::generator_error_name;
use clw_core::clw::{DATAGRAM_BYTES, Datagram, SessionKey};
use socket2::SockRef;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;
use tokio::net::UdpSocket;

/// Datagrams that wait for a session that does not come to its turn; more are lost.
const MAX_WAITING: usize = 16;
/// Longer than a heartbeat, so that what is cut is not taken for one.
const READ_BYTES: usize = DATAGRAM_BYTES + 40;
/// What the kernel keeps for a worker that does not come to its turn: a thousand answers take a megabyte.
const RECEIVE_BYTES: usize = 4 * 1024 * 1024;
/// A pause after an error of the socket, which must not keep the thread busy.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// Whose datagrams: the gateway's end and the session.
type Key = (IpAddr, u16, SessionKey);

/// All of a worker's.
#[derive(Default)]
pub(super) struct Datagrams {
    ports: RefCell<HashMap<SocketAddr, Rc<Port>>>,
}

struct Port {
    socket: UdpSocket,
    inboxes: RefCell<HashMap<Key, Rc<Inbox>>>,
}

#[derive(Default)]
struct Inbox {
    waiting: RefCell<VecDeque<[u8; DATAGRAM_BYTES]>>,
    waker: RefCell<Option<Waker>>,
}

/// A session's end of its datagrams, until it is dropped.
pub(super) struct Endpoint {
    port: Rc<Port>,
    remote: SocketAddr,
    key: Key,
    inbox: Rc<Inbox>,
}

impl Datagrams {
    /// An end for `session`, whose stream goes from `local` to `remote` and whose gateway takes datagrams at `port`. The
    /// error is this machine's, by its errno's name. To be called within a `LocalSet`.
    pub(super) fn join(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
        port: u16,
        session: SessionKey,
    ) -> Result<Endpoint, &'static str> {
        let mut remote = remote;
        remote.set_port(port);
        let shared = self.port_at(local).map_err(|error| {
            let known = error.raw_os_error().and_then(generator_error_name);
            known.unwrap_or("UDP socket")
        })?;
        let key = (remote.ip(), port, session);
        let inbox = Rc::<Inbox>::default();
        shared.inboxes.borrow_mut().insert(key, inbox.clone());
        Ok(Endpoint {
            port: shared,
            remote,
            key,
            inbox,
        })
    }

    fn port_at(&self, mut local: SocketAddr) -> io::Result<Rc<Port>> {
        local.set_port(0);
        let mut ports = self.ports.borrow_mut();
        if let Some(port) = ports.get(&local) {
            return Ok(port.clone());
        }
        let socket = std::net::UdpSocket::bind(local)?;
        socket.set_nonblocking(true)?;
        // As far as the kernel allows.
        let _ = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BYTES);
        let port = Rc::new(Port {
            socket: UdpSocket::from_std(socket)?,
            inboxes: RefCell::default(),
        });
        tokio::task::spawn_local(receive(port.clone()));
        ports.insert(local, port.clone());
        Ok(port)
    }
}

/// Hands out what comes in, as long as the worker runs.
async fn receive(port: Rc<Port>) {
    let mut bytes = [0; READ_BYTES];
    loop {
        match port.socket.recv_from(&mut bytes).await {
            Ok((length, from)) => port.hand_out(from, &bytes[..length]),
            Err(_) => tokio::time::sleep(ERROR_PAUSE).await,
        }
    }
}

impl Port {
    fn hand_out(&self, from: SocketAddr, bytes: &[u8]) {
        let Some(datagram) = Datagram::read(bytes) else {
            return;
        };
        let inboxes = self.inboxes.borrow();
        if let Some(inbox) = inboxes.get(&(from.ip(), from.port(), datagram.session)) {
            let mut waiting = inbox.waiting.borrow_mut();
            if waiting.len() < MAX_WAITING {
                waiting.push_back(datagram.write());
            }
            if let Some(waker) = &*inbox.waker.borrow() {
                waker.wake_by_ref();
            }
        }
    }
}

impl Endpoint {
    /// Sends a heartbeat. One that the socket does not take is lost, as datagrams may be.
    pub(super) fn send(&self, bytes: &[u8; DATAGRAM_BYTES]) {
        let _ = SockRef::from(&self.port.socket).send_to(bytes, &self.remote.into());
    }

    /// What has come, one datagram after the other; `waker` is told of the next.
    pub(super) fn next(&self, waker: &Waker) -> Option<[u8; DATAGRAM_BYTES]> {
        let mut known = self.inbox.waker.borrow_mut();
        match &mut *known {
            Some(known) => known.clone_from(waker),
            None => *known = Some(waker.clone()),
        }
        self.inbox.waiting.borrow_mut().pop_front()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let mut inboxes = self.port.inboxes.borrow_mut();
        // A session that was resumed meanwhile has put its own in the place.
        if inboxes
            .get(&self.key)
            .is_some_and(|inbox| Rc::ptr_eq(inbox, &self.inbox))
        {
            inboxes.remove(&self.key);
        }
    }
}
