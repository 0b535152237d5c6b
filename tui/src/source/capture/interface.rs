//! The packets of a network interface, by Linux's packet sockets (`man 7 packet`).
//!
//! The kernel takes the link header off (`SOCK_DGRAM`), so every interface looks the same.

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType,
    SockaddrLike as _, bind, recvmsg, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd as _, OwnedFd};
use thiserror::Error;

/// All interfaces.
const ANY: &str = "any";
/// A packet that this machine sent (`PACKET_OUTGOING`).
const OUTGOING: u8 = 4;
/// Kernel memory for packets that wait, in bytes.
const WAITING_BYTES: usize = 16 << 20;
/// The longest wait for a packet, in microseconds.
const PATIENCE_US: i64 = 250_000;
/// Room for one packet as segmentation offload hands it over.
const ROOM: usize = 1 << 17;

/// Why an interface cannot be listened on.
#[derive(Debug, Error)]
pub enum InterfaceError {
    /// No such interface.
    #[error(
        "--capture {name}: there is no such interface; there are {there}, any, and - for a capture on standard input"
    )]
    Unknown {
        /// As it was named.
        name: String,
        /// Those that there are.
        there: String,
    },
    /// Not allowed.
    #[error(
        "--capture {name} needs the right to see packets (CAP_NET_RAW): sudo tcpdump -i {name} -U -w - | clw-tui --capture -; \
         or, once and for all: sudo setcap cap_net_raw+ep \"$(command -v clw-tui)\""
    )]
    NotAllowed {
        /// As it was named.
        name: String,
    },
    /// Something else.
    #[error("--capture {name}: {what}: {cause}")]
    System {
        /// As it was named.
        name: String,
        /// What was being done.
        what: &'static str,
        /// What the system said.
        cause: Errno,
    },
}

/// A packet as it came.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When the kernel took it, nanoseconds since the Unix epoch.
    pub at_ns: u64,
    /// Index of the interface.
    pub interface: u32,
    /// From the IP header on, as far as there was room.
    pub data: &'a [u8],
}

/// An interface that is listened on.
pub struct Interface {
    socket: OwnedFd,
    /// Of the one interface that is wanted; `None` for all.
    index: Option<usize>,
    loopback: Option<usize>,
    buffer: Vec<u8>,
    control: Vec<u8>,
    dropped: u64,
}

impl Interface {
    /// Begins to listen.
    pub fn open(name: &str) -> Result<Self, InterfaceError> {
        let system = |what| {
            move |cause| InterfaceError::System {
                name: name.to_owned(),
                what,
                cause,
            }
        };
        let index = if name == ANY {
            None
        } else {
            let index = if_nametoindex(name).map_err(|_| InterfaceError::Unknown {
                name: name.to_owned(),
                there: names().join(", "),
            })?;
            Some(index as usize)
        };
        let socket = socket(
            AddressFamily::Packet,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::EthAll,
        )
        .map_err(|cause| match cause {
            Errno::EPERM | Errno::EACCES => InterfaceError::NotAllowed {
                name: name.to_owned(),
            },
            cause => system("no packet socket")(cause),
        })?;
        if index.is_some()
            && let Some(address) = link_address(name)
        {
            // Without it the packets of other interfaces come too, and are passed over one by one.
            bind(socket.as_raw_fd(), &address).map_err(system("cannot listen"))?;
        }
        // More room than usual, as far as the system gives it.
        let _ = setsockopt(&socket, sockopt::RcvBuf, &WAITING_BYTES);
        let _ = setsockopt(&socket, sockopt::RcvBufForce, &WAITING_BYTES);
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).map_err(system("no timestamps"))?;
        setsockopt(&socket, sockopt::RxqOvfl, &1).map_err(system("no count of lost packets"))?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(0, PATIENCE_US))
            .map_err(system("no timeout"))?;
        Ok(Self {
            socket,
            index,
            loopback: if_nametoindex("lo").ok().map(|i| i as usize),
            buffer: vec![0; ROOM],
            control: nix::cmsg_space!(nix::sys::time::TimeSpec, u32),
            dropped: 0,
        })
    }

    /// Packets that the kernel had no room for, so far.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Waits a little for a packet; `None` when none came, or one that is not wanted.
    pub fn packet(&mut self) -> Result<Option<Packet<'_>>, Errno> {
        let mut parts = [IoSliceMut::new(&mut self.buffer)];
        let received = recvmsg::<LinkAddr>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(&mut self.control),
            MsgFlags::empty(),
        );
        let message = match received {
            Ok(message) => message,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut at_ns = 0;
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::ScmTimestampns(at) => {
                    let seconds = u64::try_from(at.tv_sec()).unwrap_or(0);
                    let nanos = u64::try_from(at.tv_nsec()).unwrap_or(0);
                    at_ns = seconds * 1_000_000_000 + nanos;
                }
                // Thirty-two bits, which go round.
                ControlMessageOwned::RxqOvfl(count) => {
                    let low = u64::from(count);
                    let round = self.dropped & !0xffff_ffff;
                    self.dropped = if round | low < self.dropped {
                        (round | low) + (1 << 32)
                    } else {
                        round | low
                    };
                }
                _ => {}
            }
        }
        let length = message.bytes;
        let Some(address) = message.address else {
            return Ok(None);
        };
        let from = address.ifindex();
        let unwanted = self.index.is_some_and(|wanted| wanted != from);
        // Loopback shows each packet when it is sent and when it comes.
        let twice = self.loopback == Some(from) && address.pkttype() == OUTGOING;
        if unwanted || twice || at_ns == 0 {
            return Ok(None);
        }
        Ok(self.buffer.get(..length).map(|data| Packet {
            at_ns,
            interface: u32::try_from(from).unwrap_or(0),
            data,
        }))
    }
}

/// What the kernel calls the interface; its protocol is the socket's own.
fn link_address(name: &str) -> Option<LinkAddr> {
    getifaddrs()
        .ok()?
        .filter(|i| i.interface_name == name)
        .find_map(|i| {
            let address = i.address?;
            (address.family() == Some(AddressFamily::Packet))
                .then(|| address.as_link_addr().copied())
                .flatten()
        })
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = getifaddrs()
        .map(|all| all.map(|i| i.interface_name).collect())
        .unwrap_or_default();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_is_answered_with_those_that_are() {
        let error = Interface::open("nosuch0").err().unwrap().to_string();
        assert!(error.contains("nosuch0") && error.contains("lo"), "{error}");
    }
}
