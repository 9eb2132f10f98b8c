//! Anchors: the newest checkpoint, kept where a restored or rewritten database cannot reach it.
use app::audit::checkpoint::{Checkpoint, VerifierKey};
use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The file in an anchor's folder.
const FILE: &str = "checkpoint";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// A folder, best on another volume.
    Folder(PathBuf),
    /// One line of JSON for each checkpoint, for whatever collects the process's output.
    Stdout,
}

impl std::str::FromStr for Anchor {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "stdout" { Self::Stdout } else { Self::Folder(text.into()) })
    }
}

#[derive(Clone, Default)]
pub struct Anchors(Arc<Vec<Anchor>>);

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
        Self(Arc::new(anchors))
    }

    pub fn list(&self) -> &[Anchor] {
        &self.0
    }

    /// Writes to every anchor; one that fails does not hinder the others.
    pub async fn write(&self, note: &str) {
        for anchor in self.0.iter() {
            match anchor {
                Anchor::Stdout => {
                    let line = serde_json::json!({ "checkpoint": note });
                    let _ = writeln!(std::io::stdout(), "{line}");
                }
                Anchor::Folder(folder) => {
                    let (folder, note) = (folder.clone(), note.to_owned());
                    let written = tokio::task::spawn_blocking(move || replace(&folder, &note)).await;
                    if let Ok(Err(error)) = written {
                        tracing::error!(%error, "an anchor could not be written");
                    }
                }
            }
        }
    }

    /// The checkpoints that can be read back, with their folders. Ones that this log's key did not sign are reported.
    pub fn read(&self, key: &VerifierKey) -> Vec<(PathBuf, Checkpoint)> {
        let mut found = Vec::new();
        for anchor in self.0.iter() {
            let Anchor::Folder(folder) = anchor else { continue };
            let Ok(note) = fs::read_to_string(folder.join(FILE)) else { continue };
            // A checkpoint of an earlier epoch speaks too: a recorded restore replaces it at every anchor.
            let opened = (0..=key.epoch()).rev().map(|epoch| key.of_epoch(epoch).open(&note));
            let opened = opened.reduce(|found, older| if found.is_ok() { found } else { older });
            match opened.unwrap_or(Err(app::audit::checkpoint::Unproven::Malformed)) {
                Ok(checkpoint) => found.push((folder.clone(), checkpoint)),
                Err(why) => {
                    tracing::warn!(folder = %folder.display(), %why, "what lies at this anchor proves nothing here")
                }
            }
        }
        found
    }
}

/// Replaces the file so that after a crash it is either the old one or the new one.
fn replace(folder: &Path, note: &str) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let temporary = folder.join(format!(".{FILE}.{}", std::process::id()));
    let mut file = File::create(&temporary)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join(FILE))?;
    File::open(folder)?.sync_all()
}
