//! Families as an OTLP request. Sums and histograms are cumulative, so a push that is lost costs nothing but its instant.

use super::BOUNDS_US;
use super::family::{Buckets, Family, Labels, Number, Point, Points, Unit};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource as OtlpResource;
use std::time::{SystemTime, UNIX_EPOCH};

/// Who tells: what is the same in every request of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Attribute names and values. `service.instance.id` tells shards and runs apart, whose sums would otherwise be taken for one.
    pub attributes: Vec<(&'static str, String)>,
    /// Where the sums begin.
    pub started: SystemTime,
}

/// The request for one instant.
pub fn request(families: &[Family], resource: &Resource, now: SystemTime) -> ExportMetricsServiceRequest {
    let span = Span {
        from: nanos(resource.started),
        to: nanos(now),
    };
    let scope = InstrumentationScope {
        name: "clw-bench".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(OtlpResource {
                attributes: attributes(&resource.attributes),
                ..OtlpResource::default()
            }),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope),
                metrics: families
                    .iter()
                    .filter_map(|family| metric(family, span))
                    .collect(),
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    }
}

#[derive(Clone, Copy)]
struct Span {
    from: u64,
    to: u64,
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// `None` for a family without values.
fn metric(family: &Family, span: Span) -> Option<Metric> {
    const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;
    let data = match &family.points {
        Points::Counter(points) => Data::Sum(Sum {
            data_points: numbers(points, span)?,
            aggregation_temporality: CUMULATIVE,
            is_monotonic: true,
        }),
        Points::Gauge(points) => Data::Gauge(Gauge {
            data_points: numbers(points, span)?,
        }),
        Points::Histogram(points) if points.is_empty() => return None,
        Points::Histogram(points) => Data::Histogram(Histogram {
            data_points: points.iter().map(|point| buckets(point, span)).collect(),
            aggregation_temporality: CUMULATIVE,
        }),
        Points::Info(labels) if labels.is_empty() => return None,
        Points::Info(labels) => Data::Gauge(Gauge {
            data_points: vec![number(labels, Number::Whole(1), span)],
        }),
    };
    let unit = match family.unit {
        Unit::Count("") => "1".to_owned(),
        Unit::Count(what) => format!("{{{what}}}"),
        Unit::Seconds => "s".to_owned(),
        Unit::Bytes => "By".to_owned(),
    };
    Some(Metric {
        name: family.otlp_name(),
        description: family.help.to_owned(),
        unit,
        data: Some(data),
        ..Metric::default()
    })
}

fn numbers(points: &[Point<Number>], span: Span) -> Option<Vec<NumberDataPoint>> {
    let points = points.iter().map(|p| number(&p.labels, p.value, span));
    Some(points.collect()).filter(|points: &Vec<_>| !points.is_empty())
}

fn number(labels: &Labels, value: Number, span: Span) -> NumberDataPoint {
    let value = match value {
        Number::Whole(n) => number_data_point::Value::AsInt(i64::try_from(n).unwrap_or(i64::MAX)),
        Number::Real(x) => number_data_point::Value::AsDouble(x),
    };
    NumberDataPoint {
        attributes: attributes(labels),
        start_time_unix_nano: span.from,
        time_unix_nano: span.to,
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

fn buckets(point: &Point<Buckets>, span: Span) -> HistogramDataPoint {
    let value = &point.value;
    HistogramDataPoint {
        attributes: attributes(&point.labels),
        start_time_unix_nano: span.from,
        time_unix_nano: span.to,
        count: value.count(),
        sum: Some(value.sum_s),
        bucket_counts: value.counts.clone(),
        explicit_bounds: BOUNDS_US.iter().map(|us| *us as f64 / 1e6).collect(),
        min: Some(value.min_s),
        max: Some(value.max_s),
        ..HistogramDataPoint::default()
    }
}

fn attributes(labels: &[(&'static str, String)]) -> Vec<KeyValue> {
    labels
        .iter()
        .map(|(key, value)| KeyValue {
            key: (*key).to_owned(),
            value: Some(AnyValue {
                value: Some(Value::StringValue(value.clone())),
            }),
            ..KeyValue::default()
        })
        .collect()
}
