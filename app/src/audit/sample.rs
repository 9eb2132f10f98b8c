//! Drawing a sample that nobody can steer and anybody can repeat: each item has a ticket,
//! `SHA-256(root ‖ nonce ‖ number)`, and the smallest tickets win.
//!
//! `root` is the root (32 bytes) of a head that was signed before the nonce was sent; `nonce` the auditor's own text (UTF-8);
//! `number` the event's (8 bytes, big-endian). The first and the last part have a fixed length, so that no two inputs are the
//! same bytes. Whoever keeps the log cannot fit the root to the nonce; whoever asks again with another nonce draws again,
//! which the trail says.
use super::tree::Hash;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The longest nonce, in bytes.
pub const LONGEST: usize = 200;

pub fn ticket(root: &Hash, nonce: &str, seq: u64) -> Hash {
    Sha256::new().chain_update(root).chain_update(nonce).chain_update(seq.to_be_bytes()).finalize().into()
}

/// A draw under way: whatever is put in, only the winners are kept.
pub struct Draw<T> {
    root: Hash,
    nonce: String,
    size: usize,
    won: BTreeMap<Hash, T>,
}

impl<T> Draw<T> {
    pub fn new(root: Hash, nonce: String, size: usize) -> Self {
        Self { root, nonce, size, won: BTreeMap::new() }
    }

    pub fn put(&mut self, seq: u64, item: T) {
        self.won.insert(ticket(&self.root, &self.nonce, seq), item);
        if self.won.len() > self.size {
            self.won.pop_last();
        }
    }

    pub fn kept(&self) -> usize {
        self.won.len()
    }

    /// The winners, the smallest ticket first.
    pub fn won(self) -> Vec<(Hash, T)> {
        self.won.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(root: &Hash, nonce: &str, numbers: impl IntoIterator<Item = u64>, size: usize) -> Vec<(Hash, u64)> {
        let mut draw = Draw::new(*root, nonce.into(), size);
        numbers.into_iter().for_each(|seq| draw.put(seq, seq));
        draw.won()
    }

    #[test]
    fn a_draw_is_the_same_whatever_the_order_and_another_with_another_nonce() {
        let root = [7; 32];
        let one = draw(&root, "auditor 1", 0..1_000, 25);
        assert_eq!(one, draw(&root, "auditor 1", (0..1_000).rev(), 25));
        assert_ne!(one, draw(&root, "auditor 2", 0..1_000, 25));
        assert_ne!(one, draw(&[8; 32], "auditor 1", 0..1_000, 25));
        assert_eq!(draw(&root, "x", 0..10, 25).len(), 10);
        // Every tenth of the numbers gets about its tenth: no place is preferred.
        let many = draw(&root, "spread", 0..10_000, 1_000);
        for tenth in 0..10 {
            let count = many.iter().filter(|(_, seq)| seq / 1_000 == tenth).count();
            assert!((60..140).contains(&count), "{tenth}: {count}");
        }
    }

    #[test]
    fn a_ticket_is_what_is_documented() {
        let hex = crate::audit::tree::hex(&ticket(&[0; 32], "nonce", 1));
        // printf '%064d%s%016x' 0 "$(printf nonce | xxd -p)" 1 | xxd -r -p | sha256sum
        assert_eq!(hex, "7b0bfc72acdf48fcdb45fddf4744f0b1587b5f1d111712bec0a9eee9f090ac09");
    }
}
