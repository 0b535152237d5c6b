//! Reading an expression.

use super::metric::{Subject, Unit, families, known_names};
use crate::units::parse_duration;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// How the observed value is compared with the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

impl Operator {
    /// Two-character operators first, so that `<=` is not read as `<`.
    const ALL: [(&'static str, Self); 6] = [
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    /// As it is written.
    pub fn text(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, operator)| *operator == self)
            .map_or("?", |(text, _)| text)
    }
}

/// An expression that cannot be read; says what is known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ThresholdError {
    /// No operator, or `=`.
    #[error(
        "threshold `{expr}` has no operator: write METRIC then one of < <= > >= == != then a value, as in `ready_p99<500ms`"
    )]
    NoOperator {
        /// The expression.
        expr: String,
    },
    /// Nobody measures that.
    #[error("threshold `{expr}`: there is no metric `{metric}`{}; known are: {known}", suggestion(near.as_deref()))]
    UnknownMetric {
        /// The expression.
        expr: String,
        /// The name in it.
        metric: String,
        /// A known name that is near.
        near: Option<String>,
        /// What is known.
        known: String,
    },
    /// The value is not of the metric's unit.
    #[error("threshold `{expr}`: `{value}` is not {expected}")]
    BadValue {
        /// The expression.
        expr: String,
        /// The value in it.
        value: String,
        /// What the metric is compared with.
        expected: &'static str,
    },
}

fn suggestion(near: Option<&str>) -> String {
    near.map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}

/// One expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    pub(super) expr: String,
    pub(super) subject: Subject,
    pub(super) operator: Operator,
    pub(super) bound: f64,
}

impl Threshold {
    /// What it compares with, in its unit.
    pub fn bound(&self) -> f64 {
        self.bound
    }

    /// The unit of bound, observation and margin.
    pub fn unit(&self) -> Unit {
        self.subject.unit()
    }

    /// The call of the scenario that it is about, if it is about one: lets a plan refuse a name that it does not have.
    pub fn call(&self) -> Option<&str> {
        match &self.subject {
            Subject::RpcErrors(call) | Subject::RpcUnanswered(call) => Some(call),
            Subject::Latency(name, _) => name
                .strip_prefix("rpc.")
                .or_else(|| name.strip_prefix("rpc_service.")),
            _ => None,
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.expr)
    }
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let expr = text.trim().to_owned();
        let found = expr.char_indices().find_map(|(at, _)| {
            Operator::ALL
                .iter()
                .find(|(op, _)| expr[at..].starts_with(op))
                .map(|op| (at, *op))
        });
        let Some((at, (symbol, operator))) = found else {
            return Err(ThresholdError::NoOperator { expr });
        };
        let metric = expr[..at].trim();
        let value = expr[at + symbol.len()..].trim();
        let Some(subject) = Subject::parse(metric) else {
            return Err(ThresholdError::UnknownMetric {
                expr: expr.clone(),
                metric: metric.to_owned(),
                near: nearest(metric),
                known: families(),
            });
        };
        match parse_value(subject.unit(), value) {
            Ok(bound) => Ok(Self {
                expr,
                subject,
                operator,
                bound,
            }),
            Err(expected) => Err(ThresholdError::BadValue {
                value: value.to_owned(),
                expected,
                expr,
            }),
        }
    }
}

fn parse_value(unit: Unit, value: &str) -> Result<f64, &'static str> {
    match unit {
        Unit::Percent => {
            let expected = "a percentage from 0% to 100%";
            let number = value.strip_suffix('%').unwrap_or(value).trim();
            let percent: f64 = number.parse().map_err(|_| expected)?;
            (0.0..=100.0)
                .contains(&percent)
                .then_some(percent)
                .ok_or(expected)
        }
        Unit::Micros => {
            let expected = "a duration with its unit, such as 500ms, 1.5s or 800us";
            // A bare number would be seconds elsewhere; for a latency, people mean milliseconds as often.
            if !value.ends_with(|c: char| c.is_ascii_alphabetic()) {
                return Err(expected);
            }
            parse_duration(value)
                .map(|duration| duration.as_secs_f64() * 1e6)
                .map_err(|_| expected)
        }
        Unit::Count => {
            let expected = "a whole number";
            value
                .replace(['_', ' '], "")
                .parse::<u64>()
                .map(|count| count as f64)
                .map_err(|_| expected)
        }
    }
}

