//! The ledger's rules, without any IO: what the server appends, what a browser or an auditor's verifier checks.
//!
//! ```text
//! event ──encode──▶ leaf bytes ──RFC 6962──▶ tree ──sign──▶ checkpoint ──kept elsewhere──▶ anchor
//! ```
//!
//! Invariants: the exact bytes are hashed as stored and never re-encoded; sensitive fields enter a leaf only as salted
//! commitments; whoever holds an earlier checkpoint can tell any edit, removal, insertion or reordering before it.
pub mod action;
pub mod checkpoint;
pub mod evidence;
pub mod leaf;
#[cfg(feature = "ssr")]
pub mod page;
pub mod query;
pub mod sample;
pub mod tree;
pub mod verify;
