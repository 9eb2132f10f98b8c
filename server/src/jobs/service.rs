//! The service's own signs of life, and what it forgets: no slice's.
use super::{Job, store};
use crate::{
    audit::event::{Event, Who},
    console::Console,
    people, rotations, vault,
};
use app::{
    audit::{action::Action, verify::HEARTBEAT},
    error::Error,
};
use chrono::TimeDelta;
use std::sync::atomic::Ordering;

/// The most that a machine's clock may be off the database's.
pub const SKEW: TimeDelta = TimeDelta::seconds(5);

/// An item that nothing tried again for so long after its time is not due any more.
const GONE: TimeDelta = TimeDelta::minutes(15);

pub const JOBS: &[Job] = &[
    Job::every(60, "heartbeat", "Records a heartbeat event when the trail is quiet", |console| {
        Box::pin(async { heartbeat(console).await.map(|()| 0) })
    }),
    Job::every(60, "compare-clocks", "Checks the clock against the database", |console| {
        Box::pin(async { compare_clocks(console).await.map(|()| 0) })
    }),
    Job::every(60, "forget", "Deletes expired browser records, used proofs and stored forms", |console| {
        Box::pin(async { sweep(console).await.map(|()| 0) })
    }),
];

async fn sweep(console: &Console) -> Result<(), Error> {
    let now = console.now();
    let mut tx = console.ledger.housekeeping().await?;
    people::store::forget_browsers(&mut tx, now).await?;
    people::providers::store::forget_logouts(&mut tx, now).await?;
    people::factors::store::forget_proofs(&mut tx, now).await?;
    vault::store::forget_stashes(&mut tx, now).await?;
    store::forget_before(&mut tx, now - GONE).await?;
    tx.finish().await
}

/// A clock that runs away is seen before it does harm: readiness turns red.
pub async fn compare_clocks(console: &Console) -> Result<(), Error> {
    let Some(theirs) = console.db().time().await? else { return Ok(()) };
    let skew = console.now() - theirs;
    if skew.abs() > SKEW {
        tracing::error!(seconds = skew.num_seconds(), "this machine's clock is off the database's");
    }
    console.clock_is_off.store(skew.abs() > SKEW, Ordering::SeqCst);
    Ok(())
}

/// An event when nothing else was written for a while: silence then means something.
async fn heartbeat(console: &Console) -> Result<(), Error> {
    let mut db = console.read().await?;
    let size = crate::audit::store::size(&mut db).await?;
    let last = crate::audit::store::find(&mut db, size.saturating_sub(1)).await?;
    drop(db);
    if last.is_some_and(|row| console.now() - row.at < HEARTBEAT) {
        return Ok(());
    }
    console.ledger.observe(&Who::system("heartbeat"), Event::new(Action::Heartbeat)).await?;
    Ok(())
}

/// The service's first event, which explains the silence before it.
pub async fn started(console: &Console) -> Result<(), Error> {
    if !console.db().is_postgres() {
        // The process that held them is gone: there is one at a time.
        let mut tx = console.ledger.housekeeping().await?;
        rotations::store::release_held(&mut tx).await?;
        tx.finish().await?;
    }
    let size = crate::audit::store::size(&mut console.read().await?).await?;
    let last = crate::audit::store::find(&mut console.read().await?, size.saturating_sub(1)).await?;
    let clean = last.as_ref().is_some_and(|row| row.action == Action::StopService.code());
    let event = Event::new(Action::StartService)
        .detail("previous_size", size)
        .detail("clean", clean)
        .detail("version", env!("CARGO_PKG_VERSION"));
    let event = match last {
        Some(row) => event.detail("previous_at", app::time::rfc3339(row.at)),
        None => event,
    };
    console.ledger.observe(&Who::system("serve"), event).await?;
    Ok(())
}

/// The last event of a graceful stop, and the checkpoint over it: nothing is written after it.
pub async fn stopped(console: &Console) {
    console.ledger.flush_repeats(true).await;
    if let Err(error) = console.ledger.close(&Who::system("serve"), Event::new(Action::StopService)).await {
        tracing::error!(%error, "the stop could not be recorded");
    }
    if let Err(error) = console.builder.build().await {
        tracing::error!(%error, "no checkpoint at the stop");
    }
    console.builder.settle().await;
}
