//! SQL of rotation plans, rotations and their leases.
use super::rotator::Target;
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check},
    },
    db::{Result, Sql, Statement, select},
    jobs::{self, store::except},
    sealed_row,
};
use app::{
    error::{Conflict, Error},
    rotations::{
        machine::{At, Happened, next},
        model::{Alphabet, Grade, RotatorKind, Step, Trigger, ValueRules},
        schedule::{Schedule, Timing},
    },
    time::Moment,
};
use serde::Serialize;

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Plan {
    pub id: String,
    pub secret_id: String,
    pub rotator: String,
    pub settings: String,
    pub length: i32,
    pub forbidden: String,
    pub overlap_minutes: i64,
    pub every_days: i32,
    pub set_by: String,
    pub set_at: Moment,
    pub confirmed_by: Option<String>,
    // What later versions added: not part of the seal while it holds its default.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub schedule: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cron: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub zone: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub window_minutes: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Moment>,
    #[serde(skip_serializing_if = "is_false")]
    pub approval_first: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub hold: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub alphabet: String,
    /// How many values back none is typed again; 0: the usual number.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_again: i32,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(Plan, "rotation_plans", PLAN);

fn is_zero(number: &i32) -> bool {
    *number == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// A schedule out of its columns. Plans of the first version said how old a value may become, or nothing.
fn schedule(timing: &str, every_days: i32, cron: &str, zone: &str, window_minutes: i32) -> Schedule {
    match Timing::from_code(timing) {
        Some(Timing::Inherited) => Schedule::Inherited,
        Some(Timing::Cron) => Schedule::Cron { expression: cron.into(), zone: zone.into(), window_minutes },
        Some(Timing::ByHand) => Schedule::ByHand,
        Some(Timing::Age) | None if every_days > 0 => Schedule::Age { days: every_days },
        Some(Timing::Age) | None => Schedule::ByHand,
    }
}

/// The columns of a schedule.
pub struct Columns {
    pub schedule: String,
    pub every_days: i32,
    pub cron: String,
    pub zone: String,
    pub window_minutes: i32,
}

impl From<&Schedule> for Columns {
    fn from(set: &Schedule) -> Self {
        let none = Self {
            schedule: set.timing().code().into(),
            every_days: 0,
            cron: String::new(),
            zone: String::new(),
            window_minutes: 0,
        };
        match set.clone() {
            Schedule::Inherited | Schedule::ByHand => none,
            Schedule::Age { days } => Self { every_days: days, ..none },
            Schedule::Cron { expression, zone, window_minutes } => {
                Self { cron: expression, zone, window_minutes, ..none }
            }
        }
    }
}

/// What the secrets of an environment inherit.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Default {
    pub id: String,
    pub environment_id: String,
    pub schedule: String,
    pub every_days: i32,
    pub cron: String,
    pub zone: String,
    pub window_minutes: i32,
    pub set_by: String,
    pub set_at: Moment,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(Default, "rotation_defaults", DEFAULT);

impl Default {
    pub fn schedule(&self) -> Schedule {
        schedule(&self.schedule, self.every_days, &self.cron, &self.zone, self.window_minutes)
    }
}

impl Plan {
    pub fn target(&self) -> Option<Target> {
        Target::read(RotatorKind::from_code(&self.rotator)?, &self.settings)
    }

    pub fn schedule(&self) -> Schedule {
        schedule(&self.schedule, self.every_days, &self.cron, &self.zone, self.window_minutes)
    }

    pub fn is_paused(&self, now: Moment) -> bool {
        self.paused_until.is_some_and(|until| until > now)
    }

    pub fn rules(&self) -> ValueRules {
        let usual = ValueRules::default();
        ValueRules {
            length: self.length.max(0) as usize,
            forbidden: self.forbidden.clone(),
            letters: Alphabet::from_code(&self.alphabet).unwrap_or(usual.letters),
            not_again: u32::try_from(self.not_again).ok().filter(|count| *count > 0).unwrap_or(usual.not_again),
        }
    }
}

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Rotation {
    pub id: String,
    pub secret_id: String,
    pub project_id: String,
    pub environment_id: String,
    pub trigger_kind: String,
    pub started_by: Option<String>,
    pub started_at: Moment,
    pub step: String,
    pub stopped: Option<String>,
    pub reason: Option<String>,
    pub attempts: i32,
    pub next_at: Moment,
    pub from_version: i32,
    pub to_version: Option<i32>,
    pub promoted_at: Option<Moment>,
    pub overlap_until: Option<Moment>,
    pub dead_at: Option<Moment>,
    pub repeats: i32,
    pub grade: Option<String>,
    pub ended_at: Option<Moment>,
    /// When it had to begin, where a schedule says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Moment>,
    /// The old value is disabled as soon as the new one works, whoever still uses it.
    #[serde(skip_serializing_if = "is_false")]
    pub cut_off: bool,
    /// When the new value was made: until then it waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_at: Option<Moment>,
    /// When the new value was first sent to its target, which may have it from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Moment>,
    /// How often a step did not work.
    #[serde(skip_serializing_if = "is_zero")]
    pub failures: i32,
    /// A version that somebody wrote in the middle, and that gives way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_version: Option<i32>,
    /// Sessions of the old value that were there when it was last looked, and how many of them somebody lets stay.
    #[serde(skip_serializing_if = "is_zero")]
    pub sessions_left: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions_accepted: Option<i32>,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(Rotation, "rotations", ROTATION);

impl Rotation {
    /// An unknown step is one that only a person can take further.
    pub fn step(&self) -> Step {
        Step::from_code(&self.step).unwrap_or(Step::NeedsPerson)
    }

    pub fn stopped(&self) -> Option<Step> {
        self.stopped.as_deref().and_then(Step::from_code)
    }

    /// The same rotation after something happened to it; refused where that cannot happen.
    pub fn after(&self, happened: Happened, now: Moment) -> std::result::Result<Self, Error> {
        let step = next(At { step: self.step(), stopped: self.stopped() }, happened);
        let step = step.ok_or(Error::Conflict(Conflict::AlreadyDone))?;
        Ok(Self {
            step: step.code().into(),
            stopped: (step == Step::NeedsPerson).then(|| self.step.clone()),
            attempts: 0,
            reason: None,
            next_at: now,
            ended_at: step.has_ended().then_some(now),
            ..self.clone()
        })
    }

    /// Was its old value shown to be dead, so that it is only looked at again?
    pub fn only_looks(&self) -> bool {
        self.step() == Step::VerifiedDead || self.stopped() == Some(Step::VerifiedDead)
    }

    /// May its target have the new value?
    pub fn was_sent(&self) -> bool {
        let at = self.stopped().unwrap_or(self.step());
        self.sent_at.is_some() || matches!(at, Step::SetUnknown | Step::SetOnTarget)
    }

    /// Does a workload that fetched this version still have to follow?
    pub fn is_behind(&self, version: i32) -> bool {
        self.to_version.is_none_or(|new| version < new) || self.over_version == Some(version)
    }

    pub fn trigger(&self) -> Trigger {
        Trigger::from_code(&self.trigger_kind).unwrap_or(Trigger::Manual)
    }

    pub fn grade(&self) -> Option<Grade> {
        self.grade.as_deref().and_then(Grade::from_code)
    }
}

const PLAN: &str = "SELECT id, secret_id, rotator, settings, length, forbidden, overlap_minutes, every_days, set_by, \
                    set_at, confirmed_by, schedule, cron, zone, window_minutes, paused_until, approval_first, hold, \
                    alphabet, not_again, event_seq, row_mac FROM rotation_plans";
const DEFAULT: &str = "SELECT id, environment_id, schedule, every_days, cron, zone, window_minutes, set_by, set_at, \
                       event_seq, row_mac FROM rotation_defaults";
const ROTATION: &str = "SELECT id, secret_id, project_id, environment_id, trigger_kind, started_by, started_at, step, \
                        stopped, reason, attempts, next_at, from_version, to_version, promoted_at, overlap_until, \
                        dead_at, repeats, grade, ended_at, due_at, cut_off, made_at, sent_at, failures, \
                        over_version, sessions_left, sessions_accepted, event_seq, row_mac FROM rotations";

fn checked(rows: Vec<Rotation>, key: &SealKey) -> Vec<Rotation> {
    rows.into_iter().filter_map(|row| check(row, key)).collect()
}

pub async fn find_plan(db: &mut impl Sql, secret: &str, key: &SealKey) -> Result<Option<Plan>> {
    let row = db.sql(select(PLAN, " WHERE secret_id = $1")).bind(secret.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// Makes the plan of a secret, or replaces what it says.
pub async fn save_plan(tx: &mut impl Sql, plan: &Plan) -> Result<u64> {
    tx.sql(
        "INSERT INTO rotation_plans (id, secret_id, rotator, settings, length, forbidden, overlap_minutes, \
         every_days, set_by, set_at, confirmed_by, schedule, cron, zone, window_minutes, paused_until, approval_first, \
         hold, alphabet, not_again, event_seq, row_mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
         $13, $14, $15, $16, $17, $18, $19, $20, $21, $22) \
         ON CONFLICT (id) DO UPDATE SET rotator = excluded.rotator, settings = excluded.settings, \
         length = excluded.length, forbidden = excluded.forbidden, overlap_minutes = excluded.overlap_minutes, \
         every_days = excluded.every_days, set_by = excluded.set_by, set_at = excluded.set_at, \
         confirmed_by = excluded.confirmed_by, schedule = excluded.schedule, cron = excluded.cron, \
         zone = excluded.zone, window_minutes = excluded.window_minutes, paused_until = excluded.paused_until, \
         approval_first = excluded.approval_first, hold = excluded.hold, alphabet = excluded.alphabet, \
         not_again = excluded.not_again",
    )
    .bind(plan.id.clone())
    .bind(plan.secret_id.clone())
    .bind(plan.rotator.clone())
    .bind(plan.settings.clone())
    .bind(plan.length)
    .bind(plan.forbidden.clone())
    .bind(plan.overlap_minutes)
    .bind(plan.every_days)
    .bind(plan.set_by.clone())
    .bind(plan.set_at)
    .bind(plan.confirmed_by.clone())
    .bind(plan.schedule.clone())
    .bind(plan.cron.clone())
    .bind(plan.zone.clone())
    .bind(plan.window_minutes)
    .bind(plan.paused_until)
    .bind(plan.approval_first)
    .bind(plan.hold)
    .bind(plan.alphabet.clone())
    .bind(plan.not_again)
    .bind(plan.event_seq)
    .bind(plan.row_mac.clone())
    .execute()
    .await
}

pub async fn find_default(db: &mut impl Sql, environment: &str, key: &SealKey) -> Result<Option<Default>> {
    let row = db.sql(select(DEFAULT, " WHERE environment_id = $1")).bind(environment.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// The schedules of all environments that have one of their own.
pub async fn defaults(db: &mut impl Sql, key: &SealKey) -> Result<Vec<Default>> {
    let rows: Vec<Default> = db.sql(select(DEFAULT, " ORDER BY environment_id")).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn save_default(tx: &mut impl Sql, row: &Default) -> Result<u64> {
    tx.sql(
        "INSERT INTO rotation_defaults (id, environment_id, schedule, every_days, cron, zone, window_minutes, set_by, \
         set_at, event_seq, row_mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         ON CONFLICT (id) DO UPDATE SET schedule = excluded.schedule, every_days = excluded.every_days, \
         cron = excluded.cron, zone = excluded.zone, window_minutes = excluded.window_minutes, \
         set_by = excluded.set_by, set_at = excluded.set_at",
    )
    .bind(row.id.clone())
    .bind(row.environment_id.clone())
    .bind(row.schedule.clone())
    .bind(row.every_days)
    .bind(row.cron.clone())
    .bind(row.zone.clone())
    .bind(row.window_minutes)
    .bind(row.set_by.clone())
    .bind(row.set_at)
    .bind(row.event_seq)
    .bind(row.row_mac.clone())
    .execute()
    .await
}

/// Has it looked at anew when each secret of an environment is due whose time follows its environment or its level: what inherits,
/// and ages, which the level bounds.
pub async fn note_all_due(tx: &mut impl Sql, environment: &str, at: Moment) -> Result<u64> {
    tx.sql(
        "INSERT INTO rotation_due (secret_id, due_at) SELECT p.secret_id, $1 FROM rotation_plans p \
         JOIN secrets s ON s.id = p.secret_id WHERE s.environment_id = $2 AND p.schedule IN ('inherited', 'age') \
         ON CONFLICT (secret_id) DO UPDATE SET due_at = excluded.due_at",
    )
    .bind(at)
    .bind(environment.to_owned())
    .execute()
    .await
}

pub async fn find(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Rotation>> {
    let row = db.sql(select(ROTATION, " WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn lock(tx: &mut Tx, id: &str, key: &SealKey) -> Result<Option<Rotation>> {
    let row = tx.lock_one(id).await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// The rotation of a secret that has not ended.
pub async fn open_of(db: &mut impl Sql, secret: &str, key: &SealKey) -> Result<Option<Rotation>> {
    let rest = " WHERE secret_id = $1 AND ended_at IS NULL";
    let row = db.sql(select(ROTATION, rest)).bind(secret.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn of_secret(db: &mut impl Sql, secret: &str, limit: u32, key: &SealKey) -> Result<Vec<Rotation>> {
    let rest = " WHERE secret_id = $1 ORDER BY started_at DESC LIMIT $2";
    Ok(checked(db.sql(select(ROTATION, rest)).bind(secret.to_owned()).bind(i64::from(limit)).all().await?, key))
}

/// What has not ended, the longest under way first.
pub async fn open(db: &mut impl Sql, limit: u32, key: &SealKey) -> Result<Vec<Rotation>> {
    let rest = " WHERE ended_at IS NULL ORDER BY started_at LIMIT $1";
    Ok(checked(db.sql(select(ROTATION, rest)).bind(i64::from(limit)).all().await?, key))
}

/// Which rotations one page of a list is of.
pub struct Wanted<'a> {
    /// Only of these projects.
    pub projects: &'a [String],
    pub secret: Option<&'a str>,
    /// Only those that ended, or only those that did not.
    pub ended: Option<bool>,
    /// Only those that were begun before this one.
    pub before: Option<&'a str>,
}

/// One page, the newest first.
pub async fn page(db: &mut impl Sql, wanted: &Wanted<'_>, limit: u32, key: &SealKey) -> Result<Vec<Rotation>> {
    if wanted.projects.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = Statement::from(ROTATION);
    statement.push(" WHERE project_id IN ").rows(1, wanted.projects.len());
    statement.push(match wanted.ended {
        Some(true) => " AND ended_at IS NOT NULL",
        Some(false) => " AND ended_at IS NULL",
        None => "",
    });
    for (text, _) in
        [(" AND secret_id = ", wanted.secret), (" AND id < ", wanted.before)].iter().filter(|pair| pair.1.is_some())
    {
        statement.push(text).placeholder();
    }
    statement.push(" ORDER BY id DESC LIMIT ").placeholder();
    let mut query = db.sql(statement);
    for text in wanted.projects.iter().map(String::as_str).chain(wanted.secret).chain(wanted.before) {
        query = query.bind(text.to_owned());
    }
    Ok(checked(query.bind(i64::from(limit)).all().await?, key))
}

/// What is under way in some projects, or of one secret: what stopped first, then the longest.
pub async fn under_way(
    db: &mut impl Sql,
    projects: &[String],
    secret: Option<&str>,
    limit: u32,
    key: &SealKey,
) -> Result<Vec<Rotation>> {
    if projects.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = Statement::from(ROTATION);
    statement.push(" WHERE ended_at IS NULL AND project_id IN ").rows(1, projects.len());
    if secret.is_some() {
        statement.push(" AND secret_id = ").placeholder();
    }
    statement.push(" ORDER BY CASE WHEN step = 'needs_person' THEN 0 ELSE 1 END, started_at, id LIMIT ").placeholder();
    let mut query = db.sql(statement);
    for text in projects.iter().map(String::as_str).chain(secret) {
        query = query.bind(text.to_owned());
    }
    Ok(checked(query.bind(i64::from(limit)).all().await?, key))
}

/// Rotations that began between two moments, in order.
pub async fn between(
    db: &mut impl Sql,
    from: Moment,
    until: Moment,
    limit: u32,
    key: &SealKey,
) -> Result<Vec<Rotation>> {
    let rest = " WHERE started_at >= $1 AND started_at < $2 ORDER BY started_at LIMIT $3";
    let rows = db.sql(select(ROTATION, rest)).bind(from).bind(until).bind(i64::from(limit)).all().await?;
    Ok(checked(rows, key))
}

/// Rotations that figures of a window may need: ended in it, proved in it, or under way.
pub async fn since(db: &mut impl Sql, from: Moment, key: &SealKey) -> Result<Vec<Rotation>> {
    let rest = " WHERE ended_at IS NULL OR ended_at >= $1 ORDER BY id";
    Ok(checked(db.sql(select(ROTATION, rest)).bind(from).all().await?, key))
}

/// Is there a plan of this secret, also one that fails its seal?
pub async fn has_plan(db: &mut impl Sql, secret: &str) -> Result<bool> {
    let row: Option<(i32,)> =
        db.sql("SELECT 1 FROM rotation_plans WHERE secret_id = $1").bind(secret.to_owned()).optional().await?;
    Ok(row.is_some())
}

/// Plans, in the order of their making.
pub async fn plans(db: &mut impl Sql, limit: u32, key: &SealKey) -> Result<Vec<Plan>> {
    let rows: Vec<Plan> = db.sql(select(PLAN, " ORDER BY id LIMIT $1")).bind(i64::from(limit)).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Plans of the secrets of a project.
pub async fn plans_of(db: &mut impl Sql, project: &str, key: &SealKey) -> Result<Vec<Plan>> {
    let rest = " WHERE secret_id IN (SELECT id FROM secrets WHERE project_id = $1) ORDER BY id";
    let rows: Vec<Plan> = db.sql(select(PLAN, rest)).bind(project.to_owned()).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Rotations whose next step is due: what is cut off first, then the longest due; or only what is cut off.
pub async fn due(db: &mut impl Sql, now: Moment, only_urgent: bool, limit: usize) -> Result<Vec<String>> {
    let mut due = Statement::from(
        "SELECT r.id FROM rotations r LEFT JOIN rotation_leases l ON l.rotation_id = r.id \
         WHERE r.ended_at IS NULL AND r.next_at <= $1 AND r.step NOT IN ('needs_person', 'waiting') \
         AND (l.leased_until IS NULL OR l.leased_until <= $1)",
    );
    except(&mut due, super::ROTATE, "r.id");
    due.push(if only_urgent { " AND r.cut_off" } else { "" });
    due.push(" ORDER BY r.cut_off DESC, r.next_at LIMIT $2");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<(String,)> = db.sql(due).bind(now).bind(limit).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// 0: another rotation of this secret is open.
pub async fn insert(tx: &mut impl Sql, row: &Rotation) -> Result<u64> {
    tx.sql(
        "INSERT INTO rotations (id, secret_id, project_id, environment_id, trigger_kind, started_by, started_at, step, \
         attempts, next_at, from_version, repeats, due_at, cut_off, event_seq, row_mac) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT DO NOTHING",
    )
    .bind(row.id.clone())
    .bind(row.secret_id.clone())
    .bind(row.project_id.clone())
    .bind(row.environment_id.clone())
    .bind(row.trigger_kind.clone())
    .bind(row.started_by.clone())
    .bind(row.started_at)
    .bind(row.step.clone())
    .bind(row.attempts)
    .bind(row.next_at)
    .bind(row.from_version)
    .bind(row.repeats)
    .bind(row.due_at)
    .bind(row.cut_off)
    .bind(row.event_seq)
    .bind(row.row_mac.clone())
    .execute()
    .await
}

pub async fn save(tx: &mut impl Sql, row: &Rotation) -> Result<u64> {
    tx.sql(
        "UPDATE rotations SET step = $1, stopped = $2, reason = $3, attempts = $4, next_at = $5, to_version = $6, \
         promoted_at = $7, overlap_until = $8, dead_at = $9, repeats = $10, grade = $11, ended_at = $12, cut_off = $13, \
         made_at = $14, sent_at = $15, failures = $16, over_version = $17, sessions_left = $18, \
         sessions_accepted = $19 WHERE id = $20",
    )
    .bind(row.step.clone())
    .bind(row.stopped.clone())
    .bind(row.reason.clone())
    .bind(row.attempts)
    .bind(row.next_at)
    .bind(row.to_version)
    .bind(row.promoted_at)
    .bind(row.overlap_until)
    .bind(row.dead_at)
    .bind(row.repeats)
    .bind(row.grade.clone())
    .bind(row.ended_at)
    .bind(row.cut_off)
    .bind(row.made_at)
    .bind(row.sent_at)
    .bind(row.failures)
    .bind(row.over_version)
    .bind(row.sessions_left)
    .bind(row.sessions_accepted)
    .bind(row.id.clone())
    .execute()
    .await
}

/// Notes when to look whether a secret is due.
pub async fn note_due(tx: &mut impl Sql, secret: &str, at: Moment) -> Result<u64> {
    jobs::store::forget(tx, super::SCHEDULE, secret).await?;
    tx.sql(
        "INSERT INTO rotation_due (secret_id, due_at) VALUES ($1, $2) \
         ON CONFLICT (secret_id) DO UPDATE SET due_at = excluded.due_at",
    )
    .bind(secret.to_owned())
    .bind(at)
    .execute()
    .await
}

/// Moves a reminder on, unless somebody set another meanwhile.
pub async fn move_due(tx: &mut impl Sql, secret: &str, seen: Moment, at: Moment) -> Result<u64> {
    tx.sql("UPDATE rotation_due SET due_at = $1 WHERE secret_id = $2 AND due_at = $3")
        .bind(at)
        .bind(secret.to_owned())
        .bind(seen)
        .execute()
        .await
}

pub async fn forget_due(tx: &mut impl Sql, secret: &str, seen: Moment) -> Result<u64> {
    tx.sql("DELETE FROM rotation_due WHERE secret_id = $1 AND due_at = $2")
        .bind(secret.to_owned())
        .bind(seen)
        .execute()
        .await
}

/// Secrets that may be due, the longest first: an index's beginning, however many there are.
pub async fn perhaps_due(db: &mut impl Sql, now: Moment, limit: u32) -> Result<Vec<String>> {
    let mut due = Statement::from("SELECT secret_id FROM rotation_due WHERE due_at <= $1");
    except(&mut due, super::SCHEDULE, "rotation_due.secret_id");
    due.push(" ORDER BY due_at LIMIT $2");
    let rows: Vec<(String,)> = db.sql(due).bind(now).bind(i64::from(limit)).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// When it is looked whether a secret is due.
pub async fn due_at(db: &mut impl Sql, secret: &str) -> Result<Option<Moment>> {
    let row: Option<(Moment,)> =
        db.sql("SELECT due_at FROM rotation_due WHERE secret_id = $1").bind(secret.to_owned()).optional().await?;
    Ok(row.map(|(at,)| at))
}

/// Notes that somebody left, for [`leavers`] to be looked at.
pub async fn note_leaver(tx: &mut impl Sql, person: &str, at: Moment) -> Result<u64> {
    tx.sql(
        "INSERT INTO leavers (person_id, left_at) VALUES ($1, $2) \
         ON CONFLICT (person_id) DO UPDATE SET left_at = excluded.left_at",
    )
    .bind(person.to_owned())
    .bind(at)
    .execute()
    .await
}

/// Who left, the longest ago first.
pub async fn leavers(db: &mut impl Sql, now: Moment, limit: u32) -> Result<Vec<String>> {
    let mut due = Statement::from("SELECT person_id FROM leavers WHERE left_at <= $1");
    except(&mut due, super::OPEN_LEAVERS, "leavers.person_id");
    due.push(" ORDER BY left_at LIMIT $2");
    let rows: Vec<(String,)> = db.sql(due).bind(now).bind(i64::from(limit)).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// When somebody left who is still to be looked through.
pub async fn left_at(db: &mut impl Sql, person: &str) -> Result<Option<Moment>> {
    let row: Option<(Moment,)> =
        db.sql("SELECT left_at FROM leavers WHERE person_id = $1").bind(person.to_owned()).optional().await?;
    Ok(row.map(|(at,)| at))
}

pub async fn forget_leaver(tx: &mut impl Sql, person: &str, left_at: Moment) -> Result<u64> {
    tx.sql("DELETE FROM leavers WHERE person_id = $1 AND left_at = $2")
        .bind(person.to_owned())
        .bind(left_at)
        .execute()
        .await
}

/// Takes a rotation to work on, unless somebody else does. Housekeeping: it says who works, not what is true.
pub async fn lease(tx: &mut impl Sql, rotation: &str, holder: &str, now: Moment, until: Moment) -> Result<bool> {
    let taken = tx
        .sql(
            "INSERT INTO rotation_leases (rotation_id, holder, leased_until) VALUES ($1, $2, $3) \
             ON CONFLICT (rotation_id) DO UPDATE SET holder = excluded.holder, leased_until = excluded.leased_until \
             WHERE rotation_leases.leased_until <= $4",
        )
        .bind(rotation.to_owned())
        .bind(holder.to_owned())
        .bind(until)
        .bind(now)
        .execute()
        .await?;
    Ok(taken > 0)
}

/// Holds the lease of a rotation that is left alone for a while.
pub const WAITING: &str = "waiting";

/// Who works on a rotation, and until when that holds: [`WAITING`] where nobody does.
pub async fn held(db: &mut impl Sql, rotation: &str, now: Moment) -> Result<Option<(String, Moment)>> {
    db.sql("SELECT holder, leased_until FROM rotation_leases WHERE rotation_id = $1 AND leased_until > $2")
        .bind(rotation.to_owned())
        .bind(now)
        .optional()
        .await
}

/// Holds on to a rotation for another while; 0: somebody else took it.
pub async fn renew(tx: &mut impl Sql, rotation: &str, holder: &str, until: Moment) -> Result<u64> {
    tx.sql("UPDATE rotation_leases SET leased_until = $1 WHERE rotation_id = $2 AND holder = $3")
        .bind(until)
        .bind(rotation.to_owned())
        .bind(holder.to_owned())
        .execute()
        .await
}

/// Leaves a rotation alone until a moment: the lease stays behind without a holder.
pub async fn postpone(tx: &mut impl Sql, rotation: &str, holder: &str, until: Moment) -> Result<u64> {
    tx.sql("UPDATE rotation_leases SET holder = 'waiting', leased_until = $1 WHERE rotation_id = $2 AND holder = $3")
        .bind(until)
        .bind(rotation.to_owned())
        .bind(holder.to_owned())
        .execute()
        .await
}

pub async fn release(tx: &mut impl Sql, rotation: &str, holder: &str) -> Result<u64> {
    tx.sql("DELETE FROM rotation_leases WHERE rotation_id = $1 AND holder = $2")
        .bind(rotation.to_owned())
        .bind(holder.to_owned())
        .execute()
        .await
}

/// Leases of whoever worked before: where there is one process, it worked for nobody else.
pub async fn release_held(tx: &mut impl Sql) -> Result<u64> {
    tx.sql("DELETE FROM rotation_leases WHERE holder <> 'waiting'").execute().await
}

/// Takes away whatever keeps a rotation from being worked on.
pub async fn release_any(tx: &mut impl Sql, rotation: &str) -> Result<u64> {
    jobs::store::forget(tx, super::ROTATE, rotation).await?;
    tx.sql("DELETE FROM rotation_leases WHERE rotation_id = $1 AND holder = 'waiting'")
        .bind(rotation.to_owned())
        .execute()
        .await
}
