//! The immutable telemetry snapshot and its JSON-lines form.
