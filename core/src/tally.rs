//! The counters and histograms that a worker owns and writes.