/// The known name that takes the fewest edits, if it takes no more than a third of the letters.
fn nearest(name: &str) -> Option<String> {
    if name.is_empty() || name.len() > 60 {
        return None;
    }
    let lower = name.to_lowercase();
    let (distance, near) = known_names()
        .into_iter()
        .map(|known| (edits(&lower, &known), known))
        .min()?;
    (distance <= (name.len() / 3).max(1)).then_some(near)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let change = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> String {
        text.parse::<Threshold>().unwrap_err().to_string()
    }

    #[test]
    fn expressions_of_every_family_read() {
        for (text, operator, bound, unit) in [
            ("uptime>=99.9%", Operator::AtLeast, 99.9, Unit::Percent),
            ("error_rate<1%", Operator::Less, 1.0, Unit::Percent),
            ("reconnect_success >= 99", Operator::AtLeast, 99.0, Unit::Percent),
            ("ready_p99<500ms", Operator::Less, 500_000.0, Unit::Micros),
            ("rpc.health_p95<50ms", Operator::Less, 50_000.0, Unit::Micros),
            (
                "rpc.long_name.x_mean<=1s",
                Operator::AtMost,
                1_000_000.0,
                Unit::Micros,
            ),
            ("schedule_lag_p99<5ms", Operator::Less, 5_000.0, Unit::Micros),
            ("clw-heartbeat-miss==0", Operator::Equal, 0.0, Unit::Count),
            ("dropped<=3", Operator::AtMost, 3.0, Unit::Count),
            ("close_1006==0", Operator::Equal, 0.0, Unit::Count),
            ("started!=10_000", Operator::NotEqual, 10_000.0, Unit::Count),
            ("rpc.health_errors<1", Operator::Less, 1.0, Unit::Count),
        ] {
            let threshold: Threshold = text.parse().unwrap();
            assert_eq!((threshold.operator, threshold.unit()), (operator, unit), "{text}");
            assert!(
                (threshold.bound - bound).abs() < 1e-6,
                "{text}: {}",
                threshold.bound
            );
            assert_eq!(threshold.to_string(), text);
        }
        assert_eq!("rpc.a_b_p95<1s".parse::<Threshold>().unwrap().call(), Some("a_b"));
    }

    #[test]
    fn errors_name_the_near_one_and_what_is_known() {
        assert!(words("uptme>=99%").contains("did you mean `uptime`?"));
        assert!(words("redy_p99<1s").contains("did you mean `ready_p99`?"));
        assert!(words("clw-auth-fail==0").contains("did you mean `clw-auth-failed`?"));
        assert!(words("qqqqqqqqqqqq<1").contains("known are: uptime, error_rate"));
        assert!(!words("qqqqqqqqqqqq<1").contains("did you mean"));
        assert!(words("uptime=99%").contains("has no operator"));
        assert!(words("ready_p99<500").contains("a duration with its unit"));
        assert!(words("uptime>=101%").contains("0% to 100%"));
        assert!(words("dropped<1.5").contains("a whole number"));
        assert!(words("close_99==0").contains("no metric `close_99`"));
        assert!(words("rpc._p95<1s").contains("no metric"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_but_never_panics(text in ".{0,80}") {
            if let Ok(threshold) = text.parse::<Threshold>() {
                prop_assert!(threshold.bound.is_finite());
            }
        }

        #[test]
        fn edits_are_a_distance(a in "[a-d]{0,8}", b in "[a-d]{0,8}", c in "[a-d]{0,8}") {
            prop_assert_eq!(edits(&a, &b), edits(&b, &a));
            prop_assert_eq!(edits(&a, &b) == 0, a == b);
            prop_assert!(edits(&a, &c) <= edits(&a, &b) + edits(&b, &c));
        }
    }
}
