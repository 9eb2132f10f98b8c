//! SQL of notices.
use crate::db::{Result, Sql};
use app::time::Moment;

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Notice {
    pub id: String,
    pub kind: String,
    pub subject: String,
    pub told_at: Moment,
    pub read_at: Option<Moment>,
}

pub async fn insert(tx: &mut impl Sql, id: &str, person: &str, kind: &str, subject: &str, at: Moment) -> Result<u64> {
    tx.sql("INSERT INTO notices (id, person_id, kind, subject, told_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(id.to_owned())
        .bind(person.to_owned())
        .bind(kind.to_owned())
        .bind(subject.to_owned())
        .bind(at)
        .execute()
        .await
}

/// The newest notices of one person.
pub async fn list(db: &mut impl Sql, person: &str, limit: u32) -> Result<Vec<Notice>> {
    db.sql("SELECT id, kind, subject, told_at, read_at FROM notices WHERE person_id = $1 ORDER BY id DESC LIMIT $2")
        .bind(person.to_owned())
        .bind(i64::from(limit))
        .all()
        .await
}

/// Was this person told this already?
pub async fn has(db: &mut impl Sql, person: &str, kind: &str, subject: &str) -> Result<bool> {
    let row: Option<(String,)> = db
        .sql("SELECT id FROM notices WHERE person_id = $1 AND kind = $2 AND subject = $3 LIMIT 1")
        .bind(person.to_owned())
        .bind(kind.to_owned())
        .bind(subject.to_owned())
        .optional()
        .await?;
    Ok(row.is_some())
}

pub async fn count_unread(db: &mut impl Sql, person: &str) -> Result<i64> {
    let (count,): (i64,) = db
        .sql("SELECT COUNT(*) FROM notices WHERE person_id = $1 AND read_at IS NULL")
        .bind(person.to_owned())
        .one()
        .await?;
    Ok(count)
}

pub async fn mark_read(tx: &mut impl Sql, person: &str, now: Moment) -> Result<u64> {
    tx.sql("UPDATE notices SET read_at = $1 WHERE person_id = $2 AND read_at IS NULL")
        .bind(now)
        .bind(person.to_owned())
        .execute()
        .await
}
