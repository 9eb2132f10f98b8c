//! SQL of delegations.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check, whole},
    },
    db::{Result, Sql, select},
    sealed_row,
};
use app::{people::delegation::Span, time::Moment};
use serde::Serialize;

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Delegation {
    pub id: String,
    /// Whoever is away.
    pub person_id: String,
    pub delegate_id: String,
    pub starts_at: Moment,
    pub ends_at: Moment,
    pub made_at: Moment,
    pub ended_at: Option<Moment>,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(Delegation, "delegations", DELEGATION);

impl Delegation {
    pub fn span(&self) -> Span {
        Span { starts_at: self.starts_at, ends_at: self.ends_at, ended_at: self.ended_at }
    }
}

const DELEGATION: &str = "SELECT id, person_id, delegate_id, starts_at, ends_at, made_at, ended_at, event_seq, row_mac \
                          FROM delegations";

/// Those of somebody who is away that have not ended.
pub async fn open_for(db: &mut impl Sql, person: &str, now: Moment, key: &SealKey) -> Result<Vec<Delegation>> {
    let rest = " WHERE person_id = $1 AND ended_at IS NULL AND ends_at > $2 ORDER BY starts_at, id";
    Ok(whole(db.sql(select(DELEGATION, rest)).bind(person.to_owned()).bind(now).all().await?, key))
}

/// Those to somebody that have not ended.
pub async fn open_to(db: &mut impl Sql, delegate: &str, now: Moment, key: &SealKey) -> Result<Vec<Delegation>> {
    let rest = " WHERE delegate_id = $1 AND ended_at IS NULL AND ends_at > $2 ORDER BY starts_at, id";
    Ok(whole(db.sql(select(DELEGATION, rest)).bind(delegate.to_owned()).bind(now).all().await?, key))
}

/// Everybody who decides in somebody's place at a time: `(absent, delegate)`.
pub async fn standing(db: &mut impl Sql, now: Moment, key: &SealKey) -> Result<Vec<Delegation>> {
    let rest = " WHERE ended_at IS NULL AND starts_at <= $1 AND ends_at > $1 ORDER BY id";
    Ok(whole(db.sql(select(DELEGATION, rest)).bind(now).all().await?, key))
}

/// Everybody's that have not ended.
pub async fn open(db: &mut impl Sql, now: Moment, key: &SealKey) -> Result<Vec<Delegation>> {
    let rest = " WHERE ended_at IS NULL AND ends_at > $1 ORDER BY id";
    Ok(whole(db.sql(select(DELEGATION, rest)).bind(now).all().await?, key))
}

pub async fn find(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Delegation>> {
    let row = db.sql(select(DELEGATION, " WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn lock(tx: &mut Tx, id: &str, key: &SealKey) -> Result<Option<Delegation>> {
    let row = tx.lock_one(id).await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn insert(tx: &mut Tx, row: &Delegation) -> Result<u64> {
    tx.sql(
        "INSERT INTO delegations (id, person_id, delegate_id, starts_at, ends_at, made_at, ended_at, event_seq, row_mac) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(row.id.clone())
    .bind(row.person_id.clone())
    .bind(row.delegate_id.clone())
    .bind(row.starts_at)
    .bind(row.ends_at)
    .bind(row.made_at)
    .bind(row.ended_at)
    .bind(row.event_seq)
    .bind(row.row_mac.clone())
    .execute()
    .await
}

pub async fn save_end(tx: &mut Tx, row: &Delegation) -> Result<u64> {
    tx.sql("UPDATE delegations SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL")
        .bind(row.ended_at)
        .bind(row.id.clone())
        .execute()
        .await
}
