//! SQL of versions, environment keys, knowledge and stashes.
use super::envelope::Stored;
use crate::{
    audit::ledger::Tx,
    db::{Result, Sql, Statement},
    jobs::store::except,
};
use app::{catalog::model::Death, time::Moment};

/// A version without its value.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Version {
    pub secret_id: String,
    pub version: i32,
    pub environment_id: String,
    pub key_generation: i32,
    pub field_names: String,
    pub length: i32,
    pub created_by: Option<String>,
    pub created_at: Moment,
    pub deleted_at: Option<Moment>,
    pub destroy_after: Option<Moment>,
    pub destroy_by: Option<String>,
    pub destroyed_at: Option<Moment>,
    /// When its credential was shown, or attested, to be dead, and which of the two.
    pub dead_at: Option<Moment>,
    pub death: Option<String>,
    /// Until when it works by its own date: a certificate's notAfter, a role's `VALID UNTIL`.
    pub valid_until: Option<Moment>,
}

impl Version {
    /// Can its value be read at all?
    pub fn is_there(&self) -> bool {
        self.deleted_at.is_none() && self.destroyed_at.is_none()
    }

    pub fn death(&self) -> Option<Death> {
        self.death.as_deref().and_then(Death::from_code)
    }
}

const VERSION: &str = "SELECT secret_id, version, environment_id, key_generation, field_names, length, created_by, \
                       created_at, deleted_at, destroy_after, destroy_by, destroyed_at, dead_at, death, valid_until \
                       FROM secret_versions";

fn select(rest: &'static str) -> Statement {
    let mut statement = Statement::from(VERSION);
    statement.push(rest);
    statement
}

pub async fn versions(db: &mut impl Sql, secret: &str) -> Result<Vec<Version>> {
    db.sql(select(" WHERE secret_id = $1 ORDER BY version DESC")).bind(secret.to_owned()).all().await
}

pub async fn find(db: &mut impl Sql, secret: &str, version: i32) -> Result<Option<Version>> {
    db.sql(select(" WHERE secret_id = $1 AND version = $2")).bind(secret.to_owned()).bind(version).optional().await
}

/// When the current values of some secrets were written.
pub async fn written_at(db: &mut impl Sql, secrets: &[String]) -> Result<Vec<(String, Moment)>> {
    let mut found = Vec::new();
    for ids in secrets.chunks(200) {
        let mut statement = Statement::from(
            "SELECT v.secret_id, v.created_at FROM secrets s JOIN secret_versions v ON v.secret_id = s.id \
             AND v.version = s.current_version WHERE s.id IN ",
        );
        statement.rows(1, ids.len());
        let mut asked = db.sql(statement);
        for id in ids {
            asked = asked.bind(id.clone());
        }
        found.extend(asked.all::<(String, Moment)>().await?);
    }
    Ok(found)
}

/// Every current version of a project's secrets, for the matrix.
pub async fn current_of(db: &mut impl Sql, project: &str) -> Result<Vec<Version>> {
    db.sql(
        "SELECT v.secret_id, v.version, v.environment_id, v.key_generation, v.field_names, v.length, v.created_by, \
         v.created_at, v.deleted_at, v.destroy_after, v.destroy_by, v.destroyed_at, v.dead_at, v.death, \
         v.valid_until FROM secret_versions v JOIN secrets s ON s.id = v.secret_id AND s.current_version = v.version WHERE s.project_id = $1",
    )
    .bind(project.to_owned())
    .all()
    .await
}

/// The sealed value of a version.
pub async fn sealed(db: &mut impl Sql, secret: &str, version: i32) -> Result<Option<Stored>> {
    let row: Option<(i32, Vec<u8>, Vec<u8>)> = db
        .sql(
            "SELECT key_generation, data_key, payload FROM secret_versions \
             WHERE secret_id = $1 AND version = $2 AND deleted_at IS NULL AND destroyed_at IS NULL",
        )
        .bind(secret.to_owned())
        .bind(version)
        .optional()
        .await?;
    Ok(row.map(|(generation, data_key, payload)| Stored { generation: generation as u32, data_key, payload }))
}

fn numbered((version, generation, data_key, payload): (i32, i32, Vec<u8>, Vec<u8>)) -> (i32, Stored) {
    (version, Stored { generation: generation as u32, data_key, payload })
}

