//! Live copies of the trail for whoever collects them: standard output, a file, an address. JSON Lines, each event at least
//! once and in order, a signed head every minute.
//!
//! ```text
//! {"seq":17,"event":{…the leaf…},"disclosed":{"path":"db/one"}}     an event, and its sensitive fields
//! {"checkpoint":"countersign.invalid/…"}                            a head (C2SP tlog-checkpoint) that covers what came before
//! ```
//!
//! A new copy begins with the first event there is. Its place is kept in the database and moved only after what was written
//! is taken (a file: on the disk; an address: answered with 2xx). One replica writes it at a time. A copy that fails for a
//! minute is an event, and security is told; so is its recovery.
use super::{
    anchor::Anchor,
    event::{Event, Who},
    store::{self, Stream},
};
use crate::{
    console::Console,
    keys, notifications,
    outbound::{self, Reach},
    people,
};
use app::{
    audit::{action::Action, leaf::Leaf},
    error::Error,
    time::Moment,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fs, io::Write, path::Path, time::Duration};

/// Events of one write.
const BATCH: u64 = 500;
/// How long a replica may be silent about a copy that it writes.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// How often a head is written.
const HEAD: TimeDelta = TimeDelta::seconds(60);
/// After how long a copy that fails is told of.
const PATIENCE: TimeDelta = TimeDelta::seconds(60);
/// How long to wait when there is nothing new, or when it failed.
const PAUSE: Duration = Duration::from_secs(1);

/// A copy's name in the database: what it is, and a digest of where.
pub fn name(place: &Anchor) -> String {
    let (kind, place) = match place {
        Anchor::Stdout => return "stdout".into(),
        Anchor::Keys(path) | Anchor::Folder(path) => ("file", path.display().to_string()),
        Anchor::Webhook(url) => ("address", url.clone()),
    };
    let digest = Sha256::digest(place.as_bytes());
    format!("{kind} {}", URL_SAFE_NO_PAD.encode(&digest[..6]))
}

