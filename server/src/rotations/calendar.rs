//! What happens when: rotations that ran or run, and those that will begin by themselves.
use super::{is_confirmed, store, store::Rotation, timetable::Timetable, when};
use crate::{catalog::Located, console::Console, people::Caller};
use app::{error::Error, rotations::schedule::Schedule, time::Moment};

/// Plans that one look takes in, and rotations that it shows.
const PLANS: u32 = 1_000;
const ROTATIONS: u32 = 1_000;
/// Times of one secret in one look.
const TIMES: usize = 400;

/// One time of the calendar.
pub struct Dated {
    pub at: Moment,
    pub located: Located,
    pub what: What,
}

pub enum What {
    Rotation(Box<Rotation>),
    /// It will begin by itself.
    Planned,
    /// It would begin by itself, were its plan confirmed and not paused.
    Held,
}

/// Everything between two moments that a caller may see, in order; and whether there is more than one look takes in.
pub async fn calendar(
    console: &Console,
    caller: &Caller,
    from: Moment,
    until: Moment,
) -> Result<(Vec<Dated>, bool), Error> {
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let mut dated = Vec::new();
    let rotations = store::between(&mut db, from, until, ROTATIONS + 1, key).await?;
    let mut more = rotations.len() > ROTATIONS as usize;
    for rotation in rotations.into_iter().take(ROTATIONS as usize) {
        match Located::visible(console, &mut db, caller, &rotation.secret_id).await {
            Ok(located) => {
                dated.push(Dated { at: rotation.started_at, located, what: What::Rotation(Box::new(rotation)) })
            }
            Err(Error::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    let plans = if until > now { store::plans(&mut db, PLANS + 1, key).await? } else { Vec::new() };
    more |= plans.len() > PLANS as usize;
    for plan in plans.into_iter().take(PLANS as usize) {
        let located = match Located::visible(console, &mut db, caller, &plan.secret_id).await {
            Ok(located) if located.secret.archived_at.is_none() => located,
            Ok(_) | Err(Error::NotFound) => continue,
            Err(error) => return Err(error),
        };
        let when = when(console, &mut db, &plan, &located).await?;
        let confirmed = is_confirmed(&plan, &located);
        let times = match &when.schedule {
            Schedule::Cron { expression, zone, window_minutes } if when.due.is_some() => {
                let timetable = Timetable::read(expression, zone, *window_minutes);
                let runs = timetable.map(|timetable| timetable.runs(from.max(now), TIMES)).unwrap_or_default();
                runs.into_iter().map(|run| run.at).collect()
            }
            // What is due already is due today.
            _ => when.due.map(|due| due.max(now)).into_iter().collect::<Vec<_>>(),
        };
        // A calendar goes on for ever: what is beyond the window is not missing.
        more |= times.len() >= TIMES && times.last().is_some_and(|last| *last < until);
        for at in times.into_iter().filter(|at| *at >= from && *at < until) {
            let held = !confirmed || when.paused_until.is_some_and(|paused| at < paused);
            let what = if held { What::Held } else { What::Planned };
            dated.push(Dated { at, located: located.clone(), what });
        }
    }
    dated.sort_by(|one, other| (one.at, &one.located.secret.path).cmp(&(other.at, &other.located.secret.path)));
    Ok((dated, more))
}
