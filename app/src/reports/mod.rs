//! Long work with a page: exports of the trail, evidence bundles, verifications. One may leave; one is told when it is done.
//!
//! ```text
//! asked ─▶ running ─▶ done ─(a day)─▶ gone
//!             └─▶ cancelled · failed
//! ```
pub mod model;
#[cfg(feature = "ssr")]
pub mod page;
