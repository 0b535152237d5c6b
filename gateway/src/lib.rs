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
//!
//! A [`Gateway`] serves on a thread of its own, or, where one process may not hold enough descriptors, in worker processes
//! that share the port ([`Gateway::start_workers`]). Its [`Summary`] says how the sessions ended from the server's side, by
//! the same rules as the client's.

pub mod args;
mod backends;
mod config;
mod connection;
mod crew;
mod datagrams;
mod door;
mod ending;
mod error;
pub mod fault;
mod gateway;
mod limits;
mod log;
mod misbehave;
mod misdeeds;
mod process;
mod serve;
mod setup_codes;
mod shared;
mod socket;
mod spoken;
mod stream;
mod summary;
mod tls;
mod turns;
mod worker;

pub use config::{ClwSettings, Config, Mode, SetupCodes};
pub use error::StartError;
pub use gateway::Gateway;
pub use limits::{raise_descriptor_limit, workers_for};
pub use socket::keepalive as tcp_keepalive;
pub use summary::{EndingRecord, Summary};
pub use worker::worker_main;
