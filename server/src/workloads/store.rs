//! SQL of workloads, client secrets and tokens.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check},
    },
    db::{Result, Sql, select},
    sealed_row,
};
use app::time::Moment;
use serde::Serialize;

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Workload {
    pub id: String,
    pub slug: String,
    pub name: String,
    pub team_id: String,
    pub project_id: String,
    pub environment_id: String,
    pub created_by: Option<String>,
    pub created_at: Moment,
    pub disabled_at: Option<Moment>,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(Workload, "workloads", WORKLOAD);

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Credential {
    pub id: String,
    pub workload_id: String,
    pub hash: Vec<u8>,
    pub issued_by: Option<String>,
    pub created_at: Moment,
    pub expires_at: Moment,
    pub revoked_at: Option<Moment>,
    /// It works once a second person confirmed it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Moment>,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(Credential, "credentials", CREDENTIAL);

impl Credential {
    pub fn works(&self, now: Moment) -> bool {
        self.revoked_at.is_none() && now < self.expires_at && !self.waits()
    }

    /// Does it still wait for a second person?
    pub fn waits(&self) -> bool {
        self.waits && self.confirmed_at.is_none()
    }
}

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Token {
    pub id: String,
    pub workload_id: String,
    pub credential_id: String,
    pub hash: Vec<u8>,
    pub issued_at: Moment,
    pub expires_at: Moment,
    pub revoked_at: Option<Moment>,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(Token, "tokens", TOKEN);

const WORKLOAD: &str = "SELECT id, slug, name, team_id, project_id, environment_id, created_by, created_at, disabled_at, \
                        event_seq, row_mac FROM workloads";
const CREDENTIAL: &str = "SELECT id, workload_id, hash, issued_by, created_at, expires_at, revoked_at, waits, confirmed_at, event_seq, row_mac \
     FROM credentials";
const TOKEN: &str = "SELECT id, workload_id, credential_id, hash, issued_at, expires_at, revoked_at, event_seq, row_mac \
                     FROM tokens";

pub async fn find(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Workload>> {
    let row = db.sql(select(WORKLOAD, " WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn lock(tx: &mut Tx, id: &str, key: &SealKey) -> Result<Option<Workload>> {
    let row = tx.lock_one(id).await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn list(db: &mut impl Sql, key: &SealKey) -> Result<Vec<Workload>> {
    let rows: Vec<Workload> = db.sql(select(WORKLOAD, " ORDER BY slug")).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn insert(tx: &mut impl Sql, row: &Workload) -> Result<u64> {
    tx.sql(
        "INSERT INTO workloads (id, slug, name, team_id, project_id, environment_id, created_by, created_at, event_seq, \
         row_mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    )
    .bind(row.id.clone())
    .bind(row.slug.clone())
    .bind(row.name.clone())
    .bind(row.team_id.clone())
    .bind(row.project_id.clone())
    .bind(row.environment_id.clone())
    .bind(row.created_by.clone())
    .bind(row.created_at)
    .bind(row.event_seq)
    .bind(row.row_mac.clone())
    .execute()
    .await
}

pub async fn disable(tx: &mut impl Sql, id: &str, at: Moment) -> Result<u64> {
    tx.sql("UPDATE workloads SET disabled_at = $1 WHERE id = $2 AND disabled_at IS NULL")
        .bind(at)
        .bind(id.to_owned())
        .execute()
        .await
}

pub async fn credentials(db: &mut impl Sql, workload: &str, key: &SealKey) -> Result<Vec<Credential>> {
    let rows: Vec<Credential> =
        db.sql(select(CREDENTIAL, " WHERE workload_id = $1 ORDER BY id DESC")).bind(workload.to_owned()).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn find_credential(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Credential>> {
    let row = db.sql(select(CREDENTIAL, " WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn find_credential_by_hash(db: &mut impl Sql, hash: &[u8], key: &SealKey) -> Result<Option<Credential>> {
    let row = db.sql(select(CREDENTIAL, " WHERE hash = $1")).bind(hash.to_vec()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn insert_credential(tx: &mut impl Sql, row: &Credential) -> Result<u64> {
    tx.sql(
        "INSERT INTO credentials (id, workload_id, hash, issued_by, created_at, expires_at, waits, event_seq, row_mac) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(row.id.clone())
    .bind(row.workload_id.clone())
    .bind(row.hash.clone())
    .bind(row.issued_by.clone())
    .bind(row.created_at)
    .bind(row.expires_at)
    .bind(row.waits)
    .bind(row.event_seq)
    .bind(row.row_mac.clone())
    .execute()
    .await
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
    let rows: Vec<Credential> = db.sql(select(CREDENTIAL, rest)).bind(person.to_owned()).bind(now).all().await?;
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
    let row = db.sql(select(TOKEN, " WHERE hash = $1")).bind(hash.to_vec()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// Every token that works now.
pub async fn all_open_tokens(db: &mut impl Sql, now: Moment, key: &SealKey) -> Result<Vec<Token>> {
    let rest = " WHERE expires_at > $1 AND revoked_at IS NULL ORDER BY id";
    let rows: Vec<Token> = db.sql(select(TOKEN, rest)).bind(now).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Tokens that work now: of a workload, or of one of its client secrets.
pub async fn open_tokens(db: &mut impl Sql, workload: &str, now: Moment, key: &SealKey) -> Result<Vec<Token>> {
    let rest = " WHERE workload_id = $1 AND expires_at > $2 AND revoked_at IS NULL ORDER BY id";
    let rows: Vec<Token> = db.sql(select(TOKEN, rest)).bind(workload.to_owned()).bind(now).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn insert_token(tx: &mut impl Sql, row: &Token) -> Result<u64> {
    tx.sql(
        "INSERT INTO tokens (id, workload_id, credential_id, hash, issued_at, expires_at, event_seq, row_mac) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(row.id.clone())
    .bind(row.workload_id.clone())
    .bind(row.credential_id.clone())
    .bind(row.hash.clone())
    .bind(row.issued_at)
    .bind(row.expires_at)
    .bind(row.event_seq)
    .bind(row.row_mac.clone())
    .execute()
    .await
}

pub async fn revoke_token(tx: &mut impl Sql, id: &str, at: Moment) -> Result<u64> {
    tx.sql("UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
        .bind(at)
        .bind(id.to_owned())
        .execute()
        .await
}
