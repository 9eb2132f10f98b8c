//! What a signal is, and what can become of it.
use crate::time::Moment;
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Detector {
    Hours,
    Place,
    Refusals,
    Critical,
    Dormant,
    Mutual,
}

/// How soon it should be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    Today,
    Week,
    Review,
}

impl Weight {
    pub fn words(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::Week => "this week",
            Self::Review => "at the next review",
        }
    }
}

impl Detector {
    pub const ALL: [Self; 6] = [Self::Hours, Self::Place, Self::Refusals, Self::Critical, Self::Dormant, Self::Mutual];

    pub fn code(self) -> &'static str {
        match self {
            Self::Hours => "odd_hours",
            Self::Place => "unfamiliar_place",
            Self::Refusals => "refusal_burst",
            Self::Critical => "first_critical_read",
            Self::Dormant => "dormant_grant",
            Self::Mutual => "mutual_approvals",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|detector| detector.code() == code)
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Hours => "Odd hours",
            Self::Place => "Unfamiliar address or program",
            Self::Refusals => "Burst of refusals",
            Self::Critical => "First read of critical secrets",
            Self::Dormant => "Dormant access",
            Self::Mutual => "Mutual approvals",
        }
    }

    /// What exactly it finds, with its numbers.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Hours => {
                "A person acts within an hour of the day (UTC), or on a weekend, in which they acted on fewer than one in 50 of their days; after 20 days and four weeks of them; once a day. What programs do with a person’s token neither counts nor teaches."
            }
            Self::Place => {
                "A person or workload, known on ten days or more, acts from a network (IPv4 /24, IPv6 /48) or with a program (browser and system, without version) that was never seen with them; once an hour."
            }
            Self::Refusals => {
                "Ten refusals or more, repeats included, within ten minutes, of one actor, or of one network where nobody is signed in; once an hour, and once more when ten different secrets are among them."
            }
            Self::Critical => {
                "A person or workload reads a critical production secret of a project for the first time; after the trail’s first 30 days."
            }
            Self::Dormant => "Access for more than 30 days that nobody used for 30 days.",
            Self::Mutual => {
                "Within 30 days two people approved three or more of each other’s requests, each way; once in 30 days."
            }
        }
    }

    pub fn why(self) -> &'static str {
        match self {
            Self::Hours => "Stolen sessions and tokens are used while their owner sleeps.",
            Self::Place => "A credential that appears somewhere new may have been copied there.",
            Self::Refusals => {
                "Somebody tries doors: guesses, a script that looks for what it can reach, or a consumer that lost its access and is failing now."
            }
            Self::Critical => {
                "Who reaches the most important values is a short list. It grew by one, and with it the number of places that a value can leave by."
            }
            Self::Dormant => "Access that nobody needs still works for whoever takes the holder’s place.",
            Self::Mutual => {
                "Four eyes are two only as long as the second pair looks. Two people who always agree are one."
            }
        }
    }

    /// What to do about it.
    pub fn next(self) -> &'static str {
        match self {
            Self::Hours => {
                "Ask them, over another channel, whether it was they. If not: end their sessions, revoke what they hold, report a leak of what was taken."
            }
            Self::Place => {
                "Ask the owner about the new machine. If nobody knows it: end the session or revoke the client secret, then look at what was taken since."
            }
            Self::Refusals => {
                "Read the refusals in order. One secret refused again and again is a broken consumer; many different ones are a search."
            }
            Self::Critical => {
                "Compare with the request that gave the access: was this secret meant, and are they done?"
            }
            Self::Dormant => "Ask the holder, and revoke it if nobody objects. It can be asked for again.",
            Self::Mutual => {
                "Read what was asked for and how long each decision took. Have somebody else decide for a while."
            }
        }
    }

    pub fn weight(self) -> Weight {
        match self {
            Self::Refusals | Self::Place => Weight::Today,
            Self::Hours | Self::Mutual => Weight::Week,
            Self::Critical | Self::Dormant => Weight::Review,
        }
    }
}

/// What a signal is called: its detector and the event that it was found at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub detector: Detector,
    pub seq: u64,
}

