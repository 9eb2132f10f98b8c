//! Verifying a ledger from its stored leaves and signed checkpoints alone, trusting neither server nor database.
use super::{
    checkpoint::{Checkpoint, Unproven, VerifierKey},
    leaf::Leaf,
    tree::{Frontier, Hash, leaf_hash},
};
use crate::time::{Moment, parse_rfc3339};
use chrono::TimeDelta;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The longest time without any event while the service runs; twice this unexplained is reported.
pub const HEARTBEAT: TimeDelta = TimeDelta::minutes(5);

/// The longest that events go on before they are signed for: heads follow within a second, and this leaves room for a slow disk.
pub const UNSIGNED: TimeDelta = TimeDelta::seconds(30);

/// Something that an untouched ledger never shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tampering {
    /// The n-th stored event says it is another one, or is no event at all.
    Misplaced { expected: u64, found: Option<u64> },
    /// A checkpoint covers more events than there are.
    Truncated { signed: u64, stored: u64 },
    /// The events do not hash to what was signed at this size.
    OtherHistory { size: u64 },
    /// Events went on without being signed for: heads were deleted, or whoever signs was kept from it.
    Unsigned { from: u64, size: u64 },
    /// A head that is kept elsewhere is not among the stored ones.
    MissingHead { size: u64 },
    /// A stored or given checkpoint is not this log's.
    Checkpoint { size: Option<u64>, why: Unproven },
}

impl std::fmt::Display for Tampering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Misplaced { expected, found: Some(found) } => {
                write!(f, "at position {expected} lies event {found}: events were removed, inserted or reordered")
            }
            Self::Misplaced { expected, found: None } => write!(f, "what lies at position {expected} is not an event"),
            Self::Truncated { signed, stored } => {
                write!(f, "a checkpoint was signed for {signed} events, only {stored} are stored: the end was cut off")
            }
            Self::OtherHistory { size } => {
                write!(f, "the first {size} events are not the ones that were signed: one of them was changed")
            }
            Self::Unsigned { from, size } => write!(
                f,
                "no signed head covers the events from {from} to {}, though they were written over more than half a minute: \
                 heads were deleted, or nothing was signed",
                size.saturating_sub(1)
            ),
            Self::MissingHead { size } => {
                write!(f, "the head of {size} events that was kept elsewhere is not stored: heads were deleted")
            }
            Self::Checkpoint { size: Some(size), why } => write!(f, "checkpoint of size {size}: {why}"),
            Self::Checkpoint { size: None, why } => write!(f, "the given checkpoint: {why}"),
        }
    }
}

/// Something that an honest ledger may show and a reader should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// An event is earlier than the one before it: the clock was set back.
    Backwards { seq: u64, by: TimeDelta },
    /// Nothing was recorded for this long and no stop explains it.
    Silence { seq: u64, length: TimeDelta },
}

impl std::fmt::Display for Oddity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Backwards { seq, by } => {
                write!(f, "event {seq} is {} before its predecessor", crate::time::about(*by))
            }
            Self::Silence { seq, length } => {
                write!(
                    f,
                    "nothing was recorded for {} before event {seq}, and no stop explains it",
                    crate::time::about(*length)
                )
            }
        }
    }
}

/// A checkpoint of an earlier epoch whose events were lost in a restore that the trail itself records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The size that was signed.
    pub size: u64,
    /// The event that records the restore.
    pub restored: u64,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a checkpoint of {} events: lost in the restore that event {} records", self.size, self.restored)
    }
}

/// A recorded restore: which epoch it opened, at which event, and how much it gave up.
struct Restore {
    epoch: u32,
    seq: u64,
    lost: u64,
}

/// The outcome of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub size: u64,
    pub root: Hash,
    /// The largest checkpoint that was confirmed.
    pub signed: Option<u64>,
    pub checkpoints: u64,
    pub tampering: Vec<Tampering>,
    pub lost: Vec<Lost>,
    pub oddities: Vec<Oddity>,
}

