//! Background jobs, through the same operations as people: ends of requests and grants, rotations, exports, signals, heartbeats,
//! housekeeping.
//!
//! ```text
//! SLICES ─▶ one task for each job ─▶ each item apart ─┬▶ done
//!              │ (board: how it went last)            └▶ set aside, with the reason ─▶ tried again later and later
//!              └▶ begins those that take long, and does not wait for them (rotations: slots)
//! ```
//!
//! Invariants: each job is idempotent, so that replicas may run it at the same time; one that fails, waits or breaks off keeps no other
//! waiting; one item that fails keeps no other waiting, is written to the log once for each attempt, and stands on the page *Jobs* with
//! its reason; what opens something is done only by what is in force now.
pub mod board;
mod items;
mod service;
pub mod store;

pub use items::{attempt, each, earlier, settle};
pub use service::{SKEW, compare_clocks, started, stopped};

use crate::{audit, console::Console, controls, grants, policies::documents, reports, requests, rotations, signals};
use app::error::Error;
use futures_util::future::BoxFuture;
use std::time::Duration;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

/// How often it is looked for what is due: the most that anything is late by.
pub const LOOK: Duration = Duration::from_secs(2);

/// How long a stop waits for what is under way.
const PATIENCE: Duration = Duration::from_secs(5);

/// Works on some of what is due; how many items it did. Above 0 it is called again at once.
pub type Work = fn(&Console) -> BoxFuture<'_, Result<usize, Error>>;

/// One background job.
pub struct Job {
    /// Its name in the trail, the log and the metrics.
    pub name: &'static str,
    /// What it does, for people.
    pub words: &'static str,
    pub every: Duration,
    /// It opens or begins something: only by what is in force now, also where that was confirmed on another replica.
    pub follows: bool,
    /// It works on what the clock makes due: where a clock is moved by hand, [`run_due`] runs it.
    pub by_clock: bool,
    pub run: Work,
    /// Where an item may take long: begins what is due, and does not wait for it.
    pub begin: Option<Work>,
}

impl Job {
    /// Looks for what is due by the clock, every two seconds.
    pub const fn due(name: &'static str, words: &'static str, run: Work) -> Self {
        Self { name, words, every: LOOK, follows: false, by_clock: true, run, begin: None }
    }

    /// Does something at times, whatever is due.
    pub const fn every(seconds: u64, name: &'static str, words: &'static str, run: Work) -> Self {
        Self { every: Duration::from_secs(seconds), by_clock: false, ..Self::due(name, words, run) }
    }

    pub const fn following(self) -> Self {
        Self { follows: true, ..self }
    }

    pub const fn beginning(self, begin: Work) -> Self {
        Self { begin: Some(begin), ..self }
    }
}

/// The jobs of each slice. What only closes stands first: [`run_due`] goes through them in this order.
const SLICES: [&[Job]; 8] = [
    requests::JOBS,
    controls::JOBS,
    grants::JOBS,
    rotations::JOBS,
    audit::JOBS,
    reports::JOBS,
    signals::JOBS,
    service::JOBS,
];

pub fn all() -> impl Iterator<Item = &'static Job> {
    SLICES.into_iter().flatten()
}

/// Everything that is due now, once, one after the other. The demonstration and the tests call it as their clock moves.
pub async fn run_due(console: &Console) -> Result<(), Error> {
    for job in all().filter(|job| job.by_clock) {
        while run(console, job, job.run).await? > 0 {}
    }
    Ok(())
}

async fn run(console: &Console, job: &Job, work: Work) -> Result<usize, Error> {
    if job.follows {
        documents::follow(&console.engine, &mut console.read().await?, console.seal_key()).await?;
    }
    work(console).await
}

/// The jobs of this process, while it serves.
pub struct Running {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Starts every job in a task of its own.
pub fn start(console: &Console) -> Running {
    let (mut tasks, stop) = (JoinSet::new(), watch::Sender::new(false));
    tasks.spawn(console.builder.clone().run(stop.subscribe()));
    for job in all() {
        tasks.spawn(keep(console.clone(), job, stop.subscribe()));
    }
    Running { stop, tasks }
}

impl Running {
    /// Begins nothing more, and waits for what is under way; what takes too long is broken off, as if the process had died.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(PATIENCE, ended).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

/// Runs a job again and again, until the process stops.
async fn keep(console: Console, job: &'static Job, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let begun = Instant::now();
        console.board.begins(job.name, console.now());
        let ended = attempt(Box::pin(run(&console, job, job.begin.unwrap_or(job.run)))).await;
        if console.board.ends(job.name, console.now(), begun.elapsed(), &ended)
            && let Err(why) = &ended
        {
            tracing::error!(job = job.name, why, "a job failed: it goes on as soon as it can");
        }
        if ended.is_ok_and(|items| items > 0) {
            continue;
        }
        tokio::select! {
            () = sleep(job.every) => {}
            _ = stop.changed() => {}
        }
    }
}
