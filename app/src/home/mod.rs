//! The page that one lands on: what waits, by what one is.
#[cfg(feature = "ssr")]
pub mod page;
