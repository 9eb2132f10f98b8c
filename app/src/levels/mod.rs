//! Protection levels: what holds in environments of each, as administrators set it.
//!
//! Invariants: nothing in production is given without a human step; a critical secret never takes fewer signatures than another;
//! a level never undoes a built-in rule (critical production values stay copied without being shown).
pub mod model;
#[cfg(feature = "ssr")]
pub mod page;
