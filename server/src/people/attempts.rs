//! How often somebody may fail, in bounded memory, by rules that a stranger cannot turn against an owner.
//!
//! ```text
//! password   a browser that signed in to this account before   10 a minute, of its own; 30 for all of one account
//!            anybody else                                      30 a minute from one source, 10 of them at one account;
//!                                                              past 100 an hour at one account: once in ten minutes from each source
//! own proof  a code, a passkey, one's present password         10 a minute for one account, apart for the door and for acts
//! six digits                                                   100 in a row within a day, for one account (RFC 4226, section 7.3)
//! door       tokens, client secrets, the set-up code, providers 10 a minute from one source (providers 30), apart for each
//! ```
//!
//! What belongs to an account is kept as long as it counts: there are no more such counts than accounts. What belongs to a source or
//! to a name that nobody has is kept for so many of them, and another one, drawn by lot, makes room: a flood of addresses frees
//! nobody in particular, and no account at all.
use app::time::Moment;
use chrono::TimeDelta;
use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::{BuildHasher, Hash},
    net::Ipv6Addr,
    sync::{Mutex, MutexGuard, PoisonError},
};

const MINUTE: TimeDelta = TimeDelta::seconds(60);
const HOUR: TimeDelta = TimeDelta::hours(1);
const DAY: TimeDelta = TimeDelta::days(1);
/// Past an account's hour, each source has one try in this long.
const PAUSE: TimeDelta = TimeDelta::minutes(10);

const PER_ACCOUNT: u32 = 10;
const PER_SOURCE: u32 = 30;
const PER_HOUR: u32 = 100;
const PER_DAY: u32 = 100;
/// Sources, browsers and unknown names that are remembered, of each.
const MOST: usize = 50_000;
/// Names that are remembered for one source.
const NAMES: usize = PER_SOURCE as usize;

/// Where something was tried that is not a password. Failures at one do not count at another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    Provider,
    AccessToken,
    ClientSecret,
    SetUp,
}

/// A try to sign in with a password.
#[derive(Clone, Copy, Debug)]
pub struct Try<'a> {
    /// The name that was typed, in its canonical form.
    pub login: &'a str,
    /// Somebody has that name.
    pub exists: bool,
    pub source: &'a str,
    /// A browser that signed in to this account before.
    pub browser: Option<&'a str>,
}

impl Door {
    /// Failures within a minute. Beginnings of sign-ins at a provider are no failures yet.
    fn most(self) -> u32 {
        match self {
            Self::Provider => PER_SOURCE,
            Self::AccessToken | Self::ClientSecret | Self::SetUp => PER_ACCOUNT,
        }
    }
}

#[derive(Default)]
pub struct Attempts(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    /// Of accounts that exist: never forgotten before their time.
    accounts: HashMap<String, Count>,
    /// Of all browsers of one account together.
    familiar: HashMap<String, Count>,
    proofs: HashMap<String, Count>,
    digits: HashMap<String, Count>,
    unknown: Bounded<String, Count>,
    browsers: Bounded<String, Count>,
    sources: Bounded<String, Source>,
    doors: Bounded<(Door, String), Count>,
}

/// Failures since the first of them, for as long as they count.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    since: Moment,
    failures: u32,
    last: Moment,
}

impl Count {
    fn within(&self, window: TimeDelta, now: Moment) -> u32 {
        if now - self.since < window { self.failures } else { 0 }
    }

    fn add(&mut self, window: TimeDelta, now: Moment) {
        if self.failures == 0 || now - self.since >= window {
            (self.since, self.failures) = (now, 0);
        }
        self.failures += 1;
        self.last = now;
    }

    fn take_back(&mut self) {
        self.failures = self.failures.saturating_sub(1);
    }
}

/// One address, or one customer's network.
#[derive(Default)]
struct Source {
    all: Count,
    names: Vec<(String, Count)>,
}

