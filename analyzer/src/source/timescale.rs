//! From an interface's ticks to nanoseconds (pcapng `if_tsresol` and `if_tsoffset`).

const NANOS: u64 = 1_000_000_000;

/// How one interface counts time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timescale {
    ticks: Ticks,
    /// Seconds to add to every timestamp.
    offset_s: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ticks {
    /// A tick is this many nanoseconds.
    Coarse(u64),
    /// A nanosecond is this many ticks.
    Fine(u64),
    /// A second is two to this many ticks.
    Binary(u32),
}

impl Timescale {
    pub(super) const MICROSECONDS: Self = Self {
        ticks: Ticks::Coarse(1000),
        offset_s: 0,
    };

    /// From the option values: the high bit of the resolution tells powers of two from powers of ten.
    pub(super) fn new(resolution: u8, offset_s: i64) -> Self {
        let exponent = u32::from(resolution & 0x7f);
        let ticks = if resolution & 0x80 != 0 {
            Ticks::Binary(exponent)
        } else if exponent <= 9 {
            Ticks::Coarse(10_u64.pow(9 - exponent))
        } else {
            // Finer than 10^-28 s no 64-bit count reaches a nanosecond.
            Ticks::Fine(10_u64.checked_pow(exponent - 9).unwrap_or(u64::MAX))
        };
        Self { ticks, offset_s }
    }

    /// Nanoseconds since the Unix epoch; what does not fit is held at the nearest end.
    #[inline]
    pub(super) fn to_ns(self, ticks: u64) -> u64 {
        let ns = match self.ticks {
            Ticks::Coarse(ns) => ticks.saturating_mul(ns),
            Ticks::Fine(per_ns) => ticks / per_ns,
            Ticks::Binary(exponent) => {
                u64::try_from((u128::from(ticks) * u128::from(NANOS)) >> exponent).unwrap_or(u64::MAX)
            }
        };
        if self.offset_s == 0 {
            return ns;
        }
        let moved = i128::from(ns) + i128::from(self.offset_s) * i128::from(NANOS);
        u64::try_from(moved.max(0)).unwrap_or(u64::MAX)
    }

    /// One tick, for people.
    pub(super) fn describe(self) -> String {
        match self.ticks {
            Ticks::Coarse(1) => "1 ns".to_owned(),
            Ticks::Coarse(1_000) => "1 µs".to_owned(),
            Ticks::Coarse(1_000_000) => "1 ms".to_owned(),
            Ticks::Coarse(NANOS) => "1 s".to_owned(),
            Ticks::Coarse(ns) => format!("{ns} ns"),
            Ticks::Fine(per_ns) => format!("1/{per_ns} ns"),
            Ticks::Binary(exponent) => format!("2^-{exponent} s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_and_binary_resolutions() {
        assert_eq!(Timescale::new(6, 0).to_ns(1_500_000), 1_500_000_000);
        assert_eq!(Timescale::new(9, 0).to_ns(1_500_000_001), 1_500_000_001);
        assert_eq!(Timescale::new(0, 0).to_ns(7), 7_000_000_000);
        assert_eq!(Timescale::new(12, 0).to_ns(1_500_999), 1_500);
        assert_eq!(Timescale::new(0x8a, 0).to_ns(1024 + 512), 1_500_000_000);
        assert_eq!(Timescale::new(0x94, 0).to_ns(1 << 20), 1_000_000_000);
        assert_eq!(Timescale::new(0x80, 0).to_ns(3), 3_000_000_000);
    }

    #[test]
    fn the_offset_counts_seconds_both_ways() {
        assert_eq!(Timescale::new(6, 10).to_ns(1), 10_000_001_000);
        assert_eq!(Timescale::new(6, -1).to_ns(3_000_000), 2_000_000_000);
        assert_eq!(Timescale::new(6, -5).to_ns(1), 0);
    }

    #[test]
    fn absurd_values_are_held_at_the_ends() {
        for resolution in 0..=u8::MAX {
            for offset in [i64::MIN, -1, 0, 1, i64::MAX] {
                let scale = Timescale::new(resolution, offset);
                assert!(scale.to_ns(0) <= scale.to_ns(u64::MAX));
                assert!(!scale.describe().is_empty());
            }
        }
    }
}
