//! Evidence bundles, format 1: some events of the trail with everything that proves them, in one file that an outsider checks
//! without asking this server anything.
//!
//! ```text
//! README.txt            what it is and how to check it
//! manifest.json         what was asked, by whom, when; the tree; SHA-256 of every other file but the signature
//! manifest.sig          C2SP signed note over the manifest's SHA-256, by the log's key
//! key.txt               the log's verifier key (C2SP signed-note)
//! checkpoint.txt        the tree's head (C2SP tlog-checkpoint)
//! checkpoint-older.txt  a head from before the first of the events, where there is one
//! consistency.json      the proof that the older tree is the beginning of the newer one (RFC 9162 §2.1.4)
//! events.jsonl          a line for each event: its leaf's exact bytes, its inclusion proof (RFC 9162 §2.1.3), and the salted
//!                       fields that are disclosed
//! records.json          requests with their decisions, grants, rotations and rules that the events mention, as they were
//! ```
//!
//! What it shows: each of these events is in the log that the key signed, at its place, unchanged, and the log only grew. What
//! it does not show: that no other event fits the query; whoever needs that asks for a range of numbers without a query,
//! which has to be complete. A key inside the bundle shows that it fits together: whose key it is has to be known from
//! elsewhere.
mod archive;
mod verify;

pub use archive::{LARGEST, NotABundle, pack, unpack};
pub use verify::{Finding, Verdict, verify};

use crate::{
    audit::checkpoint::{Checkpoint, LogKey},
    time::Moment,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

pub const FORMAT: &str = "countersign/evidence/v1";

pub const README: &str = "README.txt";
pub const MANIFEST: &str = "manifest.json";
pub const SIGNATURE: &str = "manifest.sig";
pub const KEY: &str = "key.txt";
pub const CHECKPOINT: &str = "checkpoint.txt";
pub const OLDER: &str = "checkpoint-older.txt";
pub const CONSISTENCY: &str = "consistency.json";
pub const EVENTS: &str = "events.jsonl";
pub const RECORDS: &str = "records.json";

/// Files that every bundle has; the older checkpoint and its proof come together or not at all.
pub const ALWAYS: [&str; 7] = [README, MANIFEST, SIGNATURE, KEY, CHECKPOINT, EVENTS, RECORDS];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: String,
    /// The log's name: its key's and its checkpoints'.
    pub origin: String,
    /// What was asked for, in the trail's language, and the zone that its times are in.
    pub query: String,
    pub zone: String,
    /// Nothing from this number on was looked at: the trail was so long when it was asked for.
    pub events_below: u64,
    /// The projects that whoever asked may read of; empty: the whole trail.
    pub scope: Vec<String>,
    pub made_at: String,
    /// The person who asked, by id.
    pub made_by: String,
    /// Size and root (base64) of the tree that every proof leads to.
    pub size: u64,
    pub root: String,
    pub events: u64,
    /// Sensitive fields are withheld: names, paths, reasons, addresses.
    pub redacted: bool,
    /// SHA-256 (base64) of each file but the manifest and its signature.
    pub files: BTreeMap<String, String>,
}

/// One line of `events.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub seq: u64,
    /// The leaf's bytes, base64.
    pub leaf: String,
    /// From the leaf to the root, base64.
    pub proof: Vec<String>,
    /// What is disclosed of the fields that the leaf commits to.
    pub disclosed: BTreeMap<String, Disclosed>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosed {
    /// 16 bytes, base64.
    pub salt: String,
    pub value: String,
}

/// `consistency.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    pub from: u64,
    pub to: u64,
    pub proof: Vec<String>,
}

/// `records.json`: rows that events mention. The manifest's signature vouches for them, not the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// `request`, `grant`, `rotation` or `rule`.
    pub kind: String,
    pub id: String,
    pub fields: BTreeMap<String, serde_json::Value>,
}

pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub fn digest(bytes: &[u8]) -> String {
    base64(&Sha256::digest(bytes))
}

/// What the signature is over: never a checkpoint, since its first line is no log's name.
fn signed_text(manifest: &[u8]) -> String {
    format!("{FORMAT}\n{}\n", digest(manifest))
}

pub fn sign(manifest: &[u8], key: &LogKey) -> String {
    key.sign_text(&signed_text(manifest))
}

