//! Sessions, errors and drops over time, on one time axis.

use super::Written;
use super::course::{Course, Sample};
use clw_core::units::{show_count, show_duration};
use std::fmt::Write as _;
use std::time::Duration;

/// The drawing's own units; it is stretched to the width there is.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;
/// Instants that make a course.
const LEAST: usize = 4;

pub(super) fn section(out: &mut String, course: &Course) -> Written {
    let samples = course.samples();
    let end_us = samples.last().map_or(0, |s| s.at_us);
    // Fewer intervals have no course.
    if samples.len() < LEAST || end_us == 0 {
        return Ok(());
    }
    let time = Time { end_us };
    writeln!(out, "<h2>Over time</h2>")?;
    sessions(out, &samples, time)?;
    endings(out, &samples, time)?;
    if samples.iter().any(|s| s.errors > 0) {
        error_rate(out, &samples, time)?;
    }
    if samples.iter().any(|s| s.dropped > 0) {
        drops(out, &samples, time)?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Time {
    end_us: u64,
}

impl Time {
    fn x(self, us: u64) -> f64 {
        WIDTH * us as f64 / self.end_us.max(1) as f64
    }
}

fn at(us: u64) -> String {
    show_duration(Duration::from_micros(us))
}

/// A drawing between its labels: up the side from `most` to 0, along the bottom from the start to the end.
fn plot(out: &mut String, title: &str, key: &str, most: &str, drawing: &str, time: Time) -> Written {
    writeln!(
        out,
        "<figure>\n<figcaption><b>{title}</b>{key}</figcaption>\n<div class=\"plot\"><div class=\"y\"><span>{most}</span><span>0</span></div>\
         <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{title} over time\">\
         <line class=\"grid\" x1=\"0\" x2=\"{WIDTH}\" y1=\"50\" y2=\"50\"/>{drawing}</svg>\
         <div class=\"x\"><span>0</span><span>{}</span><span>{}</span></div></div>\n</figure>",
        at(time.end_us / 2),
        at(time.end_us)
    )
}

/// How high a layer reaches.
type Height = fn(&Sample) -> u64;

fn sessions(out: &mut String, samples: &[Sample], time: Time) -> Written {
    let layers: [(&str, Height); 3] = [
        ("area-good", |s| s.ready),
        ("area-fair", |s| s.ready + s.connecting),
        ("area-bad", |s| s.ready + s.connecting + s.reconnecting),
    ];
    let top = |s: &Sample| s.ready + s.connecting + s.reconnecting;
    let most = samples.iter().map(top).max().unwrap_or(0);
    let mut drawing = String::new();
    let mut below: Vec<u64> = vec![0; samples.len()];
    for (class, height) in layers {
        let tops: Vec<u64> = samples.iter().map(height).collect();
        if tops != below {
            let line = |values: &[u64], reversed: bool| {
                let points = samples.iter().zip(values).map(|(s, value)| {
                    let y = HEIGHT - HEIGHT * *value as f64 / most.max(1) as f64;
                    format!("{:.1} {y:.2}", time.x(s.at_us))
                });
                let mut points: Vec<_> = points.collect();
                if reversed {
                    points.reverse();
                }
                points.join(" L")
            };
            write!(
                drawing,
                "<path class=\"{class}\" d=\"M{} L{} Z\"/>",
                line(&tops, false),
                line(&below, true)
            )?;
        }
        below = tops;
    }
    let key = "<span class=\"key\"><i class=\"good\"></i>ready<i class=\"fair\"></i>connecting<i class=\"bad\"></i>waiting to \
               connect again</span>";
    plot(out, "Sessions", key, &show_count(most), &drawing, time)
}

fn endings(out: &mut String, samples: &[Sample], time: Time) -> Written {
    let start = Sample::default();
    let counts: Vec<_> = pairs(&start, samples)
        .map(|(a, b)| {
            let ended = b.ended.saturating_sub(a.ended);
            (
                a.at_us,
                b.at_us,
                ended,
                b.errors.saturating_sub(a.errors).min(ended),
            )
        })
        .collect();
    let most = counts.iter().map(|c| c.2).max().unwrap_or(0);
    let mut drawing = String::new();
    for (from, to, ended, errors) in counts {
        let height = |count: u64| HEIGHT * count as f64 / most.max(1) as f64;
        let words = format!(
            "{} to {}: {} ended, {} of them in an error",
            at(from),
            at(to),
            show_count(ended),
            show_count(errors)
        );
        let (left, right) = (time.x(from), time.x(to));
        if ended > errors {
            bar(&mut drawing, "area-good", left, right, height(ended), &words)?;
        }
        if errors > 0 {
            bar(&mut drawing, "area-bad", left, right, height(errors), &words)?;
        }
    }
    let key = "<span class=\"key\"><i class=\"bad\"></i>in an error<i class=\"good\"></i>otherwise</span>";
    plot(out, "Endings", key, &show_count(most), &drawing, time)
}

/// Errors so far ÷ sessions started so far: its end is the error rate of the whole.
fn error_rate(out: &mut String, samples: &[Sample], time: Time) -> Written {
    let rates: Vec<_> = samples
        .iter()
        .map(|s| (s.at_us, s.errors as f64 * 100.0 / s.started.max(1) as f64))
        .collect();
    let most = rates.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
    // A scale that a reader knows.
    let scales = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];
    let scale = scales.into_iter().find(|s| most <= *s).unwrap_or(100.0);
    let points = rates.iter().map(|(us, rate)| {
        let y = HEIGHT - HEIGHT * (rate / scale).min(1.0);
        format!("L{:.1} {y:.2}", time.x(*us))
    });
    let points: Vec<_> = points.collect();
    let drawing = format!(
        "<path class=\"area-bad\" d=\"M0 {HEIGHT} {} L{WIDTH} {HEIGHT} Z\"/>",
        points.join(" ")
    );
    let key = "<span class=\"key\"> so far: sessions that ended in an error \u{f7} sessions started</span>";
    plot(out, "Error rate", key, &format!("{scale} %"), &drawing, time)
}

fn drops(out: &mut String, samples: &[Sample], time: Time) -> Written {
    let start = Sample::default();
    let counts: Vec<_> = pairs(&start, samples)
        .map(|(a, b)| {
            let dropped = b.dropped.saturating_sub(a.dropped);
            (
                a.at_us,
                b.at_us,
                dropped,
                b.reconnected.saturating_sub(a.reconnected),
            )
        })
        .collect();
    let most = counts.iter().map(|c| c.2.max(c.3)).max().unwrap_or(1).max(1);
    let mut drawing = String::new();
    for (from, to, dropped, again) in counts {
        let (left, right) = (time.x(from), time.x(to));
        let middle = f64::midpoint(left, right);
        for (class, from_x, to_x, count, what) in [
            ("area-bad", left, middle, dropped, "dropped"),
            ("area-good", middle, right, again, "ready again"),
        ] {
            if count > 0 {
                let words = format!("{} to {}: {} {what}", at(from), at(to), show_count(count));
                let height = HEIGHT * count as f64 / most as f64;
                bar(&mut drawing, class, from_x, to_x, height, &words)?;
            }
        }
    }
    let key = "<span class=\"key\"><i class=\"bad\"></i>dropped<i class=\"good\"></i>ready again</span>";
    plot(out, "Drops", key, &show_count(most), &drawing, time)
}

/// Each sample with the one before it.
fn pairs<'a>(start: &'a Sample, samples: &'a [Sample]) -> impl Iterator<Item = (&'a Sample, &'a Sample)> {
    std::iter::once(start).chain(samples).zip(samples)
}

fn bar(out: &mut String, class: &str, from: f64, to: f64, height: f64, words: &str) -> Written {
    write!(
        out,
        "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{:.2}\" width=\"{:.1}\" height=\"{height:.2}\"><title>{words}</title></rect>",
        HEIGHT - height,
        (to - from).max(1.0)
    )
}
