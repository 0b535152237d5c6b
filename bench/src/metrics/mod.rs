//! A run's figures for monitoring systems: scraped (`--prometheus`), pushed (`--otlp`).
//!
//! Both read one list of [`Family`]s, which [`collect`] makes of a snapshot once an interval: what Prometheus calls
//! `clw_bench_sessions_started_total` is `clw.bench.sessions.started` over OTLP, with the same value. Workers know nothing of it.

mod collect;
mod family;
mod otlp;
mod prometheus;
mod push;
mod tables;

pub use collect::{BOUNDS_US, collect};
pub use family::{Buckets, Family, Labels, Number, Point, Points, Unit};
pub use otlp::{Resource, request};
pub use prometheus::{Exposition, Format, encode};
pub use push::Push;

use std::sync::Arc;

/// All families of one instant, shared by everybody who shows them.
pub type Families = Arc<Vec<Family>>;
