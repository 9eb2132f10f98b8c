//! One level's settings, their bounds, which way a change of them goes, and what follows from them.
use crate::{
    error::Refusal,
    policies::model::{Class, Role, Tier, copy_only, words},
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

words! {
    /// How a person may take a value, at the most.
    Reveal {
        Shown = "shown", "shown or copied";
        Copied = "copied", "copied without being shown";
        Nobody = "nobody", "taken by no person; workloads fetch them";
    }
}

/// What holds in environments of one protection level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    pub tier: Tier,
    /// No person's grant is longer.
    pub grant_minutes: i64,
    /// How many sign a request: none gives by rule, one is a lead, two are a lead and security.
    pub signers: u8,
    /// The same for critical secrets.
    pub critical_signers: u8,
    pub reveal: Reveal,
    /// How old a value may become.
    pub rotate_days: i64,
    /// How soon an old credential has to be dead once it had to be rotated.
    pub dead_hours: i64,
    /// How long a workload's token lives.
    pub token_minutes: i64,
}

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

impl Level {
    /// As every installation begins.
    pub const fn built_in(tier: Tier) -> Self {
        let (grant_minutes, signers, critical_signers, rotate_days, dead_hours, token_minutes) = match tier {
            Tier::Development => (30 * DAY, 0, 0, 365, 14 * 24, 60),
            Tier::Test => (14 * DAY, 1, 1, 180, 7 * 24, 30),
            Tier::Staging => (3 * DAY, 1, 1, 90, 4 * 24, 15),
            Tier::Production => (8 * HOUR, 1, 2, 90, 2 * 24, 15),
        };
        let reveal = Reveal::Shown;
        Self { tier, grant_minutes, signers, critical_signers, reveal, rotate_days, dead_hours, token_minutes }
    }

    /// Each mistake at its field.
    pub fn check(&self) -> Vec<(&'static str, &'static str)> {
        let production = self.tier == Tier::Production;
        let longest = if production { 7 * DAY } else { 90 * DAY };
        let mut wrong = Vec::new();
        let mut within = |field, number: i64, least: i64, most: i64, words| {
            if number < least || number > most {
                wrong.push((field, words));
            }
        };
        let grant = if production { "Between 15 minutes and 7 days." } else { "Between 15 minutes and 90 days." };
        within("grant_minutes", self.grant_minutes, 15, longest, grant);
        let signers = if production { "One or two: production is never given by rule." } else { "None, one or two." };
        within("signers", self.signers.into(), production.into(), 2, signers);
        let critical = "One or two, and no fewer than for other secrets.";
        within("critical_signers", self.critical_signers.into(), self.signers.into(), 2, critical);
        within("rotate_days", self.rotate_days, 1, 730, "Between 1 and 730 days.");
        within("dead_hours", self.dead_hours, 1, 720, "Between 1 and 720 hours.");
        within("token_minutes", self.token_minutes, 5, 120, "Between 5 and 120 minutes.");
        wrong
    }

    /// Is nothing looser than before?
    pub fn tightens(&self, before: &Level) -> bool {
        self.tier == before.tier
            && self.grant_minutes <= before.grant_minutes
            && self.signers >= before.signers
            && self.critical_signers >= before.critical_signers
            && self.reveal >= before.reveal
            && self.rotate_days <= before.rotate_days
            && self.dead_hours <= before.dead_hours
            && self.token_minutes <= before.token_minutes
    }

    pub fn longest_grant(&self) -> TimeDelta {
        TimeDelta::minutes(self.grant_minutes)
    }

    /// A standing grant of a workload lasts 180 days at most everywhere, with an owner.
    pub fn longest_for(&self, workload: bool) -> TimeDelta {
        if workload { TimeDelta::days(180) } else { self.longest_grant() }
    }

    pub fn rotate_within(&self) -> TimeDelta {
        TimeDelta::days(self.rotate_days)
    }

    pub fn dead_within(&self) -> TimeDelta {
        TimeDelta::hours(self.dead_hours)
    }

    pub fn token_life(&self) -> TimeDelta {
        TimeDelta::minutes(self.token_minutes)
    }

