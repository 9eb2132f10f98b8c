//! How often sign-ins may fail, by account and by source, in bounded memory.
//!
//! Ten failures within a minute close one account to one more try until the minute is over; thirty close one source.
//! Nobody is locked out for longer: a stranger who fails on purpose costs others at most that minute.
use app::time::Moment;
use chrono::TimeDelta;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

const WINDOW: TimeDelta = TimeDelta::seconds(60);
const PER_ACCOUNT: u32 = 10;
const PER_SOURCE: u32 = 30;
const MOST: usize = 50_000;

#[derive(Default)]
pub struct Attempts(Mutex<HashMap<String, (Moment, u32)>>);

impl Attempts {
    pub fn may_try(&self, account: &str, source: &str, now: Moment) -> bool {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let below = |key: String, limit| {
            counts.get(&key).is_none_or(|(since, failures)| now - *since >= WINDOW || *failures < limit)
        };
        below(account_key(account), PER_ACCOUNT) && below(source_key(source), PER_SOURCE)
    }

    pub fn failed(&self, account: &str, source: &str, now: Moment) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST {
            counts.retain(|_, (since, _)| now - *since < WINDOW);
        }
        for key in [account_key(account), source_key(source)] {
            let count = counts.entry(key).or_insert((now, 0));
            if now - count.0 >= WINDOW {
                *count = (now, 0);
            }
            count.1 += 1;
        }
    }
}

impl Attempts {
    /// Takes one count back: the attempt was a good one.
    pub fn forgive(&self, account: &str, source: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in [account_key(account), source_key(source)] {
            if let Some(count) = counts.get_mut(&key) {
                count.1 = count.1.saturating_sub(1);
            }
        }
    }
}

fn account_key(account: &str) -> String {
    format!("account {account}")
}

fn source_key(source: &str) -> String {
    format!("source {source}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_close_for_a_minute_at_most() {
        let attempts = Attempts::default();
        let start = Moment::default();
        for _ in 0..PER_ACCOUNT {
            assert!(attempts.may_try("mara", "10.0.0.1", start));
            attempts.failed("mara", "10.0.0.1", start);
        }
        assert!(!attempts.may_try("mara", "10.0.0.2", start));
        assert!(attempts.may_try("iris", "10.0.0.1", start));
        assert!(attempts.may_try("mara", "10.0.0.2", start + WINDOW));
    }
}
