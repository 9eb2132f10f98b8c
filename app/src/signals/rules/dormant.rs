//! Access for long that nobody uses.
use super::{Memory, Room, Seen};
use crate::{
    audit::action::Action,
    signals::model::{Detector, Evidence, Found, Key},
    time::{Moment, parse_rfc3339},
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

pub const DORMANT: TimeDelta = TimeDelta::days(30);

#[derive(Clone, Serialize, Deserialize)]
struct Held {
    holder: Option<String>,
    project: Option<String>,
    environment: Option<String>,
    request: Option<String>,
    ends_at: Moment,
    /// When it was last used, or began, and that event.
    since: Moment,
    seq: u64,
    used: bool,
}

impl Held {
    /// When it becomes dormant, if it lasts so long.
    fn due(&self) -> Option<Moment> {
        Some(self.since + DORMANT).filter(|due| *due < self.ends_at)
    }
}

/// What became dormant up to now.
pub(super) fn overdue(memory: &mut Memory, now: Moment) -> Vec<Found> {
    let mut found = Vec::new();
    for grant in memory.due(Room::Grant, now) {
        let Some(held) = memory.get::<Held>(Room::Grant, &grant) else { continue };
        let Some(due) = held.due() else { continue };
        // It is said once, until it is used again.
        memory.put(Room::Grant, &grant, &held, None);
        found.push(Found {
            key: Key { detector: Detector::Dormant, seq: held.seq },
            at: due,
            actor: held.holder,
            project: held.project,
            environment: held.environment,
            secret: None,
            request: held.request,
            grant: Some(grant),
            evidence: Evidence::Dormant { used: held.used, since: held.since },
            events: vec![held.seq],
        });
    }
    found
}

pub(super) fn watch(memory: &mut Memory, seen: &Seen) -> Option<Found> {
    let (leaf, subject) = (&seen.leaf, &seen.leaf.subject);
    let grant = subject.grant.as_deref().filter(|_| seen.allowed())?;
    match seen.action()? {
        Action::IssueGrant => {
            let minutes = leaf.detail.get("minutes").and_then(|value| value.as_i64())?;
            let later = leaf.detail.get("starts_at").and_then(|value| parse_rfc3339(value.as_str()?));
            let begins = later.unwrap_or(leaf.at);
            let held = Held {
                holder: subject.workload.clone().or_else(|| subject.person.clone()),
                project: subject.project.clone(),
                environment: subject.environment.clone(),
                request: subject.request.clone(),
                ends_at: begins + TimeDelta::minutes(minutes),
                since: begins,
                seq: leaf.seq,
                used: false,
            };
            if let Some(due) = held.due() {
                memory.put(Room::Grant, grant, &held, Some(due));
            }
        }
        Action::EndGrant | Action::RevokeGrant | Action::GiveBackGrant => memory.forget(Room::Grant, grant),
        // What is suspended works for nobody; what is confirmed begins anew.
        Action::SuspendGrant => {
            let held: Held = memory.get(Room::Grant, grant)?;
            memory.put(Room::Grant, grant, &held, None);
        }
        Action::ResumeGrant => {
            let held: Held = memory.get(Room::Grant, grant)?;
            let held = Held { since: leaf.at, seq: leaf.seq, used: false, ..held };
            memory.put(Room::Grant, grant, &held, held.due());
        }
        Action::RevealSecret | Action::CopySecret | Action::FetchSecret => {
            let held: Held = memory.get(Room::Grant, grant)?;
            let held = Held { since: leaf.at, seq: leaf.seq, used: true, ..held };
            match held.due() {
                Some(due) => memory.put(Room::Grant, grant, &held, Some(due)),
                None => memory.forget(Room::Grant, grant),
            }
        }
        _ => {}
    }
    None
}