/// Copies until the process ends.
pub fn start(console: &Console, places: Vec<Anchor>) {
    for place in places {
        let console = console.clone();
        tokio::spawn(async move {
            let Ok(holder) = keys::random::<12>() else { return };
            let mut copy = Copy { name: name(&place), place, holder: URL_SAFE_NO_PAD.encode(holder), head_at: None };
            loop {
                match copy.go_on(&console).await {
                    Ok(true) => {}
                    Ok(false) => tokio::time::sleep(PAUSE).await,
                    Err(error) => {
                        tracing::error!(%error, copy = copy.name, "a copy of the trail cannot go on now");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        });
    }
}

pub struct Copy {
    name: String,
    place: Anchor,
    holder: String,
    /// When a head was written last.
    head_at: Option<Moment>,
}

impl Copy {
    pub fn new(place: Anchor, holder: &str) -> Self {
        Self { name: name(&place), place, holder: holder.into(), head_at: None }
    }

    /// Writes what is new; false where there is nothing, or another replica writes it.
    pub async fn go_on(&mut self, console: &Console) -> Result<bool, Error> {
        let now = console.now();
        let mut tx = console.ledger.housekeeping().await?;
        let leased = store::lease_stream(&mut tx, &self.name, &self.holder, now, now + LEASE).await?;
        tx.finish().await?;
        let Some(stream) = leased else { return Ok(false) };
        // The head comes first, so that what it covers is read behind it even while the trail grows.
        let head_is_due = self.head_at.is_none_or(|at| now - at >= HEAD);
        let head = if head_is_due { Some(console.builder.build().await?) } else { None };
        let mut db = console.read().await?;
        let size = store::size(&mut db).await?;
        let from = stream.seq as u64;
        let (mut text, to) = lines(&mut db, from, size.min(from + BATCH)).await?;
        drop(db);
        // A head that covers more than was written would promise what is not there yet.
        if let Some(head) = head.filter(|head| head.size <= to && head.size > 0) {
            text.push_str(&format!("{}\n", json!({ "checkpoint": head.note })));
            self.head_at = Some(now);
        }
        if text.is_empty() {
            return Ok(false);
        }
        match write(&self.place, text).await {
            Ok(()) => {
                self.taken(console, &stream, to).await?;
                Ok(to > from)
            }
            Err(why) => {
                self.head_at = None;
                self.failed(console, &stream, why).await?;
                Ok(false)
            }
        }
    }

    async fn taken(&self, console: &Console, stream: &Stream, to: u64) -> Result<(), Error> {
        let now = console.now();
        if stream.told {
            let event =
                Event::new(Action::ResumeStream).detail("copy", self.name.clone()).detail("from", stream.seq as u64);
            console.ledger.observe(&Who::system("audit-stream"), event).await?;
        }
        let mut tx = console.ledger.housekeeping().await?;
        store::move_stream(&mut tx, &self.name, &self.holder, to, now).await?;
        tx.finish().await
    }

    /// Told once, after it failed for a while: by an event, and to those who look after security.
    async fn failed(&self, console: &Console, stream: &Stream, why: String) -> Result<(), Error> {
        let now = console.now();
        let since = stream.failing_since.unwrap_or(now);
        tracing::error!(why, copy = self.name, "a copy of the trail was not taken");
        let tell = !stream.told && now - since >= PATIENCE;
        if tell {
            let mut tx = console.ledger.begin(&Who::system("audit-stream")).await?;
            let told = people::security(console, &mut tx).await?;
            notifications::tell(console, &mut tx, told.iter().map(String::as_str), "stream.stopped", &self.name)
                .await?;
            let event =
                Event::new(Action::StopStream).detail("copy", self.name.clone()).detail("at", stream.seq as u64);
            tx.commit(vec![event.detail("why", why.clone())]).await?;
        }
        let mut tx = console.ledger.housekeeping().await?;
        store::fail_stream(&mut tx, &self.name, since, &why, stream.told || tell).await?;
        tx.finish().await
    }
}

/// The events of a stretch as lines, and where it ends.
async fn lines(db: &mut impl crate::db::Sql, from: u64, to: u64) -> Result<(String, u64), Error> {
    let leaves = store::leaves(db, from, to, to.saturating_sub(from)).await?;
    let mut disclosed: BTreeMap<i64, Map<String, Value>> = BTreeMap::new();
    if to > from {
        for (seq, field, _, value) in store::told(db, leaves.iter().map(|(seq, leaf)| (*seq, leaf.as_slice()))).await? {
            disclosed.entry(seq).or_default().insert(field, value.into());
        }
    }
    let mut text = String::new();
    let mut end = from;
    for (seq, leaf) in leaves {
        let event: Value =
            Leaf::json(&leaf).ok().and_then(|json| serde_json::from_str(json).ok()).ok_or(Error::Unavailable)?;
        let disclosed = disclosed.remove(&seq).unwrap_or_default();
        text.push_str(&json!({ "seq": seq, "event": event, "disclosed": disclosed }).to_string());
        text.push('\n');
        end = seq as u64 + 1;
    }
    Ok((text, end))
}

async fn write(place: &Anchor, text: String) -> Result<(), String> {
    match place {
        Anchor::Webhook(url) => {
            let headers = [("content-type", "application/x-ndjson; charset=utf-8".to_owned())];
            match outbound::post(&Reach::Anywhere, url, &headers, text.into_bytes()).await {
                Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
                Ok(answer) => Err(format!("it answered {}", answer.status)),
                Err(failure) => Err(failure.to_string()),
            }
        }
        Anchor::Stdout => {
            on_thread(move || {
                let mut out = std::io::stdout().lock();
                out.write_all(text.as_bytes())?;
                out.flush()
            })
            .await
        }
        Anchor::Keys(path) | Anchor::Folder(path) => {
            let path = path.clone();
            on_thread(move || append(&path, &text)).await
        }
    }
}

async fn on_thread(write: impl FnOnce() -> std::io::Result<()> + Send + 'static) -> Result<(), String> {
    match tokio::task::spawn_blocking(write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.kind().to_string()),
        Err(_) => Err("the write did not end".into()),
    }
}

/// On the disk before it counts as taken; readable by its owner alone.
fn append(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_data()
}
