//! Version 1 of the API: what pipelines fetch with (`machine`), and what people's own programs may do with a personal access
//! token, by the same operations as the pages. Described by OpenAPI (`reference`), problems as RFC 9457 has them.
mod access;
mod bearer;
mod explain;
mod figures;
mod log;
mod machine;
mod model;
mod monitor;
mod reference;
mod rotations;
mod trail;

pub use access::*;
pub use bearer::Needs;
pub use explain::*;
pub use figures::*;
pub use log::*;
pub use machine::{secret, token};
pub use model::*;
pub use monitor::*;
pub use reference::{openapi, reference};
pub use rotations::*;
pub use trail::*;
