//! Sequence numbers, whose comparisons wrap (RFC 9293 section 3.4).

/// A position in one direction of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seq(pub u32);

impl Seq {
    /// The position `bytes` later.
    #[must_use]
    pub const fn plus(self, bytes: u32) -> Self {
        Self(self.0.wrapping_add(bytes))
    }

    /// Bytes from here to `other`: negative if `other` lies before.
    pub const fn to(self, other: Self) -> i32 {
        other.0.wrapping_sub(self.0).cast_signed()
    }

    /// Whether this lies before `other`.
    pub const fn is_before(self, other: Self) -> bool {
        self.to(other) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_survives_the_wrap() {
        let last = Seq(u32::MAX - 1);
        assert!(last.is_before(last.plus(5)));
        assert_eq!(last.plus(5), Seq(3));
        assert_eq!(last.to(Seq(3)), 5);
        assert_eq!(Seq(3).to(last), -5);
        assert!(!last.is_before(last));
    }
}
