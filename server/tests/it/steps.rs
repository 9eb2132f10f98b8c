//! Where a rotation can be stopped dead: for the kills of the real process and for the simulation.

/// Every place at which a rotation can die, before and after each thing that it does to the target.
pub const STEPS: [&str; 8] = [
    "rotation.pending_created",
    "rotation.set_intended",
    "rotation.set_done",
    "rotation.new_verified",
    "rotation.promoted",
    "rotation.disable_intended",
    "rotation.disable_done",
    "rotation.old_dead",
];
