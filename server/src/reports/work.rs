//! Working on a job: taken with a lease, from its beginning, said how far it is, stopped when it is cancelled.
use super::{KEPT, MAKE, bundle, chunks::Chunks, events, rows, sample, store, store::Job, system};
use crate::{
    audit::{
        event::{Event, Who},
        search::{self, Filter, Reading},
        verify,
    },
    console::Console,
    jobs, keys, notifications,
    people::{self, Caller, Entry},
};
use app::{
    audit::{
        action::Action,
        leaf::Subject,
        query::{Key, Query},
    },
    error::Error,
    reports::model::Kind,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use chrono_tz::Tz;

/// How long a replica may be silent about a job.
pub const LEASE: TimeDelta = TimeDelta::seconds(60);

/// Why a job ends without a result.
pub enum Stopped {
    /// Somebody cancelled it, or another replica has it.
    Taken,
    /// It cannot be done; in words for whoever asked.
    Failed(String),
    Error(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<crate::db::Error> for Stopped {
    fn from(error: crate::db::Error) -> Self {
        Self::Error(error.into())
    }
}

/// A job being worked on.
pub struct Working<'c> {
    pub console: &'c Console,
    pub job: Job,
    pub reading: Reading,
    pub filter: Filter,
    pub zone: Tz,
    holder: String,
}

/// How often a job is begun before it is given up: one that ends its replica each time would never end.
const ATTEMPTS: i32 = 3;

/// The query as a file says it: a redacted one does not name what it withholds.
pub fn said_query(job: &Job) -> String {
    if !job.redacted {
        return job.query.clone();
    }
    match Query::parse(&job.query) {
        // Numbers and codes name nobody; a range can still be shown to be complete.
        Ok(query)
            if query
                .terms
                .iter()
                .all(|term| matches!(term.key, Some(Key::Event | Key::Created | Key::Action | Key::Outcome))) =>
        {
            job.query.clone()
        }
        _ => "withheld".into(),
    }
}

impl Working<'_> {
    pub fn said_query(&self) -> String {
        said_query(&self.job)
    }

    /// Says how far it is. Stops when nobody waits for it any more.
    pub async fn progress(&mut self, done: u64, rows: u64, bytes: u64) -> Result<(), Stopped> {
        (self.job.done, self.job.rows_written, self.job.bytes_written) = (done as i64, rows as i64, bytes as i64);
        let mut tx = self.console.ledger.housekeeping().await?;
        let kept = store::progress(&mut tx, &self.job, &self.holder, self.console.now() + LEASE).await?;
        tx.finish().await?;
        if kept == 0 { Err(Stopped::Taken) } else { Ok(()) }
    }
}

/// Works on what waits, two at the same time; how many there were.
pub async fn run_due(console: &Console) -> Result<usize, Error> {
    let waiting = store::waiting(&mut console.read().await?, console.now(), 5).await?;
    jobs::each(console, MAKE, waiting, 2, |console, id| async move { make(&console, &id).await }).await
}

async fn make(console: &Console, id: &str) -> Result<(), Error> {
    let holder = URL_SAFE_NO_PAD.encode(keys::random::<16>().map_err(|_| Error::Unavailable)?);
    let now = console.now();
    let mut tx = console.ledger.housekeeping().await?;
    let leased = store::lease(&mut tx, id, &holder, now, now + LEASE).await?;
    tx.finish().await?;
    if leased == 0 {
        return Ok(());
    }
    let job = store::find(&mut console.read().await?, id).await?.ok_or(Error::NotFound)?;
    if job.attempts > ATTEMPTS {
        return fail(console, job, &holder, "It was begun three times and did not end.".into()).await;
    }
    match work(console, job.clone(), holder.clone()).await {
        Ok(()) | Err(Stopped::Taken) => Ok(()),
        Err(Stopped::Failed(why)) => fail(console, job, &holder, why).await,
        Err(Stopped::Error(Error::Unavailable)) => {
            tracing::error!(job = id, "an export cannot go on now");
            fail(console, job, &holder, "The database did not take it. Is there room on its disk?".into()).await
        }
        Err(Stopped::Error(error)) => fail(console, job, &holder, error.to_string()).await,
    }
}

async fn work(console: &Console, job: Job, holder: String) -> Result<(), Stopped> {
    let kind = job.kind().ok_or_else(|| Stopped::Failed("This version does not make such a thing.".into()))?;
    let mut db = console.read().await?;
    let person = people::store::find(&mut db, &job.owner_id, console.seal_key()).await?;
    drop(db);
    let gone = || Stopped::Failed("Whoever asked may no longer read the trail.".into());
    let person = person.filter(people::store::Person::is_active).ok_or_else(gone)?;
    let caller = Caller::load(console, person, Entry::Direct, Who::anonymous()).await?;
    let reading = Reading::of_events(console, &caller).await?.ok_or_else(gone)?;
    if kind == Kind::Verification && reading != Reading::All {
        return Err(gone());
    }
    let zone: Tz = job.zone.parse().unwrap_or(Tz::UTC);
    let query = Query::parse(&job.query).map_err(|mistake| Stopped::Failed(mistake.to_string()))?;
    if search::refresh(console).await? < job.as_of as u64 {
        return Err(Stopped::Failed("The trail could not be read for searching as far as it was asked for.".into()));
    }
    let mut db = console.read().await?;
    // Words like today mean the day on which it was asked.
    let asked_at = job.created_at;
    let filter = search::resolve_at(console, &mut db, &caller, &reading, &query, zone, asked_at).await;
    drop(db);
    let mut filter = filter.map_err(|asked| Stopped::Failed(Error::from(asked).to_string()))?;
    filter.to = filter.to.min(job.as_of as u64);
    filter.from = filter.from.min(filter.to);
    let mut chunks = Chunks::new(console, &job.id, &holder).await?;
    let mut working = Working { console, job, reading, filter, zone, holder };
    let format = working.job.format();
    let rows = match kind {
        Kind::Evidence => bundle::write(&mut working, &mut chunks).await?,
        Kind::Events | Kind::Failed => events::write(&mut working, format, &mut chunks).await?,
        Kind::Sample => sample::write(&mut working, format, &mut chunks).await?,
        Kind::Verification => verification(&mut working, &mut chunks).await?,
        Kind::Access | Kind::Knowledge | Kind::Requests | Kind::Rotations | Kind::Dormant => {
            rows::write(&mut working, kind, format, &query, &mut chunks).await?
        }
    };
    let (digest, bytes) = chunks.finish().await?;
    let now = console.now();
    let job = Job {
        digest: Some(digest.clone()),
        rows_written: rows as i64,
        bytes_written: bytes as i64,
        done: working.job.total,
        expires_at: now + KEPT,
        scope: working.reading.projects().join(" "),
        ..working.job
    };
    let event = about(&job, Action::FinishExport).detail("rows", rows).detail("sha256", digest);
    let mut tx = console.ledger.begin(&system()).await?;
    if store::end(&mut tx, &job, &working.holder, now).await? == 0 {
        return Err(Stopped::Taken);
    }
    notifications::tell(console, &mut tx, [job.owner_id.as_str()], "report.done", &job.id).await?;
    tx.commit(vec![event]).await?;
    Ok(())
}

fn about(job: &Job, action: Action) -> Event {
    let subject = Subject { row: Some(job.id.clone()), person: Some(job.owner_id.clone()), ..Subject::default() };
    Event::new(action).on(subject).detail("kind", job.kind.clone())
}

async fn fail(console: &Console, job: Job, holder: &str, why: String) -> Result<(), Error> {
    let mut tx = console.ledger.begin(&system()).await?;
    // It may name what was asked for: it lies beside the leaf, not in it.
    let event = about(&job, Action::FailExport).private("reason", why.clone());
    let (owner, id) = (job.owner_id.clone(), job.id.clone());
    if store::end(&mut tx, &Job { failure: Some(why), ..job }, holder, console.now()).await? > 0 {
        store::delete_chunks(&mut tx, &id).await?;
        notifications::tell(console, &mut tx, [owner.as_str()], "report.failed", &id).await?;
        tx.commit(vec![event]).await?;
    }
    Ok(())
}

/// Reads the whole trail and says whether it is what was signed.
async fn verification(working: &mut Working<'_>, chunks: &mut Chunks<'_>) -> Result<u64, Stopped> {
    let console = working.console;
    let key = console.builder.verifier();
    let notes = console.builder.anchors().notes();
    let heads: Vec<String> = notes.into_iter().map(|(_, note)| note).collect();
    let seal = Some(&console.ledger.keys().event_seal);
    let options = verify::Options { deep: true, seal, heads: &heads, ..verify::Options::default() };
    let mut verification = verify::Verification::begin(console.db(), &key, &options, console.demo).await?;
    while verification.go_on(console.db(), &options).await? {
        let size = verification.size();
        working.job.total = working.job.total.max(size as i64);
        working.progress(size, size, 0).await?;
    }
    let report = verification.finish();
    let mut lines = report.lines();
    let whole = report.is_clean() && report.verified.lost.is_empty();
    working.job.whole = Some(whole);
    if whole {
        lines.push(verify::WHOLE.into());
    }
    chunks.write(format!("{}\n", lines.join("\n")).as_bytes()).await?;
    Ok(report.verified.size)
}
