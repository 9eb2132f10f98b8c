//! SQL of rotation plans, rotations and their leases.
use super::rotator::Target;
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check},
    },
    column::Coded,
    db::{Result, Sql, Statement},
    jobs::{self, store::except},
    sealed_table,
    table::{self, rows_of},
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

sealed_table! {
    pub struct Plan in "rotation_plans" {
        id: String,
        secret_id: String,
        rotator: String,
        settings: String,
        length: i32,
        forbidden: String,
        overlap_minutes: i64,
        every_days: i32,
        set_by: String,
        set_at: Moment,
        confirmed_by: Option<String>,
        // What later versions added: not part of the seal while it holds its default.
        #[serde(skip_serializing_if = "String::is_empty")]
        schedule: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        cron: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        zone: String,
        #[serde(skip_serializing_if = "is_zero")]
        window_minutes: i32,
        #[serde(skip_serializing_if = "Option::is_none")]
        paused_until: Option<Moment>,
        #[serde(skip_serializing_if = "is_false")]
        approval_first: bool,
        #[serde(skip_serializing_if = "is_false")]
        hold: bool,
        #[serde(skip_serializing_if = "String::is_empty")]
        alphabet: String,
        /// How many values back none is typed again; 0: the usual number.
        #[serde(skip_serializing_if = "is_zero")]
        not_again: i32,
    }
}

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

sealed_table! {
    /// What the secrets of an environment inherit.
    pub struct Default in "rotation_defaults" {
        id: String,
        environment_id: String,
        schedule: String,
        every_days: i32,
        cron: String,
        zone: String,
        window_minutes: i32,
        set_by: String,
        set_at: Moment,
    }
}

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

sealed_table! {
    pub struct Rotation in "rotations" {
        id: String,
        secret_id: String,
        project_id: String,
        environment_id: String,
        trigger_kind: Coded<Trigger>,
        started_by: Option<String>,
        started_at: Moment,
        step: Coded<Step>,
        stopped: Option<String>,
        reason: Option<String>,
        attempts: i32,
        next_at: Moment,
        from_version: i32,
        to_version: Option<i32>,
        promoted_at: Option<Moment>,
        overlap_until: Option<Moment>,
        dead_at: Option<Moment>,
        repeats: i32,
        grade: Option<String>,
        ended_at: Option<Moment>,
        /// When it had to begin, where a schedule says so.
        #[serde(skip_serializing_if = "Option::is_none")]
        due_at: Option<Moment>,
        /// The old value is disabled as soon as the new one works, whoever still uses it.
        #[serde(skip_serializing_if = "is_false")]
        cut_off: bool,
        /// When the new value was made: until then it waited.
        #[serde(skip_serializing_if = "Option::is_none")]
        made_at: Option<Moment>,
        /// When the new value was first sent to its target, which may have it from then on.
        #[serde(skip_serializing_if = "Option::is_none")]
        sent_at: Option<Moment>,
        /// How often a step did not work.
        #[serde(skip_serializing_if = "is_zero")]
        failures: i32,
        /// A version that somebody wrote in the middle, and that gives way.
        #[serde(skip_serializing_if = "Option::is_none")]
        over_version: Option<i32>,
        /// Sessions of the old value that were there when it was last looked, and how many of them somebody lets stay.
        #[serde(skip_serializing_if = "is_zero")]
        sessions_left: i32,
        #[serde(skip_serializing_if = "Option::is_none")]
        sessions_accepted: Option<i32>,
    }
}

impl Rotation {
    pub fn step(&self) -> Step {
        *self.step
    }

    pub fn stopped(&self) -> Option<Step> {
        self.stopped.as_deref().and_then(Step::from_code)
    }

