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
pub use engine::run_due;
pub use expiry::expire_due;
pub use history::history;
pub use many::*;
pub use plans::*;
pub use running::*;
use schedule::is_over;
pub use schedule::{When, start_due, when, when_known};

use crate::catalog::Located;
use app::audit::leaf::Subject;

pub(crate) fn subject(located: &Located, row: &str) -> Subject {
    Subject { row: Some(row.to_owned()), ..located.subject() }
}
