//! B6, B8, B10: the trail searched, exported and counted, over a million events (`COUNTERSIGN_BENCH_EVENTS` for another number).
use super::{Failure, Ground, millis, percentiles, say};
use crate::{
    audit::{
        event::{Event, Who},
        projection,
        search::{self, Reading},
        store,
    },
    metrics::{self, Asked, Rollup},
    reports::{self, Wanted},
    signals,
};
use app::{
    audit::{action::Action, leaf::Subject, query::Query},
    error::Refusal,
    id::{Id, WorkloadId},
    reports::model::{Format, Kind, State},
};
use chrono::TimeDelta;
use std::{sync::Arc, time::Instant};

const EVENTS: u64 = 1_000_000;
const WRITERS: u64 = 512;
/// Pages that are timed for each question.
const PAGES: usize = 200;

/// A workload of the bench: a name that is none of a row.
fn actor(n: u64) -> WorkloadId {
    WorkloadId::make(1, (n as u128).to_be_bytes()[6..].try_into().unwrap_or_default())
}

async fn fill(ground: &Arc<Ground>, events: u64) -> Result<(), Failure> {
    let mut tasks = tokio::task::JoinSet::new();
    let mut db = ground.console.read().await?;
    let key = ground.console.seal_key();
    let near = crate::catalog::Located::find(&mut db, &ground.secrets[0], key).await?.ok_or("no secret")?;
    drop(db);
    for writer in 0..WRITERS {
        let (ground, near) = (ground.clone(), near.clone());
        tasks.spawn(async move {
            for n in (writer..events).step_by(WRITERS as usize) {
                let who = Who {
                    address: Some(format!("10.{}.{}.7", n % 5, n % 200)),
                    ..Who::workload(&actor(n % 500), "token")
                };
                let subject = Subject {
                    secret: Some(ground.secrets[n as usize % ground.secrets.len()].clone()),
                    project: Some(near.project.id.clone()),
                    environment: Some(near.environment.id.clone()),
                    ..Subject::default()
                };
                let event =
                    Event::new(Action::FetchSecret).on(subject).private("path", format!("service/{}/key", n % 300));
                let event = if n % 50 == 0 { event.refused(Refusal::NoGrant) } else { event };
                ground.console.ledger.observe(&who, event).await?;
            }
            Ok::<_, app::error::Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

pub async fn run(name: &str, ground: &Arc<Ground>) -> Result<(), Failure> {
    let events = std::env::var("COUNTERSIGN_BENCH_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(EVENTS);
    fill(ground, events).await?;
    let console = &ground.console;
    let size = store::size(&mut console.read().await?).await?;
    let start = Instant::now();
    search::refresh(console).await?;
    let folded = size as f64 / start.elapsed().as_secs_f64();
    let start = Instant::now();
    projection::catch_up(console, &Rollup).await?;
    let counted = size as f64 / start.elapsed().as_secs_f64();
    let start = Instant::now();
    signals::refresh(console).await?;
    let watched = size as f64 / start.elapsed().as_secs_f64();
    say(
        &format!("   {name}: events read per second for search, for counts, for signals"),
        &format!("{folded:.0}, {counted:.0}, {watched:.0}"),
    );
    pages(name, ground, size).await?;
    boards(name, ground).await?;
    exports(name, ground).await
}

/// B6: an indexed filter, at the head and deep in the trail.
async fn pages(name: &str, ground: &Arc<Ground>, size: u64) -> Result<(), Failure> {
    let console = &ground.console;
    for (what, text) in [
        ("one actor", format!("actor:{}", actor(7))),
        ("refusals of one secret", format!("secret:{} outcome:refused", ground.secrets[0])),
        ("words and not an address", "\"service 42\" -ip:10.1.*".to_owned()),
    ] {
        let mut times = Vec::new();
        for n in 0..PAGES {
            let start = Instant::now();
            let mut db = console.read().await?;
            let query = Query::parse(&text).map_err(|mistake| mistake.to_string())?;
            let filter =
                search::resolve(console, &mut db, &ground.lead, &Reading::All, &query, chrono_tz::Tz::UTC).await;
            let filter = filter.map_err(app::error::Error::from)?;
            let before = size - (size / PAGES as u64) * n as u64;
            let page = filter.page(&mut db, Some(before), 50).await?;
            std::hint::black_box(page.rows.len());
            times.push(start.elapsed());
        }
        let (p50, p99) = percentiles(times);
        let what = format!("B6 {name}: page of 50 at every depth of {size} events, {what}: p50 / p99");
        say(&what, &format!("{} / {}", millis(p50), millis(p99)));
    }
    Ok(())
}

/// B10: the whole dashboard, over a quarter of a year.
async fn boards(name: &str, ground: &Arc<Ground>) -> Result<(), Failure> {
    let mut times = Vec::new();
    for _ in 0..PAGES {
        let start = Instant::now();
        let asked = Asked { range: "90d".into(), ..Asked::default() };
        let board = metrics::dashboard(&ground.console, &ground.lead, &asked).await?;
        std::hint::black_box(board.cells.len());
        times.push(start.elapsed());
    }
    let (p50, p99) = percentiles(times);
    say(&format!("B10 {name}: the dashboard's figures: p50 / p99"), &format!("{} / {}", millis(p50), millis(p99)));
    Ok(())
}

/// B8: every event as CSV, sealed in chunks as it is made.
async fn exports(name: &str, ground: &Arc<Ground>) -> Result<(), Failure> {
    let console = &ground.console;
    let wanted = Wanted {
        kind: Kind::Events,
        format: Format::Csv,
        query: "",
        zone: "UTC",
        redacted: false,
        raw: false,
        sample: 0,
        nonce: "",
    };
    let (id, _) = reports::start_export(console, &ground.lead, wanted).await?;
    let start = Instant::now();
    reports::run_due(console).await?;
    let took = start.elapsed();
    let job = reports::store::find(&mut console.read().await?, &id).await?.ok_or("no job")?;
    if job.state(console.now()) != State::Done {
        return Err(job.failure.unwrap_or_default().into());
    }
    let rate = job.rows_written as f64 / took.as_secs_f64();
    let size = job.bytes_written as f64 / 1_048_576.0;
    say(
        &format!("B8 {name}: {} events as CSV, {size:.0} MiB: rows per second", job.rows_written),
        &format!("{rate:.0}"),
    );
    ground.clock.advance(TimeDelta::days(2));
    reports::forget_over(console).await?;
    Ok(())
}
