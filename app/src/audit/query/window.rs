//! A span of time as it is typed: `2026-11-01..2026-11-30`, `2026-11-24`, `today`, `7d`, `24h`.
use crate::time::Moment;
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeDelta, Utc};

/// One end of it, still without a zone where it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    Day(NaiveDate),
    Minute(NaiveDateTime),
    Instant(Moment),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// From the first to the last, both included: a day lasts until its end, a minute too. Open at an end that is not there.
    Between(Option<Edge>, Option<Edge>),
    /// So long before now.
    Last(TimeDelta),
    /// So many days before today, that day alone.
    Ago(u64),
}

/// The longest span that is looked back: a hundred years.
const LONGEST: i64 = 36_525;

impl Window {
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const HOW: &str =
            "Times are written 2026-11-24, 2026-11-24T14:05, 7d, 24h, today; two of them with .. between.";
        match text {
            "today" => return Ok(Self::Ago(0)),
            "yesterday" => return Ok(Self::Ago(1)),
            _ => {}
        }
        if let Some(length) = length(text) {
            return Ok(Self::Last(length));
        }
        let Some((from, to)) = text.split_once("..") else {
            let edge = edge(text).ok_or(HOW)?;
            return Ok(Self::Between(Some(edge), Some(edge)));
        };
        if from.is_empty() && to.is_empty() {
            return Err("One of the two times has to be there.");
        }
        let end = |text: &str| if text.is_empty() { Ok(None) } else { edge(text).map(Some).ok_or(HOW) };
        let (from, to) = (end(from)?, end(to)?);
        // Before any zone is known, only what no zone can turn round is called reversed.
        if let (Some(from), Some(to)) = (from, to)
            && naive(from) > naive(to) + TimeDelta::days(2)
        {
            return Err(Self::REVERSED);
        }
        Ok(Self::Between(from, to))
    }

    pub const REVERSED: &'static str = "The first time is after the last.";

    /// From when to when, in the order of the trail: `from` is part of it, `to` is not. `local` says when a clock on a wall
    /// shows a time; `today` is the day there.
    pub fn bounds(
        self,
        now: Moment,
        today: NaiveDate,
        local: &dyn Fn(NaiveDateTime) -> Moment,
    ) -> Result<(Option<Moment>, Option<Moment>), &'static str> {
        let midnight = |day: NaiveDate| local(day.and_time(chrono::NaiveTime::MIN));
        let next = |day: NaiveDate| midnight(day.checked_add_days(Days::new(1)).unwrap_or(day));
        let (from, to) = match self {
            Self::Last(length) => (now.checked_sub_signed(length), None),
            Self::Ago(days) => {
                let day = today.checked_sub_days(Days::new(days)).unwrap_or(today);
                (Some(midnight(day)), Some(next(day)))
            }
            Self::Between(from, to) => {
                let from = from.map(|edge| match edge {
                    Edge::Day(day) => midnight(day),
                    Edge::Minute(at) => local(at),
                    Edge::Instant(at) => at,
                });
                let to = to.map(|edge| match edge {
                    Edge::Day(day) => next(day),
                    Edge::Minute(at) => local(at) + TimeDelta::minutes(1),
                    Edge::Instant(at) => at + TimeDelta::seconds(1),
                });
                (from, to)
            }
        };
        match (from, to) {
            (Some(from), Some(to)) if from >= to => Err(Self::REVERSED),
            both => Ok(both),
        }
    }
}

fn naive(edge: Edge) -> NaiveDateTime {
    match edge {
        Edge::Day(day) => day.and_time(chrono::NaiveTime::MIN),
        Edge::Minute(at) => at,
        Edge::Instant(at) => at.naive_utc(),
    }
}

fn length(text: &str) -> Option<TimeDelta> {
    let unit = text.chars().next_back()?;
    let count: i64 = text.strip_suffix(unit)?.parse().ok().filter(|count| (1..=LONGEST).contains(count))?;
    match unit {
        'm' => Some(TimeDelta::minutes(count)),
        'h' => Some(TimeDelta::hours(count)),
        'd' => Some(TimeDelta::days(count)),
        'w' => Some(TimeDelta::weeks(count)),
        _ => None,
    }
}

fn edge(text: &str) -> Option<Edge> {
    // Four digits of year, as everywhere: nothing that a database cannot hold.
    let bytes = text.as_bytes();
    if !(10..=32).contains(&bytes.len()) || !bytes[..4].iter().all(u8::is_ascii_digit) {
        return None;
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return (bytes.len() == 10).then_some(Edge::Day(day));
    }
    if let Ok(at) = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M") {
        return (bytes.len() == 16).then_some(Edge::Minute(at));
    }
    DateTime::parse_from_rfc3339(text).ok().map(|at| Edge::Instant(at.with_timezone(&Utc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(text: &str) -> Result<(String, String), &'static str> {
        let now: Moment = "2026-11-24T14:06:00Z".parse().unwrap();
        // A wall clock an hour ahead of UTC.
        let local = |at: NaiveDateTime| at.and_utc() - TimeDelta::hours(1);
        let words = |at: Option<Moment>| at.map_or(String::new(), |at| at.format("%Y-%m-%dT%H:%M:%S").to_string());
        let (from, to) = Window::parse(text)?.bounds(now, now.date_naive(), &local)?;
        Ok((words(from), words(to)))
    }

    #[test]
    fn days_last_until_their_end_in_the_zone() {
        let is = |text: &str, from: &str, to: &str| assert_eq!(bounds(text), Ok((from.into(), to.into())), "{text}");
        is("2026-11-01..2026-11-30", "2026-10-31T23:00:00", "2026-11-30T23:00:00");
        is("2026-11-24", "2026-11-23T23:00:00", "2026-11-24T23:00:00");
        is("2026-11-24T10:00..2026-11-24T10:30", "2026-11-24T09:00:00", "2026-11-24T09:31:00");
        is("2026-11-24T10:00:00Z..2026-11-24T10:00:05Z", "2026-11-24T10:00:00", "2026-11-24T10:00:06");
        is("2026-11-24..", "2026-11-23T23:00:00", "");
        is("..2026-11-24", "", "2026-11-24T23:00:00");
        is("today", "2026-11-23T23:00:00", "2026-11-24T23:00:00");
        is("yesterday", "2026-11-22T23:00:00", "2026-11-23T23:00:00");
        is("24h", "2026-11-23T14:06:00", "");
        is("2w", "2026-11-10T14:06:00", "");
    }

    #[test]
    fn what_is_no_time_is_said() {
        for text in
            ["", "..", "2026-13-01", "2026-11-1", "+12026-11-01", "7y", "0d", "999999d", "2026-11-01..soon", "ä.."]
        {
            assert!(Window::parse(text).is_err(), "{text}");
        }
        assert_eq!(bounds("2026-11-30..2026-11-01"), Err(Window::REVERSED));
        assert_eq!(bounds("2026-11-24T10:30..2026-11-24T10:00"), Err(Window::REVERSED));
    }
}
