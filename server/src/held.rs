//! One reader for each request, and nothing awaited while it is held.
//!
//! Readers are few. Whoever holds one and waits for a second, for the ledger or for the network keeps it from everybody else, and
//! enough of those wait for each other. So a reader is lent on by reference, and dropped before anything else is awaited. Builds with
//! debug assertions, the tests' among them, stop where that is broken; release builds do not look.
use std::{
    collections::HashSet,
    future::Future,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

tokio::task_local! {
    static LANE: u64;
}

/// What one holder is told apart by: one of several works of a task, a task, or a thread that runs none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Lane(u64),
    Task(tokio::task::Id),
    Thread(std::thread::ThreadId),
}

impl Holder {
    fn current() -> Self {
        let lane = LANE.try_with(|lane| Self::Lane(*lane)).ok();
        let task = || tokio::task::try_id().map(Self::Task);
        lane.or_else(task).unwrap_or_else(|| Self::Thread(std::thread::current().id()))
    }

    fn all() -> MutexGuard<'static, HashSet<Self>> {
        static ALL: OnceLock<Mutex<HashSet<Holder>>> = OnceLock::new();
        ALL.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that whoever runs now holds a reader, until it is dropped.
#[derive(Debug)]
pub struct Held(Option<Holder>);

impl Held {
    /// For a reader that was just taken.
    pub fn now() -> Self {
        if !cfg!(debug_assertions) {
            return Self(None);
        }
        let holder = Holder::current();
        Holder::all().insert(holder);
        Self(Some(holder))
    }

    /// For a reader that nobody minds: an onlooker's, in tests.
    pub fn unseen() -> Self {
        Self(None)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(holder) = self.0 {
            Holder::all().remove(&holder);
        }
    }
}

/// Stops a build with debug assertions if a reader is held here: `waits_for` is what would be awaited.
#[allow(clippy::panic, reason = "a mistake in the source, found by the tests")]
pub fn nothing_is_held(waits_for: &str) {
    if cfg!(debug_assertions) && Holder::all().contains(&Holder::current()) {
        panic!("a reader is held while {waits_for} is awaited: drop it first, or lend it on");
    }
}

/// Runs one of several works that a task does at the same time: what it holds is its own.
pub async fn apart<T>(work: impl Future<Output = T>) -> T {
    static LANES: AtomicU64 = AtomicU64::new(0);
    LANE.scope(LANES.fetch_add(1, Ordering::Relaxed), work).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_held_is_known_until_it_is_dropped() {
        let held = Held::now();
        let found = std::panic::catch_unwind(|| nothing_is_held("a second reader"));
        assert_eq!(found.is_err(), cfg!(debug_assertions));
        tokio::spawn(async { nothing_is_held("another task's reader") }).await.unwrap();
        apart(async { nothing_is_held("another work's reader") }).await;
        drop(held);
        nothing_is_held("a reader");
    }
}
