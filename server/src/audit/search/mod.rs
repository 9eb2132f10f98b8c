//! The trail searched: a filter is read along one index, newest first, and never further than so many entries at a time.
//!
//! ```text
//! text ─parse (app)─▶ query ─resolve─▶ filter ─▶ driver: the index that says most ─▶ stretches of it ─▶ page
//! ```
//!
//! Words and ids without a column of their own are found over a projection: `search_terms` numbers them, `search_postings`
//! says in which events each stands. Only what is disclosed is in it: reasons, names, paths and comments.
mod reading;
mod resolve;
pub mod store;

pub use reading::Reading;
pub use resolve::{Asked, on_the_wall, resolve, resolve_at};

use super::{
    ledger::Housekeeping,
    projection::{self, Projection, Told},
    store::Stored,
};
use crate::{console::Console, db::Sql};
use app::{audit::query::split_words, error::Error, time::Moment};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

/// A column that events are found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Action,
    Actor,
    ActorKind,
    Outcome,
    Reason,
    Project,
    Environment,
    Secret,
    Request,
    Grant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// What was asked for does not exist: no event fits.
    Nothing,
    Text(Place, Vec<String>),
    /// One of these terms stands in it.
    Terms(Vec<i64>),
    Between(u64, u64),
}

/// Any of these, each of which is all of its conditions; or none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub negated: bool,
    pub any: Vec<Vec<Condition>>,
}

/// What an event has to be: every group, in `from..to` of the trail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub groups: Vec<Group>,
    pub from: u64,
    pub to: u64,
    /// The times that `from` and `to` come from.
    pub since: Option<Moment>,
    pub until: Option<Moment>,
    /// What may be read at all: asked again of each event that was found, by what its leaf says.
    pub reading: Reading,
}

/// The index along which a filter is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Driver {
    Everything,
    Column(Place, Vec<String>),
    Terms(Vec<i64>),
}

/// Index entries that one page looks at, in stretches: what is frequent is found in the first.
const STRETCHES: [u64; 3] = [1_000, 4_000, 15_000];

/// Events that fit, newest first, and how far it was looked.
#[derive(Clone, Default)]
pub struct Page {
    pub rows: Vec<Stored>,
    /// Everything from here on was looked at.
    pub looked_to: u64,
    /// There is nothing more below: the window's beginning was reached.
    pub complete: bool,
}

impl Filter {
    /// The group that fewest events are likely to fit, and that has an index.
    fn driver(&self) -> Driver {
        let driven = self.groups.iter().filter(|group| !group.negated).filter_map(|group| {
            // One index serves a group whose alternatives are all of the same place.
            let single: Option<Vec<&Condition>> =
                group.any.iter().map(|all| if let [one] = all.as_slice() { Some(one) } else { None }).collect();
            match single?.as_slice() {
                [Condition::Terms(ids)] => Some((3, Driver::Terms(ids.clone()))),
                [Condition::Text(place, values)] => {
                    let rank = match place {
                        Place::Request => 1,
                        Place::Secret => 2,
                        Place::Actor => 4,
                        Place::Project => 6,
                        Place::Action => 5,
                        Place::Outcome if values.iter().all(|value| value != "allowed") => 5,
                        _ => return None,
                    };
                    Some((rank, Driver::Column(*place, values.clone())))
                }
                _ => None,
            }
        });
        driven.min_by_key(|(rank, _)| *rank).map_or(Driver::Everything, |(_, driver)| driver)
    }

    /// The newest `limit` events below `before`, as far as one page looks.
    fn readable(&self, found: Vec<Stored>) -> impl Iterator<Item = Stored> {
        found.into_iter().map(Stored::as_told).filter(|row| self.reading.covers_event(row))
    }

