//! A burst of refusals.
use super::{Memory, Room, Seen, about, of_nothing};
use crate::{
    audit::leaf::Outcome,
    signals::model::{Detector, Evidence, Found},
    time::Moment,
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const WINDOW: TimeDelta = TimeDelta::minutes(10);
const QUIET: TimeDelta = TimeDelta::hours(1);
const MOST: u64 = 10;
/// Events of a burst that are kept as its evidence.
const KEPT: usize = 50;

#[derive(Serialize, Deserialize)]
struct Refused {
    at: Moment,
    seq: u64,
    times: u64,
    secret: Option<String>,
    project: Option<String>,
    reason: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct Lately {
    refused: Vec<Refused>,
    quiet_until: Option<Moment>,
    /// How many different secrets were told of last.
    told: usize,
}

/// Whose refusals are counted together.
pub(super) fn source(seen: &Seen) -> String {
    seen.actor().or(seen.network.as_deref()).unwrap_or("nobody").to_owned()
}

pub(super) fn watch(memory: &mut Memory, seen: &Seen) -> Option<Found> {
    let leaf = &seen.leaf;
    if leaf.outcome != Outcome::Refused {
        return None;
    }
    let source = source(seen);
    let mut lately: Lately = memory.get(Room::Refusals, &source).unwrap_or_default();
    lately.refused.retain(|refused| leaf.at - refused.at <= WINDOW);
    lately.refused.push(Refused {
        at: leaf.at,
        seq: leaf.seq,
        times: leaf.suppressed.unwrap_or(1),
        secret: leaf.subject.secret.clone(),
        project: leaf.subject.project.clone(),
        reason: leaf.reason.clone(),
    });
    let more = lately.refused.len().saturating_sub(KEPT);
    lately.refused.drain(..more);
    let count: u64 = lately.refused.iter().map(|refused| refused.times).sum();
    let quiet = lately.quiet_until.is_some_and(|until| leaf.at < until);
    let secrets = lately.refused.iter().filter_map(|refused| refused.secret.as_ref()).collect::<BTreeSet<_>>().len();
    // A broken consumer is no cover for a search: many secrets are told of also while it is quiet.
    let wider = secrets as u64 >= MOST && (lately.told as u64) < MOST;
    let loud = count >= MOST && (!quiet || wider);
    let found = loud.then(|| {
        let all = &lately.refused;
        let one_project = all.iter().all(|refused| refused.project == leaf.subject.project);
        let reasons: BTreeSet<_> = all.iter().filter_map(|refused| refused.reason.clone()).collect();
        let evidence = Evidence::Refusals { count, secrets: secrets as u32, reasons: reasons.into_iter().collect() };
        let found = about(seen, Detector::Refusals, evidence, all.iter().map(|refused| refused.seq).collect());
        if one_project { found } else { of_nothing(found) }
    });
    if found.is_some() {
        lately.quiet_until = Some(leaf.at + QUIET);
        lately.told = secrets;
    }
    // Later nothing of it counts any more: whoever knocks from a thousand places is not remembered for ever.
    memory.put(Room::Refusals, &source, &lately, Some(leaf.at + QUIET));
    found
}

/// Forgets what no longer counts.
pub(super) fn forget(memory: &mut Memory, now: Moment) {
    for source in memory.due(Room::Refusals, now) {
        memory.forget(Room::Refusals, &source);
    }
}
