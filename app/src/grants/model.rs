//! A grant's state, computed from its facts.
use crate::time::Moment;
use chrono::TimeDelta;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Scheduled,
    Active,
    /// Opens nothing until somebody else confirms it.
    Suspended,
    Ended,
    Revoked,
    GivenBack,
}

impl State {
    pub fn words(self) -> &'static str {
        match self {
            Self::Scheduled => "Begins later",
            Self::Active => "Active",
            Self::Suspended => "Suspended",
            Self::Ended => "Ended",
            Self::Revoked => "Revoked",
            Self::GivenBack => "Given back",
        }
    }
}

/// The facts of a grant that its state follows from.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub starts_at: Moment,
    pub expires_at: Moment,
    pub revoked_at: Option<Moment>,
    pub given_back_at: Option<Moment>,
    pub suspended_at: Option<Moment>,
    /// Its end was recorded: it is over, also where a clock says otherwise.
    pub end_noted_at: Option<Moment>,
}

impl State {
    /// Can it still open something, now or later?
    pub fn is_open(self) -> bool {
        matches!(self, Self::Scheduled | Self::Active | Self::Suspended)
    }
}

/// The only reading of these facts in code; `grants/store.rs` has the same as a predicate, tested to agree.
pub fn effective_state(span: Span, now: Moment) -> State {
    if span.revoked_at.is_some() {
        State::Revoked
    } else if span.given_back_at.is_some() {
        State::GivenBack
    } else if now >= span.expires_at || span.end_noted_at.is_some() {
        State::Ended
    } else if span.suspended_at.is_some() {
        State::Suspended
    } else if now < span.starts_at {
        State::Scheduled
    } else {
        State::Active
    }
}

/// Access that ends and begins again within so short a time was held in one piece.
pub const TOUCHES: TimeDelta = TimeDelta::minutes(1);

/// The piece that a span is part of, together with all others that overlap or touch it, however they are linked.
pub fn joined(others: &[(Moment, Moment)], span: (Moment, Moment)) -> (Moment, Moment) {
    let (mut first, mut last) = span;
    loop {
        let touching = others.iter().filter(|(from, to)| *from <= last + TOUCHES && *to + TOUCHES >= first);
        let (from, to) = touching.fold((first, last), |(first, last), (from, to)| (first.min(*from), last.max(*to)));
        if (from, to) == (first, last) {
            return (first, last);
        }
        (first, last) = (from, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_or_touches_is_one_piece() {
        let at = |hours| Moment::default() + TimeDelta::hours(hours);
        let held = [(at(0), at(8)), (at(7), at(15)), (at(14), at(22)), (at(30), at(38))];
        assert_eq!(joined(&held, (at(21), at(29))), (at(0), at(29)));
        assert_eq!(joined(&held, (at(22), at(30))), (at(0), at(38)), "what fills a gap joins both sides");
        assert_eq!(joined(&held, (at(24), at(28))), (at(24), at(28)));
        assert_eq!(joined(&[], (at(1), at(2))), (at(1), at(2)));
    }

    #[test]
    fn the_bounds_are_exact() {
        let start = Moment::default();
        let end = start + TimeDelta::hours(4);
        let span = Span {
            starts_at: start,
            expires_at: end,
            revoked_at: None,
            given_back_at: None,
            suspended_at: None,
            end_noted_at: None,
        };
        let tick = TimeDelta::microseconds(1);
        assert_eq!(effective_state(span, start - tick), State::Scheduled);
        assert_eq!(effective_state(span, start), State::Active);
        assert_eq!(effective_state(span, end - tick), State::Active);
        assert_eq!(effective_state(span, end), State::Ended);
        assert_eq!(effective_state(Span { revoked_at: Some(start), ..span }, start), State::Revoked);
        assert_eq!(
            effective_state(Span { end_noted_at: Some(end), ..span }, start),
            State::Ended,
            "a clock that is behind"
        );
        assert_eq!(effective_state(Span { suspended_at: Some(start), ..span }, start), State::Suspended);
        assert_eq!(effective_state(Span { suspended_at: Some(start), ..span }, end), State::Ended);
        assert_eq!(effective_state(Span { given_back_at: Some(start), ..span }, end), State::GivenBack);
    }
}
