//! The builder: from committed leaves to tiles and signed checkpoints, at most once a second, on demand and at shutdown.
//!
//! It is deterministic, so that replicas that build at the same time agree: the same size with another root means that
//! the stored leaves changed under it, and it stops for good.
use super::{anchor::Anchors, event_seal, ledger::Ledger, store, tiles};
use crate::db::Sql;
use app::{
    audit::{
        checkpoint::{Checkpoint, LogKey, VerifierKey},
        tree::{Frontier, Hash, TILE, leaf_hash},
    },
    error::Error,
};
use std::sync::Arc;
use tokio::sync::{Mutex, watch};

/// How many leaves one housekeeping transaction takes up.
const STRETCH: u64 = 4096;

#[derive(Clone)]
pub struct Builder {
    ledger: Ledger,
    key: LogKey,
    anchors: Anchors,
    state: Arc<Mutex<Option<State>>>,
    /// The newest head that is trusted: the largest at an anchor, then each that this process signed.
    trusted: Arc<Mutex<Head>>,
    signed: watch::Sender<Signed>,
}

/// The newest checkpoint that this process signed or found.
#[derive(Clone, Debug, Default)]
pub struct Signed {
    pub size: u64,
    pub note: String,
    /// The stored leaves contradict a stored checkpoint: nothing is signed any more.
    pub forked: bool,
}

/// A tree that was signed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head {
    pub size: u64,
    pub root: Hash,
}

struct State {
    tree: Frontier,
    /// Hashes of each level that do not fill a tile yet.
    partial: Vec<Vec<Hash>>,
}

impl Builder {
    /// Waits until the anchors that are slow have the newest checkpoint.
    pub async fn settle(&self) {
        self.anchors.settle().await;
    }

    /// `trusted`: the largest head at an anchor that the database agrees with.
    pub fn new(ledger: Ledger, key: LogKey, anchors: Anchors, trusted: Head) -> Self {
        let (state, trusted) = (Arc::default(), Arc::new(Mutex::new(trusted)));
        Self { ledger, key, anchors, state, trusted, signed: watch::Sender::new(Signed::default()) }
    }

    /// The newest head that is trusted.
    pub async fn trusted(&self) -> Head {
        *self.trusted.lock().await
    }

    pub fn verifier(&self) -> VerifierKey {
        self.key.verifier()
    }

    /// Signs lines that are no checkpoint (see [`LogKey::sign_text`]).
    pub fn sign_text(&self, text: &str) -> String {
        self.key.sign_text(text)
    }

    /// Puts an evidence bundle together under the log's key.
    pub fn assemble(&self, parts: app::audit::evidence::Parts) -> Option<Vec<u8>> {
        app::audit::evidence::assemble(parts, &self.key)
    }

    /// Where heads are kept outside the database.
    pub fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    pub fn signed(&self) -> Signed {
        self.signed.borrow().clone()
    }

    /// Takes up all committed leaves and signs where they end. Returns the newest checkpoint.
    pub async fn build(&self) -> Result<Signed, Error> {
        if self.signed.borrow().forked {
            return Err(Error::Unavailable);
        }
        let mut held = self.state.lock().await;
        let mut state = match held.take() {
            Some(state) => state,
            None => self.load().await?,
        };
        let size = store::size(&mut self.ledger.db().read().await?).await?;
        if size < state.tree.size() {
            tracing::error!(size, taken_up = state.tree.size(), "events that were taken up are gone");
            return Err(self.stop());
        }
        while state.tree.size() < size {
            let to = size.min(state.tree.size() + STRETCH);
            self.extend(&mut state, to).await?;
        }
        let (size, root) = (state.tree.size(), state.tree.root());
        *held = Some(state);
        drop(held);
        if size == 0 || size == self.signed.borrow().size {
            return Ok(self.signed());
        }
        self.sign(size, root).await
    }

    /// Begins again at the newest head that is trusted, from the tiles that it covers whole: every event behind them is read, its seal
    /// checked, whatever tiles are stored for it.
    async fn load(&self) -> Result<State, Error> {
        let head = *self.trusted.lock().await;
        let mut db = self.ledger.db().read().await?;
        if head.size > 0 && tiles::frontier(&mut db, head.size).await?.is_none_or(|tree| tree.root() != head.root) {
            tracing::error!(size = head.size, "what is stored is not what was signed");
            return Err(self.stop());
        }
        let full = head.size / TILE;
        let size = full * TILE;
        let mut partial = Vec::new();
        let mut count = full;
        let mut level = 1;
        partial.push(Vec::new());
        while count > 0 {
            partial.push(tiles::tile(&mut db, size, level, count / TILE).await?);
            count /= TILE;
            level += 1;
        }
        let tree = tiles::frontier(&mut db, size).await?.ok_or(Error::Unavailable)?;
        Ok(State { tree, partial })
    }