    /// Durations that a form offers; the longest is always among them.
    pub fn offered(&self, workload: bool) -> Vec<TimeDelta> {
        let longest = self.longest_for(workload);
        let hours: &[i64] =
            if workload { &[24, 24 * 30, 24 * 90, 24 * 180] } else { &[1, 2, 4, 8, 24, 72, 168, 336, 720] };
        let mut offers: Vec<TimeDelta> =
            hours.iter().map(|hours| TimeDelta::hours(*hours)).filter(|offer| *offer < longest).collect();
        offers.push(longest);
        offers
    }

    /// How many sign, by class.
    fn signers_for(&self, class: Class) -> u8 {
        if class == Class::Critical { self.critical_signers } else { self.signers }
    }

    /// Who signs, in order: one seat each.
    pub fn seats(&self, class: Class) -> &'static [Role] {
        seats(self.signers_for(class))
    }

    /// The approval policy that a request is made under, as its digest and the trail name it: with how many sign, where that is not
    /// as it was built in.
    pub fn approval_policy(&self, class: Class) -> String {
        let (signers, built_in) = (self.signers_for(class), Self::built_in(self.tier).signers_for(class));
        let name = match (self.tier, class) {
            (Tier::Production, Class::Critical) => "production-critical",
            (tier, _) => tier.code(),
        };
        if signers == built_in { name.into() } else { format!("{name}:{signers}") }
    }

    /// May a person take a value in this way, as far as the level goes?
    pub fn takes(&self, shown: bool) -> Result<(), Refusal> {
        match (self.reveal, shown) {
            (Reveal::Nobody, _) => Err(Refusal::NoPerson),
            (Reveal::Copied, true) => Err(Refusal::CopyOnly),
            (Reveal::Shown, _) | (Reveal::Copied, false) => Ok(()),
        }
    }

    /// Are values of this class copied without being shown, by the level or by the built-in rule?
    pub fn copies(&self, class: Class) -> bool {
        self.reveal == Reveal::Copied || copy_only(self.tier, class)
    }

    /// One sentence on what holds here.
    pub fn rule(&self) -> String {
        let given = |signers: u8| match signers {
            0 => "are given by rule",
            1 => "need one lead",
            _ => "need one lead and one security",
        };
        let span = crate::time::span(self.longest_grant());
        let mut words = format!("grants last at most {span} and {}", given(self.signers));
        let copied = copy_only(self.tier, Class::Critical);
        match (self.critical_signers != self.signers, copied && self.reveal == Reveal::Shown) {
            (true, true) => {
                words +=
                    &format!("; critical secrets {}, and are copied without being shown", given(self.critical_signers));
            }
            (true, false) => words += &format!("; critical secrets {}", given(self.critical_signers)),
            (false, true) => words += "; critical secrets are copied without being shown",
            (false, false) => {}
        }
        if self.reveal != Reveal::Shown {
            words += &format!("; values are {}", self.reveal);
        }
        words
    }
}

/// A lead first, then security.
fn seats(signers: u8) -> &'static [Role] {
    match signers {
        0 => &[],
        1 => &[Role::Lead],
        _ => &[Role::Lead, Role::Security],
    }
}

/// The seats of a request, from the policy that it was made under: what the level says since changes nothing about it.
pub fn seats_under(policy: &str, tier: Tier, class: Class) -> &'static [Role] {
    match policy.split_once(':').and_then(|(_, signers)| signers.parse().ok()) {
        Some(signers) => seats(signers),
        None => Level::built_in(tier).seats(class),
    }
}

/// All four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels([Level; 4]);

impl Default for Levels {
    fn default() -> Self {
        Self([
            Level::built_in(Tier::Development),
            Level::built_in(Tier::Test),
            Level::built_in(Tier::Staging),
            Level::built_in(Tier::Production),
        ])
    }
}

impl Levels {
    pub fn of(&self, tier: Tier) -> &Level {
        let [development, test, staging, production] = &self.0;
        match tier {
            Tier::Development => development,
            Tier::Test => test,
            Tier::Staging => staging,
            Tier::Production => production,
        }
    }

