//! What the API takes and answers: version 1, added to, never changed in meaning. The command line reads the same types.
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

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

/// It was done, and this event says so.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Done {
    pub event: u64,
}

/// What the target says.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Checked {
    pub will_work: bool,
    pub said: String,
    pub event: u64,
}

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
    /// `evidence`, `events`, `access`, `knowledge`, `requests`, `rotations`, `dormant`, `failed` or `verification`.
    pub kind: String,
    /// Of a table: `csv` (by itself), `xlsx` or `jsonl`.
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