    async fn extend(&self, state: &mut State, to: u64) -> Result<(), Error> {
        let from = state.tree.size();
        let leaves = store::sealed_leaves(&mut self.ledger.db().read().await?, from, to, to - from).await?;
        if leaves.len() as u64 != to - from {
            tracing::error!(from, to, found = leaves.len(), "events are missing below the ledger's head");
            return Err(self.stop());
        }
        // What is taken up now is signed: it has to be what this service wrote.
        let key = &self.ledger.keys().event_seal;
        let wrong = leaves
            .iter()
            .find(|stored| !event_seal::holds(key, stored.seq as u64, &stored.leaf, stored.seal.as_deref()));
        if let Some(wrong) = wrong {
            tracing::error!(seq = wrong.seq, "an event was not written by this service: nothing is signed any more");
            return Err(self.stop());
        }
        let mut full = Vec::new();
        for leaf in leaves.into_iter().map(|stored| stored.leaf) {
            let hash = leaf_hash(&leaf);
            state.tree.push(hash);
            state.add(0, hash, &mut full);
        }
        if full.is_empty() {
            return Ok(());
        }
        let mut tx = self.ledger.building().await?;
        for (level, n, hashes) in full {
            let hashes = hashes.concat();
            if store::insert_tile(&mut tx, level, n, hashes.clone()).await? == 0
                && store::tile(&mut tx, level, n).await?.is_none_or(|there| there != hashes)
            {
                tracing::error!(level, n, "a tile is stored that is not of these events");
                return Err(self.stop());
            }
        }
        tx.finish().await
    }

    /// What lies at the anchors has to be of this trail: another replica that shares one may have signed events that are gone.
    async fn extends_anchors(&self, size: u64) -> Result<bool, Error> {
        let trusted = *self.trusted.lock().await;
        let unknown = |anchored: &Checkpoint| {
            anchored.size <= size && (anchored.size, anchored.root) != (trusted.size, trusted.root)
        };
        let key = self.verifier();
        // A head of an earlier epoch is of what a recorded restore gave up.
        let heads = self.anchors.notes().into_iter().filter_map(|(folder, note)| Some((folder, key.open(&note).ok()?)));
        for (folder, anchored) in heads.filter(|(_, anchored)| unknown(anchored)) {
            let tree = tiles::frontier(&mut self.ledger.db().read().await?, anchored.size).await?;
            if tree.is_none_or(|tree| tree.root() != anchored.root) {
                tracing::error!(folder = %folder.display(), size = anchored.size, "an anchor holds a head of other events");
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn sign(&self, size: u64, root: Hash) -> Result<Signed, Error> {
        if !self.extends_anchors(size).await? {
            return Err(self.stop());
        }
        let note = self.key.sign(size, root);
        let mut tx = self.ledger.building().await?;
        let there = store::insert_checkpoint(&mut tx, size, &root, &note).await?;
        tx.finish().await?;
        if there.is_some_and(|there| there != root) {
            tracing::error!(size, "the stored events contradict the checkpoint that was signed for them");
            return Err(self.stop());
        }
        crate::crash::at("builder.signed");
        {
            let mut trusted = self.trusted.lock().await;
            if size > trusted.size {
                *trusted = Head { size, root };
            }
        }
        self.anchors.write(&note, size, self.ledger.clock().now()).await;
        let signed = Signed { size, note, forked: false };
        self.signed.send_replace(signed.clone());
        Ok(signed)
    }

    /// Signs nothing any more: what is stored was not written by this service.
    pub fn stop(&self) -> Error {
        self.signed.send_modify(|signed| signed.forked = true);
        Error::Unavailable
    }

    /// Builds once a second while the ledger grows, until the process stops.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            if let Err(error) = self.build().await {
                tracing::error!(%error, "no checkpoint could be made");
            }
            tokio::select! {
                () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
                _ = stop.changed() => return,
            }
            if self.signed().forked {
                return;
            }
            tokio::select! {
                () = self.ledger.grown() => {}
                _ = stop.changed() => return,
            }
        }
    }
}

impl State {
    fn add(&mut self, level: usize, hash: Hash, full: &mut Vec<(u32, u64, Vec<Hash>)>) {
        if self.partial.len() <= level {
            self.partial.push(Vec::new());
        }
        self.partial[level].push(hash);
        if self.partial[level].len() as u64 == TILE {
            let hashes = std::mem::take(&mut self.partial[level]);
            let root = tiles::root_of(&hashes);
            let n = (self.tree.size() >> (8 * (level as u32 + 1))) - 1;
            full.push((level as u32, n, hashes));
            self.add(level + 1, root, full);
        }
    }
}

/// The size and note of the newest stored checkpoint.
pub async fn latest(db: &mut impl Sql) -> Result<Option<(u64, String)>, Error> {
    Ok(store::latest_checkpoint(db).await?.map(|(size, _, note)| (size as u64, note)))
}
