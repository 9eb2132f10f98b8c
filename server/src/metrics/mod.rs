//! The figures of governance, computed by the hour from the trail and from rows as they are now.
//!
//! ```text
//! trail ─projection (catch up at each look)─▶ hourly counts ─▶ sums over whole hours ─▶ figure, chart, link to its events
//! ```
//!
//! Invariants: a figure and the link beside it speak of the same window; a recount from the trail alone gives the same; what
//! a viewer may not see is in none of them.
pub mod charts;
mod dashboard;
mod rollup;
mod scope;
pub mod store;

pub use dashboard::{Asked, dashboard};
pub use rollup::{Rollup, hour};
pub use scope::Scope;
