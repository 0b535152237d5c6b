//! Text for people: colours by role, lines that fit.

mod fold;
mod paint;

pub use fold::fold;
pub use paint::{Color, Paint, Role};
