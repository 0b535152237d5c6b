//! The metrics that are one number each, and the times: name, what it says, unit, where it comes from.

use super::family::{Number, Unit};
use clw_core::snapshot::Snapshot;

/// A metric without labels.
type Row = (&'static str, &'static str, Unit, fn(&Snapshot) -> Number);

const SESSION: Unit = Unit::Count("session");
const CONNECTION: Unit = Unit::Count("connection");
const HEARTBEAT: Unit = Unit::Count("heartbeat");

const fn seconds(us: u64) -> Number {
    Number::Real(us as f64 / 1e6)
}

#[rustfmt::skip]
pub(super) const GAUGES: [Row; 5] = [
    ("run.elapsed", "Time since the start of the run, as far as the workers have told of it", Unit::Seconds, |s| seconds(s.elapsed_us)),
    ("sessions.active", "Sessions that have not ended", SESSION, |s| Number::Whole(s.gauges.active)),
    ("connections.open", "Connections open now, in any stage", CONNECTION, |s| Number::Whole(s.gauges.open)),
    ("connections.open_peak", "Most connections open at once so far", CONNECTION, |s| Number::Whole(s.gauges.peak_open)),
    ("generator.memory_peak", "Peak resident memory, summed over worker processes", Unit::Bytes, |s| Number::Whole(s.usage.rss_peak_bytes)),
];

#[rustfmt::skip]
pub(super) const COUNTERS: [Row; 21] = [
    ("sessions.started", "Sessions whose first connect was begun", SESSION, |s| Number::Whole(s.counters.sessions.started)),
    ("sessions.ready", "Sessions that became ready at least once", SESSION, |s| Number::Whole(s.counters.sessions.ready)),
    ("sessions.ended", "Sessions that ended, in whatever way", SESSION, |s| Number::Whole(s.counters.sessions.ended)),
    ("sessions.completed", "Sessions that ended ok", SESSION, |s| Number::Whole(s.counters.sessions.completed)),
    ("sessions.failed", "Sessions that ended in an error and never became ready", SESSION, |s| Number::Whole(s.counters.sessions.failed)),
    ("sessions.dropped", "Ready connections that ended although they were meant to stay", CONNECTION, |s| Number::Whole(s.counters.sessions.dropped)),
    ("sessions.reconnected", "Times that a session became ready again after a drop", SESSION, |s| Number::Whole(s.counters.sessions.reconnected)),
    ("starts.skipped", "Starts left out because -c allowed no more sessions at once", Unit::Count("start"), |s| Number::Whole(s.counters.sessions.skipped_starts)),
    ("uptime.ready", "Session-time ready, counted as sessions end; divided by uptime_meant it is the uptime", Unit::Seconds, |s| seconds(s.counters.uptime.ready_us)),
    ("uptime.meant", "Session-time meant to be ready, counted as sessions end", Unit::Seconds, |s| seconds(s.counters.uptime.meant_us)),
    ("heartbeats.sent", "Heartbeats sent", HEARTBEAT, |s| Number::Whole(s.counters.heartbeat.sent)),
    ("heartbeats.answered", "Heartbeats answered in time", HEARTBEAT, |s| Number::Whole(s.counters.heartbeat.answered)),
    ("heartbeats.missed", "Heartbeats given up", HEARTBEAT, |s| Number::Whole(s.counters.heartbeat.missed)),
    ("reconnects.attempted", "Connections begun after a drop", CONNECTION, |s| Number::Whole(s.counters.reconnect.attempts)),
    ("reconnects.succeeded", "Connections begun after a drop that became ready", CONNECTION, |s| Number::Whole(s.counters.reconnect.succeeded)),
    ("refreshes.done", "Token refreshes accepted", Unit::Count("refresh"), |s| Number::Whole(s.counters.refreshes.done)),
    ("refreshes.refused", "Token refreshes refused", Unit::Count("refresh"), |s| Number::Whole(s.counters.refreshes.refused)),
    ("notifications.new", "Notifications told for the first time", Unit::Count("notification"), |s| Number::Whole(s.counters.notifications.new)),
    ("notifications.duplicate", "Copies of notifications that the client had seen", Unit::Count("notification"), |s| Number::Whole(s.counters.notifications.duplicates)),
    ("broadcasts.lost", "Broadcasts that a jump in seq shows to be lost", Unit::Count("broadcast"), |s| Number::Whole(s.counters.broadcasts_lost)),
    ("generator.cpu", "CPU time of all workers, user and system", Unit::Seconds, |s| seconds(s.usage.cpu_us)),
];

/// Stages whose times are one metric with the stage as its label.
pub(super) const STAGE_TIMES: [&str; 5] = ["tcp_connect", "tls", "upgrade", "challenge", "auth"];

/// Times: the metric's name, the histogram's, what it says.
#[rustfmt::skip]
pub(super) const TIMES: [(&str, &str, &str); 6] = [
    ("ready", "ready", "From the scheduled start to ready: the response time"),
    ("ready_service", "ready_service", "From the connect call to ready: the service time"),
    ("heartbeat.rtt", "heartbeat_rtt", "From a heartbeat to its answer"),
    ("tick_gap", "tick_gap", "Between two heartbeats of the server"),
    ("time_to_ready", "time_to_ready", "From a drop to ready again, back-off included"),
    ("schedule_lag", "schedule_lag", "From the scheduled start of a session to its real start"),
];

/// Times of calls, with the call as their label: the metric's name, the prefix of the histograms', what it says.
pub(super) const CALL_TIMES: [(&str, &str, &str); 2] = [
    (
        "call",
        "rpc.",
        "From the scheduled instant of a call to its answer",
    ),
    (
        "call_service",
        "rpc_service.",
        "From the sending of a call to its answer",
    ),
];
