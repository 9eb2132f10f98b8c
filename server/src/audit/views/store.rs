//! SQL of saved views.
use crate::db::{Result, Sql};
use app::time::Moment;

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SavedView {
    pub id: String,
    pub owner_id: String,
    pub team_id: Option<String>,
    pub name: String,
    pub query: String,
    pub created_at: Moment,
}

const VIEW: &str = "SELECT id, owner_id, team_id, name, query, created_at FROM saved_views WHERE id = $1";

pub async fn find(db: &mut impl Sql, id: &str) -> Result<Option<SavedView>> {
    db.sql(VIEW).bind(id.to_owned()).optional().await
}

/// The views of one person, and those that teams share, by name: whose team it is, is for the caller to ask.
pub async fn list(db: &mut impl Sql, person: &str) -> Result<Vec<SavedView>> {
    db.sql(
        "SELECT id, owner_id, team_id, name, query, created_at FROM saved_views \
         WHERE owner_id = $1 OR team_id IS NOT NULL ORDER BY name, id LIMIT 500",
    )
    .bind(person.to_owned())
    .all()
    .await
}

pub async fn count_of(db: &mut impl Sql, person: &str) -> Result<i64> {
    let (count,): (i64,) =
        db.sql("SELECT COUNT(*) FROM saved_views WHERE owner_id = $1").bind(person.to_owned()).one().await?;
    Ok(count)
}

pub async fn insert(tx: &mut impl Sql, view: &SavedView) -> Result<u64> {
    tx.sql("INSERT INTO saved_views (id, owner_id, team_id, name, query, created_at) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(view.id.clone())
        .bind(view.owner_id.clone())
        .bind(view.team_id.clone())
        .bind(view.name.clone())
        .bind(view.query.clone())
        .bind(view.created_at)
        .execute()
        .await
}

pub async fn delete(tx: &mut impl Sql, id: &str) -> Result<u64> {
    tx.sql("DELETE FROM saved_views WHERE id = $1").bind(id.to_owned()).execute().await
}
