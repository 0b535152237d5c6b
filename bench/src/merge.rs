//! `clw-bench merge`: several results as one, exactly.
//!
//! Counts are added, and percentiles are made anew from the added histograms, never from percentiles.

use clw_core::report::{Report, RunInfo};
use clw_core::threshold::Threshold;
use serde_json::Value;
use std::collections::BTreeSet;
use thiserror::Error;

/// Why results cannot be one. Numbers count the results from 1, as they were given.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MergeError {
    /// There is nothing to merge.
    #[error("no result was given: name the JSON files of the shards")]
    Nothing,
    /// They loaded different things.
    #[error(
        "result 1 and result {number} differ in {what}: `{first}` and `{other}`; only shards of one run can be merged (`clw-bench compare` sets two runs side by side)"
    )]
    Different {
        /// Which one.
        number: usize,
        /// In what.
        what: &'static str,
        /// What result 1 has.
        first: String,
        /// What that one has.
        other: String,
    },
    /// The same shard twice would count its sessions twice.
    #[error("result {first} and result {number} are both shard {shard}: each shard counts once")]
    SameShard {
        /// The earlier one.
        first: usize,
        /// The later one.
        number: usize,
        /// Which shard.
        shard: String,
    },
    /// Its counts and histograms do not fit.
    #[error(
        "result {number} has latencies but no histograms, so it cannot be merged exactly; run it again with this release"
    )]
    NoHistograms {
        /// Which one.
        number: usize,
    },
}

/// Keys of a plan that may differ between shards of one run.
const PER_SHARD: [&str; 9] = [
    "shard",
    "asked",
    "sessions",
    "total",
    "rate",
    "workers",
    "bind",
    "json",
    "credentials",
];

/// Merges the results of a run's shards. The order does not matter for any figure.
///
/// The shards ran side by side: the merged run starts with the first and lasts as long as the longest. Thresholds are
/// judged again, over the whole.
pub fn merge(reports: &[Report]) -> Result<Report, MergeError> {
    let Some((first, rest)) = reports.split_first() else {
        return Err(MergeError::Nothing);
    };
    check(reports)?;
    let mut totals = first.totals();
    for report in rest {
        totals.merge(&report.totals());
    }
    let mut info = RunInfo {
        tool_version: first.tool_version.clone(),
        started_at: reports
            .iter()
            .map(|report| &report.started_at)
            .min()
            .cloned()
            .unwrap_or_default(),
        duration_s: reports.iter().map(|report| report.duration_s).fold(0.0, f64::max),
        interrupted: reports.iter().any(|report| report.interrupted),
        target: first.target.clone(),
        plan: merged_plan(reports),
        warnings: Vec::new(),
    };
    // One version only if all agree: of two versions, neither is the server's.
    let versions: BTreeSet<&String> = reports
        .iter()
        .filter_map(|report| report.target.server_version.as_ref())
        .collect();
    info.target.server_version = versions.first().map(|version| (*version).clone());
    warn(reports, &versions, &mut info.warnings);
    let mut merged = Report::new(&totals, info);
    let expressions: BTreeSet<&str> = reports
        .iter()
        .flat_map(|report| report.thresholds.iter().map(|judged| judged.expr.as_str()))
        .collect();
    let thresholds: Vec<Threshold> = expressions
        .into_iter()
        .filter_map(|expr| expr.parse().ok())
        .collect();
    merged.judge(&thresholds);
    Ok(merged)
}

fn check(reports: &[Report]) -> Result<(), MergeError> {
    let first = &reports[0];
    let mut shards: Vec<(&Value, usize)> = Vec::new();
    for (number, report) in (1..).zip(reports) {
        let differs = |what, first: String, other: String| {
            Err(MergeError::Different {
                number,
                what,
                first,
                other,
            })
        };
        if report.target.dialect != first.target.dialect {
            return differs(
                "dialect",
                first.target.dialect.to_string(),
                report.target.dialect.to_string(),
            );
        }
        if report.target.url != first.target.url {
            return differs("target", first.target.url.clone(), report.target.url.clone());
        }
        if report.tool_version != first.tool_version {
            return differs("release", first.tool_version.clone(), report.tool_version.clone());
        }
        if report.latency_us.ready.count > 0 && report.histograms.get("ready").is_none() {
            return Err(MergeError::NoHistograms { number });
        }
        if let Some(shard) = report.plan.get("shard").filter(|shard| !shard.is_null()) {
            if let Some((_, first)) = shards.iter().find(|(seen, _)| *seen == shard) {
                let shard = shard.as_str().map_or_else(|| shard.to_string(), str::to_owned);
                return Err(MergeError::SameShard {
                    first: *first,
                    number,
                    shard,
                });
            }
            shards.push((shard, number));
        }
    }
    Ok(())
}

/// The first plan, without what only holds for its shard; counts are added where all have them.
fn merged_plan(reports: &[Report]) -> Value {
    let mut plan = reports[0].plan.clone();
    let Some(fields) = plan.as_object_mut() else {
        return plan;
    };
    fields.remove("shard");
    fields.remove("asked");
    for key in ["sessions", "total"] {
        let parts: Option<Vec<u64>> = reports
            .iter()
            .map(|report| report.plan.get(key)?.as_u64())
            .collect();
        match parts {
            Some(parts) => {
                let sum = parts.into_iter().fold(0, u64::saturating_add);
                fields.insert(key.to_owned(), sum.into());
            }
            None => {
                fields.remove(key);
            }
        }
    }
    let rates: Option<Vec<f64>> = reports
        .iter()
        .map(|report| report.plan.get("rate")?.as_f64())
        .collect();
    if let Some(rates) = rates {
        fields.insert("rate".to_owned(), rates.iter().sum::<f64>().into());
    }
    fields.insert("merged".to_owned(), reports.len().into());
    plan
}

fn warn(reports: &[Report], versions: &BTreeSet<&String>, warnings: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for warning in reports.iter().flat_map(|report| &report.warnings) {
        if seen.insert(warning) {
            warnings.push(warning.clone());
        }
    }
    if versions.len() > 1 {
        let all: Vec<&str> = versions.iter().map(|version| version.as_str()).collect();
        warnings.push(format!(
            "the shards met servers of different versions: {}",
            all.join(", ")
        ));
    }
    let mut keys = BTreeSet::new();
    let empty = serde_json::Map::new();
    let fields = |report: &'_ Report| report.plan.as_object().cloned().unwrap_or_else(|| empty.clone());
    let first = fields(&reports[0]);
    for report in &reports[1..] {
        let other = fields(report);
        for key in first.keys().chain(other.keys()) {
            if !PER_SHARD.contains(&key.as_str()) && first.get(key) != other.get(key) {
                keys.insert(key.clone());
            }
        }
    }
    if !keys.is_empty() {
        let keys: Vec<String> = keys.into_iter().collect();
        warnings.push(format!(
            "the shards' plans differ in {}: the figures are a mixture of these",
            keys.join(", ")
        ));
    }
}
