//! Requests and grants.
use super::Place;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Whose requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    #[default]
    Own,
    /// That the token's owner can decide now: at most 100, the first to expire first.
    Inbox,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RequestQuery {
    /// `own`, which it is by itself, or `inbox`: what the token's owner can decide now.
    #[serde(default)]
    #[param(inline)]
    pub of: Whose,
    /// How many at once, 1 to 200; 50 without it. Of one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next` of the page before. Of one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// Somebody asks for access.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AccessRequest {
    /// `req_…`
    pub id: String,
    /// `per_…`
    pub requester: String,
    /// The workload that it is for, where it is not for the requester.
    pub workload: Option<String>,
    pub secrets: Vec<Place>,
    /// `read` or `write`.
    pub right: String,
    pub minutes: i64,
    pub reason: String,
    /// `in_review`, or how it ended: `approved`, `denied`, `withdrawn`, `expired`, `voided`.
    pub state: String,
    /// How many have approved exactly this, and how many have to.
    pub approvals: u32,
    pub needed: u32,
    pub submitted_at: DateTime<Utc>,
    /// Until then somebody has to decide.
    pub expires_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// What came of it: `grt_…`
    pub grant: Option<String>,
}

/// What somebody said of a request.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// `per_…`
    pub person: String,
    /// `approved` or `denied`; `approved too late` or `denied too late` had no effect.
    pub verdict: String,
    pub comment: String,
    pub decided_at: DateTime<Utc>,
    /// It was of what the request says now.
    pub stands: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RequestDetail {
    pub request: AccessRequest,
    pub decisions: Vec<Decision>,
}

/// What somebody may take, and until when.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    /// `grt_…`
    pub id: String,
    pub request: String,
    pub secrets: Vec<Place>,
    pub right: String,
    /// `scheduled`, `active` or `suspended`.
    pub state: String,
    pub starts_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// What is asked for, for the token's owner or for a workload of their team.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskFor {
    /// `project/environment/path`, 1 to 100 of one environment.
    pub secrets: Vec<String>,
    /// `read`, which it is by itself, or `write`.
    #[serde(default)]
    pub right: Option<String>,
    pub minutes: i64,
    /// Why: whoever decides reads it. Never a value.
    #[serde(default)]
    pub reason: String,
    /// `wkl_…`
    #[serde(default)]
    pub workload: Option<String>,
    /// When access shall begin, if later than its approval; at most seven days ahead.
    #[serde(default)]
    pub starts_at: Option<DateTime<Utc>>,
    /// A name that you give to this request, up to 200 characters: sent again with it, it is the same request, not another.
    #[serde(default)]
    pub once: Option<String>,
}

/// It was asked for; or access began, where nobody has to decide.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Asked {
    pub request: String,
    /// Did access begin at once?
    pub granted: bool,
    pub event: u64,
}
