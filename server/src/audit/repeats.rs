//! Repeated refusals: the first is an event at once, further ones within a minute are counted in bounded memory.
use super::event::{Event, Who};
use app::time::Moment;
use chrono::TimeDelta;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

const WINDOW: TimeDelta = TimeDelta::seconds(60);
/// More kinds of refusal at once than this are written one by one rather than remembered.
const MOST: usize = 10_000;

#[derive(Default)]
pub struct Repeats(Mutex<HashMap<Key, Count>>);

type Key = (String, &'static str, Option<&'static str>, String);

struct Count {
    since: Moment,
    who: Who,
    event: Event,
    repeats: u64,
}

fn key(who: &Who, event: &Event) -> Key {
    let source = who.actor.id.clone().or_else(|| who.address.clone()).unwrap_or_default();
    let subject = &event.subject;
    let subject = [&subject.secret, &subject.request, &subject.grant, &subject.person, &subject.workload, &subject.row]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ");
    (source, event.action.code(), event.reason, subject)
}

impl Repeats {
    /// Is this refusal to be written now? Otherwise it was counted.
    pub fn is_first(&self, who: &Who, event: &Event, now: Moment) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = counts.len() >= MOST;
        match counts.get_mut(&key(who, event)) {
            Some(count) if now - count.since < WINDOW => {
                count.repeats += 1;
                false
            }
            // Over, but not flushed yet: its count goes out with the next flush.
            Some(count) if count.repeats > 0 => {
                count.repeats += 1;
                false
            }
            Some(count) => {
                count.since = now;
                true
            }
            None => {
                if !full {
                    counts.insert(
                        key(who, event),
                        Count { since: now, who: who.clone(), event: event.clone(), repeats: 0 },
                    );
                }
                true
            }
        }
    }

    /// The counted repeats whose minute is over, as events; with `all`, every one.
    pub fn due(&self, now: Moment, all: bool) -> Vec<(Who, Event)> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        counts.retain(|_, count| {
            if now - count.since < WINDOW && !all {
                return true;
            }
            if count.repeats > 0 {
                let mut event = count.event.clone();
                event.suppressed = Some(count.repeats);
                due.push((count.who.clone(), event));
            }
            false
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::{audit::action::Action, error::Refusal};

    #[test]
    fn the_first_is_written_and_the_rest_are_counted() {
        let repeats = Repeats::default();
        let who = Who { address: Some("10.0.0.1".into()), ..Who::anonymous() };
        let event = Event::new(Action::SignIn).refused(Refusal::WrongCredentials);
        let start = Moment::default();
        assert!(repeats.is_first(&who, &event, start));
        for _ in 0..50 {
            assert!(!repeats.is_first(&who, &event, start));
        }
        let other = Who { address: Some("10.0.0.2".into()), ..Who::anonymous() };
        assert!(repeats.is_first(&other, &event, start), "another source is another refusal");
        assert!(repeats.due(start, false).is_empty());
        let later = start + WINDOW;
        let due = repeats.due(later, false);
        assert_eq!(due.iter().map(|(_, event)| event.suppressed).collect::<Vec<_>>(), vec![Some(50)]);
        assert!(repeats.is_first(&who, &event, later));
    }
}
