//! What a rotation's time went into: kept apart from the time to rotate, which none of it resets.
use super::model::Trigger;
use crate::time::{Moment, mean};
use chrono::TimeDelta;

/// What the figures need of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub trigger: Trigger,
    /// When a schedule or an age wanted it.
    pub due_at: Option<Moment>,
    pub started_at: Moment,
    /// When its value was made: until then it waited for approval, for its turn, for a target that answers.
    pub made_at: Option<Moment>,
    pub promoted_at: Option<Moment>,
    pub dead_at: Option<Moment>,
    pub ended_at: Option<Moment>,
    /// How often a step did not work.
    pub failures: u32,
    /// Cases that its proof closed.
    pub cases: usize,
}

/// The figures of one trigger over a window. Times are means over the rotations whose old value was proved dead in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    pub proved: usize,
    /// From due to begun, over those of them that were due at a time.
    pub late: Option<TimeDelta>,
    /// From begun to the new value made.
    pub queue: Option<TimeDelta>,
    /// From made to in use.
    pub cycle: Option<TimeDelta>,
    /// From in use to the old value proved dead.
    pub overlap: Option<TimeDelta>,
    /// Cases that these proofs closed.
    pub cases: usize,
    /// Rotations that made a value and ended in the window in any way, and those of them of which every step worked at once.
    pub ended: usize,
    pub first_attempt: usize,
}

/// Computes the figures of one trigger over `[from, to)`.
pub fn parts(runs: &[Run], trigger: Trigger, from: Moment, to: Moment) -> Parts {
    let inside = |moment: &Moment| from <= *moment && *moment < to;
    let mine = || runs.iter().filter(move |run| run.trigger == trigger);
    let proved: Vec<&Run> = mine().filter(|run| run.dead_at.as_ref().is_some_and(inside)).collect();
    let over =
        |span: fn(&Run) -> Option<TimeDelta>| mean(&proved.iter().filter_map(|run| span(run)).collect::<Vec<_>>());
    let ended: Vec<&Run> =
        mine().filter(|run| run.made_at.is_some() && run.ended_at.as_ref().is_some_and(inside)).collect();
    Parts {
        proved: proved.len(),
        late: over(|run| Some(run.started_at - run.due_at?)),
        queue: over(|run| Some(run.made_at? - run.started_at)),
        cycle: over(|run| Some(run.promoted_at? - run.made_at?)),
        overlap: over(|run| Some(run.dead_at? - run.promoted_at?)),
        cases: proved.iter().map(|run| run.cases).sum(),
        ended: ended.len(),
        first_attempt: ended.iter().filter(|run| run.failures == 0).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Moment {
        Moment::default() + TimeDelta::hours(hours)
    }

    fn run(start: i64, failures: u32) -> Run {
        Run {
            trigger: Trigger::Scheduled,
            due_at: Some(at(start - 1)),
            started_at: at(start),
            made_at: Some(at(start + 2)),
            promoted_at: Some(at(start + 5)),
            dead_at: Some(at(start + 9)),
            ended_at: Some(at(start + 33)),
            failures,
            cases: 1,
        }
    }

    #[test]
    fn each_part_is_its_own() {
        let hours = |count| Some(TimeDelta::hours(count));
        let runs = [
            run(10, 0),
            Run { due_at: None, cases: 3, ..run(20, 2) },
            Run { made_at: None, promoted_at: None, dead_at: None, ..run(20, 0) },
            Run { trigger: Trigger::Manual, ..run(10, 0) },
            run(200, 0),
        ];
        let found = parts(&runs, Trigger::Scheduled, at(0), at(100));
        assert_eq!((found.proved, found.cases), (2, 4));
        assert_eq!((found.late, found.queue, found.cycle, found.overlap), (hours(1), hours(2), hours(3), hours(4)));
        assert_eq!((found.ended, found.first_attempt), (2, 1), "one that made nothing says nothing");
        assert_eq!(parts(&[], Trigger::Age, at(0), at(100)), Parts::default(), "nothing is not zero");
    }
}
