//! The result of a run (`clw.bench/1`).
