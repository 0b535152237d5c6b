//! Heartbeats: period, answers, misses and gaps.
