//! All sources together, and what became of them over time.

use super::spread::{Bin, spread};
use super::watch::Seen;
use super::{Change, Feed, History, Incidents, Kind, Level, Link, Moments, Records, State, Window};
use clw_core::histogram::{Histogram, Summary};
use clw_core::journal::SessionRecord;
use clw_core::report::ThresholdResult;
use clw_core::snapshot::{Phase, Snapshot, Target, Usage};
use clw_core::tally::{Counters, Gauges};
use clw_core::units::show_count;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Data is stale after so many intervals without a snapshot.
const STALE_INTERVALS: u32 = 3;

/// How old the data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Nothing has come yet.
    None,
    /// As old as it should be.
    Fresh(Duration),
    /// Older than that.
    Stale(Duration),
    /// The run is over: its data does not age.
    Over,
}

/// The newest state of all sources, added up.
#[derive(Clone, Debug, Default)]
pub struct Whole {
    /// What is being done to the network on purpose, by whom that says so first; empty: nothing.
    pub condition: String,
    /// What is loaded; of several sources the first that tells.
    pub target: Target,
    /// Where the run is.
    pub phase: Phase,
    /// The longest of the sources' runs, in microseconds.
    pub elapsed_us: u64,
    /// Counters of the sources' runs.
    pub counters: Counters,
    /// What is open now.
    pub gauges: Gauges,
    /// The generators' use of their machines.
    pub usage: Usage,
    /// Latencies of the run, as far as it was seen, by metric; up to date after [`Model::settle`].
    pub totals: BTreeMap<String, Summary>,
    /// How gaps between the server's ticks are spread; up to date after [`Model::settle`].
    pub tick_gaps: Vec<Bin>,
    /// Thresholds with what they are at, each with the source's label where there are several.
    pub thresholds: Vec<ThresholdResult>,
}

/// Everything that is known.
#[derive(Clone, Debug, Default)]
pub struct Model {
    feeds: Vec<Feed>,
    whole: Whole,
    history: History,
    incidents: Incidents,
    moments: Moments,
    records: Records,
    seen: Seen,
    /// Whether [`Whole::totals`] are older than the newest snapshot.
    unsettled: bool,
    /// The dashboard's clock and the run's at the first snapshot.
    anchor: Option<(Duration, u64)>,
    /// What is done to the network, where the dashboard looks itself.
    network: String,
}

impl Model {
    /// With one feed for each source, by label.
    pub fn new(labels: impl IntoIterator<Item = String>) -> Self {
        Self {
            feeds: labels.into_iter().map(Feed::new).collect(),
            ..Self::default()
        }
    }

    /// The sources.
    pub fn feeds(&self) -> &[Feed] {
        &self.feeds
    }

    /// All sources added up.
    pub fn whole(&self) -> &Whole {
        &self.whole
    }

    /// When second 0 was by the clock on the wall, in seconds since 1970, by the first source that tells.
    pub fn began_unix_s(&self) -> Option<u64> {
        self.feeds.iter().find_map(Feed::began_unix_s)
    }

    /// The past.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Incidents.
    pub fn incidents(&self) -> &Incidents {
        &self.incidents
    }

    /// The event log.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }

    /// Sessions by ending, where the source tells of them.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Adds a finished session.
    pub fn record(&mut self, record: SessionRecord) {
        self.records.add(record);
    }

    /// The last `seconds`; of several sources those to which all had time to add, so that a rate does not jump while one
    /// after the other tells of the newest second.
    pub fn window(&self, seconds: u64) -> Window {
        let now = self.history.now();
        let to = if self.feeds.len() > 1 {
            now.saturating_sub(1)
        } else {
            now
        };
        Window::ending(&self.history, to, seconds)
    }

    /// The run.
    pub fn run(&self) -> Window {
        Window::whole(&self.whole.counters, self.whole.elapsed_us)
    }

    /// Of the sessions that were up, connecting or waiting to reconnect in the last `seconds`, the share of their time that
    /// they were up, in percent; `None` where there were none.
    pub fn up_pct(&self, seconds: u64) -> Option<f64> {
        let now = self.history.now();
        let (mut up, mut meant) = (0, 0);
        for point in self.history.between(now.saturating_sub(seconds), now) {
            let covers = point.covers.clamp(1, seconds);
            up += point.gauges.ready * covers;
            let away = point.gauges.connecting + point.gauges.reconnecting;
            meant += (point.gauges.ready + away) * covers;
        }
        (meant > 0).then(|| (up as f64 * 100.0 / meant as f64).min(100.0))
    }

