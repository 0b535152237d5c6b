//! The figures behind the screen, as JSON.

use crate::app::App;
use crate::model::Window;
use clw_core::histogram::Summary;
use clw_core::snapshot::Target;
use clw_core::tally::{Counters, Gauges};
use serde::Serialize;
use std::collections::BTreeMap;

/// The schema's name.
const SCHEMA: &str = "clw.dashboard/1";

#[derive(Serialize)]
struct Figures<'a> {
    schema: &'static str,
    target: &'a Target,
    phase: &'static str,
    elapsed_us: u64,
    /// When second 0 was, in seconds since 1970.
    began_unix_s: Option<u64>,
    sources: Vec<&'a str>,
    error_rate: BTreeMap<&'static str, Rate>,
    endings: Vec<Ending>,
    incidents: Vec<Incident>,
    gauges: Gauges,
    counters: &'a Counters,
    latency_us: &'a BTreeMap<String, Summary>,
    thresholds: &'a [clw_core::report::ThresholdResult],
    events: Vec<Moment<'a>>,
}

#[derive(Serialize)]
struct Rate {
    errors: u64,
    exposed: u64,
    pct: Option<f64>,
}

#[derive(Serialize)]
struct Ending {
    verdict: &'static str,
    count: u64,
    last_minute: u64,
    per_second: f64,
    trend: &'static str,
}

#[derive(Serialize)]
struct Incident {
    since_s: u64,
    until_s: Option<u64>,
    errors: u64,
    cause: Option<&'static str>,
    mostly: Option<&'static str>,
}

#[derive(Serialize)]
struct Moment<'a> {
    at_s: u64,
    level: &'static str,
    text: &'a str,
}

impl From<Window> for Rate {
    fn from(window: Window) -> Self {
        Self {
            errors: window.errors,
            exposed: window.exposed,
            pct: window.rate_pct(),
        }
    }
}

/// The figures, indented, ending in a line feed.
pub fn figures(app: &App) -> String {
    let model = app.model();
    let whole = model.whole();
    let figures = Figures {
        schema: SCHEMA,
        target: &whole.target,
        phase: whole.phase.name(),
        elapsed_us: whole.elapsed_us,
        began_unix_s: model.began_unix_s(),
        sources: model.feeds().iter().map(|f| f.label.as_str()).collect(),
        error_rate: BTreeMap::from([
            ("last_second", model.window(1).into()),
            ("last_10_s", model.window(10).into()),
            ("last_minute", model.window(60).into()),
            ("run", model.run().into()),
        ]),
        endings: app
            .ranking()
            .into_iter()
            .map(|r| Ending {
                verdict: r.verdict.name(),
                count: r.count,
                last_minute: r.last_minute,
                per_second: r.per_second,
                trend: r.trend.word(),
            })
            .collect(),
        incidents: model
            .incidents()
            .all()
            .iter()
            .map(|i| Incident {
                since_s: i.since,
                until_s: i.until,
                errors: i.errors,
                cause: i.cause.map(clw_core::verdict::Verdict::name),
                mostly: i.mostly.map(clw_core::verdict::Verdict::name),
            })
            .collect(),
        gauges: whole.gauges,
        counters: &whole.counters,
        latency_us: &whole.totals,
        thresholds: &whole.thresholds,
        events: model
            .moments()
            .iter()
            .map(|m| Moment {
                at_s: m.second,
                level: m.level.word(),
                text: &m.text,
            })
            .collect(),
    };
    // Maps have string keys throughout, so this cannot fail.
    serde_json::to_string_pretty(&figures).unwrap_or_default() + "\n"
}
