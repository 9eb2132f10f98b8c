//! SQL of delegations.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check, whole},
    },
    db::{Result, Sql},
    sealed_table,
    table::{self, rows_of},
};
use app::{people::delegation::Span, time::Moment};

sealed_table! {
    pub struct Delegation in "delegations" {
        id: String,
        /// Whoever is away.
        person_id: String,
        delegate_id: String,
        starts_at: Moment,
        ends_at: Moment,
        made_at: Moment,
        ended_at: Option<Moment>,
    }
}

impl Delegation {
    pub fn span(&self) -> Span {
        Span { starts_at: self.starts_at, ends_at: self.ends_at, ended_at: self.ended_at }
    }
}

/// Those of somebody who is away that have not ended.
pub async fn open_for(db: &mut impl Sql, person: &str, now: Moment, key: &SealKey) -> Result<Vec<Delegation>> {
    let rest = " WHERE person_id = $1 AND ended_at IS NULL AND ends_at > $2 ORDER BY starts_at, id";
    Ok(whole(db.sql(rows_of::<Delegation>(rest)).bind(person.to_owned()).bind(now).all().await?, key))
}

/// Those to somebody that have not ended.
pub async fn open_to(db: &mut impl Sql, delegate: &str, now: Moment, key: &SealKey) -> Result<Vec<Delegation>> {
    let rest = " WHERE delegate_id = $1 AND ended_at IS NULL AND ends_at > $2 ORDER BY starts_at, id";
    Ok(whole(db.sql(rows_of::<Delegation>(rest)).bind(delegate.to_owned()).bind(now).all().await?, key))
}

/// Everybody who decides in somebody's place at a time: `(absent, delegate)`.
pub async fn standing(db: &mut impl Sql, now: Moment, key: &SealKey) -> Result<Vec<Delegation>> {
    let rest = " WHERE ended_at IS NULL AND starts_at <= $1 AND ends_at > $1 ORDER BY id";
    Ok(whole(db.sql(rows_of::<Delegation>(rest)).bind(now).all().await?, key))
}

/// Everybody's that have not ended.
pub async fn open(db: &mut impl Sql, now: Moment, key: &SealKey) -> Result<Vec<Delegation>> {
    let rest = " WHERE ended_at IS NULL AND ends_at > $1 ORDER BY id";
    Ok(whole(db.sql(rows_of::<Delegation>(rest)).bind(now).all().await?, key))
}

pub async fn find(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Delegation>> {
    let row = db.sql(rows_of::<Delegation>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn lock(tx: &mut Tx, id: &str, key: &SealKey) -> Result<Option<Delegation>> {
    let row = tx.lock_one(id).await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn insert(tx: &mut Tx, row: &Delegation) -> Result<u64> {
    table::insert(tx, row).await
}

pub async fn save_end(tx: &mut Tx, row: &Delegation) -> Result<u64> {
    tx.sql("UPDATE delegations SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL")
        .bind(row.ended_at)
        .bind(row.id.clone())
        .execute()
        .await
}
