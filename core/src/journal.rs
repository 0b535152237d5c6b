//! One line per session of a run: the journal's records.