/// The sealed values of a secret that are not destroyed, for moving it.
pub async fn all_sealed(db: &mut impl Sql, secret: &str) -> Result<Vec<(i32, Stored)>> {
    let rows: Vec<_> = db
        .sql(
            "SELECT version, key_generation, data_key, payload FROM secret_versions \
             WHERE secret_id = $1 AND destroyed_at IS NULL ORDER BY version",
        )
        .bind(secret.to_owned())
        .all()
        .await?;
    Ok(rows.into_iter().map(numbered).collect())
}

/// The newest values of a secret that are not destroyed, deleted ones included.
pub async fn newest_sealed(db: &mut impl Sql, secret: &str, limit: u32) -> Result<Vec<(i32, Stored)>> {
    let rows: Vec<_> = db
        .sql(
            "SELECT version, key_generation, data_key, payload FROM secret_versions \
             WHERE secret_id = $1 AND destroyed_at IS NULL ORDER BY version DESC LIMIT $2",
        )
        .bind(secret.to_owned())
        .bind(i64::from(limit))
        .all()
        .await?;
    Ok(rows.into_iter().map(numbered).collect())
}

pub async fn insert(tx: &mut impl Sql, version: &Version, stored: &Stored) -> Result<u64> {
    tx.sql(
        "INSERT INTO secret_versions (secret_id, version, environment_id, key_generation, data_key, payload, \
         field_names, length, created_by, created_at, valid_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(version.secret_id.clone())
    .bind(version.version)
    .bind(version.environment_id.clone())
    .bind(stored.generation as i32)
    .bind(stored.data_key.clone())
    .bind(stored.payload.clone())
    .bind(version.field_names.clone())
    .bind(version.length)
    .bind(version.created_by.clone())
    .bind(version.created_at)
    .bind(version.valid_until)
    .execute()
    .await
}

pub async fn set_deleted(tx: &mut impl Sql, secret: &str, version: i32, at: Option<Moment>) -> Result<u64> {
    tx.sql("UPDATE secret_versions SET deleted_at = $1 WHERE secret_id = $2 AND version = $3 AND destroyed_at IS NULL")
        .bind(at)
        .bind(secret.to_owned())
        .bind(version)
        .execute()
        .await
}

pub async fn schedule_destruction(
    tx: &mut impl Sql,
    secret: &str,
    version: i32,
    by: &str,
    after: Moment,
    now: Moment,
) -> Result<u64> {
    tx.sql(
        "UPDATE secret_versions SET destroy_by = $1, destroy_after = $2, deleted_at = COALESCE(deleted_at, $3) \
         WHERE secret_id = $4 AND version = $5 AND destroyed_at IS NULL AND destroy_after IS NULL",
    )
    .bind(by.to_owned())
    .bind(after)
    .bind(now)
    .bind(secret.to_owned())
    .bind(version)
    .execute()
    .await
}

/// Overwrites the sealed bytes; the row stays as the record of a version that was.
pub async fn destroy(tx: &mut impl Sql, secret: &str, version: i32, at: Moment) -> Result<u64> {
    tx.sql(
        "UPDATE secret_versions SET destroyed_at = $1, data_key = $2, payload = $3 \
         WHERE secret_id = $4 AND version = $5 AND destroyed_at IS NULL",
    )
    .bind(at)
    .bind(Vec::<u8>::new())
    .bind(Vec::<u8>::new())
    .bind(secret.to_owned())
    .bind(version)
    .execute()
    .await
}

pub async fn save_data_key(tx: &mut impl Sql, secret: &str, version: i32, stored: &Stored) -> Result<u64> {
    tx.sql("UPDATE secret_versions SET key_generation = $1, data_key = $2 WHERE secret_id = $3 AND version = $4")
        .bind(stored.generation as i32)
        .bind(stored.data_key.clone())
        .bind(secret.to_owned())
        .bind(version)
        .execute()
        .await
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct EnvironmentKey {
    pub generation: i32,
    pub wrapped: Vec<u8>,
    pub state: String,
    pub created_at: Moment,
}

pub const ACTIVE: &str = "active";
pub const DECRYPT_ONLY: &str = "decrypt-only";
pub const DESTROYED: &str = "destroyed";

/// An environment's keys, newest first.
pub async fn keys(db: &mut impl Sql, environment: &str) -> Result<Vec<EnvironmentKey>> {
    db.sql(
        "SELECT generation, wrapped, state, created_at FROM environment_keys WHERE environment_id = $1 \
         ORDER BY generation DESC",
    )
    .bind(environment.to_owned())
    .all()
    .await
}

/// Keeps a key for this change; says whether it still exists.
pub async fn lock_key(tx: &mut Tx, environment: &str, generation: i32) -> Result<bool> {
    let row: Option<(String,)> = tx
        .lock("SELECT state FROM environment_keys WHERE environment_id = $1 AND generation = $2")
        .bind(environment.to_owned())
        .bind(generation)
        .optional()
        .await?;
    Ok(row.is_some_and(|(state,)| state != DESTROYED))
}

pub async fn insert_key(tx: &mut impl Sql, environment: &str, key: &EnvironmentKey) -> Result<u64> {
    tx.sql(
        "INSERT INTO environment_keys (environment_id, generation, wrapped, state, created_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(environment.to_owned())
    .bind(key.generation)
    .bind(key.wrapped.clone())
    .bind(key.state.clone())
    .bind(key.created_at)
    .execute()
    .await
}

pub async fn retire_keys(tx: &mut impl Sql, environment: &str, below: i32) -> Result<u64> {
    tx.sql("UPDATE environment_keys SET state = $1 WHERE environment_id = $2 AND generation < $3 AND state = $4")
        .bind(DECRYPT_ONLY)
        .bind(environment.to_owned())
        .bind(below)
        .bind(ACTIVE)
        .execute()
        .await
}

pub async fn destroy_key(tx: &mut impl Sql, environment: &str, generation: i32) -> Result<u64> {
    tx.sql(
        "UPDATE environment_keys SET state = $1, wrapped = $2 WHERE environment_id = $3 AND generation = $4 AND state = $5",
    )
    .bind(DESTROYED)
    .bind(Vec::<u8>::new())
    .bind(environment.to_owned())
    .bind(generation)
    .bind(DECRYPT_ONLY)
    .execute()
    .await
}

/// Versions still sealed below a key generation, a batch at a time: `(secret, version)`.
pub async fn sealed_below(
    db: &mut impl Sql,
    environment: &str,
    generation: i32,
    limit: u32,
) -> Result<Vec<(String, i32)>> {
    db.sql(
        "SELECT secret_id, version FROM secret_versions WHERE environment_id = $1 AND key_generation < $2 \
         AND destroyed_at IS NULL ORDER BY key_generation, secret_id, version LIMIT $3",
    )
    .bind(environment.to_owned())
    .bind(generation)
    .bind(i64::from(limit))
    .all()
    .await
}

pub async fn count_sealed_with(db: &mut impl Sql, environment: &str, generation: i32) -> Result<i64> {
    let (count,): (i64,) = db
        .sql(
            "SELECT COUNT(*) FROM secret_versions WHERE environment_id = $1 AND key_generation = $2 \
             AND destroyed_at IS NULL",
        )
        .bind(environment.to_owned())
        .bind(generation)
        .one()
        .await?;
    Ok(count)
}

/// Somebody knows a version from now on. Knowing it twice is knowing it since the first time.
pub async fn learn(
    tx: &mut impl Sql,
    secret: &str,
    version: i32,
    person: &str,
    how: &str,
    since: Moment,
) -> Result<u64> {
    tx.sql(
        "INSERT INTO knowledge (secret_id, version, person_id, how, since) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT DO NOTHING",
    )
    .bind(secret.to_owned())
    .bind(version)
    .bind(person.to_owned())
    .bind(how.to_owned())
    .bind(since)
    .execute()
    .await
}

/// Notes that a version's credential is dead, and how that is known, or that it works after all.
pub async fn note_death(tx: &mut impl Sql, secret: &str, version: i32, death: Option<(Moment, Death)>) -> Result<u64> {
    tx.sql("UPDATE secret_versions SET dead_at = $1, death = $2 WHERE secret_id = $3 AND version = $4")
        .bind(death.map(|(at, _)| at))
        .bind(death.map(|(_, how)| how.code().to_owned()))
        .bind(secret.to_owned())
        .bind(version)
        .execute()
        .await
}

/// It is not known any more that a version is dead: its own date, if it has one, is looked at again.
pub async fn doubt_death(tx: &mut impl Sql, secret: &str, version: i32, now: Moment) -> Result<u64> {
    note_death(tx, secret, version, None).await?;
    match find(tx, secret, version).await?.and_then(|row| row.valid_until) {
        Some(until) => note_look(tx, secret, version, until.max(now)).await,
        None => Ok(0),
    }
}

/// Deletes a version whose credential no target takes, or takes any more: it can be restored to be looked at, and is never
/// handed out again.
pub async fn withdraw(tx: &mut impl Sql, secret: &str, version: i32, at: Moment) -> Result<u64> {
    set_deleted(tx, secret, version, Some(at)).await?;
    note_death(tx, secret, version, Some((at, Death::Withdrawn))).await
}

/// Notes until when a version works by its own date.
pub async fn note_valid_until(tx: &mut impl Sql, secret: &str, version: i32, until: Moment) -> Result<u64> {
    tx.sql("UPDATE secret_versions SET valid_until = $1 WHERE secret_id = $2 AND version = $3")
        .bind(until)
        .bind(secret.to_owned())
        .bind(version)
        .execute()
        .await
}

/// Notes when to look at a version that ends by its own date.
pub async fn note_look(tx: &mut impl Sql, secret: &str, version: i32, at: Moment) -> Result<u64> {
    tx.sql(
        "INSERT INTO expiry_looks (secret_id, version, look_at) VALUES ($1, $2, $3) \
         ON CONFLICT (secret_id, version) DO UPDATE SET look_at = excluded.look_at",
    )
    .bind(secret.to_owned())
    .bind(version)
    .bind(at)
    .execute()
    .await
}

pub async fn forget_look(tx: &mut impl Sql, secret: &str, version: i32) -> Result<u64> {
    tx.sql("DELETE FROM expiry_looks WHERE secret_id = $1 AND version = $2")
        .bind(secret.to_owned())
        .bind(version)
        .execute()
        .await
}

/// Versions to look at, the longest due first: `(secret, version, due)`.
pub async fn looks(db: &mut impl Sql, now: Moment, job: &'static str, limit: u32) -> Result<Vec<String>> {
    let mut due = Statement::from("SELECT secret_id || ':' || version FROM expiry_looks WHERE look_at <= $1");
    except(&mut due, job, "secret_id || ':' || version");
    due.push(" ORDER BY look_at LIMIT $2");
    let rows: Vec<(String,)> = db.sql(due).bind(now).bind(i64::from(limit)).all().await?;
    Ok(rows.into_iter().map(|(item,)| item).collect())
}

/// When it is looked at a version.
pub async fn look_at(db: &mut impl Sql, secret: &str, version: i32) -> Result<Option<Moment>> {
    let query = db.sql("SELECT look_at FROM expiry_looks WHERE secret_id = $1 AND version = $2");
    let row: Option<(Moment,)> = query.bind(secret.to_owned()).bind(version).optional().await?;
    Ok(row.map(|(at,)| at))
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Knowing {
    pub secret_id: String,
    pub version: i32,
    pub person_id: String,
    pub name: String,
    pub how: String,
    pub since: Moment,
}

/// Who knows versions of a secret that may still work: a dead one opens nothing any more.
pub async fn knowing(db: &mut impl Sql, secret: &str) -> Result<Vec<Knowing>> {
    db.sql(
        "SELECT k.secret_id, k.version, k.person_id, p.name, k.how, k.since FROM knowledge k \
         JOIN people p ON p.id = k.person_id \
         JOIN secret_versions v ON v.secret_id = k.secret_id AND v.version = k.version AND v.death IS NULL \
         WHERE k.secret_id = $1 ORDER BY k.version DESC, p.name",
    )
    .bind(secret.to_owned())
    .all()
    .await
}

/// Who knows versions in a project that may still work, by secret and version.
pub async fn knowing_in(db: &mut impl Sql, project: &str) -> Result<Vec<Knowing>> {
    db.sql(
        "SELECT k.secret_id, k.version, k.person_id, p.name, k.how, k.since FROM knowledge k \
         JOIN people p ON p.id = k.person_id JOIN secrets s ON s.id = k.secret_id \
         JOIN secret_versions v ON v.secret_id = k.secret_id AND v.version = k.version AND v.death IS NULL \
         WHERE s.project_id = $1 ORDER BY k.secret_id, k.version DESC, p.name",
    )
    .bind(project.to_owned())
    .all()
    .await
}

/// Who knew which version, from when until its credential was dead. Destroying the value here ends no knowledge.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct KnowledgeSpan {
    pub secret_id: String,
    pub version: i32,
    pub environment_id: String,
    pub person_id: String,
    pub since: Moment,
    pub until: Option<Moment>,
}

pub async fn knowledge_spans(db: &mut impl Sql) -> Result<Vec<KnowledgeSpan>> {
    db.sql(
        "SELECT k.secret_id, k.version, v.environment_id, k.person_id, k.since, v.dead_at AS until \
         FROM knowledge k JOIN secret_versions v ON v.secret_id = k.secret_id AND v.version = k.version",
    )
    .all()
    .await
}

/// Who knew which version of one secret, and how they came to.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Knowledge {
    pub person_id: String,
    pub version: i32,
    pub how: String,
    pub since: Moment,
    /// When its credential was dead.
    pub until: Option<Moment>,
}

pub async fn knowledge_on(db: &mut impl Sql, secret: &str) -> Result<Vec<Knowledge>> {
    db.sql(
        "SELECT k.person_id, k.version, k.how, k.since, v.dead_at AS until FROM knowledge k \
         JOIN secret_versions v ON v.secret_id = k.secret_id AND v.version = k.version \
         WHERE k.secret_id = $1 ORDER BY k.version DESC, k.since, k.person_id",
    )
    .bind(secret.to_owned())
    .all()
    .await
}

/// Who knows current versions in a project.
pub async fn knowing_current(db: &mut impl Sql, project: &str) -> Result<Vec<Knowing>> {
    db.sql(
        "SELECT k.secret_id, k.version, k.person_id, p.name, k.how, k.since FROM knowledge k \
         JOIN secrets s ON s.id = k.secret_id AND s.current_version = k.version JOIN people p ON p.id = k.person_id \
         WHERE s.project_id = $1 ORDER BY p.name",
    )
    .bind(project.to_owned())
    .all()
    .await
}

/// The versions that one person knows and that may work: those in use, and those that a rotation replaces just now.
pub async fn working_known_to(db: &mut impl Sql, person: &str) -> Result<Vec<(String, i32)>> {
    db.sql(
        "SELECT k.secret_id, k.version FROM knowledge k JOIN secrets s ON s.id = k.secret_id \
         JOIN secret_versions v ON v.secret_id = k.secret_id AND v.version = k.version AND v.death IS NULL \
         WHERE k.person_id = $1 AND s.archived_at IS NULL AND (k.version = s.current_version OR EXISTS (\
         SELECT 1 FROM rotations r WHERE r.secret_id = k.secret_id AND r.from_version = k.version \
         AND r.ended_at IS NULL)) ORDER BY k.secret_id, k.version",
    )
    .bind(person.to_owned())
    .all()
    .await
}

/// What one person knows that is current: secrets' ids.
pub async fn known_to(db: &mut impl Sql, person: &str) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = db
        .sql(
            "SELECT k.secret_id FROM knowledge k JOIN secrets s ON s.id = k.secret_id AND s.current_version = k.version \
             WHERE k.person_id = $1 AND s.archived_at IS NULL ORDER BY k.secret_id",
        )
        .bind(person.to_owned())
        .all()
        .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

pub async fn insert_mark(tx: &mut impl Sql, mark: Vec<u8>, secret: &str, version: i32) -> Result<u64> {
    tx.sql("INSERT INTO value_marks (mark, secret_id, version) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(mark)
        .bind(secret.to_owned())
        .bind(version)
        .execute()
        .await
}

/// Is one of these the mark of a version that may work?
pub async fn is_marked(db: &mut impl Sql, marks: &[Vec<u8>]) -> Result<bool> {
    let mut statement = Statement::from(
        "SELECT m.version FROM value_marks m JOIN secret_versions v ON v.secret_id = m.secret_id AND v.version = m.version \
         WHERE v.death IS NULL AND m.mark IN ",
    );
    statement.rows(1, marks.len());
    statement.push(" LIMIT 1");
    let mut query = db.sql(statement);
    for mark in marks {
        query = query.bind(mark.clone());
    }
    let found: Option<(i32,)> = query.optional().await?;
    Ok(found.is_some())
}

pub async fn insert_stash(tx: &mut impl Sql, id: &str, sealed: Vec<u8>, expires_at: Moment) -> Result<u64> {
    tx.sql("INSERT INTO stashes (id, sealed, expires_at) VALUES ($1, $2, $3)")
        .bind(id.to_owned())
        .bind(sealed)
        .bind(expires_at)
        .execute()
        .await
}

pub async fn find_stash(db: &mut impl Sql, id: &str, now: Moment) -> Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> = db
        .sql("SELECT sealed FROM stashes WHERE id = $1 AND expires_at > $2")
        .bind(id.to_owned())
        .bind(now)
        .optional()
        .await?;
    Ok(row.map(|(sealed,)| sealed))
}

/// A stash is used once: 0 where somebody did before.
pub async fn use_stash(tx: &mut impl Sql, id: &str) -> Result<u64> {
    tx.sql("DELETE FROM stashes WHERE id = $1").bind(id.to_owned()).execute().await
}

pub async fn forget_stashes(tx: &mut impl Sql, now: Moment) -> Result<u64> {
    tx.sql("DELETE FROM stashes WHERE expires_at < $1").bind(now).execute().await
}
