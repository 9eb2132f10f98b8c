//! SQL of what is set aside.
use crate::db::{Result, Sql, Statement};
use app::time::Moment;

/// An item that a job could not work on.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Aside {
    pub job: String,
    pub item: String,
    pub attempts: i32,
    /// Why, in words that name tables, columns and ids alone.
    pub reason: String,
    pub since: Moment,
    /// When it is tried again.
    pub next_at: Moment,
}

const ASIDE: &str = "SELECT job, item, attempts, reason, since, next_at FROM set_aside";

/// Leaves out of a job's query what is set aside; `id` is the column that names its items, `$1` the present.
pub fn except(statement: &mut Statement, job: &'static str, id: &'static str) {
    statement.push(" AND NOT EXISTS (SELECT 1 FROM set_aside s WHERE s.job = '").push(job);
    statement.push("' AND s.item = ").push(id).push(" AND s.next_at > $1)");
}

/// Those of some items that failed before.
pub async fn of(db: &mut impl Sql, job: &str, items: &[String]) -> Result<Vec<Aside>> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = Statement::from(ASIDE);
    statement.push(" WHERE job = ").placeholder();
    statement.push(" AND item IN ").rows(1, items.len());
    let mut query = db.sql(statement).bind(job.to_owned());
    for item in items {
        query = query.bind(item.clone());
    }
    query.all().await
}

/// How many items each job has set aside.
pub async fn count(db: &mut impl Sql) -> Result<Vec<(String, i64)>> {
    db.sql("SELECT job, COUNT(*) FROM set_aside GROUP BY job ORDER BY job").all().await
}

/// What is set aside, the longest first.
pub async fn list(db: &mut impl Sql, limit: u32) -> Result<Vec<Aside>> {
    let mut statement = Statement::from(ASIDE);
    statement.push(" ORDER BY since, job, item LIMIT $1");
    db.sql(statement).bind(i64::from(limit)).all().await
}

pub async fn set(tx: &mut impl Sql, row: &Aside) -> Result<u64> {
    tx.sql(
        "INSERT INTO set_aside (job, item, attempts, reason, since, next_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (job, item) DO UPDATE SET attempts = excluded.attempts, reason = excluded.reason, \
         next_at = excluded.next_at",
    )
    .bind(row.job.clone())
    .bind(row.item.clone())
    .bind(row.attempts)
    .bind(row.reason.clone())
    .bind(row.since)
    .bind(row.next_at)
    .execute()
    .await
}

pub async fn forget(tx: &mut impl Sql, job: &str, item: &str) -> Result<u64> {
    tx.sql("DELETE FROM set_aside WHERE job = $1 AND item = $2")
        .bind(job.to_owned())
        .bind(item.to_owned())
        .execute()
        .await
}

/// What nobody tried again for so long is not there any more.
pub async fn forget_before(tx: &mut impl Sql, before: Moment) -> Result<u64> {
    tx.sql("DELETE FROM set_aside WHERE next_at < $1").bind(before).execute().await
}
