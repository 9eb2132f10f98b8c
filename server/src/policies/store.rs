//! Inputs of decisions, kept by their digest.
use super::Decision;
use crate::db::{Result, Sql};
use app::time::Moment;

/// Keeps what a decision was made from; the same input is kept once.
pub async fn keep_input(db: &mut impl Sql, decision: &Decision, now: Moment) -> Result<()> {
    let Some(digest) = decision.deciding.input.clone() else { return Ok(()) };
    db.sql("INSERT INTO policy_inputs (digest, input, kept_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
        .bind(digest)
        .bind(decision.input.clone())
        .bind(now)
        .execute()
        .await?;
    Ok(())
}