impl Key {
    pub fn parse(text: &str) -> Option<Self> {
        let (code, seq) = text.rsplit_once('-')?;
        let key = Self { detector: Detector::from_code(code)?, seq: seq.parse().ok()? };
        (key.to_string() == text).then_some(key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.detector.code(), self.seq)
    }
}

/// The numbers that it was found by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Evidence {
    /// Days on record, and on how many of them they acted in each hour of the day and on weekends.
    Hours {
        hour: u32,
        by_hour: bool,
        by_weekend: bool,
        days: u32,
        weekends: u32,
        hours: Vec<u32>,
    },
    Place {
        network: bool,
        agent: bool,
        days: u32,
    },
    Refusals {
        count: u64,
        secrets: u32,
        reasons: Vec<String>,
    },
    Critical,
    /// When it was last used, or began.
    Dormant {
        used: bool,
        since: Moment,
    },
    Mutual {
        other: String,
        given: u32,
        taken: u32,
    },
}

/// What a detector found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub key: Key,
    pub at: Moment,
    /// Whom it is about; nobody where nobody was signed in.
    pub actor: Option<String>,
    pub project: Option<String>,
    pub environment: Option<String>,
    pub secret: Option<String>,
    pub request: Option<String>,
    pub grant: Option<String>,
    pub evidence: Evidence,
    /// The events that it was found in, oldest first.
    pub events: Vec<u64>,
}

impl Evidence {
    /// The second person, where it is about two.
    pub fn other(&self) -> Option<&str> {
        match self {
            Self::Mutual { other, .. } => Some(other),
            _ => None,
        }
    }
}

/// What somebody did about a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Assign,
    Snooze,
    NotUseful,
    Close,
    Reopen,
}

impl Answer {
    pub const ALL: [Self; 5] = [Self::Assign, Self::Snooze, Self::NotUseful, Self::Close, Self::Reopen];

    pub fn code(self) -> &'static str {
        match self {
            Self::Assign => "assigned",
            Self::Snooze => "snoozed",
            Self::NotUseful => "not_useful",
            Self::Close => "closed",
            Self::Reopen => "reopened",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|answer| answer.code() == code)
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Assign => "Assigned",
            Self::Snooze => "Snoozed",
            Self::NotUseful => "Not useful",
            Self::Close => "Closed",
            Self::Reopen => "Opened again",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    Snoozed,
    Closed,
    NotUseful,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Open, Self::Snoozed, Self::Closed, Self::NotUseful];

    pub fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Snoozed => "snoozed",
            Self::Closed => "closed",
            Self::NotUseful => "not_useful",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// From the last answer, and until when it was snoozed.
    pub fn of(last: Option<(Answer, Option<Moment>)>, now: Moment) -> Self {
        match last {
            Some((Answer::Close, _)) => Self::Closed,
            Some((Answer::NotUseful, _)) => Self::NotUseful,
            Some((Answer::Snooze, Some(until))) if now < until => Self::Snoozed,
            Some((Answer::Snooze | Answer::Assign | Answer::Reopen, _)) | None => Self::Open,
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Snoozed => "snoozed",
            Self::Closed => "closed",
            Self::NotUseful => "not useful",
        }
    }

    pub fn may(self, answer: Answer) -> bool {
        match answer {
            Answer::Assign | Answer::Snooze | Answer::NotUseful | Answer::Close => {
                matches!(self, Self::Open | Self::Snoozed)
            }
            Answer::Reopen => self != Self::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        for detector in Detector::ALL {
            let key = Key { detector, seq: 40 };
            assert_eq!(Key::parse(&key.to_string()), Some(key));
        }
        for wrong in ["", "odd_hours", "odd_hours-", "odd_hours-04", "odd_hours-+4", "none-4", "odd_hours--4"] {
            assert_eq!(Key::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_snooze_ends() {
        let now = Moment::default();
        let until = now + chrono::TimeDelta::days(1);
        let last = Some((Answer::Snooze, Some(until)));
        assert_eq!(State::of(last, now), State::Snoozed);
        assert_eq!(State::of(last, until), State::Open);
        assert_eq!(State::of(None, now), State::Open);
        assert!(State::Closed.may(Answer::Reopen) && !State::Closed.may(Answer::Snooze));
    }
}
