//! Repeated refusals: the first is an event at once, further ones within a minute are counted in bounded memory. Where strangers come
//! from more addresses than anybody would look at one by one, they are counted together, by what they tried and why it was refused.
use super::event::{Event, Who};
use app::time::Moment;
use chrono::TimeDelta;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

const WINDOW: TimeDelta = TimeDelta::seconds(60);
/// More refusals than this are counted together with their kind.
const MOST: usize = 10_000;
/// Strangers of one kind that have events of their own within a minute.
const ONE_BY_ONE: u32 = 100;
/// Stands in the place of their address from then on.
const MANY: &str = "many addresses";

#[derive(Default)]
pub struct Repeats(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    each: HashMap<Key, Count>,
    /// By action and reason: since when, and how many strangers had an event of their own.
    strangers: HashMap<(&'static str, Option<&'static str>), (Moment, u32)>,
}

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

impl Counts {
    /// Are there too many strangers of this kind, or too much of everything, for another event of its own?
    fn are_many(&mut self, who: &Who, event: &Event, now: Moment) -> bool {
        if self.each.len() >= MOST {
            return true;
        }
        if who.actor.id.is_some() {
            return false;
        }
        let (since, count) = self.strangers.entry((event.action.code(), event.reason)).or_insert((now, 0));
        if now - *since >= WINDOW {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count > ONE_BY_ONE
    }
}

impl Repeats {
    /// Is this refusal to be written now? Otherwise it was counted.
    pub fn is_first(&self, who: &Who, event: &Event, now: Moment) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = key(who, event);
        let (key, who, event) = match counts.each.contains_key(&own) || !counts.are_many(who, event, now) {
            true => (own, who.clone(), event.clone()),
            false => {
                // What differs between them is left out: it would be one of many.
                let who = Who { correlation: None, address: None, agent: None, ..who.clone() };
                let mut together = Event::new(event.action).detail("from", MANY);
                (together.outcome, together.reason) = (event.outcome, event.reason);
                let reason = event.reason;
                ((MANY.to_owned(), event.action.code(), reason, String::new()), who, together)
            }
        };
        match counts.each.get_mut(&key) {
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
                // Of many the first is counted with the others.
                let together = key.0 == MANY;
                counts.each.insert(key, Count { since: now, who, event, repeats: u64::from(together) });
                !together
            }
        }
    }

    /// The counted repeats whose minute is over, as events; with `all`, every one.
    pub fn due(&self, now: Moment, all: bool) -> Vec<(Who, Event)> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        counts.strangers.retain(|_, (since, _)| now - *since < WINDOW);
        counts.each.retain(|_, count| {
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

    #[test]
    fn strangers_from_everywhere_are_counted_together() {
        let (repeats, start) = (Repeats::default(), Moment::default());
        let event = Event::new(Action::SignIn).refused(Refusal::BadToken);
        let from = |n: u32| Who { address: Some(std::net::Ipv4Addr::from(n).to_string()), ..Who::anonymous() };
        let written = (0..180_000).filter(|n| repeats.is_first(&from(n % 60_000), &event, start)).count();
        assert_eq!(written, ONE_BY_ONE as usize);
        let counted: Vec<(Option<String>, u64)> = repeats
            .due(start + WINDOW, false)
            .into_iter()
            .map(|(who, event)| (who.address, event.suppressed.unwrap_or_default()))
            .collect();
        let all: u64 = counted.iter().map(|(_, count)| count).sum();
        assert_eq!(all + u64::from(ONE_BY_ONE), 180_000, "nothing is lost");
        assert!(counted.iter().any(|(address, count)| address.is_none() && *count == 179_700), "{counted:?}");
        let iris = Who { actor: app::audit::leaf::Actor { id: Some("per_1".into()), ..from(1).actor }, ..from(1) };
        assert!(repeats.is_first(&iris, &event, start), "somebody who is known is not one of many");
    }
}
