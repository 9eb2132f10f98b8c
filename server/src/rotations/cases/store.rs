//! SQL of cases.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check},
    },
    column::Coded,
    db::{Result, Sql},
    sealed_table,
    table::{self, rows_of},
};
use app::{
    rotations::{cases::End, model::Trigger},
    time::Moment,
};

sealed_table! {
    /// One trigger on one secret, about the version that has to die.
    pub struct Case in "rotation_cases" {
        id: String,
        secret_id: String,
        project_id: String,
        environment_id: String,
        trigger_kind: Coded<Trigger>,
        version: i32,
        began_at: Moment,
        opened_by: Option<String>,
        opened_at: Moment,
        /// The person or workload that it is about.
        suspect: Option<String>,
        cut_off: bool,
        dead_at: Option<Moment>,
        /// Empty while it is open.
        outcome: String,
        ended_at: Option<Moment>,
        /// When it was contained, and by whom: from then on its value is to be rotated.
        #[serde(skip_serializing_if = "Option::is_none")]
        contained_at: Option<Moment>,
        #[serde(skip_serializing_if = "Option::is_none")]
        contained_by: Option<String>,
    }
}

impl Case {
    /// Is it about a leak, or somebody who left? Such a one is not over until its value is.
    pub fn is_urgent(&self) -> bool {
        matches!(self.trigger(), Trigger::Incident | Trigger::Leaver)
    }

    pub fn trigger(&self) -> Trigger {
        *self.trigger_kind
    }

    pub fn end(&self) -> Option<End> {
        End::from_code(&self.outcome)
    }
}

fn checked(rows: Vec<Case>, key: &SealKey) -> Vec<Case> {
    rows.into_iter().filter_map(|row| check(row, key)).collect()
}

pub async fn insert(tx: &mut impl Sql, row: &Case) -> Result<u64> {
    table::insert(tx, row).await
}

pub async fn save(tx: &mut impl Sql, row: &Case) -> Result<u64> {
    table::save(tx, row).await
}

pub async fn find(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Case>> {
    let row = db.sql(rows_of::<Case>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn lock(tx: &mut Tx, id: &str, key: &SealKey) -> Result<Option<Case>> {
    let row = tx.lock_one(id).await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// The cases of a secret, the newest first.
pub async fn of_secret(db: &mut impl Sql, secret: &str, key: &SealKey) -> Result<Vec<Case>> {
    let rest = " WHERE secret_id = $1 ORDER BY opened_at DESC LIMIT 200";
    Ok(checked(db.sql(rows_of::<Case>(rest)).bind(secret.to_owned()).all().await?, key))
}

/// The cases of one version of a secret that is locked.
pub async fn of_version(db: &mut impl Sql, secret: &str, version: i32, key: &SealKey) -> Result<Vec<Case>> {
    let rest = " WHERE secret_id = $1 AND version = $2 ORDER BY id";
    Ok(checked(db.sql(rows_of::<Case>(rest)).bind(secret.to_owned()).bind(version).all().await?, key))
}

/// Open cases, the longest open first.
pub async fn open(db: &mut impl Sql, limit: u32, key: &SealKey) -> Result<Vec<Case>> {
    let rest = " WHERE ended_at IS NULL ORDER BY began_at LIMIT $1";
    Ok(checked(db.sql(rows_of::<Case>(rest)).bind(i64::from(limit)).all().await?, key))
}

/// Cases that ended, the newest first.
pub async fn ended(db: &mut impl Sql, limit: u32, key: &SealKey) -> Result<Vec<Case>> {
    let rest = " WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT $1";
    Ok(checked(db.sql(rows_of::<Case>(rest)).bind(i64::from(limit)).all().await?, key))
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
    let mut statement = rows_of::<Case>("");
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
    Ok(checked(db.sql(rows_of::<Case>(rest)).bind(from).all().await?, key))
}
