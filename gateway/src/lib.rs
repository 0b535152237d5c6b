//! An embedded gateway for load tests and for finding out how sessions end, with faults on demand.
//!
//! ```no_run
//! use clw_gateway::{Config, Gateway};
//!
//! let gateway = Gateway::start(Config::default())?;
//! println!("listening ws://{}", gateway.address());
//! println!("{}", gateway.stop());
//! # Ok::<(), clw_gateway::StartError>(())
//! ```

pub mod args;
mod config;
mod connection;
pub mod fault;
mod log;
mod serve;
mod summary;
mod tls;
mod workers;

pub use config::{Config, Mode};
pub use serve::StartError;
pub use summary::{EndingRecord, Summary};

use serve::Order;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use tokio::sync::mpsc;

/// A running gateway, on a thread and a runtime of its own. It stops when dropped.
pub struct Gateway {
    address: SocketAddr,
    orders: mpsc::UnboundedSender<Order>,
    thread: Option<JoinHandle<Summary>>,
}

impl Gateway {
    /// Binds, starts to serve and returns.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let bound = serve::bind(&config)?;
        let address = bound.address;
        let (orders, receiver) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let (started, start) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("gateway".to_owned())
            .spawn(move || runtime.block_on(serve::serve(config, bound, receiver, started)))
            .map_err(StartError::Thread)?;
        match start.recv() {
            Ok(Err(error)) => Err(error),
            // The thread cannot end without having answered.
            Ok(Ok(())) | Err(_) => Ok(Self {
                address,
                orders,
                thread: Some(thread),
            }),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has seen so far.
    pub fn summary(&self) -> Summary {
        let (sender, receiver) = std::sync::mpsc::channel();
        let _ = self.orders.send(Order::Report(sender));
        receiver.recv().unwrap_or_default()
    }

    /// Announces a restart, closes all sessions and serves again after a moment.
    pub fn restart(&self) {
        let _ = self.orders.send(Order::Restart);
    }

    /// Ends all sessions in the dialect's words and tells what it saw.
    pub fn stop(mut self) -> Summary {
        self.end()
    }

    fn end(&mut self) -> Summary {
        let _ = self.orders.send(Order::Stop);
        self.thread
            .take()
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end();
        }
    }
}
