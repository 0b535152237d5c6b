//! `--filter`: conditions on a connection, all of which must hold.

use crate::record::Record;
use clw_core::Stage;
use clw_core::verdict::Verdict;
use std::str::FromStr;
use thiserror::Error;

/// Conditions joined by `and` (or `&&`).
#[derive(Clone, Debug, Default)]
pub struct Filter(Vec<Condition>);

#[derive(Clone, Debug)]
struct Condition {
    field: Field,
    operator: Operator,
    value: String,
    number: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
}

/// Longest first: `<=` is not `<` and a value that begins with `=`.
const OPERATORS: [(&str, Operator); 7] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("~", Operator::Contains),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

#[derive(Clone, Copy, Debug)]
struct Field {
    name: &'static str,
    is_number: bool,
    of: fn(&Record) -> String,
    /// What it can be, where that is a closed list.
    words: &'static [&'static str],
}

const FIELDS: [Field; 17] = [
    text("verdict", |r| r.verdict.unwrap_or("none").to_owned()),
    one_of(
        "dialect",
        &[
            "openclaw",
            "clw",
            "clawchat",
            "websocket",
            "http",
            "tls",
            "unknown",
        ],
        |r| r.dialect.name().to_owned(),
    ),
    one_of(
        "stage",
        &["tcp", "tls", "upgrade", "challenge", "auth", "ready"],
        |r| r.stage.name().to_owned(),
    ),
    text("client", |r| r.client.to_string()),
    text("server", |r| r.server.to_string()),
    one_of("kind", &["fin", "rst", "silent", "open"], |r| {
        format!("{:?}", r.ending.kind).to_lowercase()
    }),
    one_of("by", &["client", "server", "middlebox", "unknown"], |r| {
        r.ending.by.name().to_owned()
    }),
    one_of(
        "rst",
        &[
            "stray",
            "refused",
            "injected",
            "keepalive",
            "after-close",
            "half-open",
            "abort",
            "none",
        ],
        |r| r.ending.rst.first().map_or("none", |rst| rst.class).to_owned(),
    ),
    text("role", |r| r.identity.role.clone().unwrap_or_default()),
    text("client_id", |r| r.identity.client_id.clone().unwrap_or_default()),
    text("user_agent", |r| {
        r.http
            .as_ref()
            .and_then(|h| h.user_agent.clone())
            .unwrap_or_default()
    }),
    number("close_code", |r| {
        let close = r.ending.ws_close.as_ref().filter(|close| !close.after_end);
        match close {
            Some(close) => close.code.to_string(),
            None if r.stage >= Stage::Challenge => "1006".to_owned(),
            None => "none".to_owned(),
        }
    }),
    number("duration_ms", |r| r.duration_ms.to_string()),
    number("gaps", |r| r.heartbeats.gaps.len().to_string()),
    number("retransmissions", |r| {
        (u64::from(r.retransmissions.client) + u64::from(r.retransmissions.server)).to_string()
    }),
    number("confidence", |r| r.confidence.to_string()),
    number("id", |r| r.id.to_string()),
];

const fn text(name: &'static str, of: fn(&Record) -> String) -> Field {
    Field {
        name,
        is_number: false,
        of,
        words: &[],
    }
}

