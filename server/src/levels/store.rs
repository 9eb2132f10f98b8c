//! SQL of protection levels.
use crate::{
    audit::{
        ledger::Tx,
        row_seal::{SealKey, check, whole},
    },
    db::{Error, Result, Sql},
    sealed_table,
    table::{self, rows_of},
};
use app::{
    levels::model::{Level, Reveal},
    policies::model::Tier,
    time::Moment,
};

sealed_table! {
    pub struct LevelRow in "levels" {
        id: String,
        tier: String,
        grant_minutes: i64,
        signers: i32,
        critical_signers: i32,
        reveal: String,
        rotate_days: i64,
        dead_hours: i64,
        token_minutes: i64,
        set_by: String,
        valid_from: Moment,
        valid_to: Option<Moment>,
    }
}

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

/// Everything that was ever set, the newest first; an error where one fails its seal.
pub async fn every(db: &mut impl Sql, key: &SealKey) -> Result<Vec<LevelRow>> {
    let rows: Vec<LevelRow> = db.sql(rows_of::<LevelRow>(" ORDER BY valid_from DESC, id DESC")).all().await?;
    let all = rows.len();
    let sound = whole(rows, key);
    if sound.len() == all { Ok(sound) } else { Err(Error::Unfit("a protection level fails its seal".into())) }
}

/// What was set for one level, the newest first.
pub async fn history(db: &mut impl Sql, tier: &str, key: &SealKey) -> Result<Vec<LevelRow>> {
    let rest = " WHERE tier = $1 ORDER BY valid_from DESC, id DESC LIMIT 50";
    Ok(whole(db.sql(rows_of::<LevelRow>(rest)).bind(tier.to_owned()).all().await?, key))
}

pub async fn lock(tx: &mut Tx, tier: &str, key: &SealKey) -> Result<Option<LevelRow>> {
    let row =
        tx.lock(rows_of::<LevelRow>(" WHERE tier = $1 AND valid_to IS NULL")).bind(tier.to_owned()).optional().await?;
    Ok(row.and_then(|row| check(row, key)))
}

pub async fn insert(tx: &mut Tx, row: &LevelRow) -> Result<u64> {
    table::insert(tx, row).await
}

pub async fn close(tx: &mut Tx, id: &str, at: Moment) -> Result<u64> {
    tx.sql("UPDATE levels SET valid_to = $1 WHERE id = $2 AND valid_to IS NULL")
        .bind(at)
        .bind(id.to_owned())
        .execute()
        .await
}
