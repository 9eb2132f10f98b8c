//! Version 1 of the API: what pipelines fetch with (`machine`), and what people's own programs may do with a personal access
//! token, by the same operations as the pages. Described by OpenAPI (`reference`), problems as RFC 9457 has them.
mod bearer;
mod machine;
mod model;
mod reference;
mod rotations;

pub use bearer::Needs;
pub use machine::{secret, token};
pub use model::*;
pub use reference::{openapi, reference};
pub use rotations::*;