    /// How old the data is at `now`: that of the source that is furthest behind.
    pub fn freshness(&self, now: Duration) -> Freshness {
        let mut oldest: Option<(Duration, bool)> = None;
        for feed in &self.feeds {
            let Some(last) = &feed.last else { continue };
            if feed.phase() == Some(Phase::Done) || feed.link == Link::Ended {
                continue;
            }
            let age = now.saturating_sub(feed.arrived);
            let interval = Duration::from_micros(last.interval_us.clamp(1_000_000, 60_000_000));
            let stale = age > interval * STALE_INTERVALS;
            oldest = oldest.max(Some((age, stale)));
        }
        match oldest {
            Some((age, true)) => Freshness::Stale(age),
            Some((age, false)) => Freshness::Fresh(age),
            None if self.feeds.iter().any(|f| f.last.is_some()) => Freshness::Over,
            None => Freshness::None,
        }
    }

    /// The state of the way to a source has changed.
    pub fn link(&mut self, source: usize, link: Link) {
        let second = self.history.now();
        let Some(feed) = self.feeds.get_mut(source) else {
            return;
        };
        if feed.link == link {
            return;
        }
        let label = feed.label.clone();
        let over = feed.phase() == Some(Phase::Done);
        match &link {
            Link::Lost(_) if over => {}
            // Trying again with the same result is not news.
            Link::Lost(_) if matches!(feed.link, Link::Lost(_)) => {}
            Link::Lost(why) if feed.last.is_some() => {
                self.moments
                    .note(second, Level::Warn, format!("lost {label}: {why}"));
            }
            Link::Unreadable(why) => {
                self.moments.note(second, Level::Bad, format!("{label}: {why}"));
            }
            Link::Up if feed.last.is_some() && matches!(feed.link, Link::Lost(_) | Link::Unreadable(_)) => {
                self.moments.note(second, Level::Good, format!("{label} is back"));
            }
            _ => {}
        }
        feed.link = link;
    }

    /// What is done to the network on purpose, as the dashboard sees it itself; it holds from the next snapshot on.
    pub fn shape_network(&mut self, condition: String) {
        self.network = condition;
    }

    /// Adds a snapshot of a source, come at `now` on the dashboard's clock.
    pub fn absorb(&mut self, source: usize, mut snapshot: Snapshot, now: Duration) {
        let recent = std::mem::take(&mut snapshot.recent);
        // The first run's own time is the dashboard's; what joins later is placed beside it.
        let base = self.anchor.map(|(at, elapsed_us)| {
            elapsed_us.saturating_add(u64::try_from(now.saturating_sub(at).as_micros()).unwrap_or(u64::MAX))
        });
        let elapsed_us = snapshot.elapsed_us;
        let was_lost = self
            .feeds
            .get(source)
            .is_some_and(|f| matches!(f.link, Link::Lost(_) | Link::Unreadable(_)) && f.last.is_some());
        let Some(feed) = self.feeds.get_mut(source) else {
            return;
        };
        let Some((step, interval)) = feed.absorb(snapshot, base, now) else {
            return;
        };
        self.anchor.get_or_insert((now, elapsed_us));
        for record in recent {
            self.records.add(record);
        }
        let label = feed.label.clone();
        self.add_up();
        self.unsettled = true;
        let state = State {
            gauges: self.whole.gauges,
            condition: self.condition(),
        };
        self.history
            .add(step.second, step.covers, &step.delta, state, &interval);
        let second = self.history.now();
        if step.restarted {
            self.moments.note(
                second,
                Level::Warn,
                format!("{label} was restarted: its figures begin anew"),
            );
        } else if was_lost {
            self.moments.note(second, Level::Good, format!("{label} is back"));
        }
        if step.joined_late {
            self.moments.note(
                second,
                Level::Note,
                format!("joined {label} in mid-run: charts and latencies begin here"),
            );
            self.seen.take_as_known(&self.whole.counters);
        }
        if step.missed > 0 {
            self.moments.note(
                second,
                Level::Note,
                format!(
                    "{} snapshots of {label} were missed: their latencies are lost",
                    step.missed
                ),
            );
        }
        match self.incidents.judge(&self.history) {
            Change::Began => {
                if let Some(incident) = self.incidents.latest() {
                    let what = match incident.kind {
                        Kind::Storm => "a storm of endings",
                        Kind::Departure => "the error rate leaves its baseline",
                    };
                    let cause = incident.cause.map_or("", clw_core::verdict::Verdict::name);
                    self.moments.note(
                        incident.since,
                        Level::Bad,
                        format!("incident: {what}, first {cause}"),
                    );
                }
            }
            Change::Ended => {
                if let Some(incident) = self.incidents.latest() {
                    let text = format!(
                        "the incident is over: {} bad endings in {} s",
                        show_count(incident.errors),
                        incident.lasted(second)
                    );
                    self.moments.note(second, Level::Good, text);
                }
            }
            Change::None => {}
        }
        let lag_us = self.lag_p99_us();
        self.seen.notice(second, &self.whole, lag_us, &mut self.moments);
    }

