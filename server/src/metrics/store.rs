//! SQL of the hourly counts.
use crate::{
    audit::ledger::Housekeeping,
    db::{Result, Sql, Statement},
};

/// A count as it is read: series, label, project, environment, how many.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Count {
    pub series: String,
    pub label: String,
    pub project: String,
    pub environment: String,
    pub value: i64,
}

/// The same, with the day or week (since 1970) that it falls into.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Bucket {
    pub bucket: i64,
    pub series: String,
    pub project: String,
    pub environment: String,
    pub value: i64,
}

/// One hour's count to add.
pub struct Added {
    pub hour: i64,
    pub series: &'static str,
    pub label: String,
    pub project: String,
    pub environment: String,
    pub value: i64,
}

pub async fn add(tx: &mut Housekeeping, added: &Added) -> Result<u64> {
    tx.sql(
        "INSERT INTO metric_hours (hour, series, label, project, environment, value) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (hour, series, label, project, environment) DO UPDATE SET value = metric_hours.value + excluded.value",
    )
    .bind(added.hour)
    .bind(added.series)
    .bind(added.label.clone())
    .bind(added.project.clone())
    .bind(added.environment.clone())
    .bind(added.value)
    .execute()
    .await
}

pub async fn note_actor(
    tx: &mut Housekeeping,
    hour: i64,
    actor: &str,
    project: &str,
    environment: &str,
) -> Result<u64> {
    tx.sql(
        "INSERT INTO metric_actors (hour, actor, project, environment) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(hour)
    .bind(actor.to_owned())
    .bind(project.to_owned())
    .bind(environment.to_owned())
    .execute()
    .await
}

/// Sums over `[from, to)` in hours.
pub async fn sums(db: &mut impl Sql, from: i64, to: i64) -> Result<Vec<Count>> {
    db.sql(
        "SELECT series, label, project, environment, CAST(SUM(value) AS BIGINT) AS value FROM metric_hours \
         WHERE hour >= $1 AND hour < $2 GROUP BY series, label, project, environment",
    )
    .bind(from)
    .bind(to)
    .all()
    .await
}

/// Sums of each stretch of `width` hours, counted from `from`.
pub async fn buckets(db: &mut impl Sql, from: i64, to: i64, width: i64) -> Result<Vec<Bucket>> {
    let mut statement = Statement::from("SELECT (hour - ");
    statement.placeholder().push(") / ").placeholder();
    statement.push(
        " AS bucket, series, project, environment, CAST(SUM(value) AS BIGINT) AS value FROM metric_hours WHERE hour >= ",
    );
    statement.placeholder().push(" AND hour < ").placeholder();
    statement.push(" GROUP BY 1, series, project, environment");
    db.sql(statement).bind(from).bind(width).bind(from).bind(to).all().await
}

/// Who failed in `[from, to)`: actor, project, environment.
pub async fn actors(db: &mut impl Sql, from: i64, to: i64) -> Result<Vec<(String, String, String)>> {
    db.sql("SELECT DISTINCT actor, project, environment FROM metric_actors WHERE hour >= $1 AND hour < $2")
        .bind(from)
        .bind(to)
        .all()
        .await
}

/// Empties what is computed, so that it is computed again from the trail's beginning. The cursor is locked.
pub async fn clear(tx: &mut Housekeeping) -> Result<u64> {
    tx.sql("DELETE FROM metric_actors").execute().await?;
    tx.sql("DELETE FROM metric_hours").execute().await
}
