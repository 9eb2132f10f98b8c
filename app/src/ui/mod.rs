//! The component kit: what pages are composed of. Markup only; every look is in `style/`.
pub mod form;
pub mod parts;
pub mod rail;
pub mod shell;

pub use form::{Form, field, input, pick, text_area, typed};
pub use parts::*;
pub use shell::{door, page};
