//! Rotations: a new credential takes the place of an old one, and the old one is shown to be dead.
//!
//! ```text
//! queued ─▶ pending_created ─▶ set_unknown ─▶ set_on_target ─▶ verified_new ─▶ overlap ─▶ disabling ─▶ old_disabled ─▶ verified_dead ─▶ closed
//!                 ▲                │ probe: old works, new does not                                      │                │ the old one works again
//!                 └────────────────┘                                                                     └──◀─────────────┘
//! queued ─▶ verified_new and overlap ─▶ closed where there is no target: nobody can show that the old value is dead
//! waiting ─▶ queued · cancelled where somebody else has to agree first; overlap ─▶ rolling_back ─▶ rolled_back
//! queued · pending_created ─▶ superseded by a version that somebody wrote
//! any of them ─▶ needs_person ─▶ where a person sends it · rolled_back
//! ```
//!
//! `machine` is the whole table.
//!
//! Invariants: what may change the target is recorded before the target is touched (`set_unknown`, `disabling`); after a
//! crash only a probe of the target with both candidates says where it stands; no value that may be the working one is ever
//! discarded; one rotation per secret at a time; *dead* takes an authentication refusal of the old credential and an
//! acceptance of the new one at every endpoint, within a minute of each other.
pub mod cases;
pub mod machine;
pub mod model;
#[cfg(feature = "ssr")]
pub mod page;
pub mod parts;
pub mod schedule;
