//! Whose turn it is at something that is slow on purpose. Whoever is known and whoever is a stranger wait in queues of their own, and
//! in each queue every source has its turn before one has its second: nobody's flood keeps the others out.
use app::error::{Error, Refusal};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// Who may wait in one queue: more are turned away, so that a flood costs bounded memory.
const MOST_WAITING: usize = 64;
/// Who may wait from one source.
const PER_SOURCE: usize = 4;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Somebody with a session, or in a browser that signed in to the account before.
    Known,
    Stranger,
}

#[derive(Clone)]
pub struct Turns(Arc<Mutex<State>>);

struct State {
    free: usize,
    /// Strangers have had the last turn: it is a known one's, if there is one.
    known_next: bool,
    known: Queue,
    strangers: Queue,
}

#[derive(Default)]
struct Queue {
    /// Sources that wait, in the order of their turns.
    order: VecDeque<String>,
    waiting: HashMap<String, VecDeque<oneshot::Sender<Turn>>>,
    total: usize,
}

/// One's turn; the next one's comes when it is dropped.
pub struct Turn(Option<Turns>);

impl Queue {
    fn add(&mut self, source: &str, waiter: oneshot::Sender<Turn>) -> bool {
        let own = self.waiting.get(source).map_or(0, VecDeque::len);
        if own >= PER_SOURCE {
            return false;
        }
        if self.total >= MOST_WAITING {
            // Somebody who waits more often than the newcomer would makes room.
            let longest = self.waiting.iter().max_by_key(|(_, waiters)| waiters.len());
            let longest = longest.filter(|(_, waiters)| waiters.len() > own + 1).map(|(source, _)| source.clone());
            let Some(longest) = longest else { return false };
            if let Some(waiters) = self.waiting.get_mut(&longest) {
                waiters.pop_back();
                self.total -= 1;
            }
        }
        if own == 0 {
            self.order.push_back(source.to_owned());
        }
        self.waiting.entry(source.to_owned()).or_default().push_back(waiter);
        self.total += 1;
        true
    }

    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let source = self.order.pop_front()?;
        let waiters = self.waiting.get_mut(&source)?;
        let next = waiters.pop_front();
        self.total -= usize::from(next.is_some());
        if waiters.is_empty() {
            self.waiting.remove(&source);
        } else {
            self.order.push_back(source);
        }
        next
    }
}

impl Turns {
    /// So many turns at the same time.
    pub fn new(at_once: usize) -> Self {
        let (known, strangers) = (Queue::default(), Queue::default());
        Self(Arc::new(Mutex::new(State { free: at_once, known_next: true, known, strangers })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn. Too many of the same source, or too many sources: turned away.
    pub async fn take(&self, lane: Lane, source: &str) -> Result<Turn, Error> {
        let waiting = {
            let mut state = self.state();
            if state.free > 0 {
                state.free -= 1;
                return Ok(Turn(Some(self.clone())));
            }
            let (waiter, waiting) = oneshot::channel();
            let queue = match lane {
                Lane::Known => &mut state.known,
                Lane::Stranger => &mut state.strangers,
            };
            if !queue.add(source, waiter) {
                return Err(Error::Refused(Refusal::TooManyAttempts));
            }
            waiting
        };
        waiting.await.map_err(|_| Error::Refused(Refusal::TooManyAttempts))
    }

    fn pass_on(&self) {
        let next = {
            let mut state = self.state();
            let first = if state.known_next { state.known.next() } else { state.strangers.next() };
            let next = match (first, state.known_next) {
                (None, true) => state.strangers.next(),
                (None, false) => state.known.next(),
                (first, _) => first,
            };
            state.known_next = !state.known_next;
            if next.is_none() {
                state.free += 1;
            }
            next
        };
        if let Some(next) = next {
            // Whoever stopped waiting passes it on: the turn is dropped with the answer.
            drop(next.send(Turn(Some(self.clone()))));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.pass_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::task::JoinSet;

    /// Takes a turn and says in which place it came.
    fn wait(tasks: &mut JoinSet<Option<usize>>, turns: &Turns, lane: Lane, source: String, count: &Arc<AtomicUsize>) {
        let (turns, count) = (turns.clone(), count.clone());
        tasks.spawn(async move {
            let _turn = turns.take(lane, &source).await.ok()?;
            Some(count.fetch_add(1, Ordering::SeqCst))
        });
    }

    #[tokio::test]
    async fn a_newcomer_comes_before_anybodys_second_turn() {
        let (turns, count) = (Turns::new(1), Arc::new(AtomicUsize::new(0)));
        let first = turns.take(Lane::Stranger, "first").await.unwrap();
        let mut flood = JoinSet::new();
        for n in 0..200 {
            wait(&mut flood, &turns, Lane::Stranger, format!("flood {}", n % 55), &count);
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let (mut owner, mut known) = (JoinSet::new(), JoinSet::new());
        wait(&mut owner, &turns, Lane::Stranger, "owner".into(), &count);
        wait(&mut known, &turns, Lane::Known, "known".into(), &count);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        drop(first);
        assert!(owner.join_all().await[0].is_some_and(|place| place <= 57));
        assert!(known.join_all().await[0].is_some_and(|place| place <= 1));
        let served = flood.join_all().await.into_iter().flatten().count();
        assert!((50..=MOST_WAITING).contains(&served), "{served}");
    }

    #[tokio::test]
    async fn whoever_stops_waiting_holds_nobody_up() {
        let turns = Turns::new(1);
        let first = turns.take(Lane::Stranger, "a").await.unwrap();
        let left = tokio::time::timeout(std::time::Duration::from_millis(5), turns.take(Lane::Stranger, "b")).await;
        assert!(left.is_err());
        drop(first);
        assert!(turns.take(Lane::Stranger, "c").await.is_ok());
    }
}
