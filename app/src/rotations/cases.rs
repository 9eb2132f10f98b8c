//! Cases and mean time to rotate: from when a secret had to be rotated to when its old credential was proved dead.
use super::model::Trigger;
use crate::{
    policies::model::words,
    time::{Moment, mean, rank},
};
use chrono::TimeDelta;

words! {
    /// How a case ended.
    End {
        Proved = "proved", "proved dead";
        /// Somebody says so, by name.
        Attested = "attested", "attested";
        /// The value ended by its own date.
        Expired = "expired", "expired";
        /// There is no target to ask.
        Unverified = "unverified", "not verified";
        /// Given up with a reason, by somebody else than whoever opened it, or with the rotation that was somebody's wish and the only
        /// reason. It stays counted.
        Cancelled = "cancelled", "cancelled";
    }
}

/// What the figures need of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub trigger: Trigger,
    /// When the secret had to be rotated: detected, left, too old, due, asked for.
    pub began_at: Moment,
    /// When the old version was first proved dead.
    pub dead_at: Option<Moment>,
    pub ended_at: Option<Moment>,
    pub end: Option<End>,
    /// How soon the protection level wants it dead.
    pub target: TimeDelta,
}

impl Case {
    fn took(&self) -> Option<TimeDelta> {
        Some(self.dead_at? - self.began_at)
    }

    /// Until when it was under observation: proved, ended otherwise, or still open.
    fn observed(&self, now: Moment) -> (TimeDelta, bool) {
        match (self.end, self.dead_at) {
            (Some(End::Proved), Some(dead)) => (dead - self.began_at, true),
            _ => (self.ended_at.unwrap_or(now) - self.began_at, false),
        }
    }
}

/// The figures of one trigger over a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Cases proved in the window: what mean, p90 and longest are over.
    pub proved: usize,
    /// Cases that ended in the window in any way: `proved` of these is the coverage.
    pub ended: usize,
    pub mean: Option<TimeDelta>,
    pub p90: Option<TimeDelta>,
    pub longest: Option<TimeDelta>,
    /// Cases that began in the window.
    pub began: usize,
    /// Those of them that were dead within their target.
    pub within: usize,
    /// Those of them that are open and whose target has not passed: neither.
    pub undecided: usize,
    /// Cases open now, whenever they began, and the longest so far.
    pub open: usize,
    pub open_longest: Option<TimeDelta>,
    /// Kaplan–Meier: by when half of the cases are dead, open ones counted for as long as they were seen; `None`: not reached.
    pub median: Option<TimeDelta>,
}

/// Computes the figures of one trigger over `[from, to)`. Every input is a case of that trigger or is left out.
pub fn figures(cases: &[Case], trigger: Trigger, from: Moment, to: Moment, now: Moment) -> Figures {
    let inside = |moment: Moment| from <= moment && moment < to;
    let mine: Vec<&Case> = cases.iter().filter(|case| case.trigger == trigger).collect();
    let is_proved = |case: &&&Case| case.end == Some(End::Proved) && case.dead_at.is_some_and(inside);
    let mut times: Vec<TimeDelta> = mine.iter().filter(is_proved).filter_map(|case| case.took()).collect();
    times.sort_unstable();
    let began: Vec<&&Case> = mine.iter().filter(|case| inside(case.began_at)).collect();
    let is_open = |case: &&&Case| case.end.is_none();
    Figures {
        proved: times.len(),
        ended: mine.iter().filter(|case| case.ended_at.is_some_and(inside)).count(),
        mean: mean(&times),
        p90: rank(&times, 90),
        longest: times.last().copied(),
        began: began.len(),
        within: began.iter().filter(|case| case.took().is_some_and(|took| took <= case.target)).count(),
        undecided: began
            .iter()
            .filter(|case| case.end.is_none() && case.dead_at.is_none() && now - case.began_at <= case.target)
            .count(),
        open: mine.iter().filter(is_open).count(),
        open_longest: mine.iter().filter(is_open).map(|case| now - case.began_at).max(),
        median: median(mine.iter().filter(|case| inside(case.began_at)).map(|case| case.observed(now)).collect()),
    }
}

