//! SQL of cases.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check},
    },
    db::{Result, Sql, Statement},
    sealed_row,
};
use app::{
    rotations::{cases::End, model::Trigger},
    time::Moment,
};
use serde::Serialize;

/// One trigger on one secret, about the version that has to die.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Case {
    pub id: String,
    pub secret_id: String,
    pub project_id: String,
    pub environment_id: String,
    pub trigger_kind: String,
    pub version: i32,
    pub began_at: Moment,
    pub opened_by: Option<String>,
    pub opened_at: Moment,
    /// The person or workload that it is about.
    pub suspect: Option<String>,
    pub cut_off: bool,
    pub dead_at: Option<Moment>,
    /// Empty while it is open.
    pub outcome: String,
    pub ended_at: Option<Moment>,
    /// When it was contained, and by whom: from then on its value is to be rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contained_at: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contained_by: Option<String>,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(Case, "rotation_cases", CASE);

impl Case {
    /// Is it about a leak, or somebody who left? Such a one is not over until its value is.
    pub fn is_urgent(&self) -> bool {
        matches!(self.trigger(), Trigger::Incident | Trigger::Leaver)
    }

    pub fn trigger(&self) -> Trigger {
        Trigger::from_code(&self.trigger_kind).unwrap_or(Trigger::Manual)
    }

    pub fn end(&self) -> Option<End> {
        End::from_code(&self.outcome)
    }
}

const CASE: &str = "SELECT id, secret_id, project_id, environment_id, trigger_kind, version, began_at, opened_by, \
                    opened_at, suspect, cut_off, dead_at, outcome, ended_at, contained_at, contained_by, \
                    event_seq, row_mac FROM rotation_cases";

fn select(rest: &'static str) -> Statement {
    let mut statement = Statement::from(CASE);
    statement.push(rest);
    statement
}

fn checked(rows: Vec<Case>, key: &SealKey) -> Vec<Case> {
    rows.into_iter().filter_map(|row| check(row, key)).collect()
}

pub async fn insert(tx: &mut impl Sql, row: &Case) -> Result<u64> {
    tx.sql(
        "INSERT INTO rotation_cases (id, secret_id, project_id, environment_id, trigger_kind, version, began_at, \
         opened_by, opened_at, suspect, cut_off, outcome, contained_at, contained_by, event_seq, row_mac) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(row.id.clone())
    .bind(row.secret_id.clone())
    .bind(row.project_id.clone())
    .bind(row.environment_id.clone())
    .bind(row.trigger_kind.clone())
    .bind(row.version)
    .bind(row.began_at)
    .bind(row.opened_by.clone())
    .bind(row.opened_at)
    .bind(row.suspect.clone())
    .bind(row.cut_off)
    .bind(row.outcome.clone())
    .bind(row.contained_at)
    .bind(row.contained_by.clone())
    .bind(row.event_seq)
    .bind(row.row_mac.clone())
    .execute()
    .await
}

pub async fn save(tx: &mut impl Sql, row: &Case) -> Result<u64> {
    tx.sql(
        "UPDATE rotation_cases SET began_at = $1, cut_off = $2, dead_at = $3, outcome = $4, ended_at = $5, \
         contained_at = $6, contained_by = $7 WHERE id = $8",
    )
    .bind(row.began_at)
    .bind(row.cut_off)
    .bind(row.dead_at)
    .bind(row.outcome.clone())
    .bind(row.ended_at)
    .bind(row.contained_at)
    .bind(row.contained_by.clone())
    .bind(row.id.clone())
    .execute()
    .await
}

pub async fn find(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Case>> {
    let row = db.sql(select(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn lock(tx: &mut Tx, id: &str, key: &SealKey) -> Result<Option<Case>> {
    let row = tx.lock_one(id).await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// The cases of a secret, the newest first.
pub async fn of_secret(db: &mut impl Sql, secret: &str, key: &SealKey) -> Result<Vec<Case>> {
    let rest = " WHERE secret_id = $1 ORDER BY opened_at DESC LIMIT 200";
    Ok(checked(db.sql(select(rest)).bind(secret.to_owned()).all().await?, key))
}

/// The cases of one version of a secret that is locked.
pub async fn of_version(db: &mut impl Sql, secret: &str, version: i32, key: &SealKey) -> Result<Vec<Case>> {
    let rest = " WHERE secret_id = $1 AND version = $2 ORDER BY id";
    Ok(checked(db.sql(select(rest)).bind(secret.to_owned()).bind(version).all().await?, key))
}

/// Open cases, the longest open first.
pub async fn open(db: &mut impl Sql, limit: u32, key: &SealKey) -> Result<Vec<Case>> {
    let rest = " WHERE ended_at IS NULL ORDER BY began_at LIMIT $1";
    Ok(checked(db.sql(select(rest)).bind(i64::from(limit)).all().await?, key))
}

/// Cases that ended, the newest first.
pub async fn ended(db: &mut impl Sql, limit: u32, key: &SealKey) -> Result<Vec<Case>> {
    let rest = " WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT $1";
    Ok(checked(db.sql(select(rest)).bind(i64::from(limit)).all().await?, key))
}

/// One page of the cases of some projects, the newest first: open ones, ended ones or all, opened before another one.
pub async fn page(
    db: &mut impl Sql,
    projects: &[String],
    ended: Option<bool>,
    before: Option<&str>,
    limit: u32,
    key: &SealKey,
) -> Result<Vec<Case>> {
    if projects.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = Statement::from(CASE);
    statement.push(" WHERE project_id IN ").rows(1, projects.len());
    statement.push(match ended {
        Some(true) => " AND ended_at IS NOT NULL",
        Some(false) => " AND ended_at IS NULL",
        None => "",
    });
    if before.is_some() {
        statement.push(" AND id < ").placeholder();
    }
    statement.push(" ORDER BY id DESC LIMIT ").placeholder();
    let mut query = db.sql(statement);
    for text in projects.iter().map(String::as_str).chain(before) {
        query = query.bind(text.to_owned());
    }
    Ok(checked(query.bind(i64::from(limit)).all().await?, key))
}

/// Cases that figures of a window may need: began in it, ended in it, or open.
pub async fn since(db: &mut impl Sql, from: Moment, key: &SealKey) -> Result<Vec<Case>> {
    let rest = " WHERE ended_at IS NULL OR ended_at >= $1 OR began_at >= $1 ORDER BY id";
    Ok(checked(db.sql(select(rest)).bind(from).all().await?, key))
}
