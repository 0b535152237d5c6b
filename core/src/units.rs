//! Numbers as people write them: durations, rates, sizes, percentages.

use std::time::Duration;
use thiserror::Error;

/// A number that cannot be read; says what was given and what is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{given}` is not {expected}")]
pub struct UnitError {
    given: String,
    expected: &'static str,
}

/// Reads a duration: `250ms`, `1.5s`, `2m`, `1h`, `500us`; a bare number is seconds.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    const EXPECTED: &str = "a duration such as 250ms, 1.5s, 2m or 1h";
    let fail = || UnitError {
        given: text.to_owned(),
        expected: EXPECTED,
    };
    let trimmed = text.trim();
    let split = trimmed
        .find(|c: char| c.is_ascii_alphabetic() || c == '\u{b5}')
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let factor = match unit {
        "us" | "\u{b5}s" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(fail()),
    };
    let number: f64 = number.trim().parse().map_err(|_| fail())?;
    Duration::try_from_secs_f64(number * factor).map_err(|_| fail())
}

/// Reads a share: `5%` or `0.05`, as a fraction from 0 to 1.
pub fn parse_share(text: &str) -> Result<f64, UnitError> {
    let fail = || UnitError {
        given: text.to_owned(),
        expected: "a share such as 5% or 0.05",
    };
    let trimmed = text.trim();
    let value = match trimmed.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map_err(|_| fail())? / 100.0,
        None => trimmed.parse().map_err(|_| fail())?,
    };
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(fail())
    }
}

/// A duration for people, three significant digits: `850 \u{b5}s`, `12.3 ms`, `4.56 s`, `3m 20s`, `2h 05m`.
pub fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let three = |value: f64, unit: &str| {
        let digits = if value < 9.995 {
            2
        } else {
            usize::from(value < 99.95)
        };
        format!("{value:.digits$} {unit}")
    };
    if duration.is_zero() {
        "0".to_owned()
    } else if seconds < 0.000_999_5 {
        format!("{:.0} \u{b5}s", seconds * 1e6)
    } else if seconds < 0.9995 {
        three(seconds * 1e3, "ms")
    } else if seconds < 119.5 {
        three(seconds, "s")
    } else {
        let whole = duration
            .as_secs()
            .saturating_add(u64::from(duration.subsec_millis() >= 500));
        if whole < 7200 {
            format!("{}m {:02}s", whole / 60, whole % 60)
        } else {
            format!("{}h {:02}m", whole / 3600, whole % 3600 / 60)
        }
    }
}

/// A count with thin groups of three digits: `10 000`.
pub fn show_count(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            shown.push(' ');
        }
        shown.push(digit);
    }
    shown
}

/// A size in binary units: `512 B`, `3.4 KiB`, `1.2 GiB`.
pub fn show_bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1000.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_written() {
        for (text, micros) in [
            ("250ms", 250_000),
            ("1.5s", 1_500_000),
            ("2", 2_000_000),
            ("2m", 120_000_000),
            ("7us", 7),
        ] {
            assert_eq!(
                parse_duration(text).unwrap(),
                Duration::from_micros(micros),
                "{text}"
            );
        }
        for text in ["", "s", "-1s", "1y", "nan", "inf", "1e400"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_read_as_percent_or_fraction() {
        assert!((parse_share("5%").unwrap() - 0.05).abs() < 1e-12);
        assert!((parse_share("0.5").unwrap() - 0.5).abs() < 1e-12);
        for text in ["101%", "-1%", "x", "%"] {
            assert!(parse_share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_show_three_digits() {
        let show = |micros| show_duration(Duration::from_micros(micros));
        assert_eq!(show(850), "850 \u{b5}s");
        assert_eq!(show(12_340), "12.3 ms");
        assert_eq!(show(4_560_000), "4.56 s");
        assert_eq!(show(200_000_000), "3m 20s");
        assert_eq!(show(7_500_000_000), "2h 05m");
        assert_eq!(show_count(1_234_567), "1 234 567");
        assert_eq!(show_bytes(3500), "3.4 KiB");
    }
}
