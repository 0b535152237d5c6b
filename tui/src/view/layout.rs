//! Which panels the overview holds, and where.
//!
//! ```text
//! small (from 60×20)          medium (from 100×36)          large (from 150×42)
//! ┌sessions┬─errors────────┐  ┌sessions┬─errors────────┐    ┌sess.┬─errors────┬─latency──────────┐
//! ├────────┴───────────────┤  ├────────┴───────────────┤    ├─────┴───────────┤                  │
//! │ endings                │  │ endings                │    │ endings         ├─heartb.┬─closes──┤
//! ├────────────────────────┤  ├─latency────┬heartbeats─┤    │                 ├────────┼─────────┤
//! │ events                 │  ├────────────┴───────────┤    ├─events──────────┤ thresh.│generator│
//! └────────────────────────┘  │ events                 │    └─────────────────┴────────┴─────────┘
//!                             └────────────────────────┘
//! ```

use crate::app::Page;
use ratatui::layout::{Constraint, Layout, Rect};

/// A panel and where it goes. [`Page::Overview`] stands for the sessions panel, which has no page of its own.
pub type Place = (Page, Rect);

/// The places in `body`.
pub fn overview(body: Rect) -> Vec<Place> {
    if body.width >= 150 && body.height >= 38 {
        large(body)
    } else if body.width >= 100 && body.height >= 32 {
        medium(body)
    } else {
        small(body)
    }
}

fn top(area: Rect) -> [Place; 2] {
    let sessions = if area.width < 76 { 22 } else { 26 };
    let [left, right] = Layout::horizontal([Constraint::Length(sessions), Constraint::Min(0)]).areas(area);
    [(Page::Overview, left), (Page::Errors, right)]
}

/// Where rows are few, endings are worth more than the log.
fn small(body: Rect) -> Vec<Place> {
    let (first, last) = match body.height {
        0..17 => (7, 0),
        17..21 => (8, 4),
        21..25 => (9, 4),
        25..29 => (9, 6),
        _ => (9, 8),
    };
    let [first, endings, last] = Layout::vertical([
        Constraint::Length(first),
        Constraint::Min(4),
        Constraint::Length(last),
    ])
    .areas(body);
    let mut places = top(first).to_vec();
    places.push((Page::Endings, endings));
    if last.height > 0 {
        places.push((Page::Events, last));
    }
    places
}

fn medium(body: Rect) -> Vec<Place> {
    let [first, endings, third, last] = Layout::vertical([
        Constraint::Length(10),
        Constraint::Min(7),
        Constraint::Length(12),
        Constraint::Length(6),
    ])
    .areas(body);
    let [latency, beats] =
        Layout::horizontal([Constraint::Percentage(62), Constraint::Percentage(38)]).areas(third);
    let mut places = top(first).to_vec();
    places.extend([
        (Page::Endings, endings),
        (Page::Latency, latency),
        (Page::Heartbeats, beats),
        (Page::Events, last),
    ]);
    places
}

fn large(body: Rect) -> Vec<Place> {
    let [left, right] =
        Layout::horizontal([Constraint::Percentage(54), Constraint::Percentage(46)]).areas(body);
    let events = (body.height / 4).max(8);
    let [first, endings, last] = Layout::vertical([
        Constraint::Length((body.height * 3 / 10).clamp(12, 24)),
        Constraint::Min(9),
        Constraint::Length(events),
    ])
    .areas(left);
    let [latency, second, third] = Layout::vertical([
        Constraint::Min(14),
        Constraint::Length(12),
        Constraint::Length(events),
    ])
    .areas(right);
    let halves = |area| -> [Rect; 2] {
        Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(area)
    };
    let ([beats, closes], [thresholds, generator]) = (halves(second), halves(third));
    let mut places = top(first).to_vec();
    places.extend([
        (Page::Endings, endings),
        (Page::Events, last),
        (Page::Latency, latency),
        (Page::Heartbeats, beats),
        (Page::Closes, closes),
        (Page::Thresholds, thresholds),
        (Page::Generator, generator),
    ]);
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_fill_the_body_and_do_not_overlap() {
        for width in (60..=300).step_by(7) {
            for height in 15..=97 {
                let body = Rect::new(0, 2, width, height);
                let places = overview(body);
                let area: u32 = places.iter().map(|(_, r)| r.area()).sum();
                assert_eq!(area, body.area(), "{width}x{height}");
                for (i, (panel, a)) in places.iter().enumerate() {
                    assert!(
                        a.height >= 3 && a.width >= 20,
                        "{panel:?} {a:?} in {width}x{height}"
                    );
                    assert!(places[i + 1..].iter().all(|(_, b)| !a.intersects(*b)));
                }
            }
        }
    }
}
