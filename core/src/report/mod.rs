//! The result of a run (`clw.bench/1`).

mod build;
mod shape;

pub use build::{FELL_BEHIND_LAG_US, RunInfo};
pub use shape::{
    GeneratorHealth, HeartbeatReport, Latency, LostWorkers, MAX_REPORT_BYTES, ReconnectReport, Report,
    SCHEMA, SCHEMA_VERSION, SessionsReport,
};

pub use crate::snapshot::{FormatError as ReportError, Target};
