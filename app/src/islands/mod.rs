//! The only code that runs in a browser. Each island makes something quicker that works without it.
//!
//! A property of an island is written into the page: ids and labels, never a value.
pub mod browser;
pub mod copy;
pub mod palette;
pub mod reveal;

pub use copy::CopyText;
pub use palette::Palette;
pub use reveal::TakeValue;
