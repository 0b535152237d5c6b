//! What a plan needs of the machine.

use crate::plan::{BindRange, Hold, Plan, TargetPlan, Workers};
use clw_core::pacing::{Load, LoadError, Target};
use std::net::IpAddr;

/// How the target is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// 127.0.0.0/8: any address of it can be a source.
    Loopback4,
    /// ::1: the only address that can be a source by itself.
    Loopback6,
    /// Over a network, from the address that the route gives.
    Network,
}

impl Reach {
    /// Of a target's address.
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) if v4.is_loopback() || v4.is_unspecified() => Self::Loopback4,
            IpAddr::V6(v6) if v6.is_loopback() || v6.is_unspecified() => Self::Loopback6,
            _ => Self::Network,
        }
    }
}

/// What a plan needs of the machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Needs {
    /// Sessions open at once on this machine, at the most (an estimate in the open model).
    pub peak: u64,
    /// Starts a second in the open model.
    pub rate: Option<f64>,
    /// How the target is reached; of several targets, the one with the fewest source addresses.
    pub reach: Reach,
    /// Whether the gateway runs on this machine too, as a part of the run.
    pub embedded: bool,
    /// Source addresses asked for.
    pub binds: Vec<BindRange>,
    /// Worker processes asked for.
    pub workers: Workers,
}

impl Needs {
    /// Of a plan whose targets have these addresses (an embedded gateway counts as 127.0.0.1).
    pub fn of(plan: &Plan, addresses: &[IpAddr]) -> Result<Self, LoadError> {
        let reaches = addresses.iter().map(|ip| Reach::of(*ip));
        let embedded = plan.mixes.iter().any(|m| m.target == TargetPlan::Embedded);
        let reach = reaches
            .chain(embedded.then_some(Reach::Loopback4))
            .max_by_key(|reach| match reach {
                Reach::Loopback4 => 0,
                Reach::Network => 1,
                Reach::Loopback6 => 2,
            })
            .unwrap_or(Reach::Network);
        let (peak, rate) = peak(plan)?;
        Ok(Self {
            peak,
            rate,
            reach,
            embedded,
            binds: plan.binds.clone(),
            workers: plan.workers,
        })
    }
}

/// The most sessions at once. In the open model that is rate × time (Little's law), where a session takes its hold and a
/// second for connecting and logging out; sessions without an end add up.
fn peak(plan: &Plan) -> Result<(u64, Option<f64>), LoadError> {
    let schedule = plan.schedule()?;
    let share = schedule.share(plan.shard);
    if schedule.is_closed() {
        return Ok((u64::from(share.slots()), None));
    }
    let rate = match &plan.load {
        Load::Open { rate, .. } => *rate,
        Load::Staged { stages, .. } => stages
            .iter()
            .map(|s| match s.target {
                Target::Rate(rate) => rate,
                Target::Sessions(_) => 0.0,
            })
            .fold(0.0, f64::max),
        Load::Closed { .. } => 0.0,
    } / f64::from(plan.shard.count());
    let planned = share.planned().unwrap_or(u64::MAX);
    let longest = plan.mixes.iter().map(|m| match m.hold {
        Hold::For(hold) => hold.as_secs_f64() + 1.0,
        Hold::UntilEnd => f64::INFINITY,
    });
    let at_once = (rate * longest.fold(0.0, f64::max)).ceil();
    Ok((planned.min(saturating(at_once)).max(1), Some(rate)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, and is not negative"
)]
fn saturating(x: f64) -> u64 {
    x as u64
}
