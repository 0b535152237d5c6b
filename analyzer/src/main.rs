//! The `clw-analyze` binary.

fn main() {}
