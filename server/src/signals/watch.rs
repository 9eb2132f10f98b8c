//! The detectors as a projection of the trail: load what a portion touches, watch it, keep what changed.
use super::store;
use crate::{
    audit::{
        ledger::Housekeeping,
        projection::{self, Projection, Told},
    },
    console::Console,
    notifications, people,
};
use app::{
    audit::leaf::pseudonym,
    error::Error,
    signals::{
        model::{Found, Weight},
        rules::{self, Cell, Memory, Place, Seen},
    },
};
use chrono::TimeDelta;
use std::collections::BTreeSet;

/// What is older when it is found, is found without a notice: nobody is woken by what was learnt from an old trail.
const NEWS: TimeDelta = TimeDelta::days(1);

/// Signals about nobody known, of one detector in an hour, that each bring a notice.
const AT_ONCE: i64 = 20;

pub struct Watch<'c>(pub &'c Console);

/// Brings the signals up to the ledger's head.
pub async fn refresh(console: &Console) -> Result<u64, Error> {
    projection::catch_up(console, &Watch(console)).await
}

impl Watch<'_> {
    /// An event with marks instead of places: nothing of where somebody was is remembered in the clear.
    fn seen(&self, told: &Told) -> Seen {
        let mark = |field: &str, value: Option<String>| {
            value.map(|value| pseudonym(field, &value, self.0.ledger.pseudonyms()))
        };
        let disclosed = |field: &str| told.private.get(field).map(String::as_str);
        Seen {
            network: mark("network", disclosed("address").and_then(rules::network)),
            program: mark("program", disclosed("agent").and_then(rules::program)),
            leaf: told.leaf.clone(),
        }
    }

    /// Security hears of what should be looked at soon; never of themselves.
    async fn tell(&self, tx: &mut Housekeeping, found: &Found) -> Result<(), Error> {
        if found.key.detector.weight() == Weight::Review || self.0.now() - found.at > NEWS {
            return Ok(());
        }
        // Many at once of nobody known are one matter: the list has all of them. Of somebody known there are never many.
        if found.actor.is_none()
            && store::nameless_since(tx, found.key.detector, found.at - TimeDelta::hours(1)).await? > AT_ONCE
        {
            return Ok(());
        }
        let name = found.key.to_string();
        for person in people::security(self.0, tx).await? {
            if Some(&person) != found.actor.as_ref()
                && found.evidence.other() != Some(person.as_str())
                && !notifications::store::has(tx, &person, "signal.raised", &name).await?
            {
                notifications::tell(self.0, tx, [person.as_str()], "signal.raised", &name).await?;
            }
        }
        Ok(())
    }
}

async fn load(tx: &mut Housekeeping, memory: &mut Memory, places: BTreeSet<Place>) -> Result<(), Error> {
    let mut kept = store::remembered(tx, &places).await?;
    for place in places {
        let cell = kept.remove(&place).unwrap_or_default();
        memory.load(place, cell);
    }
    Ok(())
}

impl Projection for Watch<'_> {
    const NAME: &'static str = "signals";

    async fn fold(&self, tx: &mut Housekeeping, told: &[Told]) -> Result<(), Error> {
        let portion: Vec<Seen> = told.iter().map(|told| self.seen(told)).collect();
        let Some(last) = portion.iter().map(|seen| seen.leaf.at).max() else { return Ok(()) };
        let mut memory = Memory::default();
        load(tx, &mut memory, rules::wanted(&portion)).await?;
        for (place, cell) in store::due(tx, last).await? {
            memory.load(place, cell);
        }
        let then = rules::wanted_then(&portion, &memory);
        load(tx, &mut memory, then).await?;
        for seen in &portion {
            for found in rules::watch(&mut memory, seen) {
                store::raise(tx, &found).await?;
                self.tell(tx, &found).await?;
            }
        }
        for (place, cell) in memory.changes() {
            match cell {
                Cell { body: Some(body), due } => store::remember(tx, place, body, *due).await?,
                Cell { body: None, .. } => store::forget(tx, place).await?,
            };
        }
        Ok(())
    }
}
