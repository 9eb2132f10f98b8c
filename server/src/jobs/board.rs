//! What each job of this process did last: for its page and its figures. Nothing of it outlives the process.
use app::time::Moment;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How often a job ran, and how it went last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Since when it runs; nothing between two runs.
    pub since: Option<Moment>,
    pub ended_at: Option<Moment>,
    pub took: Duration,
    /// When it did all that was due last.
    pub done_at: Option<Moment>,
    /// Items since the start.
    pub items: u64,
    /// Why the last run failed.
    pub failure: Option<String>,
}

#[derive(Debug, Default)]
pub struct Board(Mutex<HashMap<&'static str, Run>>);

impl Board {
    fn runs(&self) -> MutexGuard<'_, HashMap<&'static str, Run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As of now; nothing of a job that did not run yet.
    pub fn of(&self, job: &'static str) -> Run {
        self.runs().get(job).cloned().unwrap_or_default()
    }

    pub fn begins(&self, job: &'static str, at: Moment) {
        self.runs().entry(job).or_default().since = Some(at);
    }

    /// Whether this failure is another than the last: a log says each once.
    pub fn ends(&self, job: &'static str, at: Moment, took: Duration, ended: &Result<usize, String>) -> bool {
        let mut runs = self.runs();
        let run = runs.entry(job).or_default();
        (run.since, run.ended_at, run.took) = (None, Some(at), took);
        match ended {
            Ok(items) => {
                (run.done_at, run.failure) = (Some(at), None);
                run.items += *items as u64;
                false
            }
            Err(why) => run.failure.replace(why.clone()).as_ref() != Some(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_news_once() {
        let (board, at, took) = (Board::default(), Moment::default(), Duration::ZERO);
        board.begins("one", at);
        assert_eq!(board.of("one").since, Some(at));
        let away = || Err("away".to_owned());
        assert!(board.ends("one", at, took, &away()));
        assert!(!board.ends("one", at, took, &away()), "said already");
        assert!(board.ends("one", at, took, &Err("another".into())));
        assert!(!board.ends("one", at, took, &Ok(2)));
        assert!(board.ends("one", at, took, &away()), "again after it worked");
        assert_eq!((board.of("one").items, board.of("two")), (2, Run::default()));
    }
}
