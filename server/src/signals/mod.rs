//! Signals: the detectors run over the trail as it grows; what they find waits for an answer.
//!
//! ```text
//! trail ─projection─▶ memory of the detectors ─▶ signals ─▶ notices to security
//!                                                    ▲
//!                        answers (operations, events) ┘
//! ```
mod answer;
pub mod store;
mod watch;

pub use answer::{Wanted, able, action, answer, find, may_answer};
pub use watch::{Watch, refresh};

use crate::jobs::Job;

pub const JOBS: &[Job] = &[Job::every(10, "find-signals", "Detects signals in new events", |console| {
    Box::pin(async { refresh(console).await.map(|_| 0) })
})];
