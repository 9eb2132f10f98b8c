//! The detectors: pure, one event after the other, with what they remember of earlier ones.
mod critical;
mod dormant;
mod hours;
mod mutual;
mod place;
mod refusals;

use super::model::Found;
use crate::{
    audit::{
        action::Action,
        leaf::{ActorKind, Leaf, Outcome},
    },
    time::Moment,
};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};

pub use place::{network, program};

/// An event as the detectors see it. Places are marks: keyed, and equal for equal places.
pub struct Seen {
    pub leaf: Leaf,
    pub network: Option<String>,
    pub program: Option<String>,
}

impl Seen {
    fn action(&self) -> Option<Action> {
        Action::from_code(&self.leaf.action)
    }

    fn allowed(&self) -> bool {
        self.leaf.outcome == Outcome::Allowed
    }

    /// Whoever acts under a name of their own.
    fn actor(&self) -> Option<&str> {
        match self.leaf.actor.kind {
            ActorKind::Person | ActorKind::Workload => self.leaf.actor.id.as_deref(),
            ActorKind::System | ActorKind::Anonymous => None,
        }
    }

    /// A value that was taken.
    fn read(&self) -> bool {
        let read = [Action::RevealSecret, Action::CopySecret, Action::FetchSecret];
        self.allowed() && self.action().is_some_and(|action| read.contains(&action))
    }
}

/// What is remembered of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// When the trail began.
    Log,
    /// An actor's days, hours and places.
    Actor,
    /// Refusals of an actor or an address, lately.
    Refusals,
    /// Who read critical secrets of which project.
    Readers,
    /// Secrets that are critical.
    Secret,
    /// Environments that are production.
    Environment,
    /// Access for long, and when it was used.
    Grant,
    /// Who asked.
    Request,
    /// Whose requests somebody approved lately.
    Approver,
}

impl Room {
    pub const ALL: [Self; 9] = [
        Self::Log,
        Self::Actor,
        Self::Refusals,
        Self::Readers,
        Self::Secret,
        Self::Environment,
        Self::Grant,
        Self::Request,
        Self::Approver,
    ];

    pub fn code(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Actor => "actor",
            Self::Refusals => "refusals",
            Self::Readers => "readers",
            Self::Secret => "secret",
            Self::Environment => "environment",
            Self::Grant => "grant",
            Self::Request => "request",
            Self::Approver => "approver",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|room| room.code() == code)
    }
}

/// Where something is remembered.
pub type Place = (Room, String);

/// One thing that is remembered; no body: it is forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    pub body: Option<String>,
    /// When it has to be looked at, whether or not something happens to it.
    pub due: Option<Moment>,
}

/// What is remembered of the places that a portion of the trail touches.
#[derive(Debug, Default)]
pub struct Memory {
    cells: BTreeMap<Place, Cell>,
    changed: BTreeSet<Place>,
}

impl Memory {
    /// Something as it was kept.
    pub fn load(&mut self, place: Place, cell: Cell) {
        self.cells.entry(place).or_insert(cell);
    }

    fn get<T: DeserializeOwned>(&self, room: Room, name: &str) -> Option<T> {
        let cell = self.cells.get(&(room, name.to_owned()))?;
        // What another version wrote is learnt anew.
        serde_json::from_str(cell.body.as_deref()?).ok()
    }

    fn put<T: Serialize>(&mut self, room: Room, name: &str, what: &T, due: Option<Moment>) {
        let cell = Cell { body: serde_json::to_string(what).ok(), due };
        let place = (room, name.to_owned());
        if self.cells.get(&place) != Some(&cell) {
            self.cells.insert(place.clone(), cell);
            self.changed.insert(place);
        }
    }

    fn forget(&mut self, room: Room, name: &str) {
        let place = (room, name.to_owned());
        if self.cells.get(&place).is_some_and(|cell| cell.body.is_some()) {
            self.cells.insert(place.clone(), Cell::default());
            self.changed.insert(place);
        }
    }

    fn due(&self, room: Room, now: Moment) -> Vec<String> {
        let of_room = self.cells.range((room, String::new())..).take_while(|((of, _), _)| *of == room);
        of_room.filter(|(_, cell)| cell.due.is_some_and(|due| due <= now)).map(|((_, name), _)| name.clone()).collect()
    }

    /// What has to be kept.
    pub fn changes(&self) -> impl Iterator<Item = (&Place, &Cell)> {
        self.changed.iter().filter_map(|place| self.cells.get_key_value(place))
    }
}

/// What has to be loaded before a portion is watched; besides it all that is due by its end.
pub fn wanted(portion: &[Seen]) -> BTreeSet<Place> {
    let mut places = BTreeSet::from([(Room::Log, String::new())]);
    for seen in portion {
        let subject = &seen.leaf.subject;
        let mut want = |room: Room, name: Option<&str>| {
            places.extend(name.map(|name| (room, name.to_owned())));
        };
        want(Room::Actor, seen.actor());
        want(Room::Secret, subject.secret.as_deref());
        want(Room::Environment, subject.environment.as_deref());
        want(Room::Grant, subject.grant.as_deref());
        want(Room::Request, subject.request.as_deref());
        want(Room::Readers, critical::reader(seen).as_deref());
        if seen.leaf.outcome == Outcome::Refused {
            want(Room::Refusals, Some(&refusals::source(seen)));
        }
    }
    places
}

/// What has to be loaded besides, when it is known who asked.
pub fn wanted_then(portion: &[Seen], memory: &Memory) -> BTreeSet<Place> {
    mutual::people(portion, memory).into_iter().map(|person| (Room::Approver, person)).collect()
}

/// What one more event tells.
pub fn watch(memory: &mut Memory, seen: &Seen) -> Vec<Found> {
    let mut found = Vec::new();
    let began: Moment = match memory.get(Room::Log, "") {
        Some(began) => began,
        None => {
            memory.put(Room::Log, "", &seen.leaf.at, None);
            seen.leaf.at
        }
    };
    refusals::forget(memory, seen.leaf.at);
    found.extend(dormant::overdue(memory, seen.leaf.at));
    found.extend(dormant::watch(memory, seen));
    found.extend(refusals::watch(memory, seen));
    found.extend(critical::watch(memory, seen, began));
    found.extend(mutual::watch(memory, seen));
    // Places before hours: a day that begins counts as known only afterwards.
    found.extend(place::watch(memory, seen));
    found.extend(hours::watch(memory, seen));
    found
}

/// A signal about an event and whoever acted in it.
fn about(seen: &Seen, detector: super::model::Detector, evidence: super::model::Evidence, events: Vec<u64>) -> Found {
    let (leaf, subject) = (&seen.leaf, seen.leaf.subject.clone());
    Found {
        key: super::model::Key { detector, seq: leaf.seq },
        at: leaf.at,
        actor: seen.actor().map(Into::into),
        project: subject.project,
        environment: subject.environment,
        secret: subject.secret,
        request: subject.request,
        grant: subject.grant,
        evidence,
        events,
    }
}

/// What is told of somebody's doings everywhere is of no one project: who leads one does not read of the others by it.
fn of_nothing(found: Found) -> Found {
    Found { project: None, environment: None, secret: None, request: None, grant: None, ..found }
}

#[cfg(test)]
mod tests;
