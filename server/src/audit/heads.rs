//! Heads of the tree as others saw them: what a person was shown last.
use super::{store, tiles::Prover};
use crate::{console::Console, people::Caller};
use app::{
    audit::{checkpoint::Checkpoint, page::Since, tree::verify_consistency},
    error::Error,
};

/// Compares the head with the one that this person was shown last, and remembers it.
pub async fn since_last_visit(console: &Console, caller: &Caller, head: &Checkpoint) -> Result<Since, Error> {
    let mut db = console.read().await?;
    let seen = store::seen_head(&mut db, caller.id()).await?;
    let since = match &seen {
        None => Since::First,
        Some(seen) => {
            let (size, at) = (seen.size as u64, seen.seen_at);
            // Another look of the same person may have been at a newer head than this one: only a log that is smaller was cut.
            if size > head.size && store::size(&mut db).await? >= size {
                return Ok(Since::Same { at });
            }
            let root = seen.root.as_slice().try_into().map_err(|_| Error::Unavailable)?;
            let proof =
                if size <= head.size { Prover::new(head.size).consistency(&mut db, size).await? } else { Vec::new() };
            if !verify_consistency(size, &root, head.size, &head.root, &proof) {
                Since::Rewritten { size, at }
            } else if size == head.size {
                Since::Same { at }
            } else {
                Since::Continues { size, at }
            }
        }
    };
    drop(db);
    // What was rewritten stays in sight until somebody has looked into it: the earlier head is the evidence.
    if !matches!(since, Since::Rewritten { .. }) {
        let mut tx = console.ledger.housekeeping().await?;
        store::note_seen_head(&mut tx, caller.id(), head.size, &head.root, console.now()).await?;
        tx.finish().await?;
    }
    Ok(since)
}
