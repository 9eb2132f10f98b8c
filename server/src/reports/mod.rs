//! Exports of the trail, evidence bundles and verifications: asked for as an operation, worked on by whichever replica is
//! free, kept sealed for a day.
//!
//! ```text
//! start_export ─▶ event (query, as-of size) ─▶ job ─lease─▶ chunks of 1 MiB, sealed ─▶ event (rows, SHA-256) ─▶ notice
//! ```
//!
//! Invariants: what leaves was recorded before its first byte; nothing later than the as-of size is in it; only whoever asked
//! can see it, as long as they may read that much of the trail; a job that lost its replica begins anew.
mod bundle;
mod chunks;
mod events;
mod pdf;
mod printed;
mod rows;
mod sample;
pub mod shown;
pub mod store;
mod table;
mod work;

pub use chunks::{Download, manifest};
pub use work::run_due;

use self::store::Job;
use crate::{
    audit::{
        self,
        event::{Event, Who},
        ledger::{Receipt, Tx},
        search::{self, Reading},
    },
    console::Console,
    jobs,
    people::Caller,
    policies::Situation,
    vault,
};
use app::{
    audit::{
        action::Action,
        leaf::{Outcome, Subject},
        query::{Key, Query},
    },
    error::{Conflict, Error, Refusal},
    id::ReportId,
    reports::model::{Format, Kind, State},
};
use chrono::TimeDelta;
use chrono_tz::Tz;

const MAKE: &str = "make-exports";
const FORGET: &str = "forget-exports";

pub const JOBS: &[jobs::Job] = &[
    jobs::Job::every(2, MAKE, "Creates exports, evidence bundles and verifications", |console| {
        Box::pin(run_due(console))
    })
    .following(),
    jobs::Job::every(60, FORGET, "Deletes expired exports", |console| Box::pin(forget_over(console))),
];

/// How long a result is kept.
pub const KEPT: TimeDelta = TimeDelta::hours(24);
/// How many jobs of one person run or wait.
const MOST_OPEN: i64 = 5;

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    pub kind: Kind,
    /// For tables.
    pub format: Format,
    pub query: &'a str,
    pub zone: &'a str,
    /// Withhold names, paths, reasons and addresses.
    pub redacted: bool,
    /// Leave cells as they are, also those that a spreadsheet would compute.
    pub raw: bool,
    /// Of a sample: how many events are drawn, and the nonce that the auditor chose.
    pub sample: u32,
    pub nonce: &'a str,
}

/// Begins a job. The query is understood before it is: a mistake is told at once.
pub async fn start_export(console: &Console, caller: &Caller, wanted: Wanted<'_>) -> Result<(String, Receipt), Error> {
    let query = understood(wanted.kind, wanted.query)?;
    vault::without_secrets(console, "q", wanted.query).await?;
    let zone: Tz = wanted.zone.parse().map_err(|_| Error::invalid("zone", "No time zone has this name."))?;
    let reading = reading(console, caller, Action::StartExport).await?;
    if wanted.kind == Kind::Verification && reading != Reading::All {
        let event = Event::new(Action::StartExport).detail("kind", wanted.kind.code());
        return Err(console.ledger.refuse(&caller.who, event, Refusal::NoRule).await);
    }
    rows::check(wanted.kind, &query)?;
    let (size, nonce) = sample::check(&wanted)?;
    // Signed before anybody here knew the nonce: whoever keeps the log cannot choose a root that fits it.
    let head = match size {
        0 => None,
        _ => Some(sample::head(console)?),
    };
    search::refresh(console).await?;
    let mut db = console.read().await?;
    search::resolve(console, &mut db, caller, &reading, &query, zone).await?;
    let size_now = audit::store::size(&mut db).await?;
    drop(db);
    let as_of = head.as_ref().map_or(size_now, |head| head.size.min(size_now));
    let now = console.now();
    let job = Job {
        id: console.id::<ReportId>()?.to_string(),
        owner_id: caller.id().into(),
        kind: wanted.kind.code().into(),
        format: wanted.kind.fixed().unwrap_or(wanted.format).code().into(),
        query: query.to_string(),
        zone: zone.name().into(),
        redacted: wanted.redacted,
        scope: reading.projects().join(" "),
        attempts: 0,
        raw: wanted.raw,
        as_of: as_of as i64,
        created_at: now,
        started_at: None,
        cancelled_at: None,
        ended_at: None,
        failure: None,
        done: 0,
        total: as_of as i64,
        rows_written: 0,
        bytes_written: 0,
        digest: None,
        expires_at: now + KEPT,
        whole: None,
        sample: size,
        nonce,
        root: head.map(|head| app::audit::tree::hex(&head.root)).unwrap_or_default(),
        terms_mac: Vec::new(),
    };
    let (mut tx, event) = begin(console, caller, &reading, &job.id).await?;
    if store::count_open(&mut tx, caller.id()).await? >= MOST_OPEN {
        return Err(Error::invalid("kind", "Five of yours are under way. Wait for one of them, or cancel it."));
    }
    store::insert(&mut tx, &job).await?;
    let event = event
        .detail("kind", job.kind.clone())
        .detail("format", job.format.clone())
        .detail("as_of", as_of)
        .detail("redacted", job.redacted)
        .detail("raw", job.raw)
        .private("query", job.query.clone());
    let event = match job.sample {
        0 => event,
        size => event.detail("sample", size).detail("root", job.root.clone()).private("nonce", job.nonce.clone()),
    };
    Ok((job.id, tx.commit(vec![event]).await?))
}

