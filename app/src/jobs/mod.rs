//! What the service does by itself, for people to see: which jobs there are, how each went last, and what was set aside with its reason.
//! The work itself is in `server/src/jobs`.
//!
//! ```text
//! never ran ─▶ runs ─┬▶ done                       item: due ─┬▶ done
//!    ▲               └▶ fails ─(every few seconds)─▶          └▶ set aside ─(10 s, 1 min, 10 min, 1 h)─▶ due again
//!    └── a start
//! ```
#[cfg(feature = "ssr")]
pub mod page;
