//! A result as it is kept: chunks of at most 1 MiB, each sealed for its job and its place.
use super::{
    own_job, store,
    store::Job,
    work::{LEASE, Stopped, said_query},
};
use crate::{
    audit::{event::Event, ledger::Housekeeping},
    console::Console,
    people::Caller,
    vault::envelope::{decrypt, encrypt},
};
use app::{
    audit::{action::Action, leaf::Subject},
    error::{Conflict, Error, Refusal},
    reports::model::{Format, Kind, State},
};
use sha2::{Digest, Sha256};

const CHUNK: usize = 1 << 20;

/// The most bytes of one result.
const MOST: u64 = 4 << 30;

/// Takes bytes in, lets sealed chunks out, as long as the job is this holder's.
pub struct Chunks<'c> {
    console: &'c Console,
    job: String,
    holder: String,
    buffer: Vec<u8>,
    n: i32,
    digest: Sha256,
    pub bytes: u64,
}

fn context(job: &str, n: i32) -> Vec<u8> {
    format!("countersign/report/v1 {job} {n}").into_bytes()
}

impl<'c> Chunks<'c> {
    /// From the beginning: what an earlier attempt left is deleted.
    pub async fn new(console: &'c Console, job: &str, holder: &str) -> Result<Self, Stopped> {
        let (job, holder) = (job.to_owned(), holder.to_owned());
        let chunks = Self { console, job, holder, buffer: Vec::new(), n: 0, digest: Sha256::new(), bytes: 0 };
        let mut tx = console.ledger.housekeeping().await?;
        chunks.hold(&mut tx).await?;
        store::delete_chunks(&mut tx, &chunks.job).await?;
        tx.finish().await?;
        Ok(chunks)
    }

    /// The job's row is this holder's until the end of the change: nobody else writes chunks of it meanwhile.
    async fn hold(&self, tx: &mut Housekeeping) -> Result<(), Stopped> {
        let kept = store::keep(tx, &self.job, &self.holder, self.console.now() + LEASE).await?;
        if kept == 0 { Err(Stopped::Taken) } else { Ok(()) }
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        if self.bytes > MOST {
            return Err(Stopped::Failed("It would be larger than 4 GiB. Ask for less.".into()));
        }
        for part in bytes.chunks(CHUNK) {
            self.buffer.extend_from_slice(part);
            if self.buffer.len() >= CHUNK {
                let rest = self.buffer.split_off(CHUNK);
                let full = std::mem::replace(&mut self.buffer, rest);
                self.keep(full).await?;
            }
        }
        Ok(())
    }

    async fn keep(&mut self, plain: Vec<u8>) -> Result<(), Stopped> {
        // What is left of the disk is for acts that close.
        if self.console.space.is_short(self.console.now()) {
            return Err(Stopped::Failed("Space runs low: nothing is made until there is more.".into()));
        }
        let sealed = encrypt(&self.console.ledger.keys().stash, &plain, &context(&self.job, self.n));
        let mut tx = self.console.ledger.housekeeping().await?;
        self.hold(&mut tx).await?;
        store::insert_chunk(&mut tx, &self.job, self.n, sealed.map_err(|_| Error::Unavailable)?).await?;
        tx.finish().await?;
        self.n += 1;
        Ok(())
    }

    /// Keeps the rest; returns SHA-256 of everything, in hex.
    pub async fn finish(mut self) -> Result<(String, u64), Stopped> {
        if !self.buffer.is_empty() {
            let rest = std::mem::take(&mut self.buffer);
            self.keep(rest).await?;
        }
        let digest = app::audit::tree::hex(&self.digest.finalize());
        Ok((digest, self.bytes))
    }
}

/// A result on its way out, a chunk at a time.
pub struct Download {
    console: Console,
    job: String,
    n: i32,
    pub kind: Kind,
    pub format: Format,
    pub bytes: u64,
}

impl Download {
    /// Recorded before the first byte leaves.
    pub async fn begin(console: &Console, caller: &Caller, id: &str) -> Result<Self, Error> {
        let job = done(console, caller, id).await?;
        let kind = job.kind().ok_or(Error::NotFound)?;
        let event = Event::new(Action::DownloadExport)
            .on(Subject { row: Some(job.id.clone()), ..Subject::default() })
            .detail("kind", job.kind.clone())
            .detail("rows", job.rows_written as u64)
            .detail("sha256", job.digest.clone().unwrap_or_default());
        console.ledger.observe(&caller.who, event).await?;
        Ok(Self {
            console: console.clone(),
            format: job.format(),
            job: job.id,
            n: 0,
            kind,
            bytes: job.bytes_written as u64,
        })
    }

    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let sealed = store::chunk(&mut self.console.read().await?, &self.job, self.n).await?;
        let Some(sealed) = sealed else { return Ok(None) };
        let plain = decrypt(&self.console.ledger.keys().stash, &sealed, &context(&self.job, self.n));
        self.n += 1;
        Ok(Some(plain.map_err(|_| Error::Unavailable)?.to_vec()))
    }

    /// All of it at once: for what is small.
    pub async fn whole(mut self) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        while let Some(part) = self.next().await? {
            all.extend(part);
        }
        Ok(all)
    }
}

/// A job of the caller's whose result is there, as long as the caller may still read the trail.
async fn done(console: &Console, caller: &Caller, id: &str) -> Result<Job, Error> {
    let job = own_job(console, caller, id).await?;
    let reading = super::reading(console, caller, Action::DownloadExport).await?;
    let then: Vec<String> = job.scope.split(' ').filter(|id| !id.is_empty()).map(ToOwned::to_owned).collect();
    if !reading.contains(&then) {
        let event = Event::new(Action::DownloadExport).on(Subject { row: Some(job.id), ..Subject::default() });
        return Err(console.ledger.refuse(&caller.who, event, Refusal::NoRule).await);
    }
    match job.state(console.now()) {
        State::Done => Ok(job),
        _ => Err(Error::Conflict(Conflict::AlreadyDone)),
    }
}

/// What a file is, under the log's signature (C2SP signed note): query, zone, counts, SHA-256, and the tree at that time.
pub async fn manifest(console: &Console, caller: &Caller, id: &str) -> Result<String, Error> {
    let job = done(console, caller, id).await?;
    let lines = [
        "countersign/export/v1".to_owned(),
        format!("log {}", console.builder.verifier().name()),
        format!("kind {} {}", job.kind, job.format),
        format!("supports {}", job.kind().map_or("", Kind::supports)),
        format!("query {}", said_query(&job)),
        format!("scope {}", if job.scope.is_empty() { "the whole trail" } else { &job.scope }),
        format!("zone {}", job.zone),
        format!("asked {} by {}", app::time::rfc3339(job.created_at), job.owner_id),
        format!("events-below {}", job.as_of),
        format!("rows {}", job.rows_written),
        format!("bytes {}", job.bytes_written),
        format!("sha256 {}", job.digest.unwrap_or_default()),
        format!("formula-guard {}", if job.raw { "off" } else { "on" }),
        format!("sensitive-fields {}", if job.redacted { "withheld" } else { "disclosed" }),
    ];
    // The nonce is said also where names are withheld: without it nobody draws again.
    let drawn = (job.sample > 0).then(|| format!("sample {} of the tree {} with {}", job.sample, job.root, job.nonce));
    let lines = [lines.as_slice(), drawn.as_slice()].concat();
    // A query has no line breaks: each line says one thing.
    Ok(console.builder.sign_text(&format!("{}\n", lines.join("\n"))))
}
