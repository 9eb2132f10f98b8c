//! What the trail says of one rotation or case.
use crate::{audit, db::Sql};
use app::{
    audit::{action::Action, leaf::Leaf},
    error::Error,
    time::Moment,
};

/// How many events of a secret are looked through.
const EVENTS: u64 = 400;

/// The events about one row of a secret, newest first. What was refused did not happen: it is the trail's to tell.
pub async fn history(
    db: &mut impl Sql,
    secret: &str,
    row: &str,
    since: Moment,
) -> Result<Vec<(audit::store::Stored, Leaf)>, Error> {
    // Fetches are of no rotation, and there may be any number of them.
    let narrow = audit::store::Narrow {
        secret: Some(secret.to_owned()),
        not_action: Some(Action::FetchSecret.code().to_owned()),
        from: Some(since),
        ..Default::default()
    };
    let events = audit::store::list(db, &narrow, None, EVENTS).await?;
    let decoded = events.into_iter().filter_map(|event| {
        let leaf = Leaf::decode(&event.leaf).ok()?;
        (leaf.subject.row.as_deref() == Some(row) && event.outcome == "allowed").then_some((event, leaf))
    });
    Ok(decoded.collect())
}
