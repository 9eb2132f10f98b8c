//! Figures of governance: each with its definition, window, coverage and the events behind it. What is unknown is never zero.
pub mod model;
#[cfg(feature = "ssr")]
pub mod page;
