//! `clw-bench merge`: several results as one, exactly.
