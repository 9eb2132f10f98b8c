//! Background jobs, for people to see: which there are, how each went last, and which items failed, with the reason.
//! The work itself is in `server/src/jobs`.
//!
//! ```text
//! never ran ─▶ runs ─┬▶ done                       item: due ─┬▶ done
//!    ▲               └▶ fails ─(every few seconds)─▶          └▶ set aside ─(10 s, 1 min, 10 min, 1 h)─▶ due again
//!    └── a start
//! ```
#[cfg(feature = "ssr")]
pub mod page;
