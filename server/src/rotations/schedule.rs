//! What is due by its age: begun by the service, as a person would.
use super::{begun, is_confirmed, store, store::Plan, subject};
use crate::{
    audit::event::{Event, Who},
    catalog::{self, Located},
    console::Console,
    db::Sql,
    vault,
};
use app::{audit::action::Action, error::Error, id::RotationId, rotations::model::Trigger, time::Moment};
use chrono::TimeDelta;

/// How many secrets one round looks at.
const ROUND: u32 = 50;
/// When it is looked again at a secret that is due and cannot be begun: its rotation runs, its plan waits.
const AGAIN: TimeDelta = TimeDelta::hours(1);

/// When the current value of a secret reaches its greatest age; `None` where nothing is set or there is no value.
pub async fn next_due(db: &mut impl Sql, plan: &Plan, current_version: Option<i32>) -> Result<Option<Moment>, Error> {
    let Some(version) = current_version.filter(|_| plan.every_days > 0) else { return Ok(None) };
    let version = vault::store::find(db, &plan.secret_id, version).await?;
    Ok(version.map(|version| version.created_at + TimeDelta::days(plan.every_days.into())))
}

/// Begins a rotation for each secret whose value has reached its greatest age; how many were looked at.
pub async fn start_due(console: &Console) -> Result<usize, Error> {
    let due = store::perhaps_due(&mut console.read().await?, console.now(), ROUND).await?;
    for secret in &due {
        // One that cannot be looked at now does not keep the others waiting.
        let look = start_if_due(console, secret).await.unwrap_or_else(|error| {
            tracing::error!(%error, secret, "whether a secret is due could not be found out");
            Some(console.now() + AGAIN)
        });
        let mut tx = console.ledger.housekeeping().await?;
        match look {
            Some(at) => store::note_due(&mut tx, secret, at).await?,
            None => store::forget_due(&mut tx, secret).await?,
        };
        tx.finish().await?;
    }
    Ok(due.len())
}

/// When to look again; `None`: never, by itself.
async fn start_if_due(console: &Console, secret: &str) -> Result<Option<Moment>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let plan = store::find_plan(&mut db, secret, key).await?;
    let located = Located::find(&mut db, secret, key).await?.filter(|located| located.secret.archived_at.is_none());
    let Some((plan, located)) = plan.zip(located).filter(|(plan, _)| plan.every_days > 0) else { return Ok(None) };
    let due = next_due(&mut db, &plan, located.secret.current_version).await?;
    let open = store::open_of(&mut db, secret, key).await?.is_some();
    drop(db);
    match due {
        Some(due) if due > now => return Ok(Some(due)),
        Some(_) if !open && is_confirmed(&plan, &located) => {}
        _ => return Ok(Some(now + AGAIN)),
    }
    let id = console.id::<RotationId>()?.to_string();
    let mut tx = console.ledger.begin(&Who::system("schedule-rotations")).await?;
    let locked = catalog::store::lock(&mut tx, secret, key).await?.ok_or(Error::NotFound)?;
    let Some(from) = locked.current_version.filter(|_| locked.event_seq == located.secret.event_seq) else {
        return Ok(Some(now));
    };
    let row = begun(&id, &located, from, Trigger::Age, None, now);
    if store::insert(&mut tx, &row).await? > 0 {
        tx.seal(&row)?;
        let event = Event::new(Action::StartRotation)
            .on(subject(&located, &id))
            .detail("trigger", row.trigger_kind)
            .detail("rotator", plan.rotator)
            .detail("from_version", from)
            .detail("why", format!("the value is older than {} days", plan.every_days))
            .private("path", located.secret.path);
        tx.commit(vec![event]).await?;
    }
    Ok(Some(now + AGAIN))
}
