//! When a secret rotates: what a person set for it, or what its place says.
use crate::{levels::model::Level, policies::model::words};

words! {
    /// How the time of the next rotation comes about.
    Timing {
        Inherited = "inherited", "As its environment says";
        ByHand = "hand", "By hand alone";
        Age = "age", "When a value reaches an age";
        Cron = "cron", "At times of a calendar";
    }
}

/// When values are renewed by the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// As the environment says; where it says nothing, as its protection level does.
    #[default]
    Inherited,
    ByHand,
    Age {
        days: i32,
    },
    /// A cron expression of five fields, read in an IANA zone. What could not begin within the window is missed.
    Cron {
        expression: String,
        zone: String,
        window_minutes: i32,
    },
}

impl Schedule {
    pub fn timing(&self) -> Timing {
        match self {
            Self::Inherited => Timing::Inherited,
            Self::ByHand => Timing::ByHand,
            Self::Age { .. } => Timing::Age,
            Self::Cron { .. } => Timing::Cron,
        }
    }

    /// As a sentence.
    pub fn words(&self) -> String {
        match self {
            Self::Inherited => "As its environment says.".into(),
            Self::ByHand => "By hand alone.".into(),
            Self::Age { days: 1 } => "When a value is a day old.".into(),
            Self::Age { days } => format!("When a value is {days} days old."),
            Self::Cron { expression, zone, window_minutes } => {
                let window = crate::time::span(chrono::TimeDelta::minutes((*window_minutes).into()));
                format!("{expression} in {zone}, begun within {window}.")
            }
        }
    }
}

words! {
    /// Where a schedule was set.
    Origin {
        Secret = "secret", "set for this secret";
        Environment = "environment", "inherited from its environment";
        Level = "level", "inherited from its protection level";
    }
}

/// What holds for a secret: its own schedule, else its environment's, else its level's greatest age. An age that was set before
/// the level became stricter gives way to the level's.
pub fn effective(own: &Schedule, environment: Option<&Schedule>, level: &Level) -> (Schedule, Origin) {
    let oldest = i32::try_from(level.rotate_days).unwrap_or(i32::MAX);
    match nearest(own, environment, oldest) {
        (Schedule::Age { days }, _) if days > oldest => (Schedule::Age { days: oldest }, Origin::Level),
        found => found,
    }
}

fn nearest(own: &Schedule, environment: Option<&Schedule>, oldest: i32) -> (Schedule, Origin) {
    match (own, environment) {
        (Schedule::Inherited, None | Some(Schedule::Inherited)) => (Schedule::Age { days: oldest }, Origin::Level),
        (Schedule::Inherited, Some(environment)) => (environment.clone(), Origin::Environment),
        (own, _) => (own.clone(), Origin::Secret),
    }
}

/// A time at which a secret will rotate, as pages show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub at: crate::time::Moment,
    /// In the schedule's own zone.
    pub local: String,
    /// What the clocks do that day.
    pub note: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policies::model::Tier;

    #[test]
    fn the_nearest_schedule_holds() {
        let age = |days| Schedule::Age { days };
        for (own, environment, wanted) in [
            (Schedule::Inherited, None, (age(90), Origin::Level)),
            (Schedule::Inherited, Some(Schedule::Inherited), (age(90), Origin::Level)),
            (Schedule::Inherited, Some(age(30)), (age(30), Origin::Environment)),
            (Schedule::ByHand, Some(age(30)), (Schedule::ByHand, Origin::Secret)),
            (age(7), Some(age(30)), (age(7), Origin::Secret)),
            (age(120), Some(age(30)), (age(90), Origin::Level)),
            (Schedule::Inherited, Some(age(120)), (age(90), Origin::Level)),
        ] {
            assert_eq!(effective(&own, environment.as_ref(), &Level::built_in(Tier::Production)), wanted);
        }
        assert_eq!(effective(&Schedule::Inherited, None, &Level::built_in(Tier::Development)).0, age(365));
    }
}
