//! People, teams, roles and sessions.
//!
//! ```text
//! invited ──link──▶ joined ──▶ disabled ⇄ enabled        session: started ──▶ ended | revoked | expired
//!                                                        token: made ──▶ ended | expired
//! ```
//!
//! Invariants: a login is one person for ever; nobody but the person sets their password; a disabled person's sessions
//! and tokens fail on the next request; the last administrator cannot be closed.
pub mod delegation;
pub mod factors;
pub mod model;
#[cfg(feature = "ssr")]
pub mod page;
pub mod period;
pub mod provider;
pub mod second;
pub mod tokens;
