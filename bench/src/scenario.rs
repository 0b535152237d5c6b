//! Scenario files (TOML): stages, mixes, calls, thresholds.
