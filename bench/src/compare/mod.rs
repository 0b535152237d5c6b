//! `clw-bench compare`: what changed between two results, and whether it is more than noise.
//!
//! Rates are compared by Newcombe's interval for the difference of two proportions (made of two Wilson intervals);
//! percentiles by the order statistics that hold the true percentile, taken from the histograms. All intervals are 99 %
//! ones, because a comparison looks at many figures at once and one in twenty would differ by chance at 95 %.
//!
//! Both take sessions as independent of each other, which those of one run are not quite: what is called noise here is
//! noise; what is called more than noise should be seen again in a second run.

mod interval;
mod judge;
mod show;

pub use interval::{Z, newcombe, percentile_interval, wilson};
pub use judge::{Change, Comparison, Judgement, SLIGHT_PCT, compare};
pub use show::text;
