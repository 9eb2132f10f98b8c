//! `countersign audit verify`: the pure verifier of `app/src/audit` fed from the database, and the comparisons beside it.
use super::{event_seal, store};
use crate::{db::Db, keys::Secret};
use app::audit::{
    checkpoint::VerifierKey,
    leaf::Leaf,
    verify::{HEARTBEAT, Verified, Verifier},
};
use chrono::TimeDelta;

/// How many rows one read takes: no read transaction lasts long.
const CHUNK: u64 = 4096;

#[derive(Default)]
pub struct Options<'a> {
    /// A checkpoint that was kept elsewhere.
    pub checkpoint: Option<&'a str>,
    /// Compare every searched column and disclosure with its leaf.
    pub deep: bool,
    /// The key that events are sealed with: check each seal.
    pub seal: Option<&'a Secret>,
    /// The newest heads as they lie outside the database.
    pub heads: &'a [String],
}

pub struct Report {
    pub verified: Verified,
    /// Columns and disclosures that contradict their leaf.
    pub mismatches: Vec<String>,
    /// Leaves whose sensitive fields were erased or withheld, by count.
    pub undisclosed: u64,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.verified.tampering.is_empty() && self.mismatches.is_empty()
    }
}

/// Reads the whole ledger and checks it against its checkpoints. `demo`: simulated time beats once an hour.
pub async fn run(db: &Db, key: &VerifierKey, options: Options<'_>, demo: bool) -> crate::db::Result<Report> {
    let mut verification = Verification::begin(db, key, &options, demo).await?;
    while verification.go_on(db, &options).await? {}
    Ok(verification.finish())
}

/// A verification under way, a stretch at a time.
pub struct Verification {
    verifier: Verifier,
    mismatches: Vec<String>,
    undisclosed: u64,
    next: u64,
    head: u64,
}

impl Verification {
    /// Takes up every checkpoint: they come before the leaves.
    pub async fn begin(db: &Db, key: &VerifierKey, options: &Options<'_>, demo: bool) -> crate::db::Result<Self> {
        let mut verifier = Verifier::new(if demo { TimeDelta::hours(1) } else { HEARTBEAT });
        let mut from = 0;
        loop {
            let notes = store::checkpoints(&mut db.read().await?, from, CHUNK).await?;
            for (size, note) in &notes {
                verifier.checkpoint(key, Some(*size as u64), note);
                from = *size as u64 + 1;
            }
            if (notes.len() as u64) < CHUNK {
                break;
            }
        }
        if let Some(note) = options.checkpoint {
            verifier.checkpoint(key, None, note);
        }
        options.heads.iter().for_each(|note| verifier.head(key, note));
        let head = store::size(&mut db.read().await?).await?;
        Ok(Self { verifier, mismatches: Vec::new(), undisclosed: 0, next: 0, head })
    }

    /// Reads on; false at the end. What cannot be read is as good as changed.
    pub async fn go_on(&mut self, db: &Db, options: &Options<'_>) -> crate::db::Result<bool> {
        match self.stretch(db, options).await {
            Err(error) if error.is_undecodable() => {
                self.mismatches.push(format!("events from {} on cannot be read: {error}", self.next));
                Ok(false)
            }
            other => other,
        }
    }

    async fn stretch(&mut self, db: &Db, options: &Options<'_>) -> crate::db::Result<bool> {
        let head = store::size(&mut db.read().await?).await?;
        let read = store::sealed_leaves(&mut db.read().await?, self.next, head, CHUNK).await?;
        let Some(last) = read.last() else {
            let beyond = store::beyond(&mut db.read().await?).await?;
            self.mismatches.extend(beyond.map(|seq| format!("event {seq} lies beyond the ledger's head")));
            return Ok(false);
        };
        if options.deep {
            let rows = store::stored(&mut db.read().await?, self.next, read.len() as u64).await?;
            if let (Some(first), Some(last)) = (rows.first(), rows.last()) {
                let disclosed = store::disclosures(&mut db.read().await?, first.seq as u64, last.seq as u64).await?;
                self.undisclosed += compare(&rows, &disclosed, &mut self.mismatches);
            }
        }
        self.next = last.seq as u64 + 1;
        for event in &read {
            self.verifier.leaf(&event.leaf);
            let Some(key) = options.seal else { continue };
            if !event_seal::holds(key, event.seq as u64, &event.leaf, event.seal.as_deref()) {
                self.mismatches.push(format!("event {} fails its seal: this service did not write it", event.seq));
            }
        }
        self.head = self.head.max(self.next);
        Ok(true)
    }

