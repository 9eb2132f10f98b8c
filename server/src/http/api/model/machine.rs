//! What a workload asks with and gets.
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// `csc_…`
    pub client_secret: String,
}

/// A token that lives minutes.
#[derive(Serialize, ToSchema)]
pub struct Issued {
    /// `cst_…`
    pub token: String,
    pub token_type: &'static str,
    /// In seconds.
    pub expires_in: i64,
    /// The event's number in the trail.
    pub event: u64,
}

/// A value, and the event that says that it was fetched. It has no `Debug`, so that it is not printed by accident.
#[derive(Serialize, ToSchema)]
pub struct Fetched {
    pub secret: String,
    pub path: String,
    pub version: i32,
    /// In their order; a plain secret has one field, `value`.
    #[schema(value_type = BTreeMap<String, Field>)]
    pub fields: serde_json::Map<String, serde_json::Value>,
    pub event: u64,
    pub action: &'static str,
}

#[derive(Serialize, ToSchema)]
pub struct Field {
    pub value: String,
    /// `utf-8`, or `base64url` where the value is no text.
    pub encoding: &'static str,
}
