//! SQL of projects, environments and secrets.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check, whole_in},
    },
    column::Coded,
    db::{Result, Sql},
    sealed_table,
    table::{self, rows_of},
};
use app::{
    catalog::model::Kind,
    policies::model::{Class, Tier},
    time::Moment,
};

sealed_table! {
    pub struct Project in "projects" {
        id: String,
        slug: String,
        name: String,
        description: String,
        is_open: bool,
        team_id: String,
        created_at: Moment,
    }
}

sealed_table! {
    pub struct Environment in "environments" {
        id: String,
        project_id: String,
        slug: String,
        tier: Coded<Tier>,
        position: i32,
        created_at: Moment,
    }
}

impl Environment {
    pub fn tier(&self) -> Tier {
        *self.tier
    }
}

sealed_table! {
    pub struct Secret in "secrets" {
        id: String,
        project_id: String,
        environment_id: String,
        path: String,
        folded: String,
        kind: Coded<Kind>,
        class: Coded<Class>,
        description: String,
        team_id: String,
        current_version: Option<i32>,
        latest_version: i32,
        created_at: Moment,
        archived_at: Option<Moment>,
    }
}

impl Secret {
    pub fn class(&self) -> Class {
        *self.class
    }

    pub fn kind(&self) -> Kind {
        *self.kind
    }
}

pub async fn projects(db: &mut impl Sql) -> Result<Vec<Project>> {
    let rows = db.sql(rows_of::<Project>(" ORDER BY slug")).all().await?;
    Ok(whole_in(db, rows))
}

pub async fn find_project(db: &mut impl Sql, id: &str) -> Result<Option<Project>> {
    let row: Option<Project> = db.sql(rows_of::<Project>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(whole_in(db, row.into_iter().collect()).pop())
}

pub async fn find_project_by_slug(db: &mut impl Sql, slug: &str) -> Result<Option<Project>> {
    let row: Option<Project> = db.sql(rows_of::<Project>(" WHERE slug = $1")).bind(slug.to_owned()).optional().await?;
    Ok(whole_in(db, row.into_iter().collect()).pop())
}

pub async fn insert_project(tx: &mut impl Sql, project: &Project) -> Result<u64> {
    table::insert_new(tx, project).await
}

pub async fn environments(db: &mut impl Sql, project: &str, key: &SealKey) -> Result<Vec<Environment>> {
    let rows: Vec<Environment> = db
        .sql(rows_of::<Environment>(" WHERE project_id = $1 ORDER BY position, slug"))
        .bind(project.to_owned())
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn all_environments(db: &mut impl Sql, key: &SealKey) -> Result<Vec<Environment>> {
    let rows: Vec<Environment> = db.sql(rows_of::<Environment>(" ORDER BY project_id, position, slug")).all().await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn find_environment(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Environment>> {
    let row = db.sql(rows_of::<Environment>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn insert_environment(tx: &mut impl Sql, environment: &Environment) -> Result<u64> {
    table::insert_new(tx, environment).await
}

pub async fn find(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Secret>> {
    let row = db.sql(rows_of::<Secret>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// Secrets by their ids; what is not there is not among them.
pub async fn some(db: &mut impl Sql, ids: &[String], key: &SealKey) -> Result<Vec<Secret>> {
    let mut found = Vec::new();
    for ids in ids.chunks(200) {
        let mut statement = rows_of::<Secret>(" WHERE id IN ");
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
        .sql(rows_of::<Secret>(" WHERE environment_id = $1 AND folded = $2"))
        .bind(environment.to_owned())
        .bind(folded.to_owned())
        .optional()
        .await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// Every secret of a project that is not archived, by path.
pub async fn secrets_of(db: &mut impl Sql, project: &str, key: &SealKey) -> Result<Vec<Secret>> {
    let rows: Vec<Secret> = db
        .sql(rows_of::<Secret>(" WHERE project_id = $1 AND archived_at IS NULL ORDER BY path, environment_id"))
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
        .sql(rows_of::<Secret>(
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
    table::insert_new(tx, secret).await
}

pub async fn save(tx: &mut impl Sql, secret: &Secret) -> Result<u64> {
    table::save(tx, secret).await
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
