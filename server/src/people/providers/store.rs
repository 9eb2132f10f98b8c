//! SQL of identity providers, rules of groups, identities and emergency accounts.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check, whole},
    },
    db::{Result, Sql},
    sealed_table,
    table::{self, rows_of},
};
use app::{
    people::provider::{Gives, Rule, Settings},
    policies::model::Role,
    time::Moment,
};
use std::collections::BTreeSet;

sealed_table! {
    pub struct Provider in "identity_providers" {
        id: String,
        provider_id: String,
        name: String,
        issuer: String,
        client_id: String,
        sealed_secret: String,
        groups_claim: String,
        admits: bool,
        acr: Option<String>,
        max_age: Option<i32>,
        set_by: String,
        valid_from: Moment,
        valid_to: Option<Moment>,
    }
}

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

sealed_table! {
    pub struct GroupRule in "group_rules" {
        id: String,
        provider_id: String,
        group_name: String,
        role: Option<String>,
        project_id: Option<String>,
        team_id: Option<String>,
        set_by: String,
        valid_from: Moment,
        valid_to: Option<Moment>,
    }
}

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

sealed_table! {
    pub struct Identity in "identities" {
        id: String,
        issuer: String,
        subject: String,
        person_id: String,
        groups_told: String,
        groups_at: Moment,
        valid_from: Moment,
        valid_to: Option<Moment>,
    }
}

impl Identity {
    pub fn groups(&self) -> BTreeSet<String> {
        serde_json::from_str(&self.groups_told).unwrap_or_default()
    }
}

sealed_table! {
    pub struct EmergencyAccount in "emergency_accounts" {
        id: String,
        person_id: String,
        named_by: String,
        valid_from: Moment,
        valid_to: Option<Moment>,
    }
}

/// The providers in use, by name.
pub async fn providers(db: &mut impl Sql, key: &SealKey) -> Result<Vec<Provider>> {
    let rows = db.sql(rows_of::<Provider>(" WHERE valid_to IS NULL ORDER BY name, id")).all().await?;
    Ok(whole(rows, key))
}

pub async fn find(db: &mut impl Sql, provider: &str, key: &SealKey) -> Result<Option<Provider>> {
    let row = db
        .sql(rows_of::<Provider>(" WHERE provider_id = $1 AND valid_to IS NULL"))
        .bind(provider.to_owned())
        .optional();
    Ok(row.await?.and_then(|row| check(row, key)))
}

/// The provider, kept for this change: what it vouches for and what its rules give do not change meanwhile.
pub async fn lock(tx: &mut Tx, provider: &str, key: &SealKey) -> Result<Option<Provider>> {
    let row = tx.lock(rows_of::<Provider>(" WHERE provider_id = $1 AND valid_to IS NULL")).bind(provider.to_owned());
    Ok(row.optional().await?.and_then(|row| check(row, key)))
}

/// Is any provider in use? A row that fails its seal opens nothing, and makes nobody’s password work either.
pub async fn any(db: &mut impl Sql) -> Result<bool> {
    let (count,): (i64,) = db.sql("SELECT COUNT(*) FROM identity_providers WHERE valid_to IS NULL").one().await?;
    Ok(count > 0)
}

pub async fn insert(tx: &mut Tx, row: &Provider) -> Result<u64> {
    table::insert_new(tx, row).await
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
        .sql(rows_of::<GroupRule>(" WHERE provider_id = $1 AND valid_to IS NULL ORDER BY id"))
        .bind(provider.to_owned())
        .all()
        .await?;
    Ok(whole(rows, key))
}

pub async fn find_rule(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<GroupRule>> {
    let row = db.sql(rows_of::<GroupRule>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn insert_rule(tx: &mut Tx, row: &GroupRule) -> Result<u64> {
    table::insert(tx, row).await
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
        .sql(rows_of::<Identity>(" WHERE issuer = $1 AND subject = $2 AND valid_to IS NULL"))
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
    let row = db.sql(rows_of::<Identity>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn identities_of(db: &mut impl Sql, person: &str, key: &SealKey) -> Result<Vec<Identity>> {
    let rows = db
        .sql(rows_of::<Identity>(" WHERE person_id = $1 AND valid_to IS NULL ORDER BY id"))
        .bind(person.to_owned())
        .all()
        .await?;
    Ok(whole(rows, key))
}

/// Everybody for whom an issuer vouches.
pub async fn identities_at(db: &mut impl Sql, issuer: &str, key: &SealKey) -> Result<Vec<Identity>> {
    let rows = db
        .sql(rows_of::<Identity>(" WHERE issuer = $1 AND valid_to IS NULL ORDER BY id"))
        .bind(issuer.to_owned())
        .all()
        .await?;
    Ok(whole(rows, key))
}

pub async fn insert_identity(tx: &mut Tx, row: &Identity) -> Result<u64> {
    table::insert_new(tx, row).await
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
    let rows = db.sql(rows_of::<EmergencyAccount>(" WHERE valid_to IS NULL ORDER BY id")).all().await?;
    Ok(whole(rows, key))
}

/// Keeps every emergency account for this change.
pub async fn lock_emergency_accounts(tx: &mut Tx) -> Result<()> {
    let _: Vec<(String,)> =
        tx.lock("SELECT id FROM emergency_accounts WHERE valid_to IS NULL ORDER BY id").all().await?;
    Ok(())
}

pub async fn insert_emergency(tx: &mut Tx, row: &EmergencyAccount) -> Result<u64> {
    table::insert(tx, row).await
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
