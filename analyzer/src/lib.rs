//! Names how every session in a capture ended, and proves it.
//!
//! Packets come in from files ([`source`]), are cut down to TCP segments ([`segment`], [`decode`]), every connection is
//! followed ([`tcp`], [`stream`], [`engine`]) and judged by the dictionary's rules in `clw_core::verdict` ([`judge`]).
//! Nothing in here opens a socket or reads a clock; files and the terminal are touched by [`source`] and the binary only.

pub mod decode;
pub mod engine;
pub mod judge;
pub mod record;
pub mod segment;
pub mod source;
pub mod stream;
pub mod tcp;
