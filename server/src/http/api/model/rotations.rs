//! Rotations, their calendar, cases and figures.
use super::{Event, Place};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Rotation {
    /// `rot_…`
    pub id: String,
    pub secret: Place,
    /// `manual`, `age`, `scheduled`, `incident` or `leaver`.
    pub trigger: String,
    /// How far it is: `queued`, `pending_created`, `set_unknown`, `set_on_target`, `verified_new`, `overlap`, `rolling_back`,
    /// `disabling`, `old_disabled`, `verified_dead`, `waiting`, `needs_person`; at the end `closed`, `cancelled`, `rolled_back`
    /// or `superseded`.
    pub step: String,
    /// Where it stopped, while it needs a person.
    pub stopped: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// What may be chosen then.
    pub choices: Vec<String>,
    /// What is known of the old credential's end: `proved`, `attested`, `expired` or `unverified`.
    pub grade: Option<String>,
    pub from_version: i32,
    pub to_version: Option<i32>,
    pub started_at: DateTime<Utc>,
    /// When it had to begin, where a schedule says so.
    pub due_at: Option<DateTime<Utc>>,
    pub promoted_at: Option<DateTime<Utc>>,
    pub overlap_until: Option<DateTime<Utc>>,
    pub dead_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// The old value is disabled as soon as the new one works.
    pub cut_off: bool,
}

/// One rotation with who still uses what, its cases, and what the trail says of it, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RotationDetail {
    pub rotation: Rotation,
    pub consumers: Vec<Consumer>,
    pub cases: Vec<String>,
    pub events: Vec<Event>,
}

/// The last fetch of a workload.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Consumer {
    pub workload: String,
    pub version: i32,
    pub fetched_at: DateTime<Utc>,
}

/// Open or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Open,
    Ended,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RotationQuery {
    /// `open` or `ended`; without it both.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub state: Option<State>,
    /// A project's slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// A secret: its id, or `project/environment/path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// How many at once, 1 to 200; 50 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CaseQuery {
    /// `open` or `ended`; without it both.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub state: Option<State>,
    /// A project's slug.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// How many at once, 1 to 200; 50 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CalendarQuery {
    /// From when on; now without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// For how many days, 1 to 92; 31 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FiguresQuery {
    /// How many days back, 1 to 365; 90 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// A project's slug; without it everything that one sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// One time of the calendar.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Dated {
    pub at: DateTime<Utc>,
    pub secret: Place,
    /// The rotation that ran or runs; absent for one that is still to come.
    pub rotation: Option<String>,
    /// Its step, or `planned`, or `held`: its plan is paused or not confirmed.
    pub state: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Calendar {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub items: Vec<Dated>,
    /// There is more than one call looks at: ask for fewer days.
    pub incomplete: bool,
}

/// A secret that had to be rotated: from when to when its old credential was dead.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Case {
    /// `cas_…`
    pub id: String,
    pub secret: Place,
    pub trigger: String,
    /// The version that has to die.
    pub version: i32,
    pub began_at: DateTime<Utc>,
    /// How soon its protection level wants it dead, in hours.
    pub target_hours: i64,
    pub dead_at: Option<DateTime<Utc>>,
    /// `proved`, `attested`, `expired`, `unverified` or `cancelled`; absent while it is open.
    pub outcome: Option<String>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// One case and what the trail says of it, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CaseDetail {
    pub case: Case,
    pub events: Vec<Event>,
}

/// Mean time to rotate and what stands beside it, for one trigger. What is not known is absent, never 0. Times in seconds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Figures {
    pub trigger: String,
    /// Over the cases that were proved in the window: from when they began to the proof.
    pub mean: Option<i64>,
    pub p90: Option<i64>,
    pub longest: Option<i64>,
    pub proved: u64,
    /// Cases that ended in the window in any way; `proved` of these is the coverage.
    pub ended: u64,
    /// Cases that began in the window, those of them that were dead within their target, and those that can still be.
    pub began: u64,
    pub within_target: u64,
    pub undecided: u64,
    /// Kaplan–Meier, open cases counted for as long as they were seen; absent where half is not reached.
    pub median: Option<i64>,
    pub open: u64,
    pub open_longest: Option<i64>,
    pub parts: Parts,
}

/// What the time of rotations went into: means over those whose old value was proved dead in the window.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Parts {
    /// Rotations that the times are over, and cases that their proofs closed.
    pub proved: u64,
    pub cases: u64,
    /// From due to begun, to the new value made, to it in use, to the old value proved dead.
    pub late: Option<i64>,
    pub queue: Option<i64>,
    pub cycle: Option<i64>,
    pub overlap: Option<i64>,
    /// Rotations that made a value and ended in the window in any way, and those of them of which every step worked at once.
    pub ended: u64,
    pub first_attempt: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RotationFigures {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub triggers: Vec<Figures>,
}

/// Which secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OfSecret {
    /// Its id, or `project/environment/path`.
    pub secret: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Its id, or `project/environment/path`.
    pub secret: String,
    /// 1 to 30.
    pub days: u32,
    /// At most 200 characters, for the trail.
    pub reason: String,
}

/// How a stopped rotation goes on. To attest that an old value is dead is for people in the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    Retry,
    KeepNew,
    KeepOld,
    Disable,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    pub choice: Choice,
    /// What you saw, for the trail; not needed for `retry`.
    #[serde(default)]
    pub comment: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// Why, for the trail.
    pub comment: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollBack {
    /// Why, for the trail.
    pub reason: String,
}

/// A rotation began.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Begun {
    pub rotation: String,
    pub event: u64,
}

/// What the target says.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Checked {
    pub will_work: bool,
    pub said: String,
    pub event: u64,
}
