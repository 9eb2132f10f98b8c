//! Who holds what until when.
//!
//! ```text
//! scheduled ─▶ active ─▶ ended | revoked | given back
//! ```
//!
//! Invariants: a grant is an upper bound, every use asks policy again; expiry is computed from `expires_at` at every use;
//! ending a grant ends reading, not knowledge.
pub mod model;
#[cfg(feature = "ssr")]
pub mod page;
