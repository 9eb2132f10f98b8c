//! Asking for access, and deciding on it.
//!
//! ```text
//! submitted ─▶ in review (seat 1 of n) ─▶ approved ─▶ grant        in review ─▶ denied | withdrawn | expired | voided
//! ```
//!
//! Invariants: a decision binds to the request's digest and to nothing else; nobody decides for themselves, under any
//! account; one human never sits in two seats; decided requests stay for ever.
pub mod model;
#[cfg(feature = "ssr")]
pub mod page;