    /// The same rotation after something happened to it; refused where that cannot happen.
    pub fn after(&self, happened: Happened, now: Moment) -> std::result::Result<Self, Error> {
        let step = next(At { step: self.step(), stopped: self.stopped() }, happened);
        let step = step.ok_or(Error::Conflict(Conflict::AlreadyDone))?;
        Ok(Self {
            step: step.into(),
            stopped: (step == Step::NeedsPerson).then(|| self.step.text()),
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
        *self.trigger_kind
    }

    pub fn grade(&self) -> Option<Grade> {
        self.grade.as_deref().and_then(Grade::from_code)
    }
}

fn checked(rows: Vec<Rotation>, key: &SealKey) -> Vec<Rotation> {
    rows.into_iter().filter_map(|row| check(row, key)).collect()
}

pub async fn find_plan(db: &mut impl Sql, secret: &str, key: &SealKey) -> Result<Option<Plan>> {
    let row = db.sql(rows_of::<Plan>(" WHERE secret_id = $1")).bind(secret.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// Makes the plan of a secret, or replaces what it says.
pub async fn save_plan(tx: &mut impl Sql, plan: &Plan) -> Result<u64> {
    table::put(tx, plan).await
}

pub async fn find_default(db: &mut impl Sql, environment: &str, key: &SealKey) -> Result<Option<Default>> {
    let row = db.sql(rows_of::<Default>(" WHERE environment_id = $1")).bind(environment.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// The schedules of all environments that have one of their own.
pub async fn defaults(db: &mut impl Sql, key: &SealKey) -> Result<Vec<Default>> {
    let rows: Vec<Default> = db.sql(rows_of::<Default>(" ORDER BY environment_id")).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn save_default(tx: &mut impl Sql, row: &Default) -> Result<u64> {
    table::put(tx, row).await
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
    let row = db.sql(rows_of::<Rotation>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn lock(tx: &mut Tx, id: &str, key: &SealKey) -> Result<Option<Rotation>> {
    let row = tx.lock_one(id).await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// The rotation of a secret that has not ended.
pub async fn open_of(db: &mut impl Sql, secret: &str, key: &SealKey) -> Result<Option<Rotation>> {
    let rest = " WHERE secret_id = $1 AND ended_at IS NULL";
    let row = db.sql(rows_of::<Rotation>(rest)).bind(secret.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn of_secret(db: &mut impl Sql, secret: &str, limit: u32, key: &SealKey) -> Result<Vec<Rotation>> {
    let rest = " WHERE secret_id = $1 ORDER BY started_at DESC LIMIT $2";
    Ok(checked(db.sql(rows_of::<Rotation>(rest)).bind(secret.to_owned()).bind(i64::from(limit)).all().await?, key))
}

/// What has not ended, the longest under way first.
pub async fn open(db: &mut impl Sql, limit: u32, key: &SealKey) -> Result<Vec<Rotation>> {
    let rest = " WHERE ended_at IS NULL ORDER BY started_at LIMIT $1";
    Ok(checked(db.sql(rows_of::<Rotation>(rest)).bind(i64::from(limit)).all().await?, key))
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
    let mut statement = rows_of::<Rotation>("");
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
    let mut statement = rows_of::<Rotation>("");
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
    let rows = db.sql(rows_of::<Rotation>(rest)).bind(from).bind(until).bind(i64::from(limit)).all().await?;
    Ok(checked(rows, key))
}

/// Rotations that figures of a window may need: ended in it, proved in it, or under way.
pub async fn since(db: &mut impl Sql, from: Moment, key: &SealKey) -> Result<Vec<Rotation>> {
    let rest = " WHERE ended_at IS NULL OR ended_at >= $1 ORDER BY id";
    Ok(checked(db.sql(rows_of::<Rotation>(rest)).bind(from).all().await?, key))
}

/// Is there a plan of this secret, also one that fails its seal?
pub async fn has_plan(db: &mut impl Sql, secret: &str) -> Result<bool> {
    let row: Option<(i32,)> =
        db.sql("SELECT 1 FROM rotation_plans WHERE secret_id = $1").bind(secret.to_owned()).optional().await?;
    Ok(row.is_some())
}

/// Plans, in the order of their making.
pub async fn plans(db: &mut impl Sql, limit: u32, key: &SealKey) -> Result<Vec<Plan>> {
    let rows: Vec<Plan> = db.sql(rows_of::<Plan>(" ORDER BY id LIMIT $1")).bind(i64::from(limit)).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Plans of the secrets of a project.
pub async fn plans_of(db: &mut impl Sql, project: &str, key: &SealKey) -> Result<Vec<Plan>> {
    let rest = " WHERE secret_id IN (SELECT id FROM secrets WHERE project_id = $1) ORDER BY id";
    let rows: Vec<Plan> = db.sql(rows_of::<Plan>(rest)).bind(project.to_owned()).all().await?;
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
    table::insert_new(tx, row).await
}

pub async fn save(tx: &mut impl Sql, row: &Rotation) -> Result<u64> {
    table::save(tx, row).await
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
