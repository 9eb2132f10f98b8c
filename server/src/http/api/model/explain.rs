//! Explanations: what the engine would say, by which rule, and who can help.
use super::Place;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ExplainQuery {
    /// The secret: `sec_…`, or `project/environment/path`.
    pub secret: String,
    /// A sign-in name, a workload's short name, `per_…` or `wkl_…`; the token's owner without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AccessQuery {
    /// The secret: `sec_…`, or `project/environment/path`.
    pub secret: String,
    /// A day, asked at its end, or a moment in UTC: `2026-11-24`, `2026-11-24T09:30`. Now without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// Somebody or something, by id and name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Somebody {
    pub id: String,
    pub name: String,
}

/// A rule as it is written, and where.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DecidingRule {
    /// Of a document: `document/rule`; of a built-in one its name.
    pub id: String,
    pub version: u32,
    /// In its document, or in the built-in policies; from 1.
    pub line: u64,
    /// In Cedar's language.
    pub text: String,
    /// The document's id: `pol_…`; absent for a built-in rule.
    pub document: Option<String>,
}

/// Who can help, and with what.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhomToAsk {
    pub words: String,
    pub people: Vec<Somebody>,
}

/// What the engine says of one act.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplainedAct {
    /// `secret.revealed`, `request.submitted`, …
    pub action: String,
    pub words: String,
    /// `yes`, `with_factor` (once a second factor was shown), or the code of the refusal.
    pub verdict: String,
    /// The refusal's sentence.
    pub why: Option<String>,
    pub rule: Option<DecidingRule>,
    /// Ways to a yes, each found by asking; of one way all are needed.
    pub needs: Vec<Vec<String>>,
    pub ask: Option<WhomToAsk>,
    /// What policies look at here that is not known of somebody else, or changes.
    pub depends_on: Vec<String>,
}

/// A grant, as a route to a value.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplainedGrant {
    /// `grt_…`
    pub id: String,
    /// `req_…`
    pub request: String,
    /// `read` or `write`.
    pub right: String,
    /// `Active`, `Begins later`, `Suspended`, `Ended`, `Revoked` or `Given back`.
    pub state: String,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// Nobody where it was given by rule.
    pub approved_by: Vec<Somebody>,
    pub approval_policy: String,
}

/// A way through a workload: its client secret is theirs to issue.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplainedRoute {
    pub workload: Somebody,
    pub verdict: String,
    pub until: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplainedRole {
    pub role: String,
    /// Absent: in the whole organisation.
    pub project: Option<String>,
    /// `by hand`, `set-up`, or `group: …`.
    pub source: String,
    pub from: DateTime<Utc>,
    pub until: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KnownVersion {
    pub version: i32,
    /// `typed`, `revealed`, `copied`, …
    pub how: String,
    pub since: DateTime<Utc>,
    pub current: bool,
}

/// May they, and why.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplainedAccess {
    pub who: Somebody,
    /// `person` or `workload`.
    pub kind: String,
    pub secret: Place,
    /// What keeps them from acting at all.
    pub account: Option<String>,
    pub acts: Vec<ExplainedAct>,
    pub grants: Vec<ExplainedGrant>,
    pub through_workloads: Vec<ExplainedRoute>,
    pub roles: Vec<ExplainedRole>,
    pub knows: Vec<KnownVersion>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplainedReader {
    pub who: Somebody,
    /// `person` or `workload`.
    pub kind: String,
    pub grant: ExplainedGrant,
    pub verdict: String,
    pub rule: Option<DecidingRule>,
    /// What policies looked at that is not known of then, or that another hour changes.
    pub depends_on: Vec<String>,
    /// Who could issue themself a client secret for the workload.
    pub behind: Vec<Somebody>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplainedKnower {
    pub who: Somebody,
    pub known: KnownVersion,
}

/// Who can, or could, take a value, and who knows it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SecretAccess {
    pub secret: Place,
    pub at: DateTime<Utc>,
    pub readers: Vec<ExplainedReader>,
    pub knowers: Vec<ExplainedKnower>,
}

/// A decision that was made, with what it was made from.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplainedEvent {
    pub seq: u64,
    pub at: DateTime<Utc>,
    pub action: String,
    pub allowed: bool,
    /// The refusal's code and sentence.
    pub refusal: Option<String>,
    pub why: Option<String>,
    pub rule_id: String,
    pub version: u32,
    /// As it was written then; a built-in one as this version of the console has it.
    pub rule: Option<DecidingRule>,
    /// The rule allowed it: what refused is no policy, but separation of duties, an end or a waiting time.
    pub fixed: bool,
    /// Absent where it is not kept any more.
    #[schema(value_type = Option<Object>)]
    pub facts: Option<BTreeMap<String, String>>,
    /// What the same facts would be answered today, and by which rule.
    pub today: Option<String>,
    pub today_rule: Option<DecidingRule>,
    pub ask: Option<WhomToAsk>,
}
