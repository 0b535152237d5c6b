//! What was typed: the command line of clw-bench.