impl Source {
    fn name(&self, login: &str) -> Count {
        self.names.iter().find(|(known, _)| known == login).map_or_else(Count::default, |(_, count)| *count)
    }

    fn name_mut(&mut self, login: &str) -> &mut Count {
        let at = match self.names.iter().position(|(known, _)| known == login) {
            Some(at) => at,
            None => {
                if self.names.len() >= NAMES {
                    self.names.remove(0);
                }
                self.names.push((login.to_owned(), Count::default()));
                self.names.len() - 1
            }
        };
        &mut self.names[at].1
    }
}

/// A map of at most [`MOST`] entries. Which one makes room for a new one cannot be foreseen.
struct Bounded<K, V> {
    kept: HashMap<K, V>,
    /// The keys in no order that means anything: one of them is drawn.
    keys: Vec<K>,
    lot: RandomState,
    drawn: u64,
}

impl<K, V> Default for Bounded<K, V> {
    fn default() -> Self {
        Self { kept: HashMap::new(), keys: Vec::new(), lot: RandomState::new(), drawn: 0 }
    }
}

impl<K: Clone + Eq + Hash, V: Default> Bounded<K, V> {
    fn get(&self, key: &K) -> Option<&V> {
        self.kept.get(key)
    }

    fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.kept.get_mut(key)
    }

    fn entry(&mut self, key: K) -> &mut V {
        if !self.kept.contains_key(&key) {
            if self.keys.len() >= MOST {
                self.drawn += 1;
                let drawn = self.lot.hash_one(self.drawn) as usize % self.keys.len();
                let gone = self.keys.swap_remove(drawn);
                self.kept.remove(&gone);
            }
            self.keys.push(key.clone());
        }
        self.kept.entry(key).or_default()
    }
}

impl Attempts {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is this source listened to at all where passwords are taken?
    pub fn may_come(&self, source: &str, now: Moment) -> bool {
        self.counts().sources.get(&network(source)).is_none_or(|source| source.all.within(MINUTE, now) < PER_SOURCE)
    }

    /// May this password be looked at?
    pub fn may_try(&self, tried: Try<'_>, now: Moment) -> bool {
        let counts = self.counts();
        if let Some(browser) = tried.browser {
            let count = counts.browsers.get(&browser.to_owned());
            let all = counts.familiar.get(tried.login);
            return count.is_none_or(|count| count.within(MINUTE, now) < PER_ACCOUNT)
                && all.is_none_or(|count| count.within(MINUTE, now) < PER_SOURCE);
        }
        let login = cut(tried.login);
        let here = counts.sources.get(&network(tried.source));
        let (all, name) = here.map_or_else(Default::default, |source| (source.all, source.name(&login)));
        if all.within(MINUTE, now) >= PER_SOURCE || name.within(MINUTE, now) >= PER_ACCOUNT {
            return false;
        }
        // Names that nobody has are answered like others: by this it is not told which there are.
        let strangers = if tried.exists { counts.accounts.get(&login) } else { counts.unknown.get(&login) };
        let beset = strangers.is_some_and(|count| count.within(HOUR, now) >= PER_HOUR);
        !beset || name.failures == 0 || now - name.last >= PAUSE
    }

    /// Counts a try, before it is looked at; [`Attempts::forgive`] takes it back where it was a good one.
    pub fn failed(&self, tried: Try<'_>, now: Moment) {
        let mut counts = self.counts();
        if let Some(browser) = tried.browser {
            counts.browsers.entry(browser.to_owned()).add(MINUTE, now);
            counts.familiar.entry(tried.login.to_owned()).or_default().add(MINUTE, now);
            return;
        }
        let login = cut(tried.login);
        let source = counts.sources.entry(network(tried.source));
        source.all.add(MINUTE, now);
        source.name_mut(&login).add(MINUTE, now);
        let strangers = match tried.exists {
            true => counts.accounts.entry(login).or_default(),
            false => counts.unknown.entry(login),
        };
        strangers.add(HOUR, now);
    }

