//! Uptime and error-rate arithmetic.
