//! Moments: UTC, microseconds, one spelling in the ledger; one spelling on the screen, always with its offset.
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

pub type Moment = DateTime<Utc>;

/// Reads what `<input type="datetime-local">` sends, as UTC: `2026-04-30T14:00`.
pub fn parse_minute(text: &str) -> Option<Moment> {
    chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").ok().map(|at| at.and_utc())
}

/// Cuts a moment to the microsecond: what both databases and the ledger keep.
pub fn micros(moment: Moment) -> Moment {
    moment.trunc_subsecs(6)
}

/// RFC 3339 with six digits and `Z`: the ledger's spelling.
pub fn rfc3339(moment: Moment) -> String {
    moment.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// Reads exactly what [`rfc3339`] writes.
pub fn parse_rfc3339(text: &str) -> Option<Moment> {
    let moment = DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc);
    (rfc3339(moment) == text).then_some(moment)
}

/// "Mon 23 Nov 2026, 14:06 UTC"
pub fn long(moment: Moment) -> String {
    moment.format("%a %-d %b %Y, %H:%M UTC").to_string()
}

/// "4 hours", "90 minutes", "2 days": the largest unit that says it exactly.
pub fn span(length: TimeDelta) -> String {
    let minutes = length.num_minutes();
    let (count, unit) = if minutes >= 48 * 60 && minutes % (24 * 60) == 0 {
        (minutes / (24 * 60), "day")
    } else if minutes >= 60 && minutes % 60 == 0 {
        (minutes / 60, "hour")
    } else {
        (minutes, "minute")
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Nearest rank of sorted times: the smallest that so many of a hundred are not above.
pub fn rank(sorted: &[TimeDelta], percent: usize) -> Option<TimeDelta> {
    sorted.get((sorted.len() * percent).div_ceil(100).checked_sub(1)?).copied()
}

/// To the second; of none there is none.
pub fn mean(times: &[TimeDelta]) -> Option<TimeDelta> {
    let sum: i64 = times.iter().map(TimeDelta::num_seconds).sum();
    let count = i64::try_from(times.len()).ok().filter(|count| *count > 0)?;
    Some(TimeDelta::seconds(sum / count))
}

/// "2 h 5 min", "3 d 4 h", "now": how long until or since, in two units.
pub fn about(length: TimeDelta) -> String {
    let minutes = length.num_minutes().abs();
    match minutes {
        0 => "less than a minute".into(),
        1..60 => format!("{minutes} min"),
        60..1440 if minutes % 60 == 0 => format!("{} h", minutes / 60),
        60..1440 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ if minutes / 60 % 24 == 0 => format!("{} d", minutes / 1440),
        _ => format!("{} d {} h", minutes / 1440, minutes / 60 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_and_means_are_of_the_list() {
        let times: Vec<TimeDelta> = (1..=10).map(TimeDelta::hours).collect();
        assert_eq!(rank(&times, 50), Some(TimeDelta::hours(5)));
        assert_eq!(rank(&times, 90), Some(TimeDelta::hours(9)));
        assert_eq!(rank(&times[..1], 90), Some(TimeDelta::hours(1)));
        assert_eq!(mean(&times), Some(TimeDelta::minutes(330)));
        assert_eq!((rank(&[], 90), mean(&[])), (None, None), "nothing is not zero");
    }

    #[test]
    fn the_ledgers_spelling_is_one() {
        let moment = DateTime::from_timestamp_micros(1_795_507_200_000_000).unwrap_or_default();
        assert_eq!(rfc3339(moment), "2026-11-24T08:00:00.000000Z");
        assert_eq!(parse_rfc3339("2026-11-24T08:00:00.000000Z"), Some(moment));
        for other in ["2026-11-24T08:00:00Z", "2026-11-24T08:00:00.000000+00:00", "2026-11-24 08:00:00.000000Z", ""] {
            assert_eq!(parse_rfc3339(other), None, "{other}");
        }
    }

    #[test]
    fn spans_read_as_people_say_them() {
        for (minutes, text) in [
            (1, "1 minute"),
            (90, "90 minutes"),
            (240, "4 hours"),
            (60, "1 hour"),
            (4320, "3 days"),
            (1440, "24 hours"),
        ] {
            assert_eq!(span(TimeDelta::minutes(minutes)), text);
        }
    }
}