    pub async fn page(&self, db: &mut impl Sql, before: Option<u64>, limit: u64) -> Result<Page, Error> {
        let driver = self.driver();
        let mut before = before.map_or(self.to, |before| before.min(self.to));
        let mut page = Page { looked_to: before, ..Page::default() };
        for stretch in STRETCHES {
            if before <= self.from {
                break;
            }
            let floor = store::floor(db, &driver, self.from, before, stretch).await?;
            let wanted = limit - page.rows.len() as u64;
            // One more tells whether there is more.
            let mut found = store::select(db, self, &driver, floor, before, wanted + 1).await?;
            if found.len() as u64 > wanted {
                found.truncate(wanted as usize);
                page.looked_to = found.last().map_or(before, |row| row.seq as u64);
                page.rows.extend(self.readable(found));
                return Ok(page);
            }
            page.rows.extend(self.readable(found));
            (page.looked_to, before) = (floor, floor);
        }
        page.complete = page.looked_to <= self.from;
        Ok(page)
    }
}

/// The kinds of id that have no column, as the first part of their term.
pub mod term {
    pub const WORD: &str = "w:";
    pub const ADDRESS: &str = "ip:";
    pub const POLICY: &str = "policy:";
    pub const PERSON: &str = "person:";
    pub const WORKLOAD: &str = "workload:";
    pub const ROW: &str = "row:";
    pub const SESSION: &str = "session:";
    pub const GRANT: &str = "grant:";
}

/// The projection behind words and ids. Numbers of terms are remembered; what does not fit is looked up again.
#[derive(Default)]
pub struct Search(Mutex<HashMap<String, i64>>);

const MOST_REMEMBERED: usize = 50_000;

/// What an event is found by, beside its columns.
fn terms(told: &Told) -> BTreeSet<String> {
    let mut terms = BTreeSet::new();
    for (field, value) in &told.private {
        match field.as_str() {
            "address" => {
                terms.insert(format!("{}{value}", term::ADDRESS));
            }
            // What somebody asked the trail for would find every asking again; agents are long and alike.
            "agent" | "query" => {}
            _ => terms.extend(split_words(value).map(|word| format!("{}{word}", term::WORD))),
        }
    }
    let subject = &told.leaf.subject;
    let ids = [
        (term::POLICY, told.leaf.policy.as_ref().map(|policy| &policy.id)),
        (term::PERSON, subject.person.as_ref()),
        (term::WORKLOAD, subject.workload.as_ref()),
        (term::ROW, subject.row.as_ref()),
        (term::SESSION, told.leaf.actor.session.as_ref()),
        (term::GRANT, subject.grant.as_ref()),
    ];
    terms.extend(ids.into_iter().filter_map(|(kind, id)| Some(format!("{kind}{}", id?))));
    terms
}

impl Projection for Search {
    const NAME: &'static str = "search";

    async fn fold(&self, tx: &mut Housekeeping, told: &[Told]) -> Result<(), Error> {
        let mut by_term: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for told in told {
            for term in terms(told) {
                by_term.entry(term).or_default().push(told.leaf.seq as i64);
            }
        }
        let mut numbers: HashMap<String, i64> = HashMap::new();
        {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            numbers.extend(by_term.keys().filter_map(|term| Some((term.clone(), *known.get(term)?))));
        }
        let asked: Vec<String> = by_term.keys().filter(|term| !numbers.contains_key(*term)).cloned().collect();
        let found = store::numbers(tx, &asked).await?;
        self.remember(&found);
        numbers.extend(found);
        let new: Vec<String> = asked.into_iter().filter(|term| !numbers.contains_key(term)).collect();
        // These are remembered when they are met again: this change may yet be undone.
        numbers.extend(store::insert_terms(tx, &new).await?);
        let mut postings: Vec<(i64, i64)> = Vec::new();
        for (term, seqs) in by_term {
            let Some(number) = numbers.get(&term) else { continue };
            postings.extend(seqs.into_iter().map(|seq| (*number, seq)));
        }
        Ok(store::insert_postings(tx, &postings).await?)
    }
}

impl Search {
    fn remember(&self, found: &[(String, i64)]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() + found.len() > MOST_REMEMBERED {
            known.clear();
        }
        known.extend(found.iter().take(MOST_REMEMBERED).cloned());
    }
}

/// Reads the trail's new events into the search. Returns how far it got; where nothing can be written, how far it had got.
pub async fn refresh(console: &Console) -> Result<u64, Error> {
    match projection::catch_up(console, &console.search).await {
        Err(Error::Unavailable) => Ok(super::store::cursor(&mut console.read().await?, Search::NAME).await?),
        other => other,
    }
}