/// Fed with checkpoints first, then every leaf in order.
pub struct Verifier {
    tree: Frontier,
    /// Roots that were signed for a size, with the epoch of the key that did.
    expected: BTreeMap<u64, Vec<(u32, Hash)>>,
    checkpoints: u64,
    restores: Vec<Restore>,
    last: Option<(Moment, bool)>,
    /// The first event that no checkpoint covers: its number and time.
    unsigned: Option<(u64, Moment)>,
    largest: u64,
    /// The largest size at which a head agreed with the events.
    confirmed: Option<u64>,
    /// The newest epoch of the key that heads are opened with: no event opens a later one.
    epoch: u32,
    /// Sizes of heads that were kept elsewhere, and of those that are stored.
    kept: Vec<u64>,
    stored: BTreeSet<u64>,
    silence: TimeDelta,
    tampering: Vec<Tampering>,
    lost: Vec<Lost>,
    oddities: Vec<Oddity>,
}

/// The two fields that order depends on, without the cost of the rest.
#[derive(Deserialize)]
struct Place<'a> {
    seq: u64,
    at: &'a str,
    action: &'a str,
    #[serde(default)]
    detail: Option<Resumed>,
}

/// What a `log.restored` event says: the epoch that it opens and the size that was given up.
#[derive(Deserialize)]
struct Resumed {
    #[serde(default)]
    epoch: Option<u32>,
    #[serde(default)]
    lost_size: Option<u64>,
}

impl Verifier {
    pub fn new(silence: TimeDelta) -> Self {
        Self {
            tree: Frontier::default(),
            expected: BTreeMap::new(),
            checkpoints: 0,
            restores: Vec::new(),
            last: None,
            unsigned: None,
            largest: 0,
            confirmed: None,
            epoch: 0,
            kept: Vec::new(),
            stored: BTreeSet::new(),
            silence,
            tampering: Vec::new(),
            lost: Vec::new(),
            oddities: Vec::new(),
        }
    }

    /// A note that lies beside the events or was kept elsewhere.
    pub fn checkpoint(&mut self, key: &VerifierKey, size: Option<u64>, note: &str) {
        self.epoch = self.epoch.max(key.epoch());
        // Newest first: nearly all are of the present epoch.
        let epochs = (0..=key.epoch()).rev();
        let opened = epochs.map(|epoch| (epoch, key.of_epoch(epoch).open(note)));
        let opened =
            opened.fold(None, |found: Option<(u32, Result<Checkpoint, Unproven>)>, (epoch, opened)| match found {
                Some((_, Err(Unproven::OtherKey))) | None => Some((epoch, opened)),
                known => known,
            });
        let Some((epoch, opened)) = opened else { return };
        match opened {
            Ok(Checkpoint { size: signed, root, .. }) if size.is_none_or(|size| size == signed) => {
                self.checkpoints += 1;
                self.largest = self.largest.max(signed);
                if size.is_some() {
                    self.stored.insert(signed);
                }
                self.expected.entry(signed).or_default().push((epoch, root));
            }
            Ok(_) => self.tampering.push(Tampering::Checkpoint { size, why: Unproven::Malformed }),
            Err(why) => self.tampering.push(Tampering::Checkpoint { size, why }),
        }
    }

    /// The newest head as it lies where the database does not reach. It was stored before it was kept there.
    pub fn head(&mut self, key: &VerifierKey, note: &str) {
        let opened = (0..=key.epoch()).rev().find_map(|epoch| key.of_epoch(epoch).open(note).ok());
        self.kept.extend(opened.map(|head| head.size));
        // It is one of the stored ones, and is not counted twice.
        let stored = self.checkpoints;
        self.checkpoint(key, None, note);
        self.checkpoints = stored;
    }

    /// The next stored leaf.
    pub fn leaf(&mut self, bytes: &[u8]) {
        self.compare();
        let expected = self.tree.size();
        let place = Leaf::json(bytes).ok().and_then(|json| serde_json::from_str::<Place>(json).ok());
        match place {
            Some(Place { seq, at, action, detail }) if seq == expected => {
                if action == "log.restored"
                    && let Some(Resumed { epoch: Some(epoch), lost_size: Some(lost) }) = detail
                    && epoch <= self.epoch
                {
                    self.restores.push(Restore { epoch, seq, lost });
                }
                self.order(seq, at, action);
            }
            Some(Place { seq, .. }) => self.misplaced(expected, Some(seq)),
            None => self.misplaced(expected, None),
        }
        self.tree.push(leaf_hash(bytes));
    }