/// The Kaplan–Meier estimate of the median (Kaplan and Meier 1958): each observation lasted so long, and ended in death or not.
fn median(mut observed: Vec<(TimeDelta, bool)>) -> Option<TimeDelta> {
    // At one time deaths come before those who were only seen so far.
    observed.sort_unstable_by_key(|(lasted, died)| (*lasted, !died));
    let mut surviving = 1.0_f64;
    let total = observed.len();
    for (before, (lasted, died)) in observed.iter().enumerate() {
        if *died {
            surviving *= 1.0 - 1.0 / (total - before) as f64;
            if surviving <= 0.5 + 1e-12 {
                return Some(*lasted);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Moment {
        Moment::default() + TimeDelta::hours(hours)
    }

    fn case(began: i64, dead: Option<i64>, end: Option<End>) -> Case {
        Case {
            trigger: Trigger::Manual,
            began_at: at(began),
            dead_at: dead.map(at),
            ended_at: end.map(|_| at(dead.unwrap_or(began + 5))),
            end,
            target: TimeDelta::hours(10),
        }
    }

    fn all(cases: &[Case], now: i64) -> Figures {
        figures(cases, Trigger::Manual, at(0), at(100), at(now))
    }

    #[test]
    fn nothing_is_not_zero() {
        let none = all(&[], 50);
        assert_eq!(none, Figures::default());
        assert_eq!(none.mean, None);
    }

    #[test]
    fn only_proof_counts_and_the_rest_is_said() {
        let cases = [
            case(0, Some(4), Some(End::Proved)),
            case(10, Some(30), Some(End::Proved)),
            case(20, None, Some(End::Attested)),
            case(20, None, Some(End::Expired)),
            case(20, None, Some(End::Cancelled)),
            case(45, None, None),
            case(0, None, None),
            Case { trigger: Trigger::Incident, ..case(0, Some(90), Some(End::Proved)) },
        ];
        let figures = all(&cases, 50);
        assert_eq!((figures.proved, figures.ended, figures.began), (2, 5, 7));
        assert_eq!(figures.mean, Some(TimeDelta::hours(12)));
        assert_eq!(figures.longest, Some(TimeDelta::hours(20)));
        assert_eq!((figures.within, figures.undecided), (1, 1), "one was in time, one still can be");
        assert_eq!((figures.open, figures.open_longest), (2, Some(TimeDelta::hours(50))));
    }

    #[test]
    fn the_window_is_of_the_proof_for_the_mean_and_of_the_beginning_for_the_share() {
        let cases = [case(-20, Some(1), Some(End::Proved)), case(99, Some(101), Some(End::Proved))];
        let figures = all(&cases, 200);
        assert_eq!((figures.proved, figures.mean), (1, Some(TimeDelta::hours(21))));
        assert_eq!((figures.began, figures.within), (1, 1));
    }

    #[test]
    fn the_median_counts_open_cases_for_as_long_as_they_were_seen() {
        let hours = |values: &[(i64, bool)]| {
            median(values.iter().map(|(lasted, died)| (TimeDelta::hours(*lasted), *died)).collect())
        };
        // By hand: S = 1 − 1/6, seen, (5/6)(3/4) = 0.625, seen, 0.625 · 1/2 = 0.3125.
        let textbook = [(6, true), (7, false), (10, true), (15, false), (19, true), (25, false)];
        assert_eq!(hours(&textbook), Some(TimeDelta::hours(19)));
        assert_eq!(hours(&[(3, true), (5, false), (6, false)]), None, "not reached");
        assert_eq!(hours(&[(3, true), (5, true)]), Some(TimeDelta::hours(3)));
        assert_eq!(hours(&[(1, true)]), Some(TimeDelta::hours(1)));
        assert_eq!(hours(&[]), None);
        let without: Option<TimeDelta> = hours(&[(1, true), (1, true), (1, true)]);
        let with = hours(&[(1, true), (1, true), (1, true), (40, false), (50, false), (60, false), (70, false)]);
        assert!(without.is_some() && with.is_none(), "open cases are not forgotten");
    }
}
