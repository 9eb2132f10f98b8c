//! What the trail says of rows, as far as this process read it or wrote it itself. A row counts only as the last event that names it left
//! it: an older one was put back, one that no event names was put in.
//!
//! Events come in by three ways: what this process commits is taken in with its COMMIT, what others committed is read when a change
//! takes its place behind them, and everything is read in order, again and again, by [`super::state::Trail`].
use app::audit::tree::Hash;
use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

/// How long a row may be read as it was before an event that was heard of: by a statement that began before it.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// Rows that were seen before their events, at most: more than any process reads between two readings of the trail.
const MOST_AHEAD: usize = 100_000;

/// The last change of each row, by its table and its id.
pub type Writes = HashMap<&'static str, HashMap<String, Written>>;

/// A change of a row: its first event, which the row's seal names, and the event that tells of the row.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    pub first: u64,
    pub by: u64,
    pub heard: Instant,
}

impl Written {
    /// Is a row that names this event as this change left it?
    pub fn wrote(&self, seq: u64) -> bool {
        (self.first..=self.by).contains(&seq)
    }
}

/// A row that an event names.
pub type News = (&'static str, String, Written);

/// A change of this process: its events from the first to before `end`.
#[derive(Clone, Debug)]
pub struct Change {
    pub first: u64,
    pub end: u64,
    pub news: Vec<News>,
    /// Hashes of its events, in order.
    pub leaves: Vec<Hash>,
}

#[derive(Debug, Default)]
pub struct Heard {
    last: Writes,
    /// The number of the first event that was not taken in yet.
    next: u64,
    /// How often the trail was read to its end.
    rounds: u64,
    /// Rows that were seen before their events: the round in which that was.
    ahead: HashMap<(&'static str, String, u64), u64>,
    /// Changes whose COMMIT is under way, where several share one.
    placed: BTreeMap<u64, Change>,
    /// Changes that were committed and that others stand before.
    kept: BTreeMap<u64, Change>,
    /// What this process committed, until it was read back.
    promised: BTreeMap<u64, Hash>,
}

impl Heard {
    pub fn next(&self) -> u64 {
        self.next
    }

    pub fn writes(&self) -> &Writes {
        &self.last
    }

    pub fn last(&self, table: &str, id: &str) -> Option<Written> {
        self.last.get(table).and_then(|rows| rows.get(id)).copied()
    }

    /// How many rows of a table the trail names.
    pub fn count(&self, table: &str) -> u64 {
        self.last.get(table).map_or(0, |rows| rows.len() as u64)
    }

    /// When an event is heard of that is read now. What was there at the start, no statement of this process is older than.
    pub fn now(&self) -> Instant {
        let now = Instant::now();
        if self.rounds == 0 { now.checked_sub(2 * UNDER_WAY).unwrap_or(now) } else { now }
    }

    /// Takes in what the events below `next` say of rows.
    pub fn hear(&mut self, news: impl IntoIterator<Item = News>, next: u64) {
        self.take_in(news, next);
        self.go_on();
    }

    fn take_in(&mut self, news: impl IntoIterator<Item = News>, next: u64) {
        for (table, id, written) in news {
            let rows = self.last.entry(table).or_default();
            if rows.get(&id).is_none_or(|known| known.by <= written.by) {
                rows.insert(id, written);
            }
        }
        self.next = self.next.max(next);
        self.kept = self.kept.split_off(&self.next);
        self.placed = self.placed.split_off(&self.next);
    }

    /// Takes in the own changes that follow on what was heard.
    fn go_on(&mut self) {
        while let Some(change) = self.kept.remove(&self.next) {
            self.take_in(change.news, change.end);
        }
    }

    /// The trail was read to its end.
    pub fn was_read(&mut self) {
        self.rounds += 1;
        let next = self.next;
        self.ahead.retain(|(.., seq), _| *seq >= next);
    }

    /// Does the trail contradict a row that names this event? Then the owner of the database put it back, or in.
    pub fn contradicts(&mut self, table: &'static str, id: &str, seq: u64) -> bool {
        if seq >= self.next {
            return !self.is_own(seq) && self.is_ahead_for_long(table, id, seq);
        }
        match self.last(table, id) {
            Some(last) => !last.wrote(seq) && last.heard.elapsed() > UNDER_WAY,
            None => true,
        }
    }

    /// A row is seen with its event, or after it. Where the trail was read to its end since and did not come to that event, there is none.
    fn is_ahead_for_long(&mut self, table: &'static str, id: &str, seq: u64) -> bool {
        if self.ahead.len() >= MOST_AHEAD {
            self.ahead.clear();
        }
        let rounds = self.rounds;
        // A reading that was under way began before.
        rounds >= *self.ahead.entry((table, id.to_owned(), seq)).or_insert(rounds) + 2
    }

    /// Is this an event of a change of this process that is committed, or is being?
    fn is_own(&self, seq: u64) -> bool {
        let covers = |changes: &BTreeMap<u64, Change>| {
            changes.range(..=seq).next_back().is_some_and(|(_, change)| seq < change.end)
        };
        covers(&self.placed) || covers(&self.kept)
    }

    /// A change whose COMMIT is under way. Where its places were others' before, their COMMIT failed.
    pub fn place(&mut self, change: Change) {
        self.placed.retain(|_, other| other.end <= change.first);
        self.placed.insert(change.first, change);
    }

    /// The change under way that begins at an event; or how far there is none.
    pub fn placed(&self, at: u64) -> Result<&Change, Option<u64>> {
        match self.placed.range(at..).next() {
            Some((first, change)) if *first == at => Ok(change),
            Some((first, _)) => Err(Some(*first)),
            None => Err(None),
        }
    }

    /// The change was not kept. Another one may have its place by now.
    pub fn give_up(&mut self, change: &Change) {
        if self.placed.get(&change.first).is_some_and(|placed| placed.leaves == change.leaves) {
            self.placed.remove(&change.first);
        }
    }

    /// The change was committed.
    pub fn keep(&mut self, change: Change) {
        self.placed.remove(&change.first);
        self.promised.extend((change.first..).zip(change.leaves.iter().copied()));
        match change.first.cmp(&self.next) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => self.hear(change.news, change.end),
            std::cmp::Ordering::Greater => drop(self.kept.insert(change.first, change)),
        }
    }

    /// What this process committed as an event.
    pub fn promised(&self, seq: u64) -> Option<Hash> {
        self.promised.get(&seq).copied()
    }

    /// Everything below this event was read back.
    pub fn read_back(&mut self, below: u64) {
        self.promised = self.promised.split_off(&below);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long_ago() -> Instant {
        Instant::now().checked_sub(3 * UNDER_WAY).unwrap()
    }

    fn news(id: &str, first: u64, by: u64) -> News {
        ("people", id.to_owned(), Written { first, by, heard: long_ago() })
    }

    fn change(id: &str, first: u64) -> Change {
        Change { first, end: first + 1, news: vec![news(id, first, first)], leaves: vec![[first as u8; 32]] }
    }

    #[test]
    fn a_row_counts_as_its_last_event_left_it() {
        let mut heard = Heard::default();
        heard.hear([news("one", 3, 4)], 6);
        assert!(!heard.contradicts("people", "one", 3) && !heard.contradicts("people", "one", 4));
        assert!(heard.contradicts("people", "one", 2) && heard.contradicts("people", "one", 5));
        assert!(heard.contradicts("people", "two", 5), "no event names it");
    }

    #[test]
    fn an_event_that_never_comes_is_none() {
        let mut heard = Heard::default();
        heard.hear([], 6);
        assert!(!heard.contradicts("people", "one", 6), "the row was seen before its event");
        heard.was_read();
        assert!(!heard.contradicts("people", "one", 6), "that reading may have begun before");
        heard.was_read();
        assert!(heard.contradicts("people", "one", 6));
        heard.hear([news("one", 6, 6)], 7);
        assert!(!heard.contradicts("people", "one", 6));
    }

    #[test]
    fn own_changes_are_taken_in_in_order() {
        let mut heard = Heard::default();
        heard.place(change("one", 0));
        assert!(heard.placed(0).is_ok() && heard.placed(1).is_err());
        heard.keep(change("two", 1));
        assert_eq!((heard.next(), heard.last("people", "two").is_some()), (0, false));
        heard.keep(change("one", 0));
        assert_eq!((heard.next(), heard.last("people", "two").is_some()), (2, true));
        assert_eq!(heard.promised(1), Some([1; 32]));
        heard.read_back(2);
        assert_eq!(heard.promised(1), None);
        // What is read later than it was committed does not go back.
        heard.hear([news("one", 0, 0)], 1);
        assert_eq!(heard.next(), 2);
        heard.place(change("three", 2));
        heard.give_up(&Change { leaves: vec![[9; 32]], ..change("three", 2) });
        assert!(heard.placed(2).is_ok(), "another one had its place before");
        assert!(!heard.contradicts("people", "three", 2), "it is being committed");
        heard.give_up(&change("three", 2));
        assert_eq!(heard.placed(2).err(), Some(None));
        // After a failed COMMIT the next change takes the same places.
        heard.place(Change { end: 9, ..change("four", 4) });
        heard.place(change("five", 5));
        assert_eq!((heard.placed(4).err(), heard.placed(5).is_ok()), (Some(Some(5)), true));
    }
}
