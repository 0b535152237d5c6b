//! clw-tui: the dashboard for authenticated WebSocket sessions.
//!
//! [`main`] is the whole program. Snapshots come from a [`source`], become a [`model`], and are shown by the [`view`] of an
//! [`app`]. Only [`source`], [`input`], [`term`], [`dashboard`] and [`export`] touch the outside world. Nothing here panics
//! on what a source sends: it is refused in words.

pub mod action;
pub mod app;
#[cfg(test)]
mod app_tests;
pub mod args;
pub mod dashboard;
pub mod embed;
pub mod event;
pub mod exit;
pub mod export;
pub mod input;
pub mod keys;
pub mod model;
pub mod once;
pub mod plan;
pub mod replay;
mod run;
pub mod source;
pub mod term;
pub mod theme;
pub mod view;

pub use run::main;
