//! Projects, the matrix, one secret, and the forms that change them.
mod forms;
mod matrix;
mod projects;
mod secret;
mod taken;

pub use forms::*;
pub use matrix::*;
pub use projects::*;
pub use secret::*;
pub use taken::*;
