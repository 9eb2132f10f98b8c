//! SQL of protection levels.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check, whole},
    },
    db::{Error, Result, Sql, select},
    sealed_row,
};
use app::{
    levels::model::{Level, Reveal},
    policies::model::Tier,
    time::Moment,
};
use serde::Serialize;

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct LevelRow {
    pub id: String,
    pub tier: String,
    pub grant_minutes: i64,
    pub signers: i32,
    pub critical_signers: i32,
    pub reveal: String,
    pub rotate_days: i64,
    pub dead_hours: i64,
    pub token_minutes: i64,
    pub set_by: String,
    pub valid_from: Moment,
    pub valid_to: Option<Moment>,
    #[serde(skip)]
    pub event_seq: i64,
    #[serde(skip)]
    pub row_mac: Vec<u8>,
}
sealed_row!(LevelRow, "levels", LEVEL);

impl LevelRow {
    pub fn of(level: &Level, id: String, by: &str, now: Moment) -> Self {
        Self {
            id,
            tier: level.tier.code().into(),
            grant_minutes: level.grant_minutes,
            signers: level.signers.into(),
            critical_signers: level.critical_signers.into(),
            reveal: level.reveal.code().into(),
            rotate_days: level.rotate_days,
            dead_hours: level.dead_hours,
            token_minutes: level.token_minutes,
            set_by: by.into(),
            valid_from: now,
            valid_to: None,
            event_seq: 0,
            row_mac: Vec::new(),
        }
    }

    /// None where a word in it is not known.
    pub fn level(&self) -> Option<Level> {
        Some(Level {
            tier: Tier::from_code(&self.tier)?,
            grant_minutes: self.grant_minutes,
            signers: u8::try_from(self.signers).ok()?,
            critical_signers: u8::try_from(self.critical_signers).ok()?,
            reveal: Reveal::from_code(&self.reveal)?,
            rotate_days: self.rotate_days,
            dead_hours: self.dead_hours,
            token_minutes: self.token_minutes,
        })
    }
}

/// What differs, by name: before and after.
pub fn shifts(before: &Level, after: &Level) -> Vec<(&'static str, String, String)> {
    let read = |level: &Level| {
        [
            ("grant_minutes", level.grant_minutes.to_string()),
            ("signers", level.signers.to_string()),
            ("critical_signers", level.critical_signers.to_string()),
            ("reveal", level.reveal.code().to_owned()),
            ("rotate_days", level.rotate_days.to_string()),
            ("dead_hours", level.dead_hours.to_string()),
            ("token_minutes", level.token_minutes.to_string()),
        ]
    };
    let pairs = read(before).into_iter().zip(read(after));
    pairs.filter(|(was, is)| was.1 != is.1).map(|(was, is)| (was.0, was.1, is.1)).collect()
}

const LEVEL: &str = "SELECT id, tier, grant_minutes, signers, critical_signers, reveal, rotate_days, dead_hours, \
                     token_minutes, set_by, valid_from, valid_to, event_seq, row_mac FROM levels";

/// Everything that was ever set, the newest first; an error where one fails its seal.
pub async fn every(db: &mut impl Sql, key: &SealKey) -> Result<Vec<LevelRow>> {
    let rows: Vec<LevelRow> = db.sql(select(LEVEL, " ORDER BY valid_from DESC, id DESC")).all().await?;
    let all = rows.len();
    let sound = whole(rows, key);
    if sound.len() == all { Ok(sound) } else { Err(Error::Unfit("a protection level fails its seal".into())) }
}

/// What was set for one level, the newest first.
pub async fn history(db: &mut impl Sql, tier: &str, key: &SealKey) -> Result<Vec<LevelRow>> {
    let rest = " WHERE tier = $1 ORDER BY valid_from DESC, id DESC LIMIT 50";
    Ok(whole(db.sql(select(LEVEL, rest)).bind(tier.to_owned()).all().await?, key))
}

pub async fn lock(tx: &mut Tx, tier: &str, key: &SealKey) -> Result<Option<LevelRow>> {
    let row = tx.lock(select(LEVEL, " WHERE tier = $1 AND valid_to IS NULL")).bind(tier.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn insert(tx: &mut Tx, row: &LevelRow) -> Result<u64> {
    tx.sql(
        "INSERT INTO levels (id, tier, grant_minutes, signers, critical_signers, reveal, rotate_days, dead_hours, \
         token_minutes, set_by, valid_from, valid_to, event_seq, row_mac) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(row.id.clone())
    .bind(row.tier.clone())
    .bind(row.grant_minutes)
    .bind(row.signers)
    .bind(row.critical_signers)
    .bind(row.reveal.clone())
    .bind(row.rotate_days)
    .bind(row.dead_hours)
    .bind(row.token_minutes)
    .bind(row.set_by.clone())
    .bind(row.valid_from)
    .bind(row.valid_to)
    .bind(row.event_seq)
    .bind(row.row_mac.clone())
    .execute()
    .await
}

pub async fn close(tx: &mut Tx, id: &str, at: Moment) -> Result<u64> {
    tx.sql("UPDATE levels SET valid_to = $1 WHERE id = $2 AND valid_to IS NULL")
        .bind(at)
        .bind(id.to_owned())
        .execute()
        .await
}
