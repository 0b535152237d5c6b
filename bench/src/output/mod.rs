//! Where results go: terminal, JSON, CSV, HDR interval log, journal.
