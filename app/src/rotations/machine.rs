//! The state machine of a rotation, as a pure function: where one is, what happened, where it is then. Who may let it happen,
//! and what it takes of the target, is decided by whoever says that it happened; what is not in this table cannot be written.
use super::model::{Choice, Step, chosen};

/// Where a rotation is: for one that needs a person, also before which step it stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    pub step: Step,
    pub stopped: Option<Step>,
}

/// What happens to a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// Somebody else agreed, or a leak made it too urgent to wait for that.
    Agreed,
    /// Given up before anything was made.
    GivenUp,
    /// The new value is sealed; with a target it has to be set there.
    Made { target: bool },
    /// The intent to set it is recorded.
    SetIntended,
    /// The target does not have it: it said no, nothing left, or a probe found the old value alone.
    NotSet,
    /// The target has it: it said so, or a probe found it.
    Set,
    /// Every endpoint takes it.
    Verified,
    /// It is what is handed out.
    Promoted,
    /// The intent to disable the old value is recorded.
    DisableIntended,
    /// The target disabled the old value.
    Disabled,
    /// Every endpoint refused the old value and took the new one.
    ShownDead,
    /// An endpoint takes the old value.
    ShownAlive,
    /// Nothing is left to look at: the last look, or a newer rotation took over.
    LookedEnough,
    /// There is no target that could show anything.
    NothingToAsk,
    /// Somebody wrote a newer value before the target was touched.
    Overwritten,
    /// The old value is handed out again.
    WentBack,
    /// The target refuses the new value again.
    Withdrawn,
    /// It cannot go on by itself.
    Stopped,
    /// What a person decided where it had stopped.
    Decided(Choice),
}

/// Where it is then; `None`: this cannot happen there.
pub fn next(at: At, happened: Happened) -> Option<Step> {
    use Happened::*;
    use Step::*;
    Some(match (at.step, happened) {
        (Waiting, Agreed) => Queued,
        (Waiting | Queued, GivenUp) => Cancelled,
        (Queued, Made { target: true }) => PendingCreated,
        (Queued, Made { target: false }) => VerifiedNew,
        (Queued | PendingCreated, Overwritten) => Superseded,
        (PendingCreated, SetIntended) => SetUnknown,
        (SetUnknown, NotSet) => PendingCreated,
        (SetUnknown, Set) => SetOnTarget,
        (SetOnTarget, Verified) => VerifiedNew,
        (VerifiedNew, Promoted) => Overlap,
        (Overlap, DisableIntended) => Disabling,
        (Overlap | Disabling, NothingToAsk) => Closed,
        (Disabling, Disabled) => OldDisabled,
        (OldDisabled | VerifiedDead, ShownDead) => VerifiedDead,
        (OldDisabled | VerifiedDead, ShownAlive) => Disabling,
        (VerifiedDead, LookedEnough) => Closed,
        (Overlap, WentBack) => RollingBack,
        (NeedsPerson, WentBack) if at.stopped == Some(Overlap) => RollingBack,
        (RollingBack, Withdrawn) => RolledBack,
        (NeedsPerson, Decided(choice)) => chosen(at.stopped?, choice)?,
        (step, Stopped) if goes_on_by_itself(step) => NeedsPerson,
        _ => return None,
    })
}

