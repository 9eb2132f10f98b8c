//! SQL of second factors and of answers that were used.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, whole},
    },
    db::{Result, Sql},
    sealed_table,
    table::{self, rows_of},
};
use app::{people::factors::Kind, time::Moment};

sealed_table! {
    pub struct Factor in "factors" {
        id: String,
        person_id: String,
        kind: String,
        name: String,
        data: String,
        credential: Option<String>,
        valid_from: Moment,
        /// From when what it proves opens what is critical; absent: from the beginning.
        #[serde(skip_serializing_if = "Option::is_none")]
        counts_from: Option<Moment>,
        used_at: Option<Moment>,
        valid_to: Option<Moment>,
    }
}

impl Factor {
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_code(&self.kind)
    }

    /// From when what it proves opens what is critical.
    pub fn counts_from(&self) -> Moment {
        self.counts_from.unwrap_or(self.valid_from)
    }

    /// A factor that stands alone, unlike codes on paper.
    pub fn stands_alone(&self) -> bool {
        self.kind().is_some_and(Kind::stands_alone)
    }
}

const OPEN_OF: &str = " WHERE person_id = $1 AND valid_to IS NULL ORDER BY id";

/// The factors of a person that work, the oldest first.
pub async fn open_of(db: &mut impl Sql, person: &str, key: &SealKey) -> Result<Vec<Factor>> {
    let rows = db.sql(rows_of::<Factor>(OPEN_OF)).bind(person.to_owned()).all().await?;
    Ok(whole(rows, key))
}

/// The same, kept for this change.
pub async fn lock_of(tx: &mut Tx, person: &str, key: &SealKey) -> Result<Vec<Factor>> {
    let rows = tx.lock(rows_of::<Factor>(OPEN_OF)).bind(person.to_owned()).all().await?;
    Ok(whole(rows, key))
}

/// Zero rows: this passkey is somebody's already.
pub async fn insert(tx: &mut Tx, row: &Factor) -> Result<u64> {
    table::insert_new(tx, row).await
}

/// Keeps what a use or an end changed.
pub async fn save(tx: &mut Tx, row: &Factor) -> Result<u64> {
    tx.sql("UPDATE factors SET data = $1, used_at = $2, valid_to = $3 WHERE id = $4 AND valid_to IS NULL")
        .bind(row.data.clone())
        .bind(row.used_at)
        .bind(row.valid_to)
        .bind(row.id.clone())
        .execute()
        .await
}

/// Takes an answer to a question, once.
pub async fn use_proof(tx: &mut impl Sql, id: &str, expires_at: Moment) -> Result<u64> {
    tx.sql("INSERT INTO used_proofs (id, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(id.to_owned())
        .bind(expires_at)
        .execute()
        .await
}

pub async fn forget_proofs(tx: &mut impl Sql, now: Moment) -> Result<u64> {
    tx.sql("DELETE FROM used_proofs WHERE expires_at < $1").bind(now).execute().await
}
