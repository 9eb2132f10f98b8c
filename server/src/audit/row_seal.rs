//! Seals on rows that open access, so that whoever owns the database cannot grant himself anything.
//!
//! A seal is an HMAC under a key derived from the root key over the table, the row's fields and the number of the event
//! that wrote them. A row that fails its seal is treated as if it were not there.
use super::{heard::Heard, ledger::Basis};
use crate::{
    cause,
    db::{Result, Sql, Transaction},
    keys::{Secret, mac},
};
use app::error::Error;
use serde::Serialize;
use std::{
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use subtle::ConstantTimeEq;

/// The key of the seals on rows, and what the trail is known to say of them.
#[derive(Clone)]
pub struct SealKey {
    key: Secret,
    heard: Arc<Mutex<Heard>>,
}

impl SealKey {
    pub fn new(key: Secret) -> Self {
        Self { key, heard: Arc::default() }
    }

    /// The same key for a reading of the trail that is kept apart.
    pub fn apart(&self) -> Self {
        Self::new(self.key.clone())
    }

    /// What the trail is known to say. Held for as long as it takes to look, never across anything that waits.
    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn contradicts<R: SealedRow>(&self, row: &R) -> bool {
        self.heard().contradicts(R::TABLE, row.id(), row.seal().0 as u64)
    }
}

impl Deref for SealKey {
    type Target = Secret;

    fn deref(&self) -> &Secret {
        &self.key
    }
}

/// A row with `event_seq` and `row_mac` columns. What it serialises to is what the seal covers.
pub trait SealedRow: Serialize {
    const TABLE: &'static str;
    /// Every column of the row, from its table: for walking over all rows.
    const SELECT: &'static str;
    /// The ids alone, two thousand from one on: where a row cannot be read the others can.
    const IDS: &'static str;
    /// `UPDATE … SET event_seq = $1, row_mac = $2 WHERE id = $3`
    const WRITE: &'static str;
    fn id(&self) -> &str;
    /// As it was loaded: the event's number and the seal.
    fn seal(&self) -> (i64, &[u8]);
}

/// A seal that waits for the number of its event.
pub struct PendingSeal {
    write: &'static str,
    table: &'static str,
    id: String,
    fields: Vec<u8>,
    /// As the row was when it was loaded; nothing of a new one.
    basis: Option<Basis>,
}

impl PendingSeal {
    pub fn new<R: SealedRow>(row: &R) -> std::result::Result<Self, Error> {
        Ok(Self {
            write: R::WRITE,
            table: R::TABLE,
            id: row.id().into(),
            fields: fields(row).ok_or(Error::Unavailable)?,
            basis: (!row.seal().1.is_empty()).then(|| Basis::of(row)),
        })
    }

    pub fn basis(&self) -> Option<&Basis> {
        self.basis.as_ref()
    }

    /// The row: its table and its id.
    pub fn row(&self) -> (&'static str, &str) {
        (self.table, &self.id)
    }

    pub async fn write(self, tx: &mut Transaction, key: &SealKey, seq: u64) -> Result<()> {
        let seal = compute(key, self.table, seq as i64, &self.fields);
        tx.sql(self.write).bind(seq as i64).bind(seal.to_vec()).bind(self.id).execute().await?;
        Ok(())
    }
}

fn fields<R: SealedRow>(row: &R) -> Option<Vec<u8>> {
    serde_json_canonicalizer::to_vec(row).ok()
}

fn compute(key: &Secret, table: &str, seq: i64, fields: &[u8]) -> [u8; 32] {
    mac(key, &[table.as_bytes(), &seq.to_be_bytes(), fields])
}

/// Is the row as its event wrote it?
pub fn holds<R: SealedRow>(row: &R, key: &SealKey) -> bool {
    let (seq, seal) = row.seal();
    fields(row).is_some_and(|fields| bool::from(compute(key, R::TABLE, seq, &fields).ct_eq(seal)))
}

/// Those of these rows whose seal holds, by the key that their reader carries.
pub fn whole_in<R: SealedRow>(db: &impl Sql, rows: Vec<R>) -> Vec<R> {
    match db.seal_key() {
        Some(key) => whole(rows, key),
        None => {
            tracing::error!(table = R::TABLE, "rows that open access were asked for without the key of their seals");
            Vec::new()
        }
    }
}

/// Those of these rows whose seal holds.
pub fn whole<R: SealedRow>(rows: Vec<R>, key: &SealKey) -> Vec<R> {
    rows.into_iter().filter_map(|row| check(row, key)).collect()
}

/// The row, if its seal holds; otherwise nothing, loudly.
pub fn check<R: SealedRow>(row: R, key: &SealKey) -> Option<R> {
    let why = match holds(&row, key) {
        false => "a stored row fails its seal and opens nothing",
        true if key.contradicts(&row) => "a stored row is not as its last event left it and opens nothing",
        true => return Some(row),
    };
    tracing::error!(table = R::TABLE, id = row.id(), why);
    cause::note(|| format!("{} {}: {why}", R::TABLE, row.id()));
    None
}