    fn misplaced(&mut self, expected: u64, found: Option<u64>) {
        // One displaced event displaces all that follow: the first is the news.
        if !self.tampering.iter().any(|known| matches!(known, Tampering::Misplaced { .. })) {
            self.tampering.push(Tampering::Misplaced { expected, found });
        }
    }

    fn order(&mut self, seq: u64, at: &str, action: &str) {
        let Some(at) = parse_rfc3339(at) else { return self.misplaced(seq, None) };
        if let Some((last, stopped)) = self.last {
            let gap = at - last;
            if gap < TimeDelta::zero() {
                self.oddities.push(Oddity::Backwards { seq, by: gap });
            } else if gap > self.silence * 2 && !(stopped && action == "service.started") {
                self.oddities.push(Oddity::Silence { seq, length: gap });
            }
        }
        if seq >= self.largest && self.unsigned.is_none() {
            self.unsigned = Some((seq, at));
        }
        self.last = Some((at, action == "service.stopped"));
    }

    fn compare(&mut self) {
        let size = self.tree.size();
        if let Some(roots) = self.expected.remove(&size) {
            let root = self.tree.root();
            for (epoch, signed) in roots {
                if signed == root {
                    self.confirmed = Some(size);
                } else {
                    self.differs(epoch, size, Tampering::OtherHistory { size });
                }
            }
        }
    }

    /// A signed state that is not what is stored: lost in a recorded restore, or tampered with.
    fn differs(&mut self, epoch: u32, size: u64, otherwise: Tampering) {
        let restore =
            self.restores.iter().find(|restore| restore.epoch > epoch && restore.lost >= size && restore.seq < size);
        match restore {
            Some(restore) => self.lost.push(Lost { size, restored: restore.seq }),
            None if !self.tampering.contains(&otherwise) => self.tampering.push(otherwise),
            None => {}
        }
    }

