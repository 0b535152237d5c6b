//! Why a gateway does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use thiserror::Error;

/// A gateway that cannot start; says what to change.
#[derive(Debug, Error)]
pub enum StartError {
    /// The file of setup codes.
    #[error("cannot write the setup codes to {}: {cause}; check the folder and its permissions", path.display())]
    SetupCodes {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The port.
    #[error("cannot listen on {address}: {cause}{}", advice(cause))]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        cause: io::Error,
    },
    /// The port of heartbeats as datagrams.
    #[error(
        "cannot take datagrams at {address} (--udp-heartbeat): {cause}{}",
        advice(cause)
    )]
    Udp {
        /// Where.
        address: SocketAddr,
        /// Why not.
        cause: io::Error,
    },
    /// The log file.
    #[error("cannot write the log {}: {cause}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The certificate or its key.
    #[error("TLS: {0}")]
    Tls(String),
    /// The thread or its runtime.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// A worker process.
    #[error("worker {number} did not start: {cause}")]
    Worker {
        /// Which, from 0.
        number: u32,
        /// Why not.
        cause: String,
    },
}

fn advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::AddrInUse => " (another process has it: choose another port, or port 0)",
        io::ErrorKind::AddrNotAvailable => " (this machine has no such address: see `ip address`)",
        io::ErrorKind::PermissionDenied => " (ports below 1024 need privileges: choose a higher one)",
        _ => "",
    }
}
