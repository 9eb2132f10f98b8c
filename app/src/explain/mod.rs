//! Why somebody may or may not: what the pages and the command line say of it.
pub mod model;
#[cfg(feature = "ssr")]
pub mod page;
