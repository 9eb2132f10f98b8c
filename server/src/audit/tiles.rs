//! Nodes of the tree from stored tiles and leaves, and the proofs made of them.
use super::store;
use crate::db::{Result, Sql};
use app::audit::tree::{self, Frontier, Hash, Node, TILE, cover, fold, leaf_hash};
use std::collections::HashMap;

/// The hashes of one tile in a tree of `size` leaves: full, or as far as it goes. Empty where the tree does not reach.
pub async fn tile(db: &mut impl Sql, size: u64, level: u32, n: u64) -> Result<Vec<Hash>> {
    let span = width(level);
    let hashes_at_level = size / span;
    let start = n * TILE;
    let count = hashes_at_level.saturating_sub(start).min(TILE);
    if count == TILE
        && let Some(bytes) = store::tile(db, level, n).await?
    {
        return Ok(split(&bytes));
    }
    let mut hashes = Vec::with_capacity(count as usize);
    if level == 0 {
        for (_, leaf) in store::leaves(db, start, start + count, count).await? {
            hashes.push(leaf_hash(&leaf));
        }
    } else {
        for child in start..start + count {
            // Each hash of this level is the root of one full tile below.
            let below = Box::pin(tile(db, size, level - 1, child)).await?;
            hashes.push(root_of(&below));
        }
    }
    Ok(hashes)
}

/// How many leaves one hash of a tile at this level stands for.
fn width(level: u32) -> u64 {
    1_u64.checked_shl(8 * level).unwrap_or(u64::MAX)
}

pub fn split(bytes: &[u8]) -> Vec<Hash> {
    bytes.chunks_exact(32).filter_map(|chunk| chunk.try_into().ok()).collect()
}

pub fn root_of(hashes: &[Hash]) -> Hash {
    let mut tree = Frontier::default();
    hashes.iter().for_each(|hash| tree.push(*hash));
    tree.root()
}

/// Makes proofs in one tree; what it has read and hashed is kept for the next.
pub struct Prover {
    size: u64,
    tiles: HashMap<(u32, u64), Vec<Hash>>,
    nodes: HashMap<Node, Hash>,
}

impl Prover {
    pub fn new(size: u64) -> Self {
        Self { size, tiles: HashMap::new(), nodes: HashMap::new() }
    }

    /// The hash of one perfect subtree.
    async fn node(&mut self, db: &mut impl Sql, node: Node) -> Result<Hash> {
        if let Some(known) = self.nodes.get(&node) {
            return Ok(*known);
        }
        let (level, within) = (node.level / 8, node.level % 8);
        let first = node.index << within;
        let place = (level, first / TILE);
        if !self.tiles.contains_key(&place) {
            let read = tile(db, self.size, level, place.1).await?;
            self.tiles.insert(place, read);
        }
        let hashes = self.tiles.get(&place).map(Vec::as_slice).unwrap_or_default();
        let start = (first % TILE) as usize;
        let hash = root_of(hashes.get(start..start + (1 << within)).unwrap_or_default());
        self.nodes.insert(node, hash);
        Ok(hash)
    }

    async fn ranges(&mut self, db: &mut impl Sql, ranges: Vec<(u64, u64)>) -> Result<Vec<Hash>> {
        let mut proof = Vec::new();
        for (start, end) in ranges {
            let mut hashes = Vec::new();
            for part in cover(start, end) {
                hashes.push(self.node(db, part).await?);
            }
            proof.push(fold(&hashes));
        }
        Ok(proof)
    }

    /// That the event is in the tree (RFC 9162 §2.1.3).
    pub async fn inclusion(&mut self, db: &mut impl Sql, seq: u64) -> Result<Vec<Hash>> {
        self.ranges(db, tree::inclusion_ranges(seq, self.size)).await
    }

    /// That the tree of `old` events is the beginning of this one (RFC 9162 §2.1.4).
    pub async fn consistency(&mut self, db: &mut impl Sql, old: u64) -> Result<Vec<Hash>> {
        self.ranges(db, tree::consistency_ranges(old, self.size)).await
    }
}

/// The tree's right edge at a size.
pub async fn frontier(db: &mut impl Sql, size: u64) -> Result<Option<Frontier>> {
    let (mut prover, mut edge) = (Prover::new(size), Vec::new());
    for part in cover(0, size) {
        edge.push(prover.node(db, part).await?);
    }
    Ok(Frontier::from_cover(size, edge))
}
