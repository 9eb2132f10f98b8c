//! What happens when: rotations that ran or run, and those that will begin by themselves.
use super::{is_confirmed, store, store::Rotation, timetable::Timetable, when_known};
use crate::{
    catalog::{Located, Sight},
    console::Console,
    db::Sql,
    people::Caller,
    vault,
};
use app::{error::Error, rotations::schedule::Schedule, time::Moment};
use std::collections::HashMap;

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
    db: &mut impl Sql,
    caller: &Caller,
    from: Moment,
    until: Moment,
) -> Result<(Vec<Dated>, bool), Error> {
    let (now, key) = (console.now(), console.seal_key());
    let mut dated = Vec::new();
    let rotations = store::between(db, from, until, ROTATIONS + 1, key).await?;
    let mut more = rotations.len() > ROTATIONS as usize;
    let plans = if until > now { store::plans(db, PLANS + 1, key).await? } else { Vec::new() };
    more |= plans.len() > PLANS as usize;
    let sight = Sight::of(console, db, caller).await?;
    let ids = |of: &mut dyn Iterator<Item = &String>| -> Vec<String> {
        let mut ids: Vec<String> = of.cloned().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let ran = ids(&mut rotations.iter().map(|rotation| &rotation.secret_id));
    let ran = sight.locate(console, db, &ran).await?;
    for rotation in rotations.into_iter().take(ROTATIONS as usize) {
        if let Some(located) = ran.get(&rotation.secret_id).cloned() {
            dated.push(Dated { at: rotation.started_at, located, what: What::Rotation(Box::new(rotation)) });
        }
    }
    let planned = ids(&mut plans.iter().map(|plan| &plan.secret_id));
    let written: HashMap<String, Moment> = vault::store::written_at(db, &planned).await?.into_iter().collect();
    let planned = sight.locate(console, db, &planned).await?;
    let defaults = store::defaults(db, key).await?;
    let defaults: HashMap<&str, &store::Default> =
        defaults.iter().map(|row| (row.environment_id.as_str(), row)).collect();
    for plan in plans.into_iter().take(PLANS as usize) {
        let Some(located) = planned.get(&plan.secret_id).filter(|located| located.secret.archived_at.is_none()) else {
            continue;
        };
        let default = defaults.get(located.environment.id.as_str()).copied();
        let when = when_known(console, &plan, located, default, written.get(&plan.secret_id).copied());
        let confirmed = is_confirmed(console, &plan, located);
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
