//! Faults: what goes wrong on purpose, with which sessions, and when.

mod kind;
mod plan;
mod setup;
mod spec;

pub use kind::{Action, FAULTS, FaultInfo, Kind};
pub use plan::{FaultPlan, PlanFileError};
pub use setup::{ClientSetup, Setup, fault_for, reproducible};
pub use spec::{FaultSpec, Moment, SpecError};
