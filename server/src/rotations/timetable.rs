//! Times of a calendar: a cron expression (five fields, Vixie's) in an IANA zone, and what its clocks do to it.
//!
//! A time that a day does not have, because the clocks go forward over it, runs when the gap is over; a time that a day has
//! twice runs once, the first time, if it is a fixed hour (`croner`'s documented rules).
use app::{
    levels::model::Level,
    rotations::schedule::{Run, Schedule},
    time::Moment,
};
use chrono::{DateTime, NaiveTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use sha2::{Digest, Sha256};

use super::rotator::Mistake;

/// The shortest window within which a scheduled rotation may begin, and the longest.
const WINDOW: std::ops::RangeInclusive<i32> = 15..=24 * 60;
/// The longest that a rotation waits inside its window, so that what is due together does not begin together.
const SPREAD: TimeDelta = TimeDelta::minutes(10);
/// How many runs are looked at to find the longest pause between two.
const LOOKED_AT: usize = 60;

/// A cron schedule that was understood.
pub struct Timetable {
    cron: Cron,
    zone: Tz,
    window: TimeDelta,
}

impl Timetable {
    pub fn read(expression: &str, zone: &str, window_minutes: i32) -> Result<Self, Mistake> {
        if !WINDOW.contains(&window_minutes) {
            return Err(("window", "Between 15 minutes and a day."));
        }
        let zone = zone.parse().map_err(|_| ("zone", "An IANA zone, for example Europe/Berlin or UTC."))?;
        let cron = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(expression)
            .map_err(|_| ("cron", "Five fields: minute, hour, day of the month, month, day of the week. 0 3 * * 0 is Sundays at 03:00."))?;
        Ok(Self { cron, zone, window: TimeDelta::minutes(window_minutes.into()) })
    }

    pub fn window(&self) -> TimeDelta {
        self.window
    }

    /// The first time after a moment; `None`: there is none.
    pub fn next(&self, after: Moment) -> Option<Moment> {
        self.cron.find_next_occurrence(&after.with_timezone(&self.zone), false).ok().map(|at| at.with_timezone(&Utc))
    }

    /// The last time at or before a moment.
    pub fn latest(&self, until: Moment) -> Option<Moment> {
        self.cron.find_previous_occurrence(&until.with_timezone(&self.zone), true).ok().map(|at| at.with_timezone(&Utc))
    }

    /// The next times after a moment, as pages show them.
    pub fn runs(&self, after: Moment, count: usize) -> Vec<Run> {
        self.cron.iter_after(after.with_timezone(&self.zone)).take(count).map(|at| run(&at)).collect()
    }

    /// The longest that two of the next runs lie apart.
    fn longest_pause(&self, from: Moment) -> Option<TimeDelta> {
        let times: Vec<_> = self.cron.iter_after(from.with_timezone(&self.zone)).take(LOOKED_AT).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).max()
    }
}

fn run(at: &DateTime<Tz>) -> Run {
    Run { at: at.with_timezone(&Utc), local: at.format("%a %-d %b %Y, %H:%M %Z").to_string(), note: clocks(at) }
}

/// What the clocks do on the day of a time.
fn clocks(at: &DateTime<Tz>) -> Option<String> {
    let zone = at.timezone();
    let midnight = |days| {
        let day = at.date_naive().checked_add_signed(TimeDelta::days(days))?.and_time(NaiveTime::MIN);
        Some(zone.from_local_datetime(&day).earliest()?.offset().fix().local_minus_utc())
    };
    let (before, after) = (midnight(0)?, midnight(1)?);
    let by = i64::from((after - before).abs() / 60);
    match after.cmp(&before) {
        std::cmp::Ordering::Greater => Some(format!("Clocks go forward by {by} minutes that day.")),
        std::cmp::Ordering::Less => Some(format!("Clocks go back by {by} minutes that day; it runs once.")),
        std::cmp::Ordering::Equal => None,
    }
}

/// Can this be a schedule at a protection level? Nothing may leave a value older than the level allows.
pub fn check(schedule: &Schedule, level: &Level, now: Moment) -> Result<(), Mistake> {
    let oldest = level.rotate_within();
    match schedule {
        Schedule::Inherited | Schedule::ByHand => Ok(()),
        Schedule::Age { days } if *days >= 1 && TimeDelta::days((*days).into()) <= oldest => Ok(()),
        Schedule::Age { .. } => Err(("every", "At least a day, and at most what the protection level allows.")),
        Schedule::Cron { expression, zone, window_minutes } => {
            let timetable = Timetable::read(expression, zone, *window_minutes)?;
            match timetable.longest_pause(now) {
                Some(pause) if pause <= oldest => Ok(()),
                Some(_) => {
                    Err(("cron", "Its runs lie further apart than the protection level allows a value to be old."))
                }
                None => Err(("cron", "It never runs twice.")),
            }
        }
    }
}

