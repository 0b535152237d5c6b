//! Latency histograms: recorded in microseconds, merged exactly, summarised for results.