    #[must_use]
    pub fn with(self, level: Level) -> Self {
        Self(self.0.map(|known| if known.tier == level.tier { level } else { known }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each() -> impl Iterator<Item = Level> {
        Tier::ALL.iter().map(|tier| Level::built_in(*tier))
    }

    #[test]
    fn what_is_built_in_is_sound_and_ordered() {
        assert!(each().all(|level| level.check().is_empty()));
        let all: Vec<Level> = each().collect();
        for pair in all.windows(2) {
            assert!(pair[0].longest_grant() > pair[1].longest_grant());
            assert!(pair[0].rotate_within() >= pair[1].rotate_within());
            assert!(pair[0].dead_within() > pair[1].dead_within());
            for class in Class::ALL {
                assert!(pair[0].seats(*class).len() <= pair[1].seats(*class).len());
            }
        }
        assert_eq!(Level::built_in(Tier::Production).seats(Class::Critical), [Role::Lead, Role::Security]);
    }

    #[test]
    fn production_is_never_given_by_rule() {
        let level = Level { signers: 0, critical_signers: 0, ..Level::built_in(Tier::Production) };
        assert_eq!(level.check().first().map(|(field, _)| *field), Some("signers"));
        let level = Level { signers: 2, critical_signers: 1, ..Level::built_in(Tier::Production) };
        assert_eq!(level.check().first().map(|(field, _)| *field), Some("critical_signers"));
        assert!(Level { signers: 0, ..Level::built_in(Tier::Test) }.check().is_empty());
    }

    /// Every single setting made stricter tightens; made looser it does not; one of each does not either.
    #[test]
    fn each_setting_has_its_direction() {
        let base = Level { critical_signers: 1, reveal: Reveal::Copied, ..Level::built_in(Tier::Staging) };
        let stricter = [
            Level { grant_minutes: base.grant_minutes - 1, ..base },
            Level { signers: 2, ..base },
            Level { critical_signers: 2, ..base },
            Level { reveal: Reveal::Nobody, ..base },
            Level { rotate_days: base.rotate_days - 1, ..base },
            Level { dead_hours: base.dead_hours - 1, ..base },
            Level { token_minutes: base.token_minutes - 1, ..base },
        ];
        for level in stricter {
            assert!(level.tightens(&base) && !base.tightens(&level), "{level:?}");
            for other in stricter.iter().filter(|other| **other != level) {
                assert!(!other.tightens(&level) || other == &level, "{other:?} against {level:?}");
            }
        }
        assert!(!Level { tier: Tier::Test, ..base }.tightens(&base));
    }

    #[test]
    fn a_request_keeps_the_seats_that_it_was_made_under() {
        for level in each() {
            for class in Class::ALL {
                for signers in 0..=2 {
                    let level = Level { signers, critical_signers: signers, ..level };
                    let policy = level.approval_policy(*class);
                    assert_eq!(seats_under(&policy, level.tier, *class), level.seats(*class), "{policy}");
                }
            }
        }
        assert_eq!(Level::built_in(Tier::Production).approval_policy(Class::Critical), "production-critical");
        assert_eq!(Level { signers: 2, ..Level::built_in(Tier::Test) }.approval_policy(Class::Low), "test:2");
    }

    #[test]
    fn every_offer_fits_and_the_longest_is_among_them() {
        for level in each().chain([Level { grant_minutes: 45, ..Level::built_in(Tier::Staging) }]) {
            for workload in [false, true] {
                let offers = level.offered(workload);
                assert!(offers.iter().all(|offer| *offer <= level.longest_for(workload)));
                assert_eq!(offers.last(), Some(&level.longest_for(workload)));
            }
        }
    }

    #[test]
    fn the_sentence_says_what_holds() {
        assert_eq!(
            Level::built_in(Tier::Production).rule(),
            "grants last at most 8 hours and need one lead; critical secrets need one lead and one security, and are \
             copied without being shown"
        );
        assert_eq!(Level::built_in(Tier::Development).rule(), "grants last at most 30 days and are given by rule");
        let level = Level { reveal: Reveal::Nobody, ..Level::built_in(Tier::Test) };
        assert!(level.rule().ends_with("; values are taken by no person; workloads fetch them"));
    }
}
