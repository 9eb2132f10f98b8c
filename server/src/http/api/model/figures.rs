//! The dashboard's figures, and signals.
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DashboardQuery {
    /// `7d`, `30d`, `90d`, which it is by itself, or `365d`.
    #[serde(default)]
    pub range: String,
    /// A project's slug; all that the token's owner sees by itself.
    #[serde(default)]
    pub project: String,
    /// `development`, `staging` or `production`.
    #[serde(default)]
    pub level: String,
    /// IANA time zone of days and weeks; `UTC` by itself.
    #[serde(default)]
    pub zone: String,
}

/// A figure as the dashboard says it, with all that makes it one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Figure {
    pub title: String,
    /// `—` where it is unknown: never 0 instead.
    pub figure: String,
    pub words: String,
    pub before: Option<String>,
    pub definition: String,
    pub window: String,
    /// Of what it was computed, and what is not in it.
    pub coverage: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// The page with exactly what is behind it.
    pub behind: String,
}

/// Mean time to rotate of one trigger, in seconds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TimeToRotate {
    pub trigger: String,
    pub mean: Option<i64>,
    pub mean_before: Option<i64>,
    pub median: Option<i64>,
    pub p90: Option<i64>,
    pub longest: Option<i64>,
    pub proved: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DashboardFigures {
    pub time_to_rotate: Vec<TimeToRotate>,
    pub figures: Vec<Figure>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SignalQuery {
    /// `open`, `snoozed`, `closed` or `not_useful`; all by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// A detector's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
    /// 1 to 200; 50 by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// What stands out in the trail.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SignalFound {
    /// Its detector and the event that it was found at.
    pub id: String,
    /// `odd_hours`, `unfamiliar_place`, `refusal_burst`, `first_critical_read`, `dormant_grant` or `mutual_approvals`.
    pub detector: String,
    pub words: String,
    pub rule: String,
    pub at: DateTime<Utc>,
    /// `open`, `snoozed`, `closed` or `not_useful`.
    pub state: String,
    /// `per_…` or `wkl_…`; absent where nobody was signed in.
    pub actor: Option<String>,
    pub assignee: Option<String>,
    pub snoozed_until: Option<DateTime<Utc>>,
    pub project: Option<String>,
    pub environment: Option<String>,
    pub secret: Option<String>,
    pub request: Option<String>,
    pub grant: Option<String>,
    /// The events that it was found in, oldest first.
    pub events: Vec<u64>,
    /// The numbers that it was found by.
    pub evidence: serde_json::Value,
}
