//! SQL of projects, environments and secrets.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check, whole_in},
    },
    db::{Result, Sql, select},
    sealed_row,
};
use app::{
    catalog::model::Kind,
    policies::model::{Class, Tier},
    time::Moment,
};
use serde::Serialize;

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Project {
    pub id: String,
    pub slug: String,
    pub name: String,
    pub description: String,
    pub is_open: bool,
    pub team_id: String,
    pub created_at: Moment,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(Project, "projects", PROJECT);

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Environment {
    pub id: String,
    pub project_id: String,
    pub slug: String,
    pub tier: String,
    pub position: i32,
    pub created_at: Moment,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(Environment, "environments", ENVIRONMENT);

impl Environment {
    /// An unknown level is the strictest.
    pub fn tier(&self) -> Tier {
        Tier::from_code(&self.tier).unwrap_or(Tier::Production)
    }
}

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Secret {
    pub id: String,
    pub project_id: String,
    pub environment_id: String,
    pub path: String,
    pub folded: String,
    pub kind: String,
    pub class: String,
    pub description: String,
    pub team_id: String,
    pub current_version: Option<i32>,
    pub latest_version: i32,
    pub created_at: Moment,
    pub archived_at: Option<Moment>,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(Secret, "secrets", SECRET);

impl Secret {
    /// An unknown class is the strictest.
    pub fn class(&self) -> Class {
        Class::from_code(&self.class).unwrap_or(Class::Critical)
    }

    pub fn kind(&self) -> Kind {
        Kind::from_code(&self.kind).unwrap_or(Kind::Opaque)
    }
}

const PROJECT: &str =
    "SELECT id, slug, name, description, is_open, team_id, created_at, event_seq, row_mac FROM projects";
const ENVIRONMENT: &str =
    "SELECT id, project_id, slug, tier, position, created_at, event_seq, row_mac FROM environments";
const SECRET: &str = "SELECT id, project_id, environment_id, path, folded, kind, class, description, team_id, \
                      current_version, latest_version, created_at, archived_at, event_seq, row_mac FROM secrets";

pub async fn projects(db: &mut impl Sql) -> Result<Vec<Project>> {
    let rows = db.sql(select(PROJECT, " ORDER BY slug")).all().await?;
    Ok(whole_in(db, rows))
}

pub async fn find_project(db: &mut impl Sql, id: &str) -> Result<Option<Project>> {
    let row: Option<Project> = db.sql(select(PROJECT, " WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(whole_in(db, row.into_iter().collect()).pop())
}

pub async fn find_project_by_slug(db: &mut impl Sql, slug: &str) -> Result<Option<Project>> {
    let row: Option<Project> = db.sql(select(PROJECT, " WHERE slug = $1")).bind(slug.to_owned()).optional().await?;
    Ok(whole_in(db, row.into_iter().collect()).pop())
}

pub async fn insert_project(tx: &mut impl Sql, project: &Project) -> Result<u64> {
    tx.sql(
        "INSERT INTO projects (id, slug, name, description, is_open, team_id, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(project.id.clone())
    .bind(project.slug.clone())
    .bind(project.name.clone())
    .bind(project.description.clone())
    .bind(project.is_open)
    .bind(project.team_id.clone())
    .bind(project.created_at)
    .execute()
    .await
}

pub async fn environments(db: &mut impl Sql, project: &str, key: &SealKey) -> Result<Vec<Environment>> {
    let rows: Vec<Environment> = db
        .sql(select(ENVIRONMENT, " WHERE project_id = $1 ORDER BY position, slug"))
        .bind(project.to_owned())
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn all_environments(db: &mut impl Sql, key: &SealKey) -> Result<Vec<Environment>> {
    let rows: Vec<Environment> = db.sql(select(ENVIRONMENT, " ORDER BY project_id, position, slug")).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn find_environment(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Environment>> {
    let row = db.sql(select(ENVIRONMENT, " WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn insert_environment(tx: &mut impl Sql, environment: &Environment) -> Result<u64> {
    tx.sql(
        "INSERT INTO environments (id, project_id, slug, tier, position, created_at, event_seq, row_mac) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    )
    .bind(environment.id.clone())
    .bind(environment.project_id.clone())
    .bind(environment.slug.clone())
    .bind(environment.tier.clone())
    .bind(environment.position)
    .bind(environment.created_at)
    .bind(environment.event_seq)
    .bind(environment.row_mac.clone())
    .execute()
    .await
}

pub async fn find(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Secret>> {
    let row = db.sql(select(SECRET, " WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// Secrets by their ids; what is not there is not among them.
pub async fn some(db: &mut impl Sql, ids: &[String], key: &SealKey) -> Result<Vec<Secret>> {
    let mut found = Vec::new();
    for ids in ids.chunks(200) {
        let mut statement = select(SECRET, " WHERE id IN ");
        statement.rows(1, ids.len());
        let mut asked = db.sql(statement);
        for id in ids {
            asked = asked.bind(id.clone());
        }
        found.extend(asked.all::<Secret>().await?.into_iter().filter_map(|row| check(row, key)));
    }
    Ok(found)
}

/// The secret, kept for this change.
pub async fn lock(tx: &mut Tx, id: &str, key: &SealKey) -> Result<Option<Secret>> {
    let row = tx.lock_one(id).await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// By its place: environment and path, without regard to case.
pub async fn find_at(db: &mut impl Sql, environment: &str, folded: &str, key: &SealKey) -> Result<Option<Secret>> {
    let row = db
        .sql(select(SECRET, " WHERE environment_id = $1 AND folded = $2"))
        .bind(environment.to_owned())
        .bind(folded.to_owned())
        .optional()
        .await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// Every secret of a project that is not archived, by path.
pub async fn secrets_of(db: &mut impl Sql, project: &str, key: &SealKey) -> Result<Vec<Secret>> {
    let rows: Vec<Secret> = db
        .sql(select(SECRET, " WHERE project_id = $1 AND archived_at IS NULL ORDER BY path, environment_id"))
        .bind(project.to_owned())
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Secrets whose path contains some words, for the search box.
pub async fn search(db: &mut impl Sql, words: &str, limit: u32, key: &SealKey) -> Result<Vec<Secret>> {
    let words: String = words.to_ascii_lowercase().chars().filter(|letter| *letter != '%' && *letter != '\\').collect();
    let pattern = format!("%{}%", words.replace('_', "\\_"));
    let rows: Vec<Secret> = db
        .sql(select(
            SECRET,
            " WHERE folded LIKE $1 ESCAPE '\\' AND archived_at IS NULL ORDER BY path, environment_id LIMIT $2",
        ))
        .bind(pattern)
        .bind(i64::from(limit))
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Secrets with a path, or one that begins so, wherever they are: `(id, project)`. Names alone: nothing is opened with them.
pub async fn at_path(db: &mut impl Sql, folded: &str, exact: bool, limit: u32) -> Result<Vec<(String, String)>> {
    let statement = if exact {
        "SELECT id, project_id FROM secrets WHERE folded = $1 ORDER BY id LIMIT $2"
    } else {
        "SELECT id, project_id FROM secrets WHERE folded >= $1 AND folded < $3 ORDER BY id LIMIT $2"
    };
    let query = db.sql(statement).bind(folded.to_owned()).bind(i64::from(limit));
    if exact { query.all().await } else { query.bind(format!("{folded}~")).all().await }
}

pub async fn insert(tx: &mut impl Sql, secret: &Secret) -> Result<u64> {
    tx.sql(
        "INSERT INTO secrets (id, project_id, environment_id, path, folded, kind, class, description, team_id, \
         current_version, latest_version, created_at, archived_at, event_seq, row_mac) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING",
    )
    .bind(secret.id.clone())
    .bind(secret.project_id.clone())
    .bind(secret.environment_id.clone())
    .bind(secret.path.clone())
    .bind(secret.folded.clone())
    .bind(secret.kind.clone())
    .bind(secret.class.clone())
    .bind(secret.description.clone())
    .bind(secret.team_id.clone())
    .bind(secret.current_version)
    .bind(secret.latest_version)
    .bind(secret.created_at)
    .bind(secret.archived_at)
    .bind(secret.event_seq)
    .bind(secret.row_mac.clone())
    .execute()
    .await
}

pub async fn save(tx: &mut impl Sql, secret: &Secret) -> Result<u64> {
    tx.sql(
        "UPDATE secrets SET path = $1, folded = $2, class = $3, description = $4, current_version = $5, \
         latest_version = $6, archived_at = $7 WHERE id = $8",
    )
    .bind(secret.path.clone())
    .bind(secret.folded.clone())
    .bind(secret.class.clone())
    .bind(secret.description.clone())
    .bind(secret.current_version)
    .bind(secret.latest_version)
    .bind(secret.archived_at)
    .bind(secret.id.clone())
    .execute()
    .await
}

/// Leaves a sign at the place that a secret moved away from.
pub async fn insert_move(tx: &mut impl Sql, environment: &str, folded: &str, secret: &str, at: Moment) -> Result<u64> {
    tx.sql(
        "INSERT INTO secret_moves (environment_id, folded, secret_id, moved_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (environment_id, folded) DO UPDATE SET secret_id = excluded.secret_id, moved_at = excluded.moved_at",
    )
    .bind(environment.to_owned())
    .bind(folded.to_owned())
    .bind(secret.to_owned())
    .bind(at)
    .execute()
    .await
}

/// Where the secret that lay here went.
pub async fn find_move(db: &mut impl Sql, environment: &str, folded: &str) -> Result<Option<String>> {
    let row: Option<(String,)> = db
        .sql("SELECT secret_id FROM secret_moves WHERE environment_id = $1 AND folded = $2")
        .bind(environment.to_owned())
        .bind(folded.to_owned())
        .optional()
        .await?;
    Ok(row.map(|(id,)| id))
}

/// How many secrets of a project a team owns.
pub async fn count_of_team(db: &mut impl Sql, project: &str, team: &str) -> Result<usize> {
    let (count,): (i64,) = db
        .sql("SELECT COUNT(*) FROM secrets WHERE project_id = $1 AND team_id = $2 AND archived_at IS NULL")
        .bind(project.to_owned())
        .bind(team.to_owned())
        .one()
        .await?;
    Ok(count.max(0) as usize)
}