/// What a bundle is made of.
pub struct Parts {
    pub query: String,
    pub zone: String,
    pub events_below: u64,
    pub scope: Vec<String>,
    pub made_at: Moment,
    pub made_by: String,
    pub redacted: bool,
    /// The head, as a note that the key signed, and what is in it.
    pub checkpoint: (String, Checkpoint),
    /// An older head with the proof from it to the newer.
    pub older: Option<(String, Consistency)>,
    /// Lines of `events.jsonl`, in their order, and how many.
    pub events: Vec<u8>,
    pub count: u64,
    pub records: Vec<Record>,
}

/// A line of `events.jsonl`.
pub fn line(entry: &Entry) -> Vec<u8> {
    let mut line = serde_json::to_vec(entry).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Puts a bundle together. `None`: it would be too large.
pub fn assemble(parts: Parts, key: &LogKey) -> Option<Vec<u8>> {
    let (note, head) = parts.checkpoint;
    let mut manifest = Manifest {
        format: FORMAT.into(),
        origin: head.origin,
        query: parts.query,
        zone: parts.zone,
        events_below: parts.events_below,
        scope: parts.scope,
        made_at: crate::time::rfc3339(parts.made_at),
        made_by: parts.made_by,
        size: head.size,
        root: base64(&head.root),
        events: parts.count,
        redacted: parts.redacted,
        files: BTreeMap::new(),
    };
    let mut files: Vec<(&str, Vec<u8>)> = vec![
        (README, readme(&manifest).into_bytes()),
        (KEY, format!("{}\n", key.verifier()).into_bytes()),
        (CHECKPOINT, note.into_bytes()),
    ];
    if let Some((note, consistency)) = parts.older {
        files.push((OLDER, note.into_bytes()));
        files.push((CONSISTENCY, serde_json::to_vec(&consistency).ok()?));
    }
    files.push((EVENTS, parts.events));
    files.push((RECORDS, serde_json::to_vec_pretty(&parts.records).ok()?));
    manifest.files = files.iter().map(|(name, bytes)| ((*name).to_owned(), digest(bytes))).collect();
    let manifest = serde_json::to_vec_pretty(&manifest).ok()?;
    let signature = sign(&manifest, key).into_bytes();
    files.insert(1, (MANIFEST, manifest));
    files.insert(2, (SIGNATURE, signature));
    let packed: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    pack(&packed)
}

/// The text that explains a bundle to whoever gets it.
pub fn readme(manifest: &Manifest) -> String {
    format!(
        "Evidence from Countersign's audit trail\n\
         =======================================\n\n\
         Format      {FORMAT}\n\
         Log         {origin}\n\
         Query       {query}\n\
         Zone        {zone}\n\
         Of          {scope}, events below {below}\n\
         Made        {made_at} by {made_by}\n\
         Events      {events}{redacted}\n\
         Tree        {size} events, root {root}\n\n\
         How to check it\n\
         ---------------\n\
         On any host:     countersign evidence verify FILE --key KEYFILE\n\
         In a browser:    the page \"Check evidence\" of any Countersign; the file is not uploaded\n\
         By yourself:     the formats are public: SHA-256; RFC 9162 for proofs; C2SP signed-note and tlog-checkpoint\n\n\
         What it shows\n\
         -------------\n\
         Every event here is in the log whose key signed checkpoint.txt, at its place and unchanged, and that log only grew\n\
         since checkpoint-older.txt. Fields that are disclosed are the ones that were recorded.\n\n\
         What it does not show\n\
         ---------------------\n\
         That no other event fits the query, unless the query is a range of event numbers alone: then the check counts them.\n\
         That the key in key.txt is the log's: compare it with one that you got before, from somebody you trust, and\n\
         checkpoint.txt with what a witness has seen. records.json is the server's word, under its signature.\n",
        origin = manifest.origin,
        query = if manifest.query.is_empty() { "everything" } else { &manifest.query },
        zone = manifest.zone,
        scope = if manifest.scope.is_empty() {
            "the whole trail".to_owned()
        } else {
            format!("parts of the trail: {}", manifest.scope.join(", "))
        },
        below = manifest.events_below,
        made_at = manifest.made_at,
        made_by = manifest.made_by,
        events = manifest.events,
        redacted = if manifest.redacted { ", sensitive fields withheld" } else { "" },
        size = manifest.size,
        root = manifest.root,
    )
}
