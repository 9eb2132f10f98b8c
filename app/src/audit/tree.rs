//! The Merkle tree of RFC 6962 §2.1 over SHA-256, its proofs (RFC 9162 §2.1.3 and §2.1.4), and the tiles of C2SP tlog-tiles.
use sha2::{Digest, Sha256};

pub type Hash = [u8; 32];

/// Bytes as people read them.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A hash as [`hex`] wrote it.
pub fn unhex(text: &str) -> Option<Hash> {
    let bytes: Option<Vec<u8>> =
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect();
    bytes?.try_into().ok()
}

/// How many hashes a full tile holds (C2SP tlog-tiles: height 8).
pub const TILE: u64 = 256;

pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(leaf).finalize().into()
}

pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// One perfect subtree: `index`-th of those with 2^`level` leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    pub level: u32,
    pub index: u64,
}

/// The perfect subtrees, left to right, that make up the leaves `start..end`.
pub fn cover(mut start: u64, end: u64) -> Vec<Node> {
    let mut nodes = Vec::new();
    while start < end {
        let aligned = if start == 0 { 63 } else { start.trailing_zeros() };
        let level = aligned.min((end - start).ilog2());
        nodes.push(Node { level, index: start >> level });
        start += 1 << level;
    }
    nodes
}

/// The hash of a range from the hashes of its [`cover`]: folded from the right.
pub fn fold(hashes: &[Hash]) -> Hash {
    let Some((last, rest)) = hashes.split_last() else { return empty_root() };
    rest.iter().rev().fold(*last, |right, left| node_hash(left, &right))
}

/// A tree that only grows: the perfect subtrees on its right edge, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    edge: Vec<Hash>,
}

impl Frontier {
    /// From the hashes of `cover(0, size)`.
    pub fn from_cover(size: u64, edge: Vec<Hash>) -> Option<Self> {
        (edge.len() == size.count_ones() as usize).then_some(Self { size, edge })
    }

    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.edge.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.edge.push(hash);
        self.size += 1;
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn root(&self) -> Hash {
        fold(&self.edge)
    }
}

/// The ranges whose hashes form the inclusion proof of leaf `index` in a tree of `size` leaves, nearest first.
pub fn inclusion_ranges(index: u64, size: u64) -> Vec<(u64, u64)> {
    let (mut start, mut end, mut ranges) = (0, size, Vec::new());
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The ranges whose hashes form the consistency proof from a tree of `old` leaves to one of `new` (RFC 9162 §2.1.4.1).
pub fn consistency_ranges(old: u64, new: u64) -> Vec<(u64, u64)> {
    if old == 0 || old >= new {
        return Vec::new();
    }
    let (mut start, mut end, mut whole, mut ranges) = (0, new, true, Vec::new());
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
            whole = false;
        }
    }
    if !whole {
        ranges.push((start, end));
    }
    ranges.reverse();
    ranges
}

