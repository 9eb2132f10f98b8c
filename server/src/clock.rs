//! The only place that tells the time, in microseconds. Tests and the demo move it.
use app::time::{Moment, micros};
use chrono::{DateTime, TimeDelta};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's.
    Machine,
    /// Moved by hand; each reading is a microsecond later than the one before, so that code which reads it twice for one
    /// thing is found out: microseconds since 1970.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    pub fn fixed(moment: Moment) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(moment.timestamp_micros())))
    }

    #[allow(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> Moment {
        match self {
            Self::Machine => micros(chrono::Utc::now()),
            Self::Fixed(at) => DateTime::from_timestamp_micros(at.fetch_add(1, Ordering::SeqCst)).unwrap_or_default(),
        }
    }

    /// Moves a fixed clock; the machine's cannot be moved.
    pub fn advance(&self, by: TimeDelta) {
        if let Self::Fixed(at) = self {
            at.fetch_add(by.num_microseconds().unwrap_or(0), Ordering::SeqCst);
        }
    }

    pub fn set(&self, moment: Moment) {
        if let Self::Fixed(at) = self {
            at.store(moment.timestamp_micros(), Ordering::SeqCst);
        }
    }
}
