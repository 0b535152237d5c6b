//! Figures as the dashboard words them.

use clw_core::units::show_duration;
use std::time::Duration;

/// A share in percent: fewer digits where they mean nothing, never 0 for what is not.
pub fn percent(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(v) if v <= 0.0 => "0 %".to_owned(),
        Some(v) if v < 0.01 => "<0.01 %".to_owned(),
        Some(v) if v < 10.0 => format!("{v:.2} %"),
        Some(v) if v < 99.95 => format!("{v:.1} %"),
        Some(_) => "100 %".to_owned(),
    }
}

/// Events a second.
pub fn per_second(value: f64) -> String {
    if value <= 0.0 {
        "0/s".to_owned()
    } else if value < 10.0 {
        format!("{value:.1}/s")
    } else {
        format!("{value:.0}/s")
    }
}

/// A latency given in microseconds.
pub fn micros(us: u64) -> String {
    show_duration(Duration::from_micros(us))
}

/// A time of the run, to the second: `12s`, `3m 12s`, `2h 05m 09s`.
pub fn clock(seconds: u64) -> String {
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if h > 0 {
        format!("{h}h {m:02}m {s:02}s")
    } else if m > 0 {
        format!("{m}m {s:02}s")
    } else {
        format!("{s}s")
    }
}

/// A span for an axis: `45s`, `2m`, `1h`.
pub fn span(seconds: u64) -> String {
    match seconds {
        s if s >= 3600 && s.is_multiple_of(3600) => format!("{}h", s / 3600),
        s if s >= 60 && s.is_multiple_of(60) => format!("{}m", s / 60),
        s if s >= 60 => format!("{}m{:02}", s / 60, s % 60),
        s => format!("{s}s"),
    }
}

/// A time of day from seconds since 1970: `07:29:06`, in UTC.
pub fn time_of_day(unix_s: u64) -> String {
    let s = unix_s % 86_400;
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// A metric as the report of clw-bench calls it.
pub fn metric(name: &str) -> String {
    match name {
        "ready_service" => "ready, service".to_owned(),
        "time_to_ready" => "ready again".to_owned(),
        "heartbeat_rtt" => "heartbeat".to_owned(),
        other => match other.strip_prefix("rpc.") {
            Some(method) => format!("call {method}"),
            None => other.replace('_', " "),
        },
    }
}

/// The first of `texts` that fits into `width`, or the last, cut.
pub fn first_that_fits(texts: &[String], width: usize) -> String {
    let fits = texts.iter().find(|t| t.chars().count() <= width);
    fits.or(texts.last()).map_or_else(String::new, |t| fit(t, width))
}

/// At most `width` characters, with an ellipsis where something was cut: between words, where that leaves most of the line.
pub fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    let in_a_word = text
        .chars()
        .nth(width.saturating_sub(1))
        .is_some_and(|c| c != ' ');
    if let Some(space) = cut.rfind(' ').filter(|_| in_a_word)
        && cut[..space].chars().count() * 3 >= width * 2
    {
        cut.truncate(space);
    }
    if width > 0 {
        cut.truncate(cut.trim_end().len());
        cut.push('…');
    }
    cut
}

/// Lines of at most `width` characters, broken between words; the first begins with `first`, the others with as many
/// spaces.
pub fn wrap(first: &str, text: &str, width: usize) -> Vec<String> {
    let indent = first.chars().count();
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut used = indent;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > indent && used + 1 + length > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
            used = indent;
        }
        if used > indent {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_keep_what_means_something() {
        let shown: Vec<_> = [0.0, 0.001, 0.5, 12.34, 99.99, 100.0]
            .iter()
            .map(|v| percent(Some(*v)))
            .collect();
        assert_eq!(shown, ["0 %", "<0.01 %", "0.50 %", "12.3 %", "100 %", "100 %"]);
        assert_eq!(percent(None), "–");
    }

    #[test]
    fn times_are_short() {
        assert_eq!(
            [clock(9), clock(192), clock(7509)],
            ["9s", "3m 12s", "2h 05m 09s"]
        );
        assert_eq!(time_of_day(1_795_677_546 + 86_400), time_of_day(1_795_677_546));
        assert_eq!(time_of_day(3 * 3600 + 62), "03:01:02");
        assert_eq!(
            [span(45), span(120), span(90), span(7200)],
            ["45s", "2m", "1m30", "2h"]
        );
    }

    #[test]
    fn metrics_are_called_as_in_the_report() {
        let names = ["tcp_connect", "ready_service", "time_to_ready", "rpc.health"].map(metric);
        assert_eq!(
            names,
            ["tcp connect", "ready, service", "ready again", "call health"]
        );
    }

    #[test]
    fn texts_fit() {
        assert_eq!(fit("gateway", 7), "gateway");
        assert_eq!(fit("the gateway", 5), "the…");
        assert_eq!(fit("ab", 0), "");
        assert_eq!(
            fit("Live session lost without a goodbye", 33),
            "Live session lost without a…"
        );
        assert_eq!(fit("in ten.times.longer.than.the.line", 12), "in ten.time…");
        let choices = ["the long one".to_owned(), "short".to_owned()];
        assert_eq!(first_that_fits(&choices, 12), "the long one");
        assert_eq!(first_that_fits(&choices, 6), "short");
        assert_eq!(first_that_fits(&choices, 3), "sh…");
        assert_eq!(wrap("- ", "one two three", 9), ["- one two", "  three"]);
    }
}
