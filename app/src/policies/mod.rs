//! The words that policies are written in: roles, protection levels, classes, rights.
//!
//! Decisions are made by the server's engine (`server/src/policies`) over these words; what no policy can switch off
//! (separation of duties) is in `requests/model.rs`.
pub mod depth;
pub mod document;
pub mod model;
#[cfg(feature = "ssr")]
pub mod page;
