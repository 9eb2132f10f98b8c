//! SQL of identity providers, rules of groups, identities and emergency accounts.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check, whole},
    },
    db::{Result, Sql, select},
    sealed_row,
};
use app::{
    people::provider::{Gives, Rule, Settings},
    policies::model::Role,
    time::Moment,
};
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Provider {
    pub id: String,
    pub provider_id: String,
    pub name: String,
    pub issuer: String,
    pub client_id: String,
    pub sealed_secret: String,
    pub groups_claim: String,
    pub admits: bool,
    pub acr: Option<String>,
    pub max_age: Option<i32>,
    pub set_by: String,
    pub valid_from: Moment,
    pub valid_to: Option<Moment>,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(Provider, "identity_providers", PROVIDER);

impl Provider {
    pub fn settings(&self) -> Settings {
        Settings {
            name: self.name.clone(),
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            groups_claim: self.groups_claim.clone(),
            admits: self.admits,
            acr: self.acr.clone(),
            max_age: self.max_age.and_then(|seconds| u32::try_from(seconds).ok()),
        }
    }
}

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct GroupRule {
    pub id: String,
    pub provider_id: String,
    pub group_name: String,
    pub role: Option<String>,
    pub project_id: Option<String>,
    pub team_id: Option<String>,
    pub set_by: String,
    pub valid_from: Moment,
    pub valid_to: Option<Moment>,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(GroupRule, "group_rules", RULE);

impl GroupRule {
    /// As the pure rules take it; a role that this version does not know gives nothing.
    pub fn rule(&self) -> Option<Rule> {
        let gives = match (&self.role, &self.team_id) {
            (Some(role), None) => Gives::Role { role: Role::from_code(role)?, project: self.project_id.clone() },
            (None, Some(team)) => Gives::Team { team: team.clone() },
            _ => return None,
        };
        Some(Rule { id: self.id.clone(), group: self.group_name.clone(), gives })
    }
}

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Identity {
    pub id: String,
    pub issuer: String,
    pub subject: String,
    pub person_id: String,
    pub groups_told: String,
    pub groups_at: Moment,
    pub valid_from: Moment,
    pub valid_to: Option<Moment>,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(Identity, "identities", IDENTITY);

impl Identity {
    pub fn groups(&self) -> BTreeSet<String> {
        serde_json::from_str(&self.groups_told).unwrap_or_default()
    }
}

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct EmergencyAccount {
    pub id: String,
    pub person_id: String,
    pub named_by: String,
    pub valid_from: Moment,
    pub valid_to: Option<Moment>,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(EmergencyAccount, "emergency_accounts", EMERGENCY);

const PROVIDER: &str = "SELECT id, provider_id, name, issuer, client_id, sealed_secret, groups_claim, admits, acr, max_age, \
                        set_by, valid_from, valid_to, event_seq, row_mac FROM identity_providers";
const RULE: &str = "SELECT id, provider_id, group_name, role, project_id, team_id, set_by, valid_from, valid_to, event_seq, \
                    row_mac FROM group_rules";
const IDENTITY: &str = "SELECT id, issuer, subject, person_id, groups_told, groups_at, valid_from, valid_to, \
                        event_seq, row_mac FROM identities";
const EMERGENCY: &str =
    "SELECT id, person_id, named_by, valid_from, valid_to, event_seq, row_mac FROM emergency_accounts";

/// The providers in use, by name.
pub async fn providers(db: &mut impl Sql, key: &SealKey) -> Result<Vec<Provider>> {
    let rows = db.sql(select(PROVIDER, " WHERE valid_to IS NULL ORDER BY name, id")).all().await?;
    Ok(whole(rows, key))
}

pub async fn find(db: &mut impl Sql, provider: &str, key: &SealKey) -> Result<Option<Provider>> {
    let row =
        db.sql(select(PROVIDER, " WHERE provider_id = $1 AND valid_to IS NULL")).bind(provider.to_owned()).optional();
    Ok(row.await?.and_then(|row| check(row, key)))
}

/// The provider, kept for this change: what it vouches for and what its rules give do not change meanwhile.
pub async fn lock(tx: &mut Tx, provider: &str, key: &SealKey) -> Result<Option<Provider>> {
    let row = tx.lock(select(PROVIDER, " WHERE provider_id = $1 AND valid_to IS NULL")).bind(provider.to_owned());
    Ok(row.optional().await?.and_then(|row| check(row, key)))
}

/// Is any provider in use? A row that fails its seal opens nothing, and makes nobody’s password work either.
pub async fn any(db: &mut impl Sql) -> Result<bool> {
    let (count,): (i64,) = db.sql("SELECT COUNT(*) FROM identity_providers WHERE valid_to IS NULL").one().await?;
    Ok(count > 0)
}

pub async fn insert(tx: &mut Tx, row: &Provider) -> Result<u64> {
    tx.sql(
        "INSERT INTO identity_providers (id, provider_id, name, issuer, client_id, sealed_secret, groups_claim, admits, acr, \
         max_age, set_by, valid_from, valid_to, event_seq, row_mac) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING",
    )
    .bind(row.id.clone())
    .bind(row.provider_id.clone())
    .bind(row.name.clone())
    .bind(row.issuer.clone())
    .bind(row.client_id.clone())
    .bind(row.sealed_secret.clone())
    .bind(row.groups_claim.clone())
    .bind(row.admits)
    .bind(row.acr.clone())
    .bind(row.max_age)
    .bind(row.set_by.clone())
    .bind(row.valid_from)
    .bind(row.valid_to)
    .bind(row.event_seq)
    .bind(row.row_mac.clone())
    .execute()
    .await
}

pub async fn close(tx: &mut Tx, id: &str, at: Moment) -> Result<u64> {
    tx.sql("UPDATE identity_providers SET valid_to = $1 WHERE id = $2 AND valid_to IS NULL")
        .bind(at)
        .bind(id.to_owned())
        .execute()
        .await
}

/// The rules of a provider, oldest first.
pub async fn rules(db: &mut impl Sql, provider: &str, key: &SealKey) -> Result<Vec<GroupRule>> {
    let rows = db
        .sql(select(RULE, " WHERE provider_id = $1 AND valid_to IS NULL ORDER BY id"))
        .bind(provider.to_owned())
        .all()
        .await?;
    Ok(whole(rows, key))
}

pub async fn find_rule(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<GroupRule>> {
    let row = db.sql(select(RULE, " WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn insert_rule(tx: &mut Tx, row: &GroupRule) -> Result<u64> {
    tx.sql(
        "INSERT INTO group_rules (id, provider_id, group_name, role, project_id, team_id, set_by, valid_from, valid_to, \
         event_seq, row_mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(row.id.clone())
    .bind(row.provider_id.clone())
    .bind(row.group_name.clone())
    .bind(row.role.clone())
    .bind(row.project_id.clone())
    .bind(row.team_id.clone())
    .bind(row.set_by.clone())
    .bind(row.valid_from)
    .bind(row.valid_to)
    .bind(row.event_seq)
    .bind(row.row_mac.clone())
    .execute()
    .await
}

pub async fn close_rule(tx: &mut Tx, id: &str, at: Moment) -> Result<u64> {
    tx.sql("UPDATE group_rules SET valid_to = $1 WHERE id = $2 AND valid_to IS NULL")
        .bind(at)
        .bind(id.to_owned())
        .execute()
        .await
}

/// Whose an identity is: by issuer and subject, letter by letter.
pub async fn identity(db: &mut impl Sql, issuer: &str, subject: &str, key: &SealKey) -> Result<Option<Identity>> {
    let row = db
        .sql(select(IDENTITY, " WHERE issuer = $1 AND subject = $2 AND valid_to IS NULL"))
        .bind(issuer.to_owned())
        .bind(subject.to_owned())
        .optional()
        .await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// Whose an identity was once, and is no more.
pub async fn former_owner(db: &mut impl Sql, issuer: &str, subject: &str) -> Result<Option<String>> {
    let row: Option<(String,)> = db
        .sql(
            "SELECT person_id FROM identities WHERE issuer = $1 AND subject = $2 AND valid_to IS NOT NULL \
             ORDER BY id DESC LIMIT 1",
        )
        .bind(issuer.to_owned())
        .bind(subject.to_owned())
        .optional()
        .await?;
    Ok(row.map(|(person,)| person))
}

pub async fn find_identity(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Identity>> {
    let row = db.sql(select(IDENTITY, " WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn identities_of(db: &mut impl Sql, person: &str, key: &SealKey) -> Result<Vec<Identity>> {
    let rows = db
        .sql(select(IDENTITY, " WHERE person_id = $1 AND valid_to IS NULL ORDER BY id"))
        .bind(person.to_owned())
        .all()
        .await?;
    Ok(whole(rows, key))
}

/// Everybody for whom an issuer vouches.
pub async fn identities_at(db: &mut impl Sql, issuer: &str, key: &SealKey) -> Result<Vec<Identity>> {
    let rows = db
        .sql(select(IDENTITY, " WHERE issuer = $1 AND valid_to IS NULL ORDER BY id"))
        .bind(issuer.to_owned())
        .all()
        .await?;
    Ok(whole(rows, key))
}

pub async fn insert_identity(tx: &mut Tx, row: &Identity) -> Result<u64> {
    tx.sql(
        "INSERT INTO identities (id, issuer, subject, person_id, groups_told, groups_at, valid_from, valid_to, event_seq, \
         row_mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    )
    .bind(row.id.clone())
    .bind(row.issuer.clone())
    .bind(row.subject.clone())
    .bind(row.person_id.clone())
    .bind(row.groups_told.clone())
    .bind(row.groups_at)
    .bind(row.valid_from)
    .bind(row.valid_to)
    .bind(row.event_seq)
    .bind(row.row_mac.clone())
    .execute()
    .await
}

pub async fn save_groups(tx: &mut Tx, row: &Identity) -> Result<u64> {
    tx.sql("UPDATE identities SET groups_told = $1, groups_at = $2 WHERE id = $3 AND valid_to IS NULL")
        .bind(row.groups_told.clone())
        .bind(row.groups_at)
        .bind(row.id.clone())
        .execute()
        .await
}

pub async fn close_identity(tx: &mut Tx, id: &str, at: Moment) -> Result<u64> {
    tx.sql("UPDATE identities SET valid_to = $1 WHERE id = $2 AND valid_to IS NULL")
        .bind(at)
        .bind(id.to_owned())
        .execute()
        .await
}

/// The accounts that go on signing in here where a provider is used.
pub async fn emergency_accounts(db: &mut impl Sql, key: &SealKey) -> Result<Vec<EmergencyAccount>> {
    let rows = db.sql(select(EMERGENCY, " WHERE valid_to IS NULL ORDER BY id")).all().await?;
    Ok(whole(rows, key))
}

/// Keeps every emergency account for this change.
pub async fn lock_emergency_accounts(tx: &mut Tx) -> Result<()> {
    let _: Vec<(String,)> =
        tx.lock("SELECT id FROM emergency_accounts WHERE valid_to IS NULL ORDER BY id").all().await?;
    Ok(())
}

pub async fn insert_emergency(tx: &mut Tx, row: &EmergencyAccount) -> Result<u64> {
    tx.sql(
        "INSERT INTO emergency_accounts (id, person_id, named_by, valid_from, valid_to, event_seq, row_mac) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(row.id.clone())
    .bind(row.person_id.clone())
    .bind(row.named_by.clone())
    .bind(row.valid_from)
    .bind(row.valid_to)
    .bind(row.event_seq)
    .bind(row.row_mac.clone())
    .execute()
    .await
}

pub async fn close_emergency(tx: &mut Tx, id: &str, at: Moment) -> Result<u64> {
    tx.sql("UPDATE emergency_accounts SET valid_to = $1 WHERE id = $2 AND valid_to IS NULL")
        .bind(at)
        .bind(id.to_owned())
        .execute()
        .await
}

/// Takes a logout token, once.
pub async fn use_logout(tx: &mut impl Sql, digest: &str, expires_at: Moment) -> Result<u64> {
    tx.sql("INSERT INTO used_logouts (digest, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(digest.to_owned())
        .bind(expires_at)
        .execute()
        .await
}

pub async fn forget_logouts(tx: &mut impl Sql, now: Moment) -> Result<u64> {
    tx.sql("DELETE FROM used_logouts WHERE expires_at < $1").bind(now).execute().await
}
