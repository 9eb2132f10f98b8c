//! What the service does by itself, through the same operations as people: checkpoints, heartbeats, ends of requests and
//! grants, counts of repeated refusals, housekeeping. Each is idempotent, so that replicas may run it at the same time.
use crate::{
    audit::{
        event::{Event, Who},
        state,
    },
    console::Console,
    controls, grants, people,
    policies::documents,
    reports, requests, rotations, signals, vault,
};
use app::{
    audit::{action::Action, verify::HEARTBEAT},
    error::Error,
};
use chrono::TimeDelta;
use std::{sync::atomic::Ordering, time::Duration};
use tokio::time::Instant;

/// How often it is looked for what is due: the most that anything is late by.
pub const LOOK: Duration = Duration::from_secs(2);

/// The most that a machine's clock may be off the database's.
pub const SKEW: TimeDelta = TimeDelta::seconds(5);

/// How often new events are looked at for signals.
const WATCH: Duration = Duration::from_secs(10);

/// How often rows that open access are compared with the trail: once an hour at least.
const COMPARE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// Everything that is due now, once. The demonstration calls it as its clock moves.
pub async fn run_due(console: &Console) -> Result<(), Error> {
    while requests::expire_requests(console).await? > 0 {}
    while controls::expire_changes(console).await? > 0 {}
    while grants::note_ends(console).await? > 0 {}
    // What only closes goes on whatever the rest would need to know.
    follow(console).await?;
    grants::remind(console).await?;
    while rotations::open_leavers(console).await? > 0 {}
    while rotations::start_due(console).await? > 0 {}
    while rotations::run_due(console).await? > 0 {}
    while rotations::expire_due(console).await? > 0 {}
    console.ledger.flush_repeats(false).await;
    Ok(())
}

/// What came into force on another replica, or before this one started, holds for the service's own work too.
async fn follow(console: &Console) -> Result<(), Error> {
    documents::follow(&console.engine, &mut console.read().await?, console.seal_key()).await
}

async fn sweep(console: &Console) -> Result<(), Error> {
    let mut tx = console.ledger.housekeeping().await?;
    people::store::forget_browsers(&mut tx, console.now()).await?;
    people::providers::store::forget_logouts(&mut tx, console.now()).await?;
    people::factors::store::forget_proofs(&mut tx, console.now()).await?;
    vault::store::forget_stashes(&mut tx, console.now()).await?;
    tx.finish().await
}

/// Starts the service's own work; it ends with the process.
pub fn start(console: &Console, mut trail: state::Trail) {
    tokio::spawn(console.builder.clone().run());
    let due = console.clone();
    tokio::spawn(async move {
        loop {
            if let Err(error) = run_due(&due).await {
                tracing::error!(%error, "due work");
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    // Long work is not what the rest waits for.
    let long = console.clone();
    tokio::spawn(async move {
        loop {
            let done = async {
                follow(&long).await?;
                reports::run_due(&long).await
            };
            if let Err(error) = done.await {
                tracing::error!(%error, "exports");
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    let watch = console.clone();
    tokio::spawn(async move {
        loop {
            if let Err(error) = signals::refresh(&watch).await {
                tracing::error!(%error, "signals");
            }
            tokio::time::sleep(WATCH).await;
        }
    });
    let rows = console.clone();
    tokio::spawn(async move {
        loop {
            let begun = Instant::now();
            if let Err(error) = state::watch(&rows, &mut trail).await {
                tracing::error!(%error, "rows that open access could not be compared with the trail");
            }
            // A hundredth of the time at most goes into it.
            let next = Instant::now() + (begun.elapsed() * 100).clamp(COMPARE.0, COMPARE.1);
            while Instant::now() < next {
                tokio::time::sleep(LOOK).await;
                if let Err(error) = state::follow(&rows, &mut trail).await {
                    tracing::error!(%error, "the trail could not be read on");
                }
            }
        }
    });
    let beat = console.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(HEARTBEAT.to_std().unwrap_or_default() / 5).await;
            if let Err(error) = compare_clocks(&beat).await {
                tracing::error!(%error, "the clock could not be compared with the database's");
            }
            if let Err(error) = heartbeat(&beat).await {
                tracing::error!(%error, "heartbeat");
            }
            if let Err(error) = reports::forget_over(&beat).await {
                tracing::error!(%error, "results that are no longer kept");
            }
            if let Err(error) = sweep(&beat).await {
                tracing::error!(%error, "housekeeping");
            }
        }
    });
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

/// The last event of a graceful stop, and the checkpoint over it.
pub async fn stopped(console: &Console) {
    console.ledger.flush_repeats(true).await;
    if let Err(error) = console.ledger.observe(&Who::system("serve"), Event::new(Action::StopService)).await {
        tracing::error!(%error, "the stop could not be recorded");
    }
    if let Err(error) = console.builder.build().await {
        tracing::error!(%error, "no checkpoint at the stop");
    }
    console.builder.settle().await;
}