const fn one_of(name: &'static str, words: &'static [&'static str], of: fn(&Record) -> String) -> Field {
    Field {
        words,
        ..text(name, of)
    }
}

const fn number(name: &'static str, of: fn(&Record) -> String) -> Field {
    Field {
        name,
        is_number: true,
        of,
        words: &[],
    }
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FilterError {
    /// No operator.
    #[error("`{0}` compares nothing: write FIELD==VALUE, with one of == != < <= > >= ~ (contains)")]
    NoOperator(String),
    /// Not a field.
    #[error("`{0}` is no field; there are: {list}", list = FIELDS.map(|f| f.name).join(", "))]
    UnknownField(String),
    /// A number is needed.
    #[error("`{field}` is a number, and `{value}` is none")]
    NotANumber {
        /// The field.
        field: &'static str,
        /// As written.
        value: String,
    },
    /// Alternatives.
    #[error(
        "conditions are joined by `and` only; for `or`, run it twice, or take --jsonl and a tool such as jq"
    )]
    Or,
    /// It is never that.
    #[error("`{value}` is no {field}; there are: {list}", list = words.join(", "))]
    UnknownWord {
        /// The field.
        field: &'static str,
        /// As written.
        value: String,
        /// What it can be.
        words: Vec<&'static str>,
    },
    /// Text has no order.
    #[error("`{0}` is text: compare it with ==, != or ~ (contains)")]
    NoOrder(&'static str),
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(expression: &str) -> Result<Self, FilterError> {
        if expression.contains(" or ") || expression.contains("||") {
            return Err(FilterError::Or);
        }
        expression
            .replace("&&", " and ")
            .split(" and ")
            .map(|part| condition(part.trim()))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn condition(part: &str) -> Result<Condition, FilterError> {
    let found = OPERATORS
        .iter()
        .filter_map(|(sign, operator)| Some((part.find(sign)?, sign, *operator)))
        .min_by_key(|(at, sign, _)| (*at, std::cmp::Reverse(sign.len())));
    let Some((at, sign, operator)) = found else {
        return Err(FilterError::NoOperator(part.to_owned()));
    };
    let name = part[..at].trim();
    let value = part[at + sign.len()..]
        .trim()
        .trim_matches(['"', '\''])
        .to_owned();
    let field = FIELDS
        .into_iter()
        .find(|field| field.name == name)
        .ok_or_else(|| FilterError::UnknownField(name.to_owned()))?;
    let number = value.parse::<f64>().ok();
    match (field.is_number, operator) {
        (true, Operator::Contains) => {}
        (true, _) if number.is_none() => {
            return Err(FilterError::NotANumber {
                field: field.name,
                value,
            });
        }
        (false, Operator::Equal | Operator::NotEqual) => {
            let words = words_of(&field);
            if !words.is_empty() && !words.contains(&value.as_str()) {
                return Err(FilterError::UnknownWord {
                    field: field.name,
                    value,
                    words,
                });
            }
        }
        (false, Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual) => {
            return Err(FilterError::NoOrder(field.name));
        }
        _ => {}
    }
    Ok(Condition {
        field,
        operator,
        value,
        number: number.filter(|_| field.is_number),
    })
}

fn words_of(field: &Field) -> Vec<&'static str> {
    if field.name == "verdict" {
        Verdict::ALL
            .iter()
            .map(|verdict| verdict.name())
            .chain(["none"])
            .collect()
    } else {
        field.words.to_vec()
    }
}

impl Filter {
    /// Whether all conditions hold.
    pub fn holds(&self, record: &Record) -> bool {
        self.0.iter().all(|condition| condition.holds(record))
    }
}

impl Condition {
    fn holds(&self, record: &Record) -> bool {
        let found = (self.field.of)(record);
        if let (Some(wanted), false) = (self.number, self.operator == Operator::Contains) {
            let Ok(found) = found.parse::<f64>() else {
                return false;
            };
            let order = found.total_cmp(&wanted);
            return match self.operator {
                Operator::Equal => order.is_eq(),
                Operator::NotEqual => order.is_ne(),
                Operator::Less => order.is_lt(),
                Operator::LessOrEqual => order.is_le(),
                Operator::Greater => order.is_gt(),
                _ => order.is_ge(),
            };
        }
        match self.operator {
            Operator::NotEqual => found != self.value,
            Operator::Contains => found.contains(&self.value),
            _ => found == self.value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_named() {
        let error = |text: &str| text.parse::<Filter>().unwrap_err().to_string();
        assert!(error("verdict").contains("compares nothing"));
        assert!(error("colour==red").contains("no field"));
        assert!(error("duration_ms>long").contains("`long` is none"));
        assert!(error("dialect<clw").contains("is text"));
        assert!(error("verdict==clw-auth-faild").contains("clw-auth-failed"));
        assert!(error("stage==rdy").contains("ready"));
        assert!(error("gaps>1 or verdict==ok").contains("`and` only"));
    }

    #[test]
    fn conditions_are_read_with_their_longest_operator() {
        let filter: Filter = "duration_ms>=10 && verdict != ok and client~127.0"
            .parse()
            .unwrap();
        let operators: Vec<_> = filter.0.iter().map(|c| (c.operator, c.value.as_str())).collect();
        assert_eq!(
            operators,
            [
                (Operator::GreaterOrEqual, "10"),
                (Operator::NotEqual, "ok"),
                (Operator::Contains, "127.0")
            ]
        );
    }
}
