//! Where a rotation can be stopped dead: for the kills of the real process and for the simulation.

/// Every place at which a rotation can die: before and after each of its states is recorded. What is done to the target lies
/// between the record of the intent and that of the answer: setting between `set_unknown.after` and `set_on_target.before`,
/// disabling between `disabling.after` and `old_disabled.before`.
pub const STEPS: [&str; 18] = [
    "rotation.pending_created.before",
    "rotation.pending_created.after",
    "rotation.set_unknown.before",
    "rotation.set_unknown.after",
    "rotation.set_on_target.before",
    "rotation.set_on_target.after",
    "rotation.verified_new.before",
    "rotation.verified_new.after",
    "rotation.overlap.before",
    "rotation.overlap.after",
    "rotation.disabling.before",
    "rotation.disabling.after",
    "rotation.old_disabled.before",
    "rotation.old_disabled.after",
    "rotation.verified_dead.before",
    "rotation.verified_dead.after",
    "rotation.closed.before",
    "rotation.closed.after",
];
