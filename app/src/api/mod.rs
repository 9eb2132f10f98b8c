//! The reference of the API for people; programs read `/api/v1/openapi.json`.
#[cfg(feature = "ssr")]
pub mod page;