/// The largest power of two below `size`.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// Does `proof` show that `leaf` is the `index`-th of the tree with this size and root? (RFC 9162 §2.1.3.2)
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Does `proof` show that the tree of `old` leaves is a prefix of the tree of `new` leaves? (RFC 9162 §2.1.4.2)
pub fn verify_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> bool {
    if old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    if old == 0 {
        return proof.is_empty();
    }
    let mut hashes = proof.iter();
    let first = if old.is_power_of_two() { Some(old_root) } else { hashes.next() };
    let Some(first) = first else { return false };
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut from_old, mut from_new) = (*first, *first);
    for sibling in hashes {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            from_old = node_hash(sibling, &from_old);
            from_new = node_hash(sibling, &from_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && from_old == *old_root && from_new == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use proptest::prelude::*;

    fn hex(text: &str) -> Hash {
        let mut hash = [0; 32];
        for (place, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[place * 2..place * 2 + 2], 16).unwrap_or_default();
        }
        hash
    }

    fn range_hash(leaves: &[Hash], range: (u64, u64)) -> Hash {
        let mut tree = Frontier::default();
        leaves[range.0 as usize..range.1 as usize].iter().for_each(|leaf| tree.push(*leaf));
        tree.root()
    }

    /// The inputs and roots of the test vectors in Certificate Transparency's reference implementation of RFC 6962.
    #[test]
    fn rfc_6962_vectors() {
        let leaves: [&[u8]; 8] = [
            &[],
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Frontier::default();
        assert_eq!(tree.root(), hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
        for (leaf, root) in leaves.iter().zip(roots) {
            tree.push(leaf_hash(leaf));
            assert_eq!(tree.root(), hex(root));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Roots and proofs agree with an independent implementation, and each wrong bit is noticed.
        #[test]
        fn an_independent_crate_agrees(size in 1_u64..600, pick in 0_u64..600, older in 0_u64..600, flip in 0_usize..256) {
            let (index, old) = (pick % size, older % (size + 1));
            let mut theirs: MemoryBackedTree<Sha256, Vec<u8>> = MemoryBackedTree::new();
            let mut ours = Frontier::default();
            let mut leaves = Vec::new();
            let mut old_root = empty_root();
            for n in 0..size {
                if n == old { old_root = ours.root(); }
                let leaf = n.to_be_bytes().to_vec();
                leaves.push(leaf_hash(&leaf));
                ours.push(leaf_hash(&leaf));
                theirs.push(leaf);
            }
            if old == size { old_root = ours.root(); }
            let root = ours.root();
            let expected = theirs.root();
            prop_assert_eq!(root.as_slice(), expected.as_bytes().as_slice());

            let proof: Vec<Hash> = inclusion_ranges(index, size).into_iter().map(|range| range_hash(&leaves, range)).collect();
            let expected = theirs.prove_inclusion(index as usize);
            prop_assert_eq!(proof.concat(), expected.as_bytes().to_vec());
            prop_assert!(verify_inclusion(&leaves[index as usize], index, size, &proof, &root));
            let mut wrong = leaves[index as usize];
            wrong[flip / 8] ^= 1 << (flip % 8);
            prop_assert!(!verify_inclusion(&wrong, index, size, &proof, &root));
            if let Some(hash) = proof.first() {
                let mut bent = proof.clone();
                bent[0] = { let mut h = *hash; h[flip / 8] ^= 1 << (flip % 8); h };
                prop_assert!(!verify_inclusion(&leaves[index as usize], index, size, &bent, &root));
                prop_assert!(!verify_inclusion(&leaves[index as usize], index, size, &proof[1..], &root));
            }

            let consistency: Vec<Hash> = consistency_ranges(old, size).into_iter().map(|range| range_hash(&leaves, range)).collect();
            prop_assert!(verify_consistency(old, &old_root, size, &root, &consistency));
            if old > 0 && old < size {
                let expected = theirs.prove_consistency((size - old) as usize);
                prop_assert_eq!(consistency.concat(), expected.as_bytes().to_vec());
                let mut wrong = old_root;
                wrong[flip / 8] ^= 1 << (flip % 8);
                prop_assert!(!verify_consistency(old, &wrong, size, &root, &consistency));
                prop_assert!(!verify_consistency(old, &old_root, size, &wrong, &consistency));
            }
        }

        /// Any range is the fold of its perfect subtrees: what tiles rely on.
        #[test]
        fn covers_fold_to_the_same_hash(start in 0_u64..300, length in 1_u64..300) {
            let leaves: Vec<Hash> = (0..start + length).map(|n| leaf_hash(&n.to_be_bytes())).collect();
            // Only ranges that start at a multiple of their own power of two occur in proofs.
            let start = start & !(length.next_power_of_two() - 1);
            let end = start + length;
            let nodes: Vec<Hash> = cover(start, end).into_iter()
                .map(|node| range_hash(&leaves, (node.index << node.level, (node.index + 1) << node.level)))
                .collect();
            prop_assert_eq!(fold(&nodes), range_hash(&leaves, (start, end)));
        }
    }
}
