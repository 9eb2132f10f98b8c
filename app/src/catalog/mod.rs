//! Projects, environments, and secrets as metadata: never a value.
//!
//! ```text
//! project ─▶ environment (protection level, own key) ─▶ secret at a path ─▶ versions 1, 2, 3 … (current, previous)
//! version: written ─▶ deleted (restorable) ⇄ written        deleted ─▶ destroyed for ever
//! ```
//!
//! Invariants: slugs and paths have one spelling; a path is unique in its environment without regard to case; versions are
//! immutable and numbered from one; destroying in production takes seven days and two people.
pub mod drift;
pub mod import;
pub mod model;
#[cfg(feature = "ssr")]
pub mod page;
