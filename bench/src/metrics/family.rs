//! What a metric is, before any format.

/// A metric with all its label sets.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Words with dots between them, without prefix, unit and suffix: `sessions.started`.
    pub name: &'static str,
    /// One sentence without its full stop.
    pub help: &'static str,
    /// What is counted or measured.
    pub unit: Unit,
    /// Values by label set.
    pub points: Points,
}

/// What a value is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things, named in the singular.
    Count(&'static str),
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

/// Label names and values.
pub type Labels = Vec<(&'static str, String)>;

/// A value and what it is of.
#[derive(Clone, Debug, PartialEq)]
pub struct Point<T> {
    /// Empty where the family has one value.
    pub labels: Labels,
    /// The value.
    pub value: T,
}

/// Values by kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Points {
    /// Only grows, from the start of the run.
    Counter(Vec<Point<Number>>),
    /// As it is now.
    Gauge(Vec<Point<Number>>),
    /// Times since the start of the run, by size.
    Histogram(Vec<Point<Buckets>>),
    /// A fact in words; empty while it is not known.
    Info(Labels),
}

/// A number that keeps its digits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A count.
    Whole(u64),
    /// A measure.
    Real(f64),
}

/// A histogram in classic buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    /// Values in each bucket, not added up; the last is of those above all bounds.
    pub counts: Vec<u64>,
    /// All values added up.
    pub sum_s: f64,
    /// Least value; 0 if there is none.
    pub min_s: f64,
    /// Greatest value; 0 if there is none.
    pub max_s: f64,
}

impl Buckets {
    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Family {
    /// The name in Prometheus, without unit and `_total`.
    pub fn prometheus_name(&self) -> String {
        format!("clw_bench_{}", self.name.replace('.', "_"))
    }

    /// The name in OpenTelemetry.
    pub fn otlp_name(&self) -> String {
        format!("clw.bench.{}", self.name)
    }

    /// The name of its samples in Prometheus, as a query has it.
    pub fn sample_name(&self) -> String {
        let unit = match self.unit {
            Unit::Count(_) => "",
            Unit::Seconds => "_seconds",
            Unit::Bytes => "_bytes",
        };
        let suffix = match self.points {
            Points::Counter(_) => "_total",
            Points::Info(_) => "_info",
            Points::Gauge(_) | Points::Histogram(_) => "",
        };
        format!("{}{unit}{suffix}", self.prometheus_name())
    }
}
