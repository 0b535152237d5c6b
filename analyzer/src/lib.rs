//! Names how every session in a capture ended, and proves it.
//!
//! Packets come in from files ([`source`]), are cut down to TCP segments ([`segment`], [`decode`]), and every connection
//! is followed and judged by the dictionary's rules in `clw_core::verdict`. Nothing in here opens a socket or reads a
//! clock; files and the terminal are touched by [`source`] and the binary only.

pub mod segment;
pub mod tls;
