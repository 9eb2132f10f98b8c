//! How often sign-ins may fail, by account and by source, in bounded memory.
//!
//! Ten failures within a minute close one account to one more try until the minute is over; thirty close one source.
//! Nobody is locked out for longer: a stranger who fails on purpose costs others at most that minute. Six digits are another
//! matter: only somebody with a password or a session of the account is asked for them, and a hundred wrong ones in a row within a
//! day close them there, at the door or for acts, until the day is over (RFC 4226, section 7.3); a passkey and a code on paper still
//! work. A right one begins the count anew.
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
const DAY: TimeDelta = TimeDelta::days(1);
const PER_DAY: u32 = 100;
const MOST: usize = 50_000;

#[derive(Default)]
pub struct Attempts(Mutex<HashMap<String, Count>>);

/// Failures since the first of them, for as long as they count.
#[derive(Clone, Copy)]
struct Count {
    since: Moment,
    window: TimeDelta,
    failures: u32,
}

impl Count {
    fn counts(&self, now: Moment) -> bool {
        now - self.since < self.window
    }
}

impl Attempts {
    pub fn may_try(&self, account: &str, source: &str, now: Moment) -> bool {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let below =
            |key: String, limit| counts.get(&key).is_none_or(|count| !count.counts(now) || count.failures < limit);
        below(account_key(account), PER_ACCOUNT) && below(source_key(source), PER_SOURCE)
    }

    /// May another sign-in at a provider begin from here? Only the source counts: a provider is no account that could be guessed at.
    pub fn may_begin(&self, source: &str, now: Moment) -> bool {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get(&source_key(source));
        count.is_none_or(|count| !count.counts(now) || count.failures < PER_SOURCE)
    }

    pub fn failed(&self, account: &str, source: &str, now: Moment) {
        self.count(&[account_key(account), source_key(source)], WINDOW, now);
    }

    /// May another six digits be typed for this account?
    pub fn may_guess(&self, account: &str, now: Moment) -> bool {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(&day_key(account)).is_none_or(|count| !count.counts(now) || count.failures < PER_DAY)
    }

    pub fn guessed(&self, account: &str, now: Moment) {
        self.count(&[day_key(account)], DAY, now);
    }

    /// The code was right: those before it were typed by whoever has it.
    pub fn guessed_right(&self, account: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&day_key(account));
    }

    /// A sign-in at a provider was begun here: its source is counted, no account is known yet.
    pub fn began(&self, source: &str, now: Moment) {
        self.count(&[source_key(source)], WINDOW, now);
    }

    /// Takes one count back: the attempt was a good one.
    pub fn forgive(&self, account: &str, source: &str) {
        self.uncount(&[account_key(account), source_key(source)]);
    }

    /// The same for a sign-in at a provider.
    pub fn came_back(&self, source: &str) {
        self.uncount(&[source_key(source)]);
    }

    fn count(&self, keys: &[String], window: TimeDelta, now: Moment) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() + keys.len() > MOST {
            counts.retain(|_, count| count.counts(now));
        }
        // A flood of new names within a minute: every second one that is counted least is forgotten, so that memory stays
        // bounded and those who are guessed at stay counted.
        let mut kept = false;
        if counts.len() + keys.len() > MOST {
            counts.retain(|_, count| {
                kept = !kept;
                count.failures > 2 || kept
            });
        }
        if counts.len() + keys.len() > MOST {
            counts.clear();
        }
        for key in keys {
            let fresh = Count { since: now, window, failures: 0 };
            let count = counts.entry(key.clone()).or_insert(fresh);
            if !count.counts(now) {
                *count = fresh;
            }
            count.failures += 1;
        }
    }

    fn uncount(&self, keys: &[String]) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if let Some(count) = counts.get_mut(key) {
                count.failures = count.failures.saturating_sub(1);
            }
        }
    }
}

/// A canonical login has at most 63 characters; what is typed in its place is cut before it is remembered.
fn account_key(account: &str) -> String {
    format!("account {}", account.chars().take(64).collect::<String>())
}

fn day_key(account: &str) -> String {
    format!("day {account}")
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
    fn a_hundred_wrong_codes_are_enough_for_a_day() {
        let (attempts, start) = (Attempts::default(), Moment::default());
        for minute in 0..i64::from(PER_DAY) {
            let now = start + TimeDelta::minutes(minute);
            assert!(attempts.may_guess("mara", now));
            attempts.guessed("mara", now);
        }
        let evening = start + TimeDelta::hours(23);
        assert!(!attempts.may_guess("mara", evening));
        assert!(attempts.may_guess("iris", evening));
        // A flood of names forgets nobody who is guessed at.
        for n in 0..2 * MOST {
            attempts.failed(&format!("nobody-{n}"), "10.0.0.1", evening);
        }
        assert!(!attempts.may_guess("mara", evening));
        assert!(attempts.may_guess("mara", start + DAY));
        attempts.guessed_right("mara");
        assert!(attempts.may_guess("mara", evening));
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
