//! The trail and what is made of it.
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Which events.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// The trail's language, as on its page; empty: everything that the token's owner may read.
    #[serde(default)]
    pub q: String,
    /// IANA time zone of the times in it; `UTC` by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// 1 to 200; 50 by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
}

/// An event of the trail as it is searched.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TrailEvent {
    pub seq: u64,
    pub at: DateTime<Utc>,
    pub action: String,
    pub words: String,
    /// `allowed`, `refused` or `failed`.
    pub outcome: String,
    pub reason: Option<String>,
    /// `person`, `workload`, `system` or `anonymous`.
    pub actor_kind: String,
    pub actor: Option<String>,
    pub actor_name: String,
    /// What it is about: a path, a login or a name, where it is disclosed.
    pub about: String,
    pub project: Option<String>,
    pub environment: Option<String>,
    pub secret: Option<String>,
    pub request: Option<String>,
    pub grant: Option<String>,
}

/// A page of events, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    pub items: Vec<TrailEvent>,
    /// What `before` of the next page is; absent at the end. A page may be short, even empty, and go on: so far back was looked.
    pub next: Option<u64>,
    /// The trail's size.
    pub size: u64,
}

/// One event with what proves it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProvenEvent {
    pub event: TrailEvent,
    /// The leaf's exact bytes, base64.
    pub leaf: String,
    /// From the leaf to the root of the checkpoint (RFC 9162), base64.
    pub proof: Vec<String>,
    /// C2SP tlog-checkpoint.
    pub checkpoint: String,
    /// The sensitive fields that are disclosed.
    pub disclosed: BTreeMap<String, String>,
}

/// What is to be made of the trail.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportRequest {
    /// `evidence`, `events`, `access`, `knowledge`, `requests`, `rotations`, `dormant`, `failed`, `sample` or
    /// `verification`.
    pub kind: String,
    /// Of a table: `csv` (by itself), `xlsx`, `jsonl` or `pdf`.
    #[serde(default)]
    pub format: Option<String>,
    #[serde(default)]
    pub q: String,
    /// IANA; `UTC` by itself.
    #[serde(default)]
    pub zone: Option<String>,
    /// Withhold names, paths, reasons and addresses.
    #[serde(default)]
    pub redacted: bool,
    /// Leave cells as they are, also those that a spreadsheet would compute.
    #[serde(default)]
    pub raw: bool,
    /// Of a sample: how many events are drawn, 1 to 200.
    #[serde(default)]
    pub sample: Option<u32>,
    /// Of a sample: the auditor's own text.
    #[serde(default)]
    pub nonce: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Export {
    pub id: String,
    pub kind: String,
    pub format: String,
    pub q: String,
    /// `waiting`, `running`, `done`, `failed`, `cancelled` or `gone`.
    pub state: String,
    pub failure: Option<String>,
    /// Events below this number.
    pub as_of: u64,
    /// How far it is, in percent.
    pub percent: u64,
    pub rows: u64,
    pub bytes: u64,
    /// Hex.
    pub sha256: Option<String>,
    pub asked_at: DateTime<Utc>,
    pub kept_until: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExportBegun {
    pub export: String,
    pub event: u64,
}
