//! Which connections of a capture count.

use clw_core::Dialect;

/// Narrows packets to one gateway, or says what silent connections speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Narrow {
    /// Only connections with this port on either side, whatever they speak.
    pub port: Option<u16>,
    /// What is spoken where nothing in the packets tells: a login that nobody asked for, a gateway that says nothing.
    pub dialect: Option<Dialect>,
}

impl Narrow {
    /// Whether it changes anything.
    pub fn is_given(&self) -> bool {
        *self != Self::default()
    }
}
