//! One event as the ledger keeps it: leaf format 1.
//!
//! `leaf = 0x01 ‖ JCS` (RFC 8785 JSON): integers below 2^53, times RFC 3339 with six digits and `Z`, bytes base64url without
//! padding, absent keys omitted. The bytes are stored and hashed as they are, never encoded again. Fields that could
//! identify a person or a place are only committed to: `c` = SHA-256(salt ‖ name ‖ 0 ‖ value), so that one value can be
//! withheld or erased while the proof holds, and `p`, a keyed pseudonym, so that equal values can be found.
use crate::time::{Moment, parse_rfc3339, rfc3339};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// First byte of every leaf of this format.
pub const FORMAT: u8 = 1;
/// No leaf is longer.
pub const LONGEST: usize = 8 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActorKind {
    Person,
    Workload,
    System,
    /// Nobody signed in.
    Anonymous,
}

impl ActorKind {
    pub fn code(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Workload => "workload",
            Self::System => "system",
            Self::Anonymous => "anonymous",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    pub kind: ActorKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How the actor was authenticated: `password`, `client-secret`, `job`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Allowed,
    Refused,
    Failed,
}

impl Outcome {
    pub const ALL: [Self; 3] = [Self::Allowed, Self::Refused, Self::Failed];

    pub fn code(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.code() == code)
    }
}

/// What the event is about: ids only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Subject {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// Any other row: a role, a session, a token, a credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
}

/// The rule that decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deciding {
    pub id: String,
    pub version: u32,
    /// SHA-256 of the decision's input, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
}

/// What stands in the leaf for a sensitive value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commitment {
    pub c: String,
    pub p: String,
}

impl Commitment {
    pub fn new(name: &str, value: &str, salt: &[u8; 16], pseudonyms: &[u8; 32]) -> Self {
        Self { c: commit(name, value, salt), p: pseudonym(name, value, pseudonyms) }
    }

    /// Is `value` what was committed to?
    pub fn opens(&self, name: &str, value: &str, salt: &[u8; 16]) -> bool {
        self.c == commit(name, value, salt)
    }
}

fn commit(name: &str, value: &str, salt: &[u8; 16]) -> String {
    let hash =
        Sha256::new().chain_update(salt).chain_update(name).chain_update([0]).chain_update(value.as_bytes()).finalize();
    URL_SAFE_NO_PAD.encode(hash)
}

/// The keyed pseudonym of a value: equal for equal values of one field, meaningless without the key.
pub fn pseudonym(name: &str, value: &str, key: &[u8; 32]) -> String {
    // An HMAC key has any length, so this cannot fail; were it to, an empty pseudonym finds nothing.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(name.as_bytes());
    mac.update(&[0]);
    mac.update(value.as_bytes());
    URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..16])
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    pub seq: u64,
    #[serde(with = "moment")]
    pub at: Moment,
    /// 16 random bytes, base64url: without them a short leaf could be guessed from its hash.
    pub salt: String,
    pub action: String,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub actor: Actor,
    #[serde(default, skip_serializing_if = "is_empty")]
    pub subject: Subject,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Deciding>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub committed: BTreeMap<String, Commitment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<u64>,
}

fn is_empty(subject: &Subject) -> bool {
    *subject == Subject::default()
}

mod moment {
    use super::{Moment, parse_rfc3339, rfc3339};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(moment: &Moment, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&rfc3339(*moment))
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Moment, D::Error> {
        let text = String::deserialize(from)?;
        parse_rfc3339(&text).ok_or_else(|| D::Error::custom("not a time with six digits and Z"))
    }
}

/// Why an event cannot become a leaf, or bytes are not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadLeaf {
    TooLong,
    NotRepresentable,
    OtherFormat,
    Malformed,
}

impl std::fmt::Display for BadLeaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the event is longer than 8 KiB",
            Self::NotRepresentable => "the event has a value that its format cannot carry",
            Self::OtherFormat => "a leaf of a format that this version does not know",
            Self::Malformed => "not a leaf",
        })
    }
}

impl std::error::Error for BadLeaf {}

impl Leaf {
    pub fn encode(&self) -> Result<Vec<u8>, BadLeaf> {
        const LARGEST: u64 = 1 << 53;
        let fits =
            |value: &Value| value.is_string() || value.is_boolean() || value.as_u64().is_some_and(|n| n < LARGEST);
        if self.seq >= LARGEST || !self.detail.values().all(fits) {
            return Err(BadLeaf::NotRepresentable);
        }
        let json = serde_json_canonicalizer::to_vec(self).map_err(|_| BadLeaf::NotRepresentable)?;
        let mut bytes = Vec::with_capacity(json.len() + 1);
        bytes.push(FORMAT);
        bytes.extend(json);
        if bytes.len() > LONGEST { Err(BadLeaf::TooLong) } else { Ok(bytes) }
    }

