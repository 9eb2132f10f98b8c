//! SQL of proposed changes of control.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check},
    },
    db::{Result, Sql, Statement},
    jobs::store::except,
    sealed_table,
    table::{self, rows_of},
};
use app::{
    controls::model::{self, Change, Control, Outcome, Terms},
    time::Moment,
};

sealed_table! {
    pub struct Proposal in "control_changes" {
        id: String,
        kind: String,
        change: String,
        former: Option<String>,
        person_id: Option<String>,
        digest: String,
        proposed_by: String,
        proposed_at: Moment,
        expires_at: Moment,
        ended_at: Option<Moment>,
        outcome: Option<String>,
        decided_by: Option<String>,
        comment: String,
    }
}

impl Proposal {
    /// What it would do. A change that this version does not know does nothing.
    pub fn change(&self) -> Option<Change> {
        serde_json::from_str(&self.change).ok()
    }

    pub fn former(&self) -> Option<Control> {
        self.former.as_deref().and_then(|former| serde_json::from_str(former).ok())
    }

    /// The digest of what is stored now: the same as `digest`, or something was changed.
    pub fn compute_digest(&self) -> Option<String> {
        let (change, former) = (self.change()?, self.former());
        let terms = Terms { id: &self.id, change: &change, before: former.as_ref(), proposed_by: &self.proposed_by };
        Some(terms.digest())
    }

    /// How it ended; `None` while it waits.
    pub fn outcome(&self, now: Moment) -> Option<Outcome> {
        model::state(self.outcome.as_deref().and_then(Outcome::from_code), self.expires_at, now)
    }
}

pub async fn find(db: &mut impl Sql, id: &str, key: &SealKey) -> Result<Option<Proposal>> {
    let row = db.sql(rows_of::<Proposal>(" WHERE id = $1")).bind(id.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// The proposal, kept for this change.
pub async fn lock(tx: &mut Tx, id: &str, key: &SealKey) -> Result<Option<Proposal>> {
    let row = tx.lock_one(id).await?;
    Ok(row.and_then(|row| check(row, key)))
}

/// Those that wait, the first to expire first.
pub async fn open(db: &mut impl Sql, now: Moment, key: &SealKey) -> Result<Vec<Proposal>> {
    let rows: Vec<Proposal> = db
        .sql(rows_of::<Proposal>(" WHERE ended_at IS NULL AND expires_at > $1 ORDER BY expires_at, id LIMIT 200"))
        .bind(now)
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Those of one person that wait.
pub async fn open_of(db: &mut impl Sql, person: &str, now: Moment, key: &SealKey) -> Result<Vec<Proposal>> {
    let rows: Vec<Proposal> = db
        .sql(rows_of::<Proposal>(" WHERE ended_at IS NULL AND expires_at > $1 AND proposed_by = $2 ORDER BY id"))
        .bind(now)
        .bind(person.to_owned())
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

/// Those that nobody answered in time and whose end is not recorded.
pub async fn overdue(db: &mut impl Sql, now: Moment) -> Result<Vec<String>> {
    let mut due = Statement::from("SELECT id FROM control_changes WHERE ended_at IS NULL AND expires_at <= $1");
    except(&mut due, super::EXPIRE, "control_changes.id");
    due.push(" ORDER BY id LIMIT 100");
    let rows: Vec<(String,)> = db.sql(due).bind(now).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Those that ended, newest first.
pub async fn ended(db: &mut impl Sql, limit: u32, key: &SealKey) -> Result<Vec<Proposal>> {
    let rows: Vec<Proposal> = db
        .sql(rows_of::<Proposal>(" WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, id DESC LIMIT $1"))
        .bind(i64::from(limit))
        .all()
        .await?;
    Ok(rows.into_iter().filter_map(|row| check(row, key)).collect())
}

pub async fn insert(tx: &mut Tx, row: &Proposal) -> Result<u64> {
    table::insert(tx, row).await
}

pub async fn save_end(tx: &mut Tx, row: &Proposal) -> Result<u64> {
    table::save(tx, row).await
}