    fn add_up(&mut self) {
        let mut whole = Whole::default();
        let told = || self.feeds.iter().filter_map(|f| f.last.as_ref().map(|l| (f, l)));
        let several = self.feeds.len() > 1;
        for (feed, last) in told() {
            whole.counters.add(&last.counters);
            if matches!(feed.link, Link::Up | Link::Ended | Link::Connecting) {
                whole.gauges.add(&last.gauges);
            }
            whole.usage.cpu_us += last.usage.cpu_us;
            whole.usage.rss_peak_bytes += last.usage.rss_peak_bytes;
            whole.elapsed_us = whole.elapsed_us.max(last.elapsed_us);
            if whole.condition.is_empty() {
                whole.condition.clone_from(&last.condition);
            }
            if whole.target.url.is_empty() {
                whole.target = last.target.clone();
            }
            for threshold in &last.thresholds {
                let mut threshold = threshold.clone();
                if several {
                    threshold.expr = format!("{} ({})", threshold.expr, feed.label);
                }
                whole.thresholds.push(threshold);
            }
        }
        // A generator knows the profile's name, the dashboard's own look what it does at this moment.
        if !self.network.is_empty() {
            whole.condition = if whole.condition.is_empty() {
                self.network.clone()
            } else {
                format!("{}: {}", whole.condition, self.network)
            };
        }
        let any = |phase| told().any(|(_, l)| l.phase == phase);
        whole.phase = if any(Phase::Running) {
            Phase::Running
        } else if any(Phase::Draining) {
            Phase::Draining
        } else if told().next().is_some() {
            Phase::Done
        } else {
            Phase::default()
        };
        whole.totals = std::mem::take(&mut self.whole.totals);
        whole.tick_gaps = std::mem::take(&mut self.whole.tick_gaps);
        self.whole = whole;
    }

    /// Brings [`Whole::totals`] up to date. Percentiles of a run cost more than all the rest of a snapshot, and are needed
    /// when a frame is drawn and not for each of thousands of snapshots that a replay takes in at a jump.
    pub fn settle(&mut self) {
        if !std::mem::take(&mut self.unsettled) {
            return;
        }
        let mut totals: BTreeMap<&str, Cow<Histogram>> = BTreeMap::new();
        for (name, histogram) in self.feeds.iter().flat_map(Feed::totals) {
            totals
                .entry(name)
                .and_modify(|sum| sum.to_mut().add(histogram))
                .or_insert(Cow::Borrowed(histogram));
        }
        self.whole.tick_gaps = totals.get("tick_gap").map(|h| spread(h)).unwrap_or_default();
        self.whole.totals = totals
            .iter()
            .map(|(name, h)| ((*name).to_owned(), h.summary()))
            .collect();
    }

    /// The condition as the history keeps it: one text for all of its seconds.
    fn condition(&self) -> Arc<str> {
        let now = self.whole.condition.as_str();
        let before = self.history.last().map(|p| &p.condition);
        before
            .filter(|b| &***b == now)
            .map_or_else(|| Arc::from(now), Arc::clone)
    }

    /// How late the generators start their sessions at the 99th percentile, in microseconds: the worst of them.
    fn lag_p99_us(&self) -> u64 {
        let lag = |f: &Feed| f.totals().get("schedule_lag").map(|h| h.at_quantile_us(0.99));
        self.feeds.iter().filter_map(lag).max().unwrap_or(0)
    }
}
