//! Heads and proofs of the log.
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The log's newest signed head.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LogHead {
    /// C2SP tlog-checkpoint in a signed note.
    pub checkpoint: String,
    /// The log's verifier key (C2SP signed-note): compare it with the one that you were given.
    pub key: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Between {
    pub from: u64,
    pub to: u64,
}

/// That one tree is the beginning of another (RFC 9162 §2.1.4).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConsistencyProof {
    pub from: u64,
    pub to: u64,
    /// Base64.
    pub proof: Vec<String>,
}

/// A witness's line under a head (C2SP tlog-cosignature).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cosignature {
    /// The head's size.
    pub size: u64,
    /// `— name base64`
    pub line: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Heard {
    pub witness: String,
    pub size: u64,
}
