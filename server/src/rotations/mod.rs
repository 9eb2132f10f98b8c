//! Rotations: plans set and confirmed by people (`plans`), rotations begun by people (`running`) or by the time
//! (`schedule`, `timetable`), run by the `engine` to the `proof` that the old credential is dead, and the `cases` that they
//! close. States and invariants are in `app/src/rotations`; what changes a target is behind the trait of `rotator`.

mod calendar;
mod cases;
mod consumers;
mod engine;
mod expiry;
mod history;
mod many;
mod plans;
pub mod postgres;
mod proof;
pub mod rotator;
mod running;
mod schedule;
pub mod store;
pub mod timetable;
pub mod webhook;

pub use calendar::{Dated, What, calendar};
pub use cases::{store as case_store, *};
pub use consumers::{Consumer, consumers};
pub use engine::{Slots, run_due};
pub use expiry::expire_due;
pub use history::history;
pub use many::*;
pub use plans::*;
pub use running::*;
use schedule::is_over;
pub use schedule::{When, start_due, when, when_known};

use crate::{catalog::Located, jobs::Job};
use app::audit::leaf::Subject;

const OPEN_LEAVERS: &str = "open-leaver-cases";
const SCHEDULE: &str = "schedule-rotations";
const EXPIRE: &str = "expire-versions";
pub(crate) const ROTATE: &str = "rotate";

pub const JOBS: &[Job] = &[
    Job::due(OPEN_LEAVERS, "Opens a case for each value known to a disabled account", |console| {
        Box::pin(open_leavers(console))
    })
    .following(),
    Job::due(SCHEDULE, "Starts rotations that are due", |console| Box::pin(start_due(console))).following(),
    Job::due(ROTATE, "Runs the steps of rotations in progress", |console| Box::pin(run_due(console)))
        .following()
        .beginning(|console| Box::pin(engine::begin_due(console))),
    Job::due(EXPIRE, "Records values that expired at their own date", |console| Box::pin(expire_due(console)))
        .following(),
];

pub(crate) fn subject(located: &Located, row: &str) -> Subject {
    Subject { row: Some(row.to_owned()), ..located.subject() }
}
