//! Who still uses which version: from observed machine fetches alone.
use crate::{audit, db::Sql};
use app::{
    audit::{action::Action, leaf::Leaf},
    error::Error,
    time::Moment,
};
use chrono::TimeDelta;
use std::collections::BTreeSet;

/// How far back a fetch makes somebody a consumer.
const REMEMBERED: TimeDelta = TimeDelta::days(30);
/// How many of a workload's fetches are looked through.
const MOST: u64 = 2_000;

/// A workload's last fetch of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    pub workload: String,
    pub version: i32,
    pub at: Moment,
}

/// The last fetch of each workload, by its id.
pub async fn consumers(db: &mut impl Sql, secret: &str, now: Moment) -> Result<Vec<Consumer>, Error> {
    let mut consumers = Vec::new();
    for (workload, seq) in audit::store::last_fetches(db, secret).await? {
        let Some(row) = audit::store::find(db, seq as u64).await?.filter(|row| now - row.at <= REMEMBERED) else {
            continue;
        };
        let version = Leaf::decode(&row.leaf).ok().and_then(|leaf| leaf.subject.version);
        if let Some(version) = version.and_then(|version| i32::try_from(version).ok()) {
            consumers.push(Consumer { workload, version, at: row.at });
        }
    }
    Ok(consumers)
}

/// The secrets that a workload fetched of late.
pub async fn fetched_by(db: &mut impl Sql, workload: &str, now: Moment) -> Result<BTreeSet<String>, Error> {
    let narrow = audit::store::Narrow {
        actor: Some(workload.to_owned()),
        action: Some(Action::FetchSecret.code().to_owned()),
        from: Some(now - REMEMBERED),
        ..Default::default()
    };
    let rows = audit::store::list(db, &narrow, None, MOST).await?;
    Ok(rows.into_iter().filter(|row| row.outcome == "allowed").filter_map(|row| row.secret_id).collect())
}
