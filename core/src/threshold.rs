//! Thresholds: expressions over a result that a run must hold.
