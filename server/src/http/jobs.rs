//! Background jobs: for readers of the whole trail, because failed items name rows of every project.
use super::{
    Problem,
    visitor::{Signed, shown},
};
use crate::{
    audit::{event::Event, search::Reading},
    jobs::{self, store},
};
use app::{
    audit::action::Action,
    error::Refusal,
    jobs::page::{self, Aside, Jobs, Line},
};
use axum::response::Response;
use chrono::TimeDelta;

/// Items that one page lists.
const LISTED: u32 = 100;

pub async fn jobs(signed: Signed) -> Result<Response, Problem> {
    let console = signed.console();
    if Reading::of(console, &signed.caller).await? != Some(Reading::All) {
        let refused = Event::new(Action::ReadTrail).detail("page", "jobs");
        return Err(console.ledger.refuse(&signed.caller.who, refused, Refusal::NoRule).await.into());
    }
    let shell = signed.shell("/jobs").await?;
    let mut db = console.read().await?;
    let counts = store::count(&mut db).await?;
    let listed = store::list(&mut db, LISTED).await?;
    drop(db);
    let count = |name: &str| counts.iter().find(|(job, _)| job == name).map_or(0, |(_, count)| *count as u64);
    let lines = jobs::all().map(|job| {
        let run = console.board.of(job.name);
        Line {
            name: job.name,
            words: job.words,
            every: TimeDelta::from_std(job.every).unwrap_or_default(),
            since: run.since,
            ended_at: run.ended_at,
            took_ms: run.took.as_millis() as u64,
            items: run.items,
            failure: run.failure,
            done_at: run.done_at,
            aside: count(job.name),
        }
    });
    let aside = listed.into_iter().map(|row| Aside {
        job: jobs::all().find(|job| job.name == row.job).map_or("A job of another version", |job| job.words),
        item: row.item,
        attempts: row.attempts,
        reason: row.reason,
        since: row.since,
        next_at: row.next_at,
    });
    let view = Jobs {
        lines: lines.collect(),
        aside: aside.collect(),
        count: counts.iter().map(|(_, count)| *count as u64).sum(),
    };
    Ok(shown(page::jobs(&shell, view)))
}
