//! The first read of a critical production secret of a project.
use super::{Memory, Room, Seen, about};
use crate::{
    audit::action::Action,
    policies::model::{Class, Tier},
    signals::model::{Detector, Evidence, Found},
    time::Moment,
};
use chrono::TimeDelta;

/// In the beginning everything is read for the first time.
const LEARNING: TimeDelta = TimeDelta::days(30);

/// Who reads of which project.
pub(super) fn reader(seen: &Seen) -> Option<String> {
    let project = seen.leaf.subject.project.as_deref().filter(|_| seen.read())?;
    Some(format!("{} {project}", seen.actor()?))
}

pub(super) fn watch(memory: &mut Memory, seen: &Seen, began: Moment) -> Option<Found> {
    learn(memory, seen);
    let subject = &seen.leaf.subject;
    let reader = reader(seen)?;
    let is = |room: Room, name: &Option<String>| {
        name.as_deref().is_some_and(|name| memory.get::<bool>(room, name) == Some(true))
    };
    if !is(Room::Secret, &subject.secret) || !is(Room::Environment, &subject.environment) {
        return None;
    }
    if memory.get::<bool>(Room::Readers, &reader).is_some() {
        return None;
    }
    memory.put(Room::Readers, &reader, &true, None);
    (seen.leaf.at - began >= LEARNING).then(|| about(seen, Detector::Critical, Evidence::Critical, vec![seen.leaf.seq]))
}

/// Which secrets are critical, which environments are production: from the events that made them so.
fn learn(memory: &mut Memory, seen: &Seen) {
    let said = |name: &str| seen.leaf.detail.get(name).and_then(|value| value.as_str());
    let (subject, action) = (&seen.leaf.subject, seen.action());
    if !seen.allowed() {
        return;
    }
    if let (Some(secret), Some(class)) = (&subject.secret, said("class"))
        && matches!(action, Some(Action::CreateSecret | Action::EditSecret | Action::ImportSecrets))
    {
        if class == Class::Critical.code() {
            memory.put(Room::Secret, secret, &true, None);
        } else {
            memory.forget(Room::Secret, secret);
        }
    }
    if let (Some(environment), Some(tier)) = (&subject.environment, said("tier"))
        && action == Some(Action::CreateEnvironment)
        && tier == Tier::Production.code()
    {
        memory.put(Room::Environment, environment, &true, None);
    }
}
