//! Anchors: the newest checkpoint, kept where a restored or rewritten database cannot reach it.
use crate::outbound::{self, Reach};
use app::{
    audit::checkpoint::{Checkpoint, VerifierKey},
    time::Moment,
};
use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// The file in an anchor's folder.
const FILE: &str = "checkpoint";

impl Anchor {
    /// Where it can be read back.
    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Keys(folder) | Self::Folder(folder) => Some(folder),
            Self::Stdout | Self::Webhook(_) => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The folder of the keys: whoever can change it has the keys. Always there, so that a database alone cannot be rewritten or put
    /// back unnoticed.
    Keys(PathBuf),
    /// A folder, best on another volume.
    Folder(PathBuf),
    /// One line of JSON for each checkpoint, for whatever collects the process's output.
    Stdout,
    /// An address that takes each checkpoint by `POST`, as `text/plain`, and answers with 2xx. What it gets is signed
    /// already (C2SP signed note), so the receiver verifies it with the log's key.
    Webhook(String),
}

impl std::str::FromStr for Anchor {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "stdout" => Self::Stdout,
            url if url.starts_with("https://") || url.starts_with("http://") => Self::Webhook(url.into()),
            folder => Self::Folder(folder.into()),
        })
    }
}

#[derive(Clone, Default)]
pub struct Anchors {
    list: Arc<Vec<Anchor>>,
    posts: Arc<Vec<Post>>,
    kept: Arc<Mutex<Vec<Kept>>>,
    /// The size that was written last; whoever writes holds it, so that no head takes the place of a newer one.
    written: Arc<tokio::sync::Mutex<u64>>,
}

/// What an anchor took last, for those who look at the log's integrity.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    pub taken: Option<(u64, Moment)>,
    pub trouble: Option<String>,
}

/// How long a webhook that failed is left alone.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a stop waits for the newest checkpoint to be taken.
const LAST: Duration = Duration::from_secs(5);

/// A webhook's task: it always sends the newest checkpoint, and tells which one was taken.
struct Post {
    newest: watch::Sender<String>,
    taken: watch::Receiver<String>,
}

impl Post {
    fn start(url: String) -> Self {
        let (newest, mut wanted) = watch::channel(String::new());
        let (done, taken) = watch::channel(String::new());
        tokio::spawn(async move {
            while wanted.changed().await.is_ok() {
                loop {
                    let note = wanted.borrow_and_update().clone();
                    match send(&url, &note).await {
                        Ok(()) => {
                            let _ = done.send(note);
                            break;
                        }
                        Err(why) => {
                            tracing::error!(why, "a webhook did not take a checkpoint");
                            tokio::time::sleep(PAUSE).await;
                        }
                    }
                }
            }
        });
        Self { newest, taken }
    }
}

async fn send(url: &str, note: &str) -> Result<(), String> {
    let headers = [("content-type", "text/plain; charset=utf-8".to_owned())];
    let answer = outbound::post(&Reach::Anywhere, url, &headers, note.as_bytes().to_vec()).await;
    match answer {
        Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
        Ok(answer) => Err(format!("it answered {}", answer.status)),
        Err(failure) => Err(failure.to_string()),
    }
}

/// What an anchor said at start that the database denies.
#[derive(Debug, thiserror::Error)]
pub enum RolledBack {
    #[error(
        "anchor {anchor}: it holds a checkpoint of {anchored} events, the database has only {stored}: an older state was restored"
    )]
    Shorter { anchor: PathBuf, anchored: u64, stored: u64 },
    #[error("anchor {anchor}: the database's first {anchored} events are not the ones that were anchored")]
    Other { anchor: PathBuf, anchored: u64 },
}

impl Anchors {
    pub fn new(anchors: Vec<Anchor>) -> Self {
        let urls = anchors.iter().filter_map(|anchor| match anchor {
            Anchor::Webhook(url) => Some(url.clone()),
            _ => None,
        });
        let kept = Arc::new(Mutex::new(vec![Kept::default(); anchors.len()]));
        Self {
            posts: Arc::new(urls.map(Post::start).collect()),
            list: Arc::new(anchors),
            kept,
            written: Arc::default(),
        }
    }

    pub fn list(&self) -> &[Anchor] {
        &self.list
    }