    pub fn finish(mut self) -> Verified {
        self.compare();
        let signed = self.confirmed;
        // The largest says it all: what it covers, the smaller ones cover too.
        let beyond: Vec<(u64, u32)> = self
            .expected
            .iter()
            .rev()
            .flat_map(|(size, roots)| roots.iter().map(|(epoch, _)| (*size, *epoch)))
            .collect();
        for (signed, epoch) in beyond {
            let truncated = Tampering::Truncated { signed, stored: self.tree.size() };
            if !self.tampering.iter().any(|known| matches!(known, Tampering::Truncated { .. })) {
                self.differs(epoch, signed, truncated);
            }
        }
        let size = self.tree.size();
        if let (Some((from, since)), Some((last, _))) = (self.unsigned, self.last)
            && last - since > UNSIGNED
        {
            self.tampering.push(Tampering::Unsigned { from, size });
        }
        let missing = self.kept.iter().filter(|kept| **kept <= size && !self.stored.contains(kept));
        self.tampering.extend(missing.map(|size| Tampering::MissingHead { size: *size }));
        Verified {
            size: self.tree.size(),
            root: self.tree.root(),
            signed,
            checkpoints: self.checkpoints,
            tampering: self.tampering,
            lost: self.lost,
            oddities: self.oddities,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{checkpoint::LogKey, leaf::tests::example};

    fn leaves(count: u64) -> Vec<Vec<u8>> {
        (0..count)
            .map(|seq| {
                let example = example();
                Leaf { seq, at: example.at + TimeDelta::milliseconds(700 * seq as i64), ..example }
                    .encode()
                    .unwrap_or_default()
            })
            .collect()
    }

    fn key() -> LogKey {
        LogKey::new("countersign.invalid/log_test/e0".into(), &[7; 32])
    }

    fn root(leaves: &[Vec<u8>]) -> Hash {
        let mut tree = Frontier::default();
        leaves.iter().for_each(|leaf| tree.push(leaf_hash(leaf)));
        tree.root()
    }

    fn verify(leaves: &[Vec<u8>], notes: &[String]) -> Vec<Tampering> {
        let mut verifier = Verifier::new(HEARTBEAT);
        notes.iter().for_each(|note| verifier.checkpoint(&key().verifier(), None, note));
        leaves.iter().for_each(|leaf| verifier.leaf(leaf));
        verifier.finish().tampering
    }

    /// After a restore that the trail records, what was signed before it is lost and not tampered with; without the record,
    /// or beyond what it gave up, it is.
    #[test]
    fn a_recorded_restore_explains_what_was_lost() {
        let first = leaves(20);
        let kept = key().sign(20, root(&first));
        let mut resumed = first[..10].to_vec();
        let restored = |seq, lost: u64| {
            let detail = [("epoch".to_owned(), 1.into()), ("lost_size".to_owned(), lost.into())].into();
            let example = example();
            Leaf {
                seq,
                action: "log.restored".into(),
                detail,
                at: example.at + TimeDelta::milliseconds(700 * seq as i64),
                ..example
            }
        };
        resumed.push(restored(10, 20).encode().unwrap());
        resumed.extend(leaves(40)[11..].iter().cloned());
        let verify = |leaves: &[Vec<u8>], note: &str| {
            let mut verifier = Verifier::new(HEARTBEAT);
            verifier.checkpoint(&key().verifier().of_epoch(1), None, note);
            leaves.iter().for_each(|leaf| verifier.leaf(leaf));
            let verified = verifier.finish();
            (verified.tampering, verified.lost)
        };
        assert_eq!(verify(&resumed, &kept), (vec![], vec![Lost { size: 20, restored: 10 }]));
        assert_eq!(verify(&resumed[..15], &kept), (vec![], vec![Lost { size: 20, restored: 10 }]));
        assert_eq!(
            verify(&resumed, &key().sign(8, root(&first[..8]))),
            (vec![], vec![]),
            "before the restore all is as it was"
        );
        let mut smaller = resumed.clone();
        smaller[10] = restored(10, 15).encode().unwrap();
        assert_eq!(verify(&smaller, &kept).0, vec![Tampering::OtherHistory { size: 20 }]);
        assert_eq!(verify(&first[..10], &kept).0, vec![Tampering::Truncated { signed: 20, stored: 10 }]);
    }

    #[test]
    fn every_kind_of_tampering_is_named() {
        let good = leaves(20);
        let notes = vec![key().sign(7, root(&good[..7])), key().sign(20, root(&good))];
        assert_eq!(verify(&good, &notes), vec![]);
        assert_eq!(verify(&leaves(25), &notes), vec![], "later events change nothing");

        let mut edited = good.clone();
        edited[9] = Leaf { reason: Some("another".into()), ..Leaf::decode(&good[9]).unwrap_or_else(|_| example()) }
            .encode()
            .unwrap_or_default();
        assert_eq!(verify(&edited, &notes), vec![Tampering::OtherHistory { size: 20 }]);

        let mut deleted = good.clone();
        deleted.remove(3);
        assert_eq!(
            verify(&deleted, &notes),
            vec![
                Tampering::Misplaced { expected: 3, found: Some(4) },
                Tampering::OtherHistory { size: 7 },
                Tampering::Truncated { signed: 20, stored: 19 }
            ]
        );

        let mut swapped = good.clone();
        swapped.swap(4, 5);
        assert!(verify(&swapped, &notes).contains(&Tampering::Misplaced { expected: 4, found: Some(5) }));

        let mut inserted = good.clone();
        inserted.insert(8, good[8].clone());
        assert!(verify(&inserted, &notes).contains(&Tampering::Misplaced { expected: 9, found: Some(8) }));

        assert_eq!(verify(&good[..15], &notes), vec![Tampering::Truncated { signed: 20, stored: 15 }]);

        let forged = LogKey::new("countersign.invalid/log_test/e0".into(), &[8; 32]).sign(20, root(&edited));
        assert_eq!(verify(&edited, &[forged]), vec![Tampering::Checkpoint { size: None, why: Unproven::OtherKey }]);
    }
}