/// Does the service take it further from here?
pub fn goes_on_by_itself(step: Step) -> bool {
    !step.has_ended() && !matches!(step, Step::NeedsPerson | Step::Waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> Vec<Happened> {
        use Happened::*;
        let decided = Choice::ALL.iter().map(|choice| Decided(*choice));
        [
            Agreed,
            GivenUp,
            Made { target: true },
            Made { target: false },
            SetIntended,
            NotSet,
            Set,
            Verified,
            Promoted,
            DisableIntended,
            Disabled,
            ShownDead,
            ShownAlive,
            LookedEnough,
            NothingToAsk,
            Overwritten,
            WentBack,
            Withdrawn,
            Stopped,
        ]
        .into_iter()
        .chain(decided)
        .collect()
    }

    fn places() -> Vec<At> {
        let running = Step::ALL.iter().filter(|step| **step != Step::NeedsPerson);
        let running = running.map(|step| At { step: *step, stopped: None });
        let stopped = Step::ALL.iter().filter(|step| goes_on_by_itself(**step));
        running.chain(stopped.map(|step| At { step: Step::NeedsPerson, stopped: Some(*step) })).collect()
    }

    /// Every state with everything that leads on from it; all else is refused.
    #[test]
    fn the_whole_table() {
        let mut table = Vec::new();
        for at in places() {
            let leads: Vec<String> = everything()
                .into_iter()
                .filter_map(|happened| Some(format!("{happened:?} → {}", next(at, happened)?.code())))
                .collect();
            let place =
                at.stopped.map_or(at.step.code().to_owned(), |stopped| format!("stopped at {}", stopped.code()));
            table.push(format!("{place}: {}", leads.join(", ")));
        }
        let wanted = "\
queued: GivenUp → cancelled, Made { target: true } → pending_created, Made { target: false } → verified_new, Overwritten → superseded, Stopped → needs_person
pending_created: SetIntended → set_unknown, Overwritten → superseded, Stopped → needs_person
set_unknown: NotSet → pending_created, Set → set_on_target, Stopped → needs_person
set_on_target: Verified → verified_new, Stopped → needs_person
verified_new: Promoted → overlap, Stopped → needs_person
overlap: DisableIntended → disabling, NothingToAsk → closed, WentBack → rolling_back, Stopped → needs_person
rolling_back: Withdrawn → rolled_back, Stopped → needs_person
disabling: Disabled → old_disabled, NothingToAsk → closed, Stopped → needs_person
old_disabled: ShownDead → verified_dead, ShownAlive → disabling, Stopped → needs_person
verified_dead: ShownDead → verified_dead, ShownAlive → disabling, LookedEnough → closed, Stopped → needs_person
waiting: Agreed → queued, GivenUp → cancelled
closed: 
cancelled: 
rolled_back: 
superseded: 
stopped at queued: Decided(Retry) → queued, Decided(KeepOld) → rolled_back
stopped at pending_created: Decided(Retry) → pending_created, Decided(KeepOld) → rolled_back
stopped at set_unknown: Decided(Retry) → set_unknown, Decided(KeepNew) → set_on_target, Decided(KeepOld) → rolled_back
stopped at set_on_target: Decided(Retry) → set_on_target, Decided(KeepNew) → set_on_target, Decided(KeepOld) → rolled_back
stopped at verified_new: Decided(Retry) → verified_new, Decided(KeepNew) → set_on_target, Decided(KeepOld) → rolled_back
stopped at overlap: WentBack → rolling_back, Decided(Retry) → overlap, Decided(Disable) → disabling
stopped at rolling_back: Decided(Retry) → rolling_back, Decided(KeepOld) → rolled_back
stopped at disabling: Decided(Retry) → disabling, Decided(Accept) → disabling, Decided(Attest) → closed
stopped at old_disabled: Decided(Retry) → old_disabled, Decided(Attest) → closed
stopped at verified_dead: Decided(Retry) → verified_dead, Decided(Attest) → closed";
        assert_eq!(table.join("\n"), wanted);
    }

    /// Nothing is a dead end, and what is in use never ends as rolled back but by way of the target.
    #[test]
    fn every_way_leads_to_an_end() {
        for start in places() {
            let (mut seen, mut left, mut ends) = (vec![start], vec![start], start.step.has_ended());
            while let Some(at) = left.pop() {
                for step in everything().into_iter().filter_map(|happened| next(at, happened)) {
                    ends |= step.has_ended();
                    let there = At { step, stopped: (step == Step::NeedsPerson).then_some(at.step) };
                    if !seen.contains(&there) {
                        seen.push(there);
                        left.push(there);
                    }
                }
            }
            assert!(ends, "{start:?}");
        }
        for at in places().into_iter().filter(|at| at.step.is_promoted()) {
            assert!(everything().into_iter().all(|happened| next(at, happened) != Some(Step::RolledBack)), "{at:?}");
        }
    }
}