    /// How many events were read.
    pub fn size(&self) -> u64 {
        self.next
    }

    pub fn finish(self) -> Report {
        let verified = self.verifier.finish();
        let mut mismatches = self.mismatches;
        if verified.size < self.head {
            mismatches.push(format!("the head counts {} events, {} are stored", self.head, verified.size));
        }
        Report { verified, mismatches, undisclosed: self.undisclosed }
    }
}

impl Report {
    /// What it came to, a line each.
    pub fn lines(&self) -> Vec<String> {
        let verified = &self.verified;
        let root = app::audit::tree::hex(&verified.root);
        let mut lines =
            vec![format!("{} events, {} checkpoints", verified.size, verified.checkpoints), format!("root {root}")];
        lines.extend(verified.oddities.iter().map(|oddity| format!("note: {oddity}")));
        if self.undisclosed > 0 {
            lines.push(format!("note: {} fields are withheld or erased; their proofs hold", self.undisclosed));
        }
        lines.extend(verified.tampering.iter().map(|tampering| format!("TAMPERED: {tampering}")));
        lines.extend(self.mismatches.iter().map(|mismatch| format!("TAMPERED: {mismatch}")));
        lines.extend(verified.lost.iter().map(|lost| format!("LOST: {lost}")));
        lines
    }
}

pub const WHOLE: &str = "whole: every event is the one that was signed";

/// Compares columns and disclosures with leaves; returns how many commitments have no disclosure.
fn compare(rows: &[store::Stored], disclosed: &[(i64, String, Vec<u8>, String)], mismatches: &mut Vec<String>) -> u64 {
    let mut undisclosed = 0;
    for row in rows {
        let Ok(leaf) = Leaf::decode(&row.leaf) else {
            mismatches.push(format!("event {}: its bytes are no leaf of this format", row.seq));
            continue;
        };
        let columns = [
            ("action", Some(&row.action), Some(&leaf.action)),
            ("reason", row.reason.as_ref(), leaf.reason.as_ref()),
            ("actor_id", row.actor_id.as_ref(), leaf.actor.id.as_ref()),
            ("project_id", row.project_id.as_ref(), leaf.subject.project.as_ref()),
            ("environment_id", row.environment_id.as_ref(), leaf.subject.environment.as_ref()),
            ("secret_id", row.secret_id.as_ref(), leaf.subject.secret.as_ref()),
            ("request_id", row.request_id.as_ref(), leaf.subject.request.as_ref()),
            ("grant_id", row.grant_id.as_ref(), leaf.subject.grant.as_ref()),
        ];
        for (column, stored, told) in columns {
            if stored != told {
                mismatches.push(format!("event {}: column {column} contradicts the leaf", row.seq));
            }
        }
        if row.at != leaf.at || row.outcome != leaf.outcome.code() || row.actor_kind != leaf.actor.kind.code() {
            mismatches.push(format!("event {}: time, outcome or kind of actor contradict the leaf", row.seq));
        }
        let mine = |entry: &&(i64, String, Vec<u8>, String)| entry.0 == row.seq;
        for (_, field, salt, value) in disclosed.iter().filter(mine) {
            let opens = leaf.committed.get(field).zip(salt.as_slice().try_into().ok());
            if !opens.is_some_and(|(commitment, salt): (_, [u8; 16])| commitment.opens(field, value, &salt)) {
                mismatches.push(format!("event {}: the kept {field} is not what was committed to", row.seq));
            }
        }
        undisclosed +=
            leaf.committed.len() as u64 - disclosed.iter().filter(mine).count().min(leaf.committed.len()) as u64;
    }
    undisclosed
}
