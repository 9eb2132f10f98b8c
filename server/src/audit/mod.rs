//! The ledger: append, search, prove, verify. Format and tree rules are in `app/src/audit`.
//!
//! ```text
//! operation: begin ─▶ change ─▶ commit(events): lock head, take places, insert leaves, COMMIT ─▶ receipt
//! builder (1/s): committed leaves ─▶ tiles ─▶ root ─▶ signed checkpoint ─▶ anchors
//! ```
//!
//! Invariants: no change without an event and no event without its change; the head is an operation's last lock; the
//! leaf tables are insert-only; a checkpoint once signed for a size never has another root.
pub mod anchor;
pub mod builder;
pub mod event;
pub mod event_seal;
pub mod heads;
pub mod heard;
pub mod ledger;
pub mod projection;
pub mod repeats;
pub mod row_seal;
pub mod search;
pub mod state;
pub mod store;
pub mod stream;
pub mod tiles;
pub mod unsealed;
pub mod verify;
pub mod views;

use crate::jobs::Job;

pub const JOBS: &[Job] = &[
    Job::due("count-refusals", "Records counts of repeated refusals", |console| {
        Box::pin(async {
            console.ledger.flush_repeats(false).await;
            Ok(0)
        })
    }),
    Job::every(2, "follow-trail", "Reads new events, so that outdated rows are rejected", |console| {
        Box::pin(async { state::follow(console, &mut *console.trail.lock().await).await.map(|()| 0) })
    }),
    Job::every(60, "compare-rows", "Compares all sealed rows with the audit trail, at least hourly", |console| {
        Box::pin(async { state::watch_in_turn(console, &mut *console.trail.lock().await).await.map(|()| 0) })
    }),
];
