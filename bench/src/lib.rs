//! clw-bench: a load generator for authenticated WebSocket sessions.

pub mod args;
pub mod compare;
pub mod credentials;
pub mod explain;
pub mod limits;
pub mod merge;
pub mod output;
pub mod plan;
pub mod scenario;
pub mod telemetry;
pub mod tls;
pub mod worker;
