//! What is counted of an event, and the arithmetic of figures.
use crate::{
    audit::leaf::{ActorKind, Leaf, Outcome},
    policies::model::words,
};

words! {
    /// What events are counted for.
    Series {
        /// A value that a workload read.
        Machine = "machine", "Values fetched by workloads";
        /// A value that a person was shown or copied.
        Human = "human", "Values shown to people or copied";
        /// An attempt that was refused: by the door, by policy, or by a limit of place or time.
        Failed = "failed", "Failed attempts";
    }
}

/// What one event counts for: the series, a label within it, and how often.
pub fn counted(leaf: &Leaf) -> Option<(Series, String, u64)> {
    let person = leaf.actor.kind == ActorKind::Person;
    match (leaf.outcome, leaf.action.as_str()) {
        (Outcome::Allowed, "secret.fetched") => Some((Series::Machine, String::new(), 1)),
        (Outcome::Allowed, "secret.revealed" | "secret.copied") if person => {
            Some((Series::Human, leaf.action.clone(), 1))
        }
        // Repeats that were counted rather than written one by one are added back.
        (Outcome::Refused, _) => {
            let reason = leaf.reason.clone().unwrap_or_default();
            Some((Series::Failed, reason, leaf.suppressed.unwrap_or(1)))
        }
        _ => None,
    }
}

/// A share in hundredths of a percent; `None` where the whole is nothing.
pub fn share(part: u64, whole: u64) -> Option<u64> {
    (u128::from(part) * 10_000).checked_div(u128::from(whole)).and_then(|share| u64::try_from(share).ok())
}

/// How much more or less than before, in whole percent; `None` where there was nothing to compare with.
pub fn change(now: u64, before: u64) -> Option<i64> {
    let (now, before) = (i128::from(now), i128::from(before));
    ((now - before) * 100).checked_div(before).and_then(|change| i64::try_from(change).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::leaf::tests::example;

    #[test]
    fn events_count_once_and_repeats_are_added_back() {
        let event = |action: &str, outcome, kind, suppressed| {
            let mut leaf = example();
            (leaf.action, leaf.outcome, leaf.actor.kind, leaf.suppressed) = (action.into(), outcome, kind, suppressed);
            leaf.reason = (outcome == Outcome::Refused).then(|| "no_grant".into());
            counted(&leaf)
        };
        use ActorKind::{Person, System, Workload};
        use Outcome::{Allowed, Failed, Refused};
        assert_eq!(event("secret.fetched", Allowed, Workload, None), Some((Series::Machine, String::new(), 1)));
        let copied = Some((Series::Human, "secret.copied".into(), 1));
        assert_eq!(event("secret.copied", Allowed, Person, None), copied);
        assert_eq!(event("secret.revealed", Refused, Person, None), Some((Series::Failed, "no_grant".into(), 1)));
        assert_eq!(event("secret.revealed", Refused, Person, Some(14)), Some((Series::Failed, "no_grant".into(), 14)));
        for nothing in ["rotation.pending_created", "trail.read", "people.listed"] {
            assert_eq!(event(nothing, Allowed, System, None), None);
        }
        assert_eq!(event("rotation.step_failed", Failed, System, None), None);
    }

    #[test]
    fn nothing_is_not_zero() {
        assert_eq!(share(1, 0), None);
        assert_eq!(share(9_997, 10_000), Some(9_997));
        assert_eq!(change(5, 0), None);
        assert_eq!(change(5, 10), Some(-50));
    }
}
