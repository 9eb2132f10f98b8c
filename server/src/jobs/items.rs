//! Many items of one kind: each is worked on apart, and one that fails is set aside with its reason. It is tried again later and
//! later, and keeps no other from being worked on, however many of them there are.
use super::store::{self, Aside};
use crate::{cause, console::Console, notifications, people};
use app::error::Error;
use chrono::TimeDelta;
use futures_util::FutureExt;
use std::{collections::HashMap, panic::AssertUnwindSafe, pin::Pin};
use tokio::task::JoinSet;

/// How long an item is left alone after so many failures; after more, as after the last.
const PAUSES: [TimeDelta; 4] =
    [TimeDelta::seconds(10), TimeDelta::minutes(1), TimeDelta::minutes(10), TimeDelta::hours(1)];

/// After so many failures in a row those who run the service have a notice of it.
const NOTICED: i32 = 3;

/// Works on what is due, so many at the same time; how many were done. Only what concerns no item is an error: the database is away.
pub async fn each<W>(
    console: &Console,
    job: &'static str,
    due: Vec<String>,
    at_once: usize,
    work: impl Fn(Console, String) -> W,
) -> Result<usize, Error>
where
    W: Future<Output = Result<(), Error>> + Send + 'static,
{
    let before = earlier(console, job, &due).await?;
    let mut due = due.into_iter();
    let (mut working, mut done, mut failed) = (JoinSet::new(), 0, None);
    loop {
        while working.len() < at_once.max(1)
            && let Some(item) = due.next()
        {
            let work = attempt(Box::pin(work(console.clone(), item.clone())));
            working.spawn(async move { (item, work.await) });
        }
        let Some(ended) = working.join_next().await else { return failed.map_or(Ok(done), Err) };
        // The works catch what breaks in them.
        let Ok((item, ended)) = ended else { continue };
        done += usize::from(ended.is_ok());
        failed = settle(console, job, &item, ended.err(), before.get(&item)).await.err().or(failed);
    }
}

/// Which of some items failed before.
pub async fn earlier(console: &Console, job: &'static str, items: &[String]) -> Result<HashMap<String, Aside>, Error> {
    let rows = store::of(&mut console.read().await?, job, items).await?;
    Ok(rows.into_iter().map(|row| (row.item.clone(), row)).collect())
}

/// One piece of work, on the heap: why it failed, also where it broke off.
pub async fn attempt<T>(work: Pin<Box<impl Future<Output = Result<T, Error>>>>) -> Result<T, String> {
    match AssertUnwindSafe(cause::noted(work)).catch_unwind().await {
        Ok((Ok(done), _)) => Ok(done),
        Ok((Err(error), cause)) => Err(cause.unwrap_or_else(|| error.to_string())),
        Err(_) => Err("it broke off: the server’s log says where".into()),
    }
}

/// Notes how an item ended: set aside for a while, or no longer.
pub async fn settle(
    console: &Console,
    job: &'static str,
    item: &str,
    failure: Option<String>,
    before: Option<&Aside>,
) -> Result<(), Error> {
    let now = console.now();
    let Some(reason) = failure else {
        if before.is_some() {
            let mut tx = console.ledger.housekeeping().await?;
            store::forget(&mut tx, job, item).await?;
            tx.finish().await?;
        }
        return Ok(());
    };
    let attempts = before.map_or(0, |row| row.attempts).saturating_add(1);
    let pause = PAUSES[usize::try_from(attempts - 1).unwrap_or_default().min(PAUSES.len() - 1)];
    tracing::error!(job, item, attempts, reason, "set aside");
    let row = Aside {
        job: job.into(),
        item: item.into(),
        attempts,
        reason,
        since: before.map_or(now, |row| row.since),
        next_at: now + pause,
    };
    let mut tx = console.ledger.housekeeping().await?;
    store::set(&mut tx, &row).await?;
    if attempts == NOTICED {
        let told = people::overseers(console, &mut tx).await?;
        notifications::tell(console, &mut tx, told.iter().map(String::as_str), "job.stuck", item).await?;
    }
    tx.finish().await
}
