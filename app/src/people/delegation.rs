//! Somebody decides in another one's place while they are away. It moves no access: only whose word counts for a seat.
use crate::time::Moment;
use chrono::TimeDelta;

/// The longest that somebody is stood in for in one piece.
pub const LONGEST: TimeDelta = TimeDelta::days(42);
/// How far ahead an absence may begin.
pub const AHEAD: TimeDelta = TimeDelta::days(180);

/// An absence as its row keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub starts_at: Moment,
    pub ends_at: Moment,
    pub ended_at: Option<Moment>,
}

impl Span {
    /// Does the delegate decide in their place now?
    pub fn stands(self, now: Moment) -> bool {
        self.ended_at.is_none() && self.starts_at <= now && now < self.ends_at
    }

    /// Will it, now or later?
    pub fn is_open(self, now: Moment) -> bool {
        self.ended_at.is_none() && now < self.ends_at
    }

    pub fn overlaps(self, other: Span) -> bool {
        self.starts_at < other.ends_at && other.starts_at < self.ends_at
    }
}

/// Is this an absence that somebody may be stood in for? Says at which field it is not.
pub fn check(starts_at: Moment, ends_at: Moment, now: Moment) -> Result<(), (&'static str, &'static str)> {
    if ends_at <= now {
        return Err(("until", "This day is over."));
    }
    if ends_at <= starts_at {
        return Err(("until", "The last day comes before the first."));
    }
    if ends_at - starts_at > LONGEST {
        return Err(("until", "At most six weeks in one piece."));
    }
    if starts_at > now + AHEAD {
        return Err(("from", "Within half a year."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_exact() {
        let start = Moment::default() + TimeDelta::days(10);
        let end = start + TimeDelta::days(7);
        let span = Span { starts_at: start, ends_at: end, ended_at: None };
        let tick = TimeDelta::microseconds(1);
        assert!(!span.stands(start - tick) && span.stands(start) && span.stands(end - tick) && !span.stands(end));
        assert!(span.is_open(start - tick) && !span.is_open(end));
        let ended = Span { ended_at: Some(start), ..span };
        assert!(!ended.stands(start + tick) && !ended.is_open(start));
        let next = Span { starts_at: end, ends_at: end + TimeDelta::days(1), ended_at: None };
        assert!(!span.overlaps(next) && !next.overlaps(span) && span.overlaps(span));
    }

    #[test]
    fn absences_have_limits() {
        let now = Moment::default() + TimeDelta::days(400);
        let day = TimeDelta::days(1);
        assert_eq!(check(now, now + day, now), Ok(()));
        assert_eq!(check(now - day, now + day, now), Ok(()));
        for (from, until, field) in [
            (now - day, now, "until"),
            (now + day, now + day, "until"),
            (now, now + LONGEST + day, "until"),
            (now + AHEAD + day, now + AHEAD + day * 2, "from"),
        ] {
            assert_eq!(check(from, until, now).map_err(|(field, _)| field), Err(field));
        }
    }
}
