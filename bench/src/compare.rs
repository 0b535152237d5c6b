//! `clw-bench compare`: what changed between two results, and whether it is more than noise.
