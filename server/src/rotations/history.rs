//! What the trail says of one rotation or case.
use crate::{audit, db::Sql};
use app::{
    audit::{action::Action, leaf::Leaf},
    error::Error,
    time::Moment,
};

/// How many events of a secret are read at once, and how often at the most.
const PAGE: u64 = 400;
const PAGES: usize = 50;

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
        outcome: Some("allowed".to_owned()),
        from: Some(since),
        ..Default::default()
    };
    let (mut found, mut before) = (Vec::new(), None);
    for _ in 0..PAGES {
        let events = audit::store::list(db, &narrow, before, PAGE).await?;
        before = events.last().map(|event| event.seq as u64);
        let is_last = (events.len() as u64) < PAGE;
        let decoded = events.into_iter().filter_map(|event| {
            let leaf = Leaf::decode(&event.leaf).ok()?;
            (leaf.subject.row.as_deref() == Some(row)).then_some((event, leaf))
        });
        found.extend(decoded);
        if is_last {
            break;
        }
    }
    Ok(found)
}
