//! Notices firsts and turns: what goes into the event log beside incidents.

use super::{Level, Moments, Whole};
use clw_core::report::FELL_BEHIND_US;
use clw_core::snapshot::Phase;
use clw_core::tally::Counters;
use clw_core::units::show_duration;
use clw_core::verdict::{Verdict, entry};
use std::collections::BTreeMap;
use std::time::Duration;

/// Snapshots for which a threshold must not hold before it is told: in the first second of a run hardly any does.
const CROSSED_FOR: u32 = 3;

/// What was noticed before.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    endings: [bool; Verdict::COUNT],
    missed: bool,
    one_way: bool,
    generator_error: bool,
    skipped: bool,
    fell_behind: bool,
    phase: Phase,
    version: Option<String>,
    condition: String,
    /// For how many snapshots each threshold has not held.
    thresholds: BTreeMap<String, u32>,
    most_ready: u64,
    /// Ready sessions fell below half of the most seen; told when they are back.
    low: bool,
}

impl Seen {
    /// What happened before the dashboard came is no news.
    pub(super) fn take_as_known(&mut self, counters: &Counters) {
        for verdict in Verdict::ALL {
            let i = verdict.index();
            self.endings[i] |= counters.verdicts[i] + counters.drops[i] > 0;
        }
        self.missed |= counters.heartbeat.missed > 0;
        self.one_way |= counters.heartbeat.udp.one_way > 0;
        self.generator_error |= !counters.generator_errors.is_empty();
        self.skipped |= counters.sessions.skipped_starts > 0;
    }

    pub(super) fn notice(&mut self, second: u64, whole: &Whole, lag_us: u64, moments: &mut Moments) {
        let counters = &whole.counters;
        let errors = counters.errors();
        for verdict in Verdict::ALL.into_iter().filter(|v| v.is_error()) {
            let i = verdict.index();
            let met = errors[i] + counters.drops[i] > 0;
            if met && !self.endings[i] {
                let text = format!("first {verdict}: {}", entry(verdict).title);
                moments.note(second, Level::Warn, text);
                self.endings[i] = true;
            }
        }
        if counters.heartbeat.missed > 0 && !self.missed {
            self.missed = true;
            moments.note(second, Level::Warn, "first heartbeat missed");
        }
        if counters.heartbeat.udp.one_way > 0 && !self.one_way {
            self.one_way = true;
            let text = "first one-way heartbeat loss: pings out, no pongs back, the stream lives";
            moments.note(second, Level::Warn, text);
        }
        if let Some((name, count)) = counters.generator_errors.iter().next()
            && !self.generator_error
        {
            self.generator_error = true;
            let text = format!("the generator's own machine fails: {name} ×{count}");
            moments.note(second, Level::Bad, text);
        }
        if counters.sessions.skipped_starts > 0 && !self.skipped {
            self.skipped = true;
            moments.note(
                second,
                Level::Warn,
                "the generator leaves out starts: its limit of sessions is reached",
            );
        }
        if lag_us > FELL_BEHIND_US && !self.fell_behind {
            self.fell_behind = true;
            let lag = show_duration(Duration::from_micros(lag_us));
            let text =
                format!("the generator fell behind its schedule (p99 {lag}): latencies are partly its own");
            moments.note(second, Level::Bad, text);
        }
        self.turn_of_phase(second, whole.phase, moments);
        self.change_of_condition(second, &whole.condition, moments);
        self.version_of_server(second, whole, moments);
        self.thresholds(second, whole, moments);
        self.level_of_ready(second, whole, moments);
    }

    fn turn_of_phase(&mut self, second: u64, phase: Phase, moments: &mut Moments) {
        if phase != self.phase {
            let text = match phase {
                Phase::Running => "sessions are started again",
                Phase::Draining => "no more sessions are started; those that are up log out",
                Phase::Done => "the run is over",
            };
            moments.note(second, Level::Note, text);
            self.phase = phase;
        }
    }

    fn change_of_condition(&mut self, second: u64, condition: &str, moments: &mut Moments) {
        if condition != self.condition {
            let text = if condition.is_empty() {
                "the network is left alone again".to_owned()
            } else {
                format!("network changed on purpose: {condition}")
            };
            moments.note(second, Level::Note, text);
            condition.clone_into(&mut self.condition);
        }
    }

    fn version_of_server(&mut self, second: u64, whole: &Whole, moments: &mut Moments) {
        let version = &whole.target.server_version;
        if version.is_some() && *version != self.version {
            if let (Some(before), Some(now)) = (&self.version, version) {
                let text = format!("the gateway's version changed from {before} to {now}");
                moments.note(second, Level::Warn, text);
            }
            self.version.clone_from(version);
        }
    }

    fn thresholds(&mut self, second: u64, whole: &Whole, moments: &mut Moments) {
        for threshold in &whole.thresholds {
            // Without data nothing was crossed yet.
            let holds = threshold.passed || threshold.observed.is_none();
            let crossed = self.thresholds.entry(threshold.expr.clone()).or_default();
            let before = *crossed;
            *crossed = if holds { 0 } else { before.saturating_add(1) };
            if *crossed == CROSSED_FOR {
                let text = format!("{} is crossed: {}", threshold.expr, threshold.says);
                moments.note(second, Level::Bad, text);
            } else if holds && before >= CROSSED_FOR {
                moments.note(second, Level::Good, format!("{} holds again", threshold.expr));
            }
        }
    }

    fn level_of_ready(&mut self, second: u64, whole: &Whole, moments: &mut Moments) {
        let ready = whole.gauges.ready;
        let waiting = whole.gauges.reconnecting;
        if !self.low && whole.phase == Phase::Running && waiting > 0 && ready * 2 < self.most_ready {
            self.low = true;
            let text = format!(
                "only {ready} of {} sessions are ready; {waiting} wait to reconnect",
                self.most_ready
            );
            moments.note(second, Level::Bad, text);
        } else if self.low && ready * 10 >= self.most_ready * 9 {
            self.low = false;
            moments.note(
                second,
                Level::Good,
                format!("recovered: {ready} sessions are ready"),
            );
        }
        self.most_ready = self.most_ready.max(ready);
    }
}
