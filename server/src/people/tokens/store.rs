//! SQL of personal access tokens.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check},
    },
    db::{Result, Sql},
    sealed_table,
    table::{self, rows_of},
};
use app::{
    people::tokens::{Scope, split},
    time::Moment,
};

sealed_table! {
    pub struct AccessToken in "access_tokens" {
        id: String,
        person_id: String,
        name: String,
        scopes: String,
        /// The session that it was made in.
        session_id: Option<String>,
        hash: Vec<u8>,
        created_at: Moment,
        expires_at: Moment,
        revoked_at: Option<Moment>,
    }
}

impl AccessToken {
    pub fn works(&self, now: Moment) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }

    pub fn scopes(&self) -> Vec<Scope> {
        split(&self.scopes)
    }
}

pub async fn find(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<AccessToken>> {
    let row = db.sql(rows_of::<AccessToken>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn find_by_hash(db: &mut impl Sql, hash: &[u8], key: &SealKey) -> Result<Option<AccessToken>> {
    let row = db.sql(rows_of::<AccessToken>(" WHERE hash = $1")).bind(hash.to_vec()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// The tokens of a person that work, the newest first.
pub async fn of_person(db: &mut impl Sql, person: &str, now: Moment, key: &SealKey) -> Result<Vec<AccessToken>> {
    let rest = " WHERE person_id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY id DESC";
    let rows: Vec<AccessToken> = db.sql(rows_of::<AccessToken>(rest)).bind(person.to_owned()).bind(now).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Every token that works.
pub async fn open(db: &mut impl Sql, now: Moment, key: &SealKey) -> Result<Vec<AccessToken>> {
    let rest = " WHERE revoked_at IS NULL AND expires_at > $1 ORDER BY id";
    let rows: Vec<AccessToken> = db.sql(rows_of::<AccessToken>(rest)).bind(now).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn insert(tx: &mut Tx, row: &AccessToken) -> Result<u64> {
    table::insert(tx, row).await
}

pub async fn revoke(tx: &mut Tx, id: &str, at: Moment) -> Result<u64> {
    tx.sql("UPDATE access_tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
        .bind(at)
        .bind(id.to_owned())
        .execute()
        .await
}

pub async fn used_at(db: &mut impl Sql, id: &str) -> Result<Option<Moment>> {
    let row: Option<(Moment,)> =
        db.sql("SELECT used_at FROM access_token_uses WHERE token_id = $1").bind(id.to_owned()).optional().await?;
    Ok(row.map(|(at,)| at))
}

pub async fn note_use(tx: &mut impl Sql, id: &str, at: Moment) -> Result<u64> {
    tx.sql(
        "INSERT INTO access_token_uses (token_id, used_at) VALUES ($1, $2) \
         ON CONFLICT (token_id) DO UPDATE SET used_at = excluded.used_at",
    )
    .bind(id.to_owned())
    .bind(at)
    .execute()
    .await
}
