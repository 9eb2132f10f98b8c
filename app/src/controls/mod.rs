//! Changes of what controls everything else: roles, teams that act, accounts, identity providers and their rules.
//!
//! ```text
//! tightening ──▶ at once
//! loosening ──▶ proposed ──▶ confirmed (applied) | declined | withdrawn | expired | overtaken
//! ```
//!
//! Invariants: what loosens waits for another person, who sees exactly what it loosens; what is not known to tighten loosens;
//! a confirmation binds to a digest of the change and of what it changes. Only where nobody independent exists (an
//! installation's first days, or a single person) it acts at once, and says so to everybody.
pub mod model;
#[cfg(feature = "ssr")]
pub mod page;
