//! What the API takes and answers, by tag: version 1, added to, never changed in meaning. The command line reads the same
//! types.
mod access;
mod explain;
mod figures;
mod log;
mod machine;
mod rotations;
mod trail;

pub use access::*;
pub use explain::*;
pub use figures::*;
pub use log::*;
pub use machine::*;
pub use rotations::*;
pub use trail::*;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Where a secret lies.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Place {
    /// `sec_…`
    pub id: String,
    /// `project/environment/path`: how it is named wherever a secret is asked for.
    pub name: String,
    /// The protection level: `development`, `test`, `staging` or `production`.
    pub level: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its place in the trail.
    pub seq: u64,
    pub at: DateTime<Utc>,
    /// `rotation.started`, `rotation.promoted`, …
    pub action: String,
    /// `person`, `workload` or `system`.
    pub actor_kind: String,
    pub actor: Option<String>,
    /// What was said of it: text, numbers, yes or no.
    #[schema(value_type = Object)]
    pub detail: BTreeMap<String, serde_json::Value>,
}

/// A page of a list; `next` goes into `before` for the next one, and is absent at the end.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// It was done, and this event says so.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Done {
    pub event: u64,
}
