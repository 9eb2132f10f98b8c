//! Projections: what is computed from the trail alone, and can be computed again from its beginning. Each reads on from its
//! cursor and moves it in the transaction that writes what it found, so that every event counts once.
use super::{ledger::Housekeeping, store};
use crate::console::Console;
use app::{audit::leaf::Leaf, error::Error};
use std::{collections::BTreeMap, future::Future};

/// Events that one transaction takes up.
const STRETCH: u64 = 1024;

/// An event as a projection sees it: what is in the tree, and what is disclosed beside it.
pub struct Told {
    pub leaf: Leaf,
    pub private: BTreeMap<String, String>,
}

pub trait Projection: Sync {
    /// What its cursor is called; a new name begins anew.
    const NAME: &'static str;

    fn fold(&self, tx: &mut Housekeeping, told: &[Told]) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Reads on to the ledger's head. Returns how far it got: all events below are counted.
pub async fn catch_up<P: Projection>(console: &Console, projection: &P) -> Result<u64, Error> {
    loop {
        let mut db = console.read().await?;
        let head = store::size(&mut db).await?;
        let cursor = store::cursor(&mut db, P::NAME).await?;
        if cursor >= head {
            return Ok(cursor);
        }
        let end = head.min(cursor + STRETCH);
        let told = read(&mut db, cursor, end).await?;
        drop(db);
        let mut tx = console.ledger.housekeeping().await?;
        // Another replica may have read the same events meanwhile.
        if store::lock_cursor(&mut tx, P::NAME).await? == cursor {
            projection.fold(&mut tx, &told).await?;
            store::move_cursor(&mut tx, P::NAME, end).await?;
        }
        tx.finish().await?;
    }
}

async fn read(db: &mut impl crate::db::Sql, from: u64, to: u64) -> Result<Vec<Told>, Error> {
    let leaves = store::leaves(db, from, to, to - from).await?;
    let mut private: BTreeMap<i64, BTreeMap<String, String>> = BTreeMap::new();
    for (seq, field, _, value) in store::told(db, leaves.iter().map(|(seq, leaf)| (*seq, leaf.as_slice()))).await? {
        private.entry(seq).or_default().insert(field, value);
    }
    if leaves.len() as u64 != to - from {
        tracing::error!(from, to, found = leaves.len(), "events are missing below the ledger's head");
    }
    let told = leaves.into_iter().filter_map(|(seq, leaf)| match Leaf::decode(&leaf) {
        Ok(leaf) => Some(Told { leaf, private: private.remove(&seq).unwrap_or_default() }),
        // What was changed behind the product's back is the verifier's to say; everything else goes on.
        Err(error) => {
            tracing::error!(%error, seq, "an event cannot be read");
            None
        }
    });
    Ok(told.collect())
}