/// The query of a job, as it stands in its record and its file: what a kind adds to it is said there too.
fn understood(kind: Kind, text: &str) -> Result<Query, Error> {
    let parse = |text: &str| Query::parse(text).map_err(|mistake| Error::invalid("q", mistake.to_string()));
    let query = parse(text)?;
    if kind != Kind::Failed {
        return Ok(query);
    }
    if let Some(term) = query.of(Key::Outcome).find(|term| term.negated || term.value != Outcome::Refused.code()) {
        // The same key twice would mean or: what succeeded would be among the failures.
        return Err(Error::invalid("q", term.wrong("This report is of what was refused.").to_string()));
    }
    if query.of(Key::Outcome).next().is_some() {
        return Ok(query);
    }
    parse(&format!("outcome:{} {query}", Outcome::Refused.code()))
}

/// May this caller ask for anything? Asked before what was sent is read.
pub async fn may_ask(console: &Console, caller: &Caller) -> Result<(), Error> {
    reading(console, caller, Action::StartExport).await.map(|_| ())
}

/// Whose trail a caller may read, or a recorded refusal.
async fn reading(console: &Console, caller: &Caller, action: Action) -> Result<Reading, Error> {
    match Reading::of_events(console, caller).await? {
        Some(reading) => Ok(reading),
        None => Err(console.ledger.refuse(&caller.who, Event::new(action), Refusal::NoRule).await),
    }
}

/// Asks policy of everything that is read, of each project where it is some; the event is that of the first.
async fn begin(console: &Console, caller: &Caller, reading: &Reading, job: &str) -> Result<(Tx, Event), Error> {
    let projects = match reading {
        Reading::All | Reading::Period { projects: None, .. } => &[],
        Reading::Projects(led) | Reading::Period { projects: Some(led), .. } => led.as_slice(),
    };
    let about =
        |project: Option<&String>| Subject { row: Some(job.into()), project: project.cloned(), ..Subject::default() };
    let situation = Situation::default();
    let first = about(projects.first());
    let (mut tx, event) = console.begin(caller, Action::StartExport, first, situation).await?;
    for project in projects.iter().skip(1) {
        let principal = caller.principal(Some(project));
        (tx, _) = console.allow(tx, &principal, Action::StartExport, about(Some(project)), situation).await?;
    }
    let event = if projects.len() > 1 { event.detail("projects", projects.len() as u64) } else { event };
    Ok((tx, event))
}

/// A job of this caller. Somebody else's is not there.
pub async fn own_job(console: &Console, caller: &Caller, id: &str) -> Result<Job, Error> {
    let id: ReportId = id.parse().map_err(|_| Error::NotFound)?;
    let job = store::find(&mut console.read().await?, id.as_str()).await?;
    job.filter(|job| job.owner_id == caller.id()).ok_or(Error::NotFound)
}

/// Stops a job; what it had made is not kept.
pub async fn cancel_export(console: &Console, caller: &Caller, id: &str) -> Result<Receipt, Error> {
    let job = own_job(console, caller, id).await?;
    let now = console.now();
    if !matches!(job.state(now), State::Waiting | State::Running) {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let own = Situation { own: true, ..Situation::default() };
    let subject = Subject { row: Some(job.id.clone()), ..Subject::default() };
    let (mut tx, event) = console.begin(caller, Action::CancelExport, subject, own).await?;
    if store::cancel(&mut tx, &job.id, now).await? == 0 {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    tx.commit(vec![event]).await
}

/// Results that are no longer kept are deleted.
pub async fn forget_over(console: &Console) -> Result<usize, Error> {
    let over = store::over(&mut console.read().await?, console.now(), 20).await?;
    jobs::each(console, FORGET, over, 1, |console, id| async move {
        let mut tx = console.ledger.housekeeping().await?;
        store::delete_chunks(&mut tx, &id).await?;
        tx.finish().await
    })
    .await
}

fn system() -> Who {
    Who::system("export")
}
