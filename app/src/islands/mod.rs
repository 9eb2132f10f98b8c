//! The only code that runs in a browser. Each island makes something quicker that works without it.
//!
//! A property of an island is written into the page: ids and labels, never a value.
pub mod browser;
pub mod copy;
pub mod fresh;
pub mod palette;
pub mod progress;
pub mod query;
pub mod reveal;

pub use copy::CopyText;
pub use fresh::Fresh;
pub use palette::Palette;
pub use progress::Progress;
pub use query::QueryBox;
pub use reveal::TakeValue;
