//! SQL of workloads, client secrets and tokens.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check},
    },
    db::{Result, Sql},
    sealed_table,
    table::{self, rows_of},
};
use app::time::Moment;

sealed_table! {
    pub struct Workload in "workloads" {
        id: String,
        slug: String,
        name: String,
        team_id: String,
        project_id: String,
        environment_id: String,
        created_by: Option<String>,
        created_at: Moment,
        disabled_at: Option<Moment>,
    }
}

sealed_table! {
    pub struct Credential in "credentials" {
        id: String,
        workload_id: String,
        hash: Vec<u8>,
        issued_by: Option<String>,
        created_at: Moment,
        expires_at: Moment,
        revoked_at: Option<Moment>,
        /// It works once a second person confirmed it.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        waits: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        confirmed_at: Option<Moment>,
    }
}

impl Credential {
    pub fn works(&self, now: Moment) -> bool {
        self.revoked_at.is_none() && now < self.expires_at && !self.waits()
    }

    /// Does it still wait for a second person?
    pub fn waits(&self) -> bool {
        self.waits && self.confirmed_at.is_none()
    }
}

sealed_table! {
    pub struct Token in "tokens" {
        id: String,
        workload_id: String,
        credential_id: String,
        hash: Vec<u8>,
        issued_at: Moment,
        expires_at: Moment,
        revoked_at: Option<Moment>,
    }
}

pub async fn find(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Workload>> {
    let row = db.sql(rows_of::<Workload>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn lock(tx: &mut Tx, id: &str, key: &SealKey) -> Result<Option<Workload>> {
    let row = tx.lock_one(id).await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn list(db: &mut impl Sql, key: &SealKey) -> Result<Vec<Workload>> {
    let rows: Vec<Workload> = db.sql(rows_of::<Workload>(" ORDER BY slug")).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn insert(tx: &mut impl Sql, row: &Workload) -> Result<u64> {
    table::insert_new(tx, row).await
}

pub async fn disable(tx: &mut impl Sql, id: &str, at: Moment) -> Result<u64> {
    tx.sql("UPDATE workloads SET disabled_at = $1 WHERE id = $2 AND disabled_at IS NULL")
        .bind(at)
        .bind(id.to_owned())
        .execute()
        .await
}

pub async fn credentials(db: &mut impl Sql, workload: &str, key: &SealKey) -> Result<Vec<Credential>> {
    let rows: Vec<Credential> = db
        .sql(rows_of::<Credential>(" WHERE workload_id = $1 ORDER BY id DESC"))
        .bind(workload.to_owned())
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn find_credential(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Credential>> {
    let row = db.sql(rows_of::<Credential>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn find_credential_by_hash(db: &mut impl Sql, hash: &[u8], key: &SealKey) -> Result<Option<Credential>> {
    let row = db.sql(rows_of::<Credential>(" WHERE hash = $1")).bind(hash.to_vec()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn insert_credential(tx: &mut impl Sql, row: &Credential) -> Result<u64> {
    table::insert(tx, row).await
}

pub async fn confirm_credential(tx: &mut impl Sql, row: &Credential) -> Result<u64> {
    tx.sql("UPDATE credentials SET confirmed_at = $1 WHERE id = $2 AND confirmed_at IS NULL")
        .bind(row.confirmed_at)
        .bind(row.id.clone())
        .execute()
        .await
}

/// Client secrets that somebody issued and that may still work, by their ids.
pub async fn issued_by(db: &mut impl Sql, person: &str, now: Moment, key: &SealKey) -> Result<Vec<Credential>> {
    let rest = " WHERE issued_by = $1 AND expires_at > $2 AND revoked_at IS NULL ORDER BY id";
    let rows: Vec<Credential> = db.sql(rows_of::<Credential>(rest)).bind(person.to_owned()).bind(now).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn revoke_credential(tx: &mut impl Sql, id: &str, at: Moment) -> Result<u64> {
    tx.sql("UPDATE credentials SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
        .bind(at)
        .bind(id.to_owned())
        .execute()
        .await
}

pub async fn find_token(db: &mut impl Sql, hash: &[u8], key: &SealKey) -> Result<Option<Token>> {
    let row = db.sql(rows_of::<Token>(" WHERE hash = $1")).bind(hash.to_vec()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// Every token that works now.
pub async fn all_open_tokens(db: &mut impl Sql, now: Moment, key: &SealKey) -> Result<Vec<Token>> {
    let rest = " WHERE expires_at > $1 AND revoked_at IS NULL ORDER BY id";
    let rows: Vec<Token> = db.sql(rows_of::<Token>(rest)).bind(now).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Tokens that work now: of a workload, or of one of its client secrets.
pub async fn open_tokens(db: &mut impl Sql, workload: &str, now: Moment, key: &SealKey) -> Result<Vec<Token>> {
    let rest = " WHERE workload_id = $1 AND expires_at > $2 AND revoked_at IS NULL ORDER BY id";
    let rows: Vec<Token> = db.sql(rows_of::<Token>(rest)).bind(workload.to_owned()).bind(now).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn insert_token(tx: &mut impl Sql, row: &Token) -> Result<u64> {
    table::insert(tx, row).await
}

pub async fn revoke_token(tx: &mut impl Sql, id: &str, at: Moment) -> Result<u64> {
    tx.sql("UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
        .bind(at)
        .bind(id.to_owned())
        .execute()
        .await
}
