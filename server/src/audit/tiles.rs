//! Nodes of the tree from stored tiles and leaves, and the proofs made of them.
use super::store;
use crate::db::{Result, Sql};
use app::audit::tree::{self, Frontier, Hash, Node, TILE, cover, fold, leaf_hash};

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

/// The hash of one perfect subtree of a tree of `size` leaves.
async fn node(db: &mut impl Sql, size: u64, node: Node) -> Result<Hash> {
    let (level, within) = (node.level / 8, node.level % 8);
    let first = node.index << within;
    let hashes = tile(db, size, level, first / TILE).await?;
    let start = (first % TILE) as usize;
    Ok(root_of(hashes.get(start..start + (1 << within)).unwrap_or_default()))
}

async fn range(db: &mut impl Sql, size: u64, start: u64, end: u64) -> Result<Hash> {
    let mut hashes = Vec::new();
    for part in cover(start, end) {
        hashes.push(node(db, size, part).await?);
    }
    Ok(fold(&hashes))
}

/// The tree's right edge at a size.
pub async fn frontier(db: &mut impl Sql, size: u64) -> Result<Option<Frontier>> {
    let mut edge = Vec::new();
    for part in cover(0, size) {
        edge.push(node(db, size, part).await?);
    }
    Ok(Frontier::from_cover(size, edge))
}

pub async fn inclusion_proof(db: &mut impl Sql, seq: u64, size: u64) -> Result<Vec<Hash>> {
    let mut proof = Vec::new();
    for (start, end) in tree::inclusion_ranges(seq, size) {
        proof.push(range(db, size, start, end).await?);
    }
    Ok(proof)
}

pub async fn consistency_proof(db: &mut impl Sql, old: u64, new: u64) -> Result<Vec<Hash>> {
    let mut proof = Vec::new();
    for (start, end) in tree::consistency_ranges(old, new) {
        proof.push(range(db, new, start, end).await?);
    }
    Ok(proof)
}
