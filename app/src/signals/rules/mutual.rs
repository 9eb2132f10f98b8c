//! Two people who approve each other's requests.
use super::{Memory, Room, Seen, about, of_nothing};
use crate::{
    audit::action::Action,
    signals::model::{Detector, Evidence, Found},
    time::Moment,
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const WINDOW: TimeDelta = TimeDelta::days(30);
const EACH: usize = 3;

#[derive(Clone, Serialize, Deserialize)]
struct Approval {
    requester: String,
    at: Moment,
    seq: u64,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Approver {
    approved: Vec<Approval>,
    /// With whom it was said, and when.
    told: BTreeMap<String, Moment>,
}

fn asks(seen: &Seen) -> Option<(&str, &str)> {
    let asked = seen.allowed() && seen.action() == Some(Action::SubmitRequest);
    seen.leaf.subject.request.as_deref().zip(seen.actor()).filter(|_| asked)
}

fn approves(seen: &Seen) -> Option<(&str, &str)> {
    let approved = seen.allowed() && seen.action() == Some(Action::ApproveRequest);
    seen.leaf.subject.request.as_deref().zip(seen.actor()).filter(|_| approved)
}

/// Whose approvals a portion needs to know: of those who approve in it, and of those who asked.
pub(super) fn people(portion: &[Seen], memory: &Memory) -> BTreeSet<String> {
    let asked: BTreeMap<&str, &str> = portion.iter().filter_map(asks).collect();
    let mut people = BTreeSet::new();
    for (request, approver) in portion.iter().filter_map(approves) {
        people.insert(approver.to_owned());
        let requester = asked.get(request).map(|person| (*person).to_owned());
        people.extend(requester.or_else(|| memory.get(Room::Request, request)));
    }
    people
}

pub(super) fn watch(memory: &mut Memory, seen: &Seen) -> Option<Found> {
    if let Some((request, requester)) = asks(seen) {
        memory.put(Room::Request, request, &requester, None);
    }
    let ended =
        [Action::DenyRequest, Action::WithdrawRequest, Action::ExpireRequest, Action::VoidRequest, Action::IssueGrant];
    if let Some(request) = &seen.leaf.subject.request
        && seen.allowed()
        && seen.action().is_some_and(|action| ended.contains(&action))
    {
        memory.forget(Room::Request, request);
    }
    let (request, approver) = approves(seen)?;
    let requester: String = memory.get(Room::Request, request)?;
    let now = seen.leaf.at;
    let lately = |memory: &Memory, person: &str| {
        let mut known: Approver = memory.get(Room::Approver, person).unwrap_or_default();
        known.approved.retain(|approval| now - approval.at <= WINDOW);
        known.told.retain(|_, at| now - *at < WINDOW);
        known
    };
    let mut given = lately(memory, approver);
    given.approved.push(Approval { requester: requester.clone(), at: now, seq: seen.leaf.seq });
    let of = |known: &Approver, person: &str| -> Vec<u64> {
        known.approved.iter().filter(|approval| approval.requester == person).map(|approval| approval.seq).collect()
    };
    let mut other = lately(memory, &requester);
    let (to, from) = (of(&given, &requester), of(&other, approver));
    let loud = to.len() >= EACH && from.len() >= EACH && !given.told.contains_key(&requester);
    if loud {
        given.told.insert(requester.clone(), now);
        other.told.insert(approver.to_owned(), now);
        memory.put(Room::Approver, &requester, &other, None);
    }
    memory.put(Room::Approver, approver, &given, None);
    let evidence = Evidence::Mutual { other: requester, given: to.len() as u32, taken: from.len() as u32 };
    let mut events = [to, from].concat();
    events.sort_unstable();
    loud.then(|| of_nothing(about(seen, Detector::Mutual, evidence, events)))
}
