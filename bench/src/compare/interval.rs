//! Confidence intervals.

use clw_core::histogram::Histogram;

/// Standard normal quantile of a two-sided 99 % interval.
pub const Z: f64 = 2.575_829_303_548_901;

/// Wilson's score interval for `part` of `whole`, as shares from 0 to 1 (Wilson 1927). `(0, 1)` for nothing.
pub fn wilson(part: f64, whole: f64) -> (f64, f64) {
    if whole <= 0.0 {
        return (0.0, 1.0);
    }
    let share = (part / whole).clamp(0.0, 1.0);
    let z2 = Z * Z;
    let middle = share + z2 / (2.0 * whole);
    let spread = Z * (share * (1.0 - share) / whole + z2 / (4.0 * whole * whole)).sqrt();
    let scale = 1.0 + z2 / whole;
    // The share itself always lies within; rounding must not push the bounds past it.
    (
        ((middle - spread) / scale).clamp(0.0, share),
        ((middle + spread) / scale).clamp(share, 1.0),
    )
}

/// Newcombe's hybrid score interval for the difference `after − before` of two shares (Newcombe 1998, method 10).
pub fn newcombe(before: (f64, f64), after: (f64, f64)) -> (f64, f64) {
    let share = |(part, whole): (f64, f64)| {
        if whole > 0.0 {
            (part / whole).clamp(0.0, 1.0)
        } else {
            0.0
        }
    };
    let (p, q) = (share(before), share(after));
    let ((p_low, p_high), (q_low, q_high)) = (wilson(before.0, before.1), wilson(after.0, after.1));
    let difference = q - p;
    (
        difference - (q - q_low).hypot(p_high - p),
        difference + (q_high - q).hypot(p - p_low),
    )
}

/// The values between which the true `quantile` lies, in microseconds: order statistics whose ranks come from the normal
/// approximation of the binomial. `None` where there are too few values to tell (the rank would be beyond the last).
pub fn percentile_interval(histogram: &Histogram, quantile: f64) -> Option<(u64, u64)> {
    let count = histogram.count();
    let n = count as f64;
    let spread = Z * (n * quantile * (1.0 - quantile)).sqrt();
    let (low, high) = (
        (n * quantile - spread).floor(),
        (n * quantile + spread).ceil() + 1.0,
    );
    if count == 0 || low < 1.0 || high > n {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "both are between 1 and the count"
    )]
    Some((
        histogram.at_rank_us(low as u64),
        histogram.at_rank_us(high as u64),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wilson_agrees_with_the_formula_worked_by_hand() {
        // 10 of 100 at 99 %: 0.0460 to 0.2037.
        let (low, high) = wilson(10.0, 100.0);
        assert!(
            (low - 0.0460).abs() < 5e-4 && (high - 0.2037).abs() < 5e-4,
            "{low} {high}"
        );
        assert!(wilson(0.0, 50.0).1 > 0.05);
    }

    #[test]
    fn percentile_ranks_bracket_the_percentile() {
        let mut histogram = Histogram::new();
        for us in 1..=1000 {
            histogram.record_us(us);
        }
        let (low, high) = percentile_interval(&histogram, 0.5).unwrap();
        assert_eq!((low, high), (459, 542));
        assert_eq!(percentile_interval(&histogram, 0.999), None);
        assert_eq!(percentile_interval(&Histogram::new(), 0.5), None);
    }

    proptest! {
        #[test]
        fn intervals_hold_the_point_they_are_about(part in 0_u32..1000, more in 0_u32..1000, b in 0_u32..500, more_b in 1_u32..500) {
            let (whole, whole_b) = (f64::from(part + more + 1), f64::from(b + more_b));
            let (part, b) = (f64::from(part), f64::from(b));
            let (low, high) = wilson(part, whole);
            prop_assert!(low <= part / whole && part / whole <= high);
            let difference = b / whole_b - part / whole;
            let (low, high) = newcombe((part, whole), (b, whole_b));
            prop_assert!(low <= difference + 1e-12 && difference <= high + 1e-12);
            let (reverse_low, reverse_high) = newcombe((b, whole_b), (part, whole));
            prop_assert!((reverse_low + high).abs() < 1e-9 && (reverse_high + low).abs() < 1e-9);
        }
    }
}
