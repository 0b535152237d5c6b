//! Faults: what goes wrong on purpose, with which sessions, and when.

mod kind;
mod plan;
mod plan_file;
mod setup;
mod spec;
mod table;

pub use kind::{Action, Kind};
pub use plan::FaultPlan;
pub use plan_file::PlanFileError;
pub use setup::{ClientSetup, Setup, fault_for, reproducible};
pub use spec::{FaultSpec, Moment, SpecError};
pub use table::{FAULTS, FaultInfo};