    pub fn forgive(&self, tried: Try<'_>) {
        let mut counts = self.counts();
        if let Some(browser) = tried.browser {
            if let Some(count) = counts.browsers.get_mut(&browser.to_owned()) {
                count.take_back();
            }
            if let Some(count) = counts.familiar.get_mut(tried.login) {
                count.take_back();
            }
            return;
        }
        let login = cut(tried.login);
        if let Some(source) = counts.sources.get_mut(&network(tried.source)) {
            source.all.take_back();
            source.name_mut(&login).take_back();
        }
        if let Some(count) = counts.accounts.get_mut(&login) {
            count.take_back();
        }
    }

    /// May somebody who has a session, or gave the password, answer for the account once more? `what` names the account and what the
    /// answer is for.
    pub fn may_prove(&self, what: &str, now: Moment) -> bool {
        self.counts().proofs.get(what).is_none_or(|count| count.within(MINUTE, now) < PER_ACCOUNT)
    }

    pub fn proving(&self, what: &str, now: Moment) {
        self.counts().proofs.entry(what.to_owned()).or_default().add(MINUTE, now);
    }

    pub fn proved(&self, what: &str) {
        if let Some(count) = self.counts().proofs.get_mut(what) {
            count.take_back();
        }
    }

    /// May another six digits be typed for this account?
    pub fn may_guess(&self, account: &str, now: Moment) -> bool {
        self.counts().digits.get(account).is_none_or(|count| count.within(DAY, now) < PER_DAY)
    }

    pub fn guessed(&self, account: &str, now: Moment) {
        self.counts().digits.entry(account.to_owned()).or_default().add(DAY, now);
    }

    /// The code was right: those before it were typed by whoever has it.
    pub fn guessed_right(&self, account: &str) {
        self.counts().digits.remove(account);
    }

    /// Is somebody still listened to at a door? What cannot be guessed is looked at all the same: only noise is kept out.
    pub fn may_knock(&self, door: Door, source: &str, now: Moment) -> bool {
        let key = (door, network(source));
        self.counts().doors.get(&key).is_none_or(|count| count.within(MINUTE, now) < door.most())
    }

    pub fn knocked(&self, door: Door, source: &str, now: Moment) {
        self.counts().doors.entry((door, network(source))).add(MINUTE, now);
    }

    /// It came to a good end.
    pub fn let_in(&self, door: Door, source: &str) {
        if let Some(count) = self.counts().doors.get_mut(&(door, network(source))) {
            count.take_back();
        }
    }
}

/// A canonical login has at most 63 characters; what is typed in its place is cut before it is remembered.
fn cut(login: &str) -> String {
    login.chars().take(64).collect()
}

