//! Projects, the matrix, one secret, and the forms that change them.
mod drift;
mod forms;
mod matrix;
mod projects;
mod secret;
mod taken;

pub use drift::*;
pub use forms::*;
pub use matrix::*;
pub use projects::*;
pub use secret::*;
pub use taken::*;
