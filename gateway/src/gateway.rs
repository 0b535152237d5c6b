//! The handle of a running gateway.

use crate::config::Config;
use crate::crew::Crew;
use crate::error::StartError;
use crate::serve::{self, Order};
use crate::socket::Bound;
use crate::summary::Summary;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use tokio::sync::mpsc;

/// A running gateway. It stops when dropped.
pub struct Gateway {
    address: SocketAddr,
    engine: Option<Engine>,
}

enum Engine {
    Thread(Thread),
    Crew(Crew),
}

struct Thread {
    orders: mpsc::UnboundedSender<Order>,
    thread: JoinHandle<Summary>,
}

impl Gateway {
    /// Binds, starts to serve on a thread and a runtime of its own, and returns.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let bound = Bound::new(&config)?;
        let address = bound.address;
        let (orders, received) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let (started, start) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("gateway".to_owned())
            .spawn(move || runtime.block_on(serve::serve(config, bound, received, started)))
            .map_err(StartError::Thread)?;
        match start.recv() {
            Ok(Err(error)) => Err(error),
            // The thread cannot end without having answered.
            Ok(Ok(())) | Err(_) => Ok(Self {
                address,
                engine: Some(Engine::Thread(Thread { orders, thread })),
            }),
        }
    }

    /// Starts `workers` processes that share the port; with one worker, a thread of this process.
    ///
    /// A worker is this executable with the arguments `command`, which must end in a call of [`crate::worker_main`].
    /// Each worker has its own memory: devices paired with one are unknown to the others, and budgets count for each.
    pub fn start_workers(config: Config, workers: u32, command: &[&str]) -> Result<Self, StartError> {
        if workers <= 1 {
            return Self::start(config);
        }
        let crew = Crew::start(&config, workers, command)?;
        Ok(Self {
            address: crew.address(),
            engine: Some(Engine::Crew(crew)),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has seen so far.
    pub fn summary(&self) -> Summary {
        match &self.engine {
            Some(Engine::Thread(thread)) => {
                let (sender, received) = std::sync::mpsc::channel();
                let _ = thread.orders.send(Order::Report(sender));
                received.recv().unwrap_or_default()
            }
            Some(Engine::Crew(crew)) => crew.summary(),
            None => Summary::default(),
        }
    }

    /// Announces a restart, closes all sessions and serves again after a moment.
    pub fn restart(&self) {
        match &self.engine {
            Some(Engine::Thread(thread)) => drop(thread.orders.send(Order::Restart)),
            Some(Engine::Crew(crew)) => crew.restart(),
            None => {}
        }
    }

    /// Ends all sessions in the dialect's words and tells what it saw.
    pub fn stop(mut self) -> Summary {
        self.end()
    }

    fn end(&mut self) -> Summary {
        match self.engine.take() {
            Some(Engine::Thread(Thread { orders, thread })) => {
                let _ = orders.send(Order::Stop);
                thread.join().unwrap_or_default()
            }
            Some(Engine::Crew(crew)) => crew.stop(),
            None => Summary::default(),
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.end();
    }
}
