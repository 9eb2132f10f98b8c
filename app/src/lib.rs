//! Countersign's pages and the rules that need no IO.
pub mod audit;
pub mod error;
pub mod id;
pub mod time;
