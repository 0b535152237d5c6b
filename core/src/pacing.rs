//! When the next session starts: closed and open models, ramps.
