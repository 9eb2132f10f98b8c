//! How often sign-ins may fail, by account and by source, in bounded memory.
//!
//! Ten failures within a minute close one account to one more try until the minute is over; thirty close one source.
//! Nobody is locked out for longer: a stranger who fails on purpose costs others at most that minute.
use app::time::Moment;
use chrono::TimeDelta;
use std::{
    collections::HashMap,
    net::Ipv6Addr,
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

    /// May another sign-in at a provider begin from here? Only the source counts: a provider is no account that could be guessed at.
    pub fn may_begin(&self, source: &str, now: Moment) -> bool {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get(&source_key(source));
        count.is_none_or(|(since, begun)| now - *since >= WINDOW || *begun < PER_SOURCE)
    }

    pub fn failed(&self, account: &str, source: &str, now: Moment) {
        self.count(&[account_key(account), source_key(source)], now);
    }

    /// A sign-in at a provider was begun here: its source is counted, no account is known yet.
    pub fn began(&self, source: &str, now: Moment) {
        self.count(&[source_key(source)], now);
    }

    /// Takes one count back: the attempt was a good one.
    pub fn forgive(&self, account: &str, source: &str) {
        self.uncount(&[account_key(account), source_key(source)]);
    }

    /// The same for a sign-in at a provider.
    pub fn came_back(&self, source: &str) {
        self.uncount(&[source_key(source)]);
    }

    fn count(&self, keys: &[String], now: Moment) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() + keys.len() > MOST {
            counts.retain(|_, (since, _)| now - *since < WINDOW);
        }
        // A flood of new names within a minute: every second one that is counted least is forgotten, so that memory stays
        // bounded and those who are guessed at stay counted.
        let mut kept = false;
        if counts.len() + keys.len() > MOST {
            counts.retain(|_, (_, failures)| {
                kept = !kept;
                *failures > 2 || kept
            });
        }
        if counts.len() + keys.len() > MOST {
            counts.clear();
        }
        for key in keys {
            let count = counts.entry(key.clone()).or_insert((now, 0));
            if now - count.0 >= WINDOW {
                *count = (now, 0);
            }
            count.1 += 1;
        }
    }

    fn uncount(&self, keys: &[String]) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if let Some(count) = counts.get_mut(key) {
                count.1 = count.1.saturating_sub(1);
            }
        }
    }
}

/// A canonical login has at most 63 characters; what is typed in its place is cut before it is remembered.
fn account_key(account: &str) -> String {
    format!("account {}", account.chars().take(64).collect::<String>())
}

/// A network of IPv6 that one customer gets (a /64) is one source.
fn source_key(source: &str) -> String {
    match source.parse::<Ipv6Addr>() {
        Ok(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("source {a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Err(_) => format!("source {source}"),
    }
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

    #[test]
    fn a_flood_of_names_neither_fills_memory_nor_frees_whoever_is_guessed_at() {
        let (attempts, start) = (Attempts::default(), Moment::default());
        for _ in 0..PER_ACCOUNT {
            attempts.failed("mara", "10.0.0.1", start);
        }
        for n in 0..2 * MOST {
            attempts.failed(&format!("nobody-{n}"), &format!("10.9.{}.{}", n / 256 % 256, n % 256), start);
        }
        assert!(attempts.0.lock().unwrap().len() <= MOST);
        assert!(!attempts.may_try("mara", "10.0.0.2", start));
        assert!(attempts.may_try("iris", "10.0.0.2", start));
    }

    #[test]
    fn one_customer_of_ipv6_is_one_source() {
        let (attempts, start) = (Attempts::default(), Moment::default());
        for n in 0..PER_SOURCE {
            attempts.failed(&format!("name-{n}"), &format!("2001:db8:1:2::{n:x}"), start);
        }
        assert!(!attempts.may_try("other", "2001:db8:1:2:ffff::1", start));
        assert!(attempts.may_try("other", "2001:db8:1:3::1", start));
    }
}