    /// Every anchor with what it took last.
    pub fn kept(&self) -> Vec<(Anchor, Kept)> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut posts = self.posts.iter();
        let pairs = self.list.iter().cloned().zip(kept).map(|(anchor, mut kept)| {
            // A webhook takes it later than it is sent.
            if matches!(anchor, Anchor::Webhook(_))
                && let Some(post) = posts.next()
                && *post.taken.borrow() != *post.newest.borrow()
            {
                kept.trouble = Some("it has not taken the newest head yet".into());
            }
            (anchor, kept)
        });
        pairs.collect()
    }

    /// Waits a little until every webhook has taken the newest checkpoint: for a stop.
    pub async fn settle(&self) {
        for post in self.posts.iter() {
            let newest = post.newest.borrow().clone();
            let mut taken = post.taken.clone();
            let waited = tokio::time::timeout(LAST, taken.wait_for(|note| *note == newest)).await;
            if waited.is_err() {
                tracing::error!("a webhook did not take the last checkpoint");
            }
        }
    }

    /// Writes to every anchor; one that fails does not hinder the others.
    pub async fn write(&self, note: &str, size: u64, at: Moment) {
        let mut written_last = self.written.lock().await;
        if size < *written_last {
            return;
        }
        *written_last = size;
        for post in self.posts.iter() {
            post.newest.send_replace(note.to_owned());
        }
        for (place, anchor) in self.list.iter().enumerate() {
            let written = match anchor {
                Anchor::Webhook(_) => Ok(()),
                Anchor::Stdout => {
                    let line = serde_json::json!({ "checkpoint": note });
                    writeln!(std::io::stdout(), "{line}")
                }
                Anchor::Keys(folder) | Anchor::Folder(folder) => {
                    let (folder, note) = (folder.clone(), note.to_owned());
                    tokio::task::spawn_blocking(move || replace(&folder, &note)).await.unwrap_or(Ok(()))
                }
            };
            let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(kept) = all.get_mut(place) else { continue };
            match written {
                Ok(()) => *kept = Kept { taken: Some((size, at)), trouble: None },
                Err(error) => {
                    tracing::error!(%error, "an anchor could not be written");
                    kept.trouble = Some(error.kind().to_string());
                }
            }
        }
    }

    /// What lies at the anchors that can be read back.
    pub fn notes(&self) -> Vec<(PathBuf, String)> {
        let folders = self.list.iter().filter_map(Anchor::folder);
        folders.filter_map(|folder| Some((folder.to_owned(), fs::read_to_string(folder.join(FILE)).ok()?))).collect()
    }

    /// The checkpoints that can be read back, with their folders. Ones that this log's key did not sign are reported.
    pub fn read(&self, key: &VerifierKey) -> Vec<(PathBuf, Checkpoint)> {
        let mut found = Vec::new();
        for (folder, note) in self.notes() {
            // A checkpoint of an earlier epoch speaks too: a recorded restore replaces it at every anchor.
            let opened = (0..=key.epoch()).rev().map(|epoch| key.of_epoch(epoch).open(&note));
            let opened = opened.reduce(|found, older| if found.is_ok() { found } else { older });
            match opened.unwrap_or(Err(app::audit::checkpoint::Unproven::Malformed)) {
                Ok(checkpoint) => found.push((folder, checkpoint)),
                Err(why) => {
                    tracing::warn!(folder = %folder.display(), %why, "what lies at this anchor proves nothing here")
                }
            }
        }
        found
    }
}

/// The log and the size that a checkpoint names (C2SP tlog-checkpoint: its first two lines).
fn named(note: &str) -> Option<(&str, u64)> {
    let mut lines = note.lines();
    Some((lines.next()?, lines.next()?.parse().ok()?))
}

/// Replaces the file so that after a crash it is either the old one or the new one. A replica that is behind another leaves its head.
fn replace(folder: &Path, note: &str) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let there = fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    if let (Some((log, size)), Some((new_log, new_size))) = (named(&there), named(note))
        && log == new_log
        && size > new_size
    {
        return Ok(());
    }
    let temporary = folder.join(format!(".{FILE}.{}", std::process::id()));
    let mut file = File::create(&temporary)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join(FILE))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_webhook_gets_the_newest_checkpoint_before_a_stop() {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let taker = seen.clone();
        let take = axum::routing::post(move |body: String| async move {
            taker.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(body);
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/checkpoint", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/checkpoint", take)).await });
        let anchors = Anchors::new(vec![url.parse().unwrap()]);
        for note in ["one", "two", "three"] {
            anchors.write(note, 1, Moment::default()).await;
        }
        anchors.settle().await;
        assert_eq!(seen.lock().unwrap().last().map(String::as_str), Some("three"));
        assert!(matches!("/var/anchor".parse(), Ok(Anchor::Folder(_))));
    }
}