    /// Reads exactly what [`Leaf::encode`] writes: any other spelling of the same event is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadLeaf> {
        let json = Self::json(bytes)?;
        let leaf: Self = serde_json::from_str(json).map_err(|_| BadLeaf::Malformed)?;
        if leaf.encode().is_ok_and(|again| again == bytes) { Ok(leaf) } else { Err(BadLeaf::Malformed) }
    }

    /// The JSON inside the bytes.
    pub fn json(bytes: &[u8]) -> Result<&str, BadLeaf> {
        let (format, json) = bytes.split_first().ok_or(BadLeaf::Malformed)?;
        if *format != FORMAT {
            return Err(BadLeaf::OtherFormat);
        }
        std::str::from_utf8(json).map_err(|_| BadLeaf::Malformed)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::audit::tree::leaf_hash;

    pub fn example() -> Leaf {
        let committed = [("comment", "Ticket checked."), ("address", "10.20.4.31")]
            .map(|(name, value)| (name.to_owned(), Commitment::new(name, value, &[3; 16], &[5; 32])));
        Leaf {
            seq: 2_046_171,
            at: parse_rfc3339("2026-11-23T13:52:40.000004Z").unwrap_or_default(),
            salt: URL_SAFE_NO_PAD.encode([1; 16]),
            action: "request.approved".into(),
            outcome: Outcome::Allowed,
            reason: None,
            actor: Actor {
                kind: ActorKind::Person,
                id: Some("per_01m846kxs0e8kbcf2tpy8vep2a".into()),
                method: Some("password".into()),
                session: None,
            },
            subject: Subject {
                request: Some("req_01m846kxs0e8kbcf2tpy8vep2a".into()),
                version: Some(3),
                ..Subject::default()
            },
            policy: Some(Deciding { id: "production".into(), version: 1, input: None }),
            correlation: None,
            detail: [("step".to_owned(), Value::from(1))].into(),
            committed: committed.into(),
            suppressed: None,
        }
    }

    /// Format 1: this text and this hash must never change.
    #[test]
    fn frozen_vectors() {
        let bytes = example().encode().unwrap_or_default();
        let text = include_str!("../../vectors/leaf-v1.json").trim_end();
        assert_eq!(Leaf::json(&bytes), Ok(text));
        let hash: String = leaf_hash(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, include_str!("../../vectors/leaf-v1.sha256").trim_end());
        assert_eq!(Leaf::decode(&bytes), Ok(example()));
    }

    #[test]
    fn only_one_spelling_is_a_leaf() {
        let bytes = example().encode().unwrap_or_default();
        let json = Leaf::json(&bytes).unwrap_or_default().to_owned();
        let spell = |json: String| [vec![FORMAT], json.into_bytes()].concat();
        assert_eq!(Leaf::decode(&spell(json.replace(",\"seq\"", ", \"seq\""))), Err(BadLeaf::Malformed));
        assert_eq!(Leaf::decode(&spell(json.replace("\"seq\"", "\"extra\":1,\"seq\""))), Err(BadLeaf::Malformed));
        assert_eq!(Leaf::decode(&spell(json.replace("000004Z", "000004+00:00"))), Err(BadLeaf::Malformed));
        assert_eq!(Leaf::decode(&[2, b'{', b'}']), Err(BadLeaf::OtherFormat));
        assert_eq!(Leaf::decode(&[]), Err(BadLeaf::Malformed));
    }

    #[test]
    fn what_the_format_cannot_carry_is_refused() {
        let with = |value: Value| Leaf { detail: [("x".to_owned(), value)].into(), ..example() };
        for value in [Value::Null, Value::from(1.5), Value::from(-1), Value::from(1_u64 << 53), Value::from(vec![1])] {
            assert_eq!(with(value).encode(), Err(BadLeaf::NotRepresentable));
        }
        assert_eq!(with(Value::from("x".repeat(LONGEST))).encode(), Err(BadLeaf::TooLong));
    }

    #[test]
    fn a_commitment_opens_only_for_its_own_value() {
        let commitment = Commitment::new("comment", "yes", &[3; 16], &[5; 32]);
        assert!(commitment.opens("comment", "yes", &[3; 16]));
        assert!(!commitment.opens("comment", "no", &[3; 16]));
        assert!(!commitment.opens("reason", "yes", &[3; 16]));
        assert!(!commitment.opens("comment", "yes", &[4; 16]));
        // Equal values share a pseudonym under different salts, not across fields.
        assert_eq!(commitment.p, Commitment::new("comment", "yes", &[9; 16], &[5; 32]).p);
        assert_ne!(commitment.p, Commitment::new("reason", "yes", &[3; 16], &[5; 32]).p);
    }
}
