//! A grant's state, computed from its facts.
use crate::time::Moment;

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
    } else if now >= span.expires_at {
        State::Ended
    } else if span.suspended_at.is_some() {
        State::Suspended
    } else if now < span.starts_at {
        State::Scheduled
    } else {
        State::Active
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn the_bounds_are_exact() {
        let start = Moment::default();
        let end = start + TimeDelta::hours(4);
        let span =
            Span { starts_at: start, expires_at: end, revoked_at: None, given_back_at: None, suspended_at: None };
        let tick = TimeDelta::microseconds(1);
        assert_eq!(effective_state(span, start - tick), State::Scheduled);
        assert_eq!(effective_state(span, start), State::Active);
        assert_eq!(effective_state(span, end - tick), State::Active);
        assert_eq!(effective_state(span, end), State::Ended);
        assert_eq!(effective_state(Span { revoked_at: Some(start), ..span }, start), State::Revoked);
        assert_eq!(effective_state(Span { suspended_at: Some(start), ..span }, start), State::Suspended);
        assert_eq!(effective_state(Span { suspended_at: Some(start), ..span }, end), State::Ended);
        assert_eq!(effective_state(Span { given_back_at: Some(start), ..span }, end), State::GivenBack);
    }
}
