//! Signals: what stands out in the trail. Six detectors read every event in order and remember as little as they need; what
//! they find points at the events that it was found in, says why it matters, and waits for somebody's answer.
//!
//! ```text
//! event ─▶ rules::watch(memory) ─▶ found: detector, events, evidence ─▶ open ─▶ assigned, snoozed, closed, not useful
//! ```
//!
//! Invariants: the same trail gives the same signals, however often and in whatever portions it is read; nobody answers a
//! signal about themselves; an answer is an event.
pub mod model;
#[cfg(feature = "ssr")]
pub mod page;
#[cfg(feature = "ssr")]
pub mod rules;