/// A network of IPv6 that one customer gets (a /64) is one source.
pub fn network(source: &str) -> String {
    match source.parse::<Ipv6Addr>() {
        Ok(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Err(_) => source.chars().take(64).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<'a>(login: &'a str, source: &'a str) -> Try<'a> {
        Try { login, exists: true, source, browser: None }
    }

    #[test]
    fn failures_close_for_a_minute_at_most_and_there_alone() {
        let (attempts, start) = (Attempts::default(), Moment::default());
        for _ in 0..PER_ACCOUNT {
            assert!(attempts.may_try(at("mara", "10.0.0.1"), start));
            attempts.failed(at("mara", "10.0.0.1"), start);
        }
        assert!(!attempts.may_try(at("mara", "10.0.0.1"), start));
        assert!(attempts.may_try(at("mara", "10.0.0.2"), start), "nobody is locked out by somebody elsewhere");
        assert!(attempts.may_try(at("iris", "10.0.0.1"), start));
        assert!(attempts.may_try(at("mara", "10.0.0.1"), start + MINUTE));
    }

    #[test]
    fn an_owner_is_not_locked_out() {
        let (attempts, start) = (Attempts::default(), Moment::default());
        // 72 in 200 seconds, as it was tried, for an hour, from a dozen addresses.
        let mut looked_at = 0;
        for n in 0..1_300 {
            let source = format!("198.51.100.{}", n % 12);
            let now = start + TimeDelta::milliseconds(2_770 * n);
            if attempts.may_try(at("anna", &source), now) {
                attempts.failed(at("anna", &source), now);
                looked_at += 1;
            }
        }
        assert!((100..=190).contains(&looked_at), "guessing is slow: {looked_at}");
        let now = start + TimeDelta::minutes(59);
        assert!(attempts.may_try(at("anna", "10.1.1.1"), now), "from somewhere else");
        let known = Try { browser: Some("known"), ..at("anna", "198.51.100.3") };
        assert!(attempts.may_try(known, now), "from a browser that was here before");
        attempts.failed(at("anna", "10.1.1.1"), now);
        assert!(
            !attempts.may_try(at("anna", "10.1.1.1"), now),
            "a stranger's second try waits while the account is beset"
        );
        for _ in 0..PER_ACCOUNT {
            assert!(attempts.may_try(known, now));
            attempts.failed(known, now);
        }
        assert!(!attempts.may_try(known, now), "its own budget is one too");
    }

    #[test]
    fn no_flood_frees_an_account() {
        let (attempts, start) = (Attempts::default(), Moment::default());
        for n in 0..PER_HOUR {
            attempts.failed(at("mara", &format!("10.0.{n}.1")), start);
        }
        for _ in 0..PER_DAY {
            attempts.guessed("mara", start);
        }
        for _ in 0..PER_ACCOUNT {
            attempts.proving("mara", start);
        }
        for n in 0..3 * MOST {
            let source = format!("10.{}.{}.{}", 9 + n / 65_536, n / 256 % 256, n % 256);
            let login = format!("nobody-{n}");
            for _ in 0..4 {
                attempts.failed(Try { exists: false, ..at(&login, &source) }, start);
            }
        }
        let counts = attempts.counts();
        assert!(counts.sources.kept.len() <= MOST && counts.sources.keys.len() <= MOST);
        assert!(counts.unknown.kept.len() <= MOST);
        drop(counts);
        assert!(!attempts.may_guess("mara", start) && !attempts.may_prove("mara", start));
        attempts.failed(at("mara", "192.0.2.1"), start);
        assert!(!attempts.may_try(at("mara", "192.0.2.1"), start), "the account is still beset");
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
        assert!(attempts.may_guess("mara", start + DAY));
        attempts.guessed_right("mara");
        assert!(attempts.may_guess("mara", evening));
    }

    #[test]
    fn one_customer_of_ipv6_is_one_source_and_doors_are_apart() {
        let (attempts, start) = (Attempts::default(), Moment::default());
        for n in 0..PER_SOURCE {
            attempts.failed(at(&format!("name-{n}"), &format!("2001:db8:1:2::{n:x}")), start);
            attempts.knocked(Door::ClientSecret, &format!("2001:db8:1:2::{n:x}"), start);
        }
        assert!(!attempts.may_try(at("other", "2001:db8:1:2:ffff::1"), start));
        assert!(attempts.may_try(at("other", "2001:db8:1:3::1"), start));
        assert!(!attempts.may_knock(Door::ClientSecret, "2001:db8:1:2::ffff", start));
        assert!(attempts.may_knock(Door::SetUp, "2001:db8:1:2::ffff", start));
    }

    #[test]
    fn a_good_try_counts_for_nothing() {
        let (attempts, start) = (Attempts::default(), Moment::default());
        for _ in 0..500 {
            assert!(attempts.may_try(at("mara", "10.0.0.1"), start));
            attempts.failed(at("mara", "10.0.0.1"), start);
            attempts.forgive(at("mara", "10.0.0.1"));
        }
    }
}