/// How long into its window a rotation begins: always the same for one secret and one time.
pub fn jitter(secret: &str, due: Moment, window: TimeDelta) -> TimeDelta {
    let most = (window / 2).min(SPREAD).num_seconds().max(1);
    let digest = Sha256::new().chain_update(secret).chain_update(due.timestamp().to_be_bytes()).finalize();
    let number = digest.iter().take(8).fold(0_i64, |number, byte| (number << 7) ^ i64::from(*byte));
    TimeDelta::seconds(number.rem_euclid(most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::policies::model::Tier;
    use app::time::parse_rfc3339;

    fn at(text: &str) -> Moment {
        parse_rfc3339(text).unwrap()
    }

    fn table(expression: &str, zone: &str) -> Timetable {
        Timetable::read(expression, zone, 60).unwrap()
    }

    #[test]
    fn clocks_that_change_lose_and_double_nothing() {
        let berlin = table("30 2 * * *", "Europe/Berlin");
        let runs = berlin.runs(at("2027-03-26T12:00:00.000000Z"), 3);
        let times: Vec<_> = runs.iter().map(|run| run.at).collect();
        assert_eq!(times[0], at("2027-03-27T01:30:00.000000Z"));
        assert_eq!(times[1], at("2027-03-28T01:00:00.000000Z"), "02:30 does not exist: when the gap is over");
        assert_eq!(times[2], at("2027-03-29T00:30:00.000000Z"));
        assert_eq!(runs[0].note, None);
        assert_eq!(runs[1].note.as_deref(), Some("Clocks go forward by 60 minutes that day."));
        let back = berlin.runs(at("2026-10-24T12:00:00.000000Z"), 2);
        assert_eq!(back[0].at, at("2026-10-25T00:30:00.000000Z"), "the first of two");
        assert_eq!(back[0].note.as_deref(), Some("Clocks go back by 60 minutes that day; it runs once."));
        assert_eq!(back[1].at, at("2026-10-26T01:30:00.000000Z"), "once");
        assert_eq!(back[1].note, None);
    }

    #[test]
    fn the_latest_time_is_the_one_that_is_due() {
        let sundays = table("0 3 * * 0", "UTC");
        assert_eq!(sundays.latest(at("2026-11-24T12:00:00.000000Z")), Some(at("2026-11-22T03:00:00.000000Z")));
        assert_eq!(sundays.latest(at("2026-11-22T03:00:00.000000Z")), Some(at("2026-11-22T03:00:00.000000Z")));
        assert_eq!(sundays.next(at("2026-11-22T03:00:00.000000Z")), Some(at("2026-11-29T03:00:00.000000Z")));
    }

    #[test]
    fn what_cannot_be_a_schedule_is_named_at_its_field() {
        let now = at("2026-11-24T12:00:00.000000Z");
        let field = |expression: &str, zone: &str, window_minutes| {
            let cron = Schedule::Cron { expression: expression.into(), zone: zone.into(), window_minutes };
            check(&cron, &Level::built_in(Tier::Production), now).map_err(|(field, _)| field)
        };
        assert_eq!(field("0 3 * * 0", "Europe/Berlin", 60), Ok(()));
        assert_eq!(field("0 3 1 */2 *", "UTC", 60), Ok(()));
        assert_eq!(field("0 3 1 1 *", "UTC", 60), Err("cron"), "once a year is too seldom");
        for wrong in ["", "nonsense", "* * *", "61 * * * *", "0 0 3 * * 0", "0 0 30 2 *"] {
            assert_eq!(field(wrong, "UTC", 60), Err("cron"), "{wrong}");
        }
        assert_eq!(field("0 3 * * 0", "Berlin", 60), Err("zone"));
        assert_eq!(field("0 3 * * 0", "UTC", 5), Err("window"));
        let age =
            |days| check(&Schedule::Age { days }, &Level::built_in(Tier::Production), now).map_err(|(field, _)| field);
        assert_eq!((age(0), age(1), age(90), age(91)), (Err("every"), Ok(()), Ok(()), Err("every")));
    }

    #[test]
    fn jitter_spreads_and_stays_inside() {
        let due = at("2026-11-22T03:00:00.000000Z");
        let window = TimeDelta::minutes(60);
        let spread: std::collections::BTreeSet<_> =
            (0..100).map(|number| jitter(&format!("sec_{number}"), due, window)).collect();
        assert!(spread.len() > 60, "{}", spread.len());
        assert!(spread.iter().all(|wait| *wait >= TimeDelta::zero() && *wait < SPREAD));
        assert_eq!(jitter("sec_1", due, window), jitter("sec_1", due, window));
        assert!(jitter("sec_1", due, TimeDelta::minutes(15)) < TimeDelta::minutes(8));
    }
}
