//! SQL of policies: inputs of decisions by their digest, documents in force and before, drafts.
use super::{Decision, organisation::Document};
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, whole},
    },
    db::{Error, Result, Sql, Statement, select},
    sealed_table,
    table::{self, rows_of},
};
use app::time::Moment;
use std::collections::HashMap;

/// Keeps what a decision was made from; the same input is kept once. 0: it was there.
pub async fn keep_input(db: &mut impl Sql, decision: &Decision, now: Moment) -> Result<u64> {
    let Some(digest) = decision.deciding.input.clone() else { return Ok(0) };
    db.sql("INSERT INTO policy_inputs (digest, input, kept_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(digest)
        .bind(decision.input.clone())
        .bind(now)
        .execute()
        .await
}

/// What decisions were made from, by digest.
pub async fn inputs(db: &mut impl Sql, digests: &[String]) -> Result<HashMap<String, String>> {
    let mut found = HashMap::new();
    // Few enough for one statement of either database.
    for part in digests.chunks(500) {
        let mut statement = Statement::from("SELECT digest, input FROM policy_inputs WHERE digest IN (");
        for number in 0..part.len() {
            statement.push(if number == 0 { "" } else { ", " }).placeholder();
        }
        statement.push(")");
        let mut query = db.sql(statement);
        for digest in part {
            query = query.bind(digest.clone());
        }
        found.extend(query.all::<(String, String)>().await?);
    }
    Ok(found)
}

sealed_table! {
    pub struct PolicyRow in "policies" {
        id: String,
        policy_id: String,
        slug: String,
        version: i32,
        name: String,
        text: String,
        set_by: String,
        valid_from: Moment,
        valid_to: Option<Moment>,
    }
}

impl PolicyRow {
    pub fn document(&self) -> Document {
        Document {
            id: self.policy_id.clone(),
            slug: self.slug.clone(),
            version: u32::try_from(self.version).unwrap_or_default(),
            text: self.text.clone(),
        }
    }
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Draft {
    pub policy_id: String,
    pub slug: String,
    pub name: String,
    pub text: String,
    pub revision: i32,
    pub edited_by: String,
    pub edited_at: Moment,
}

const DRAFT: &str = "SELECT policy_id, slug, name, text, revision, edited_by, edited_at FROM policy_drafts";

/// The event that changed policies last: what is known as of it is what is in force.
/// The same of protection levels beside it.
pub async fn epochs(db: &mut impl Sql) -> Result<(i64, i64)> {
    db.sql(
        "SELECT (SELECT COALESCE(MAX(event_seq), -1) FROM policies), (SELECT COALESCE(MAX(event_seq), -1) FROM levels)",
    )
    .one()
    .await
}

/// The documents in force, by their short name. A row that fails its seal may have been a forbid: then nothing is decided.
pub async fn in_force(db: &mut impl Sql, key: &SealKey) -> Result<Vec<PolicyRow>> {
    every(db.sql(rows_of::<PolicyRow>(" WHERE valid_to IS NULL ORDER BY slug, id")).all().await?, key)
}

/// The same of a time before.
pub async fn in_force_at(db: &mut impl Sql, at: Moment, key: &SealKey) -> Result<Vec<PolicyRow>> {
    let rest = " WHERE valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1) ORDER BY slug, id";
    every(db.sql(rows_of::<PolicyRow>(rest)).bind(at).all().await?, key)
}

fn every(rows: Vec<PolicyRow>, key: &SealKey) -> Result<Vec<PolicyRow>> {
    let all = rows.len();
    let sound = whole(rows, key);
    if sound.len() == all { Ok(sound) } else { Err(Error::Unfit("a policy in force fails its seal".into())) }
}

/// One version of the document that has this short name, or had it.
pub async fn find_version(db: &mut impl Sql, slug: &str, version: u32, key: &SealKey) -> Result<Option<PolicyRow>> {
    let rest = " WHERE slug = $1 AND version = $2 ORDER BY valid_from DESC LIMIT 1";
    let rows = db.sql(rows_of::<PolicyRow>(rest)).bind(slug.to_owned()).bind(i64::from(version)).all().await?;
    Ok(whole(rows, key).pop())
}

/// Every version of a document, the newest first.
pub async fn versions(db: &mut impl Sql, policy: &str, key: &SealKey) -> Result<Vec<PolicyRow>> {
    let rows = db
        .sql(rows_of::<PolicyRow>(" WHERE policy_id = $1 ORDER BY version DESC"))
        .bind(policy.to_owned())
        .all()
        .await?;
    Ok(whole(rows, key))
}

/// The same, kept for this change.
pub async fn lock_versions(tx: &mut Tx, policy: &str, key: &SealKey) -> Result<Vec<PolicyRow>> {
    let rows = tx
        .lock(rows_of::<PolicyRow>(" WHERE policy_id = $1 ORDER BY version DESC"))
        .bind(policy.to_owned())
        .all()
        .await?;
    Ok(whole(rows, key))
}

pub async fn insert(tx: &mut Tx, row: &PolicyRow) -> Result<u64> {
    table::insert(tx, row).await
}

pub async fn close(tx: &mut Tx, id: &str, at: Moment) -> Result<u64> {
    tx.sql("UPDATE policies SET valid_to = $1 WHERE id = $2 AND valid_to IS NULL")
        .bind(at)
        .bind(id.to_owned())
        .execute()
        .await
}

pub async fn drafts(db: &mut impl Sql) -> Result<Vec<Draft>> {
    db.sql(select(DRAFT, " ORDER BY slug")).all().await
}

pub async fn find_draft(db: &mut impl Sql, policy: &str) -> Result<Option<Draft>> {
    db.sql(select(DRAFT, " WHERE policy_id = $1")).bind(policy.to_owned()).optional().await
}

/// Zero rows: the short name is another draft's.
pub async fn insert_draft(tx: &mut Tx, draft: &Draft) -> Result<u64> {
    tx.sql(
        "INSERT INTO policy_drafts (policy_id, slug, name, text, revision, edited_by, edited_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(draft.policy_id.clone())
    .bind(draft.slug.clone())
    .bind(draft.name.clone())
    .bind(draft.text.clone())
    .bind(draft.revision)
    .bind(draft.edited_by.clone())
    .bind(draft.edited_at)
    .execute()
    .await
}

/// Zero rows: somebody saved since the revision before.
pub async fn save_draft(tx: &mut Tx, draft: &Draft) -> Result<u64> {
    tx.sql(
        "UPDATE policy_drafts SET name = $1, text = $2, revision = $3, edited_by = $4, edited_at = $5 \
         WHERE policy_id = $6 AND revision = $7",
    )
    .bind(draft.name.clone())
    .bind(draft.text.clone())
    .bind(draft.revision)
    .bind(draft.edited_by.clone())
    .bind(draft.edited_at)
    .bind(draft.policy_id.clone())
    .bind(draft.revision - 1)
    .execute()
    .await
}

pub async fn remove_draft(tx: &mut Tx, policy: &str) -> Result<u64> {
    tx.sql("DELETE FROM policy_drafts WHERE policy_id = $1").bind(policy.to_owned()).execute().await
}

/// Short names of projects and environments, by id.
pub async fn short_names(db: &mut impl Sql) -> Result<Vec<(String, String)>> {
    let mut names: Vec<(String, String)> = db.sql("SELECT id, slug FROM projects").all().await?;
    names.extend(db.sql("SELECT id, slug FROM environments").all::<(String, String)>().await?);
    Ok(names)
}
