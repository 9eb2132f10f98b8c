//! A period whose events an auditor reads: nothing before it, nothing after it.
use crate::time::Moment;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    pub from: Moment,
    /// Not in it any more.
    pub until: Moment,
}

impl Period {
    pub fn contains(&self, at: Moment) -> bool {
        self.from <= at && at < self.until
    }

    pub fn is_within(&self, other: &Period) -> bool {
        other.from <= self.from && self.until <= other.until
    }

    /// What both have in common.
    pub fn meet(self, other: Period) -> Option<Period> {
        let both = Period { from: self.from.max(other.from), until: self.until.min(other.until) };
        (both.from < both.until).then_some(both)
    }

    /// "1 Jan 2026, 00:00 – 1 Apr 2026, 00:00 UTC".
    pub fn words(&self) -> String {
        let words = |at: Moment| at.format("%-d %b %Y, %H:%M").to_string();
        format!("{} – {} UTC", words(self.from), words(self.until))
    }
}

/// Is nothing more read than before? No period at all reads everything.
pub fn narrows(before: Option<Period>, after: Option<Period>) -> bool {
    match (before, after) {
        (before, after) if before == after => true,
        (None, Some(_)) => true,
        (Some(before), Some(after)) => after.is_within(&before),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn the_bounds_are_exact() {
        let from = Moment::default();
        let until = from + TimeDelta::days(90);
        let quarter = Period { from, until };
        let tick = TimeDelta::microseconds(1);
        assert!(!quarter.contains(from - tick) && quarter.contains(from));
        assert!(quarter.contains(until - tick) && !quarter.contains(until));
        let inner = Period { from: from + tick, until };
        assert!(inner.is_within(&quarter) && !quarter.is_within(&inner));
        assert!(narrows(None, Some(quarter)) && !narrows(Some(quarter), None));
        assert!(narrows(Some(quarter), Some(inner)) && !narrows(Some(inner), Some(quarter)));
        let next = Period { from: until, until: until + TimeDelta::days(1) };
        assert_eq!((quarter.meet(next), quarter.meet(inner)), (None, Some(inner)));
    }
}
