//! Notices: what a person is told in the console.
#[cfg(feature = "ssr")]
pub mod page;
