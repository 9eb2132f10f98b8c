//! What is due by its age or by a calendar: begun by the service, as a person would.
use super::{
    SCHEDULE, begun, case_store, cases, is_confirmed, make_way, started, store,
    store::Plan,
    subject,
    timetable::{Timetable, jitter},
};
use crate::{
    audit::{
        self,
        event::{Event, Who},
        ledger::Tx,
    },
    catalog::{self, Located},
    console::Console,
    db::Sql,
    jobs, vault,
};
use app::{
    audit::{action::Action, leaf::Leaf},
    error::Error,
    id::RotationId,
    rotations::{
        machine::Happened,
        model::{Step, Trigger},
        schedule::{Origin, Run, Schedule, effective},
    },
    time::{Moment, rfc3339},
};
use chrono::TimeDelta;

/// How many secrets one round looks at.
const ROUND: u32 = 50;
/// When it is looked again at a secret that is due and cannot be begun: its rotation runs, its plan waits.
const AGAIN: TimeDelta = TimeDelta::hours(1);
/// When it is looked again at one that only begins inside a window.
const SOON: TimeDelta = TimeDelta::minutes(5);
/// When it is looked again at one whose leak is contained and which cannot begin yet.
const SHORTLY: TimeDelta = TimeDelta::seconds(10);

/// When a secret rotates next, and why then.
#[derive(Clone, Debug)]
pub struct When {
    pub schedule: Schedule,
    pub origin: Origin,
    /// The next time; `None` where it rotates by hand alone, or has no value.
    pub due: Option<Moment>,
    /// The next times of a calendar.
    pub runs: Vec<Run>,
    pub paused_until: Option<Moment>,
}

/// When a secret with a plan rotates next, and why then.
pub async fn when(console: &Console, db: &mut impl Sql, plan: &Plan, located: &Located) -> Result<When, Error> {
    let default = store::find_default(db, &located.environment.id, console.seal_key()).await?;
    let written_at = written_at(db, located).await?;
    Ok(when_known(console, plan, located, default.as_ref(), written_at))
}

/// The same, from what was read already: its environment's schedule, and when its current value was written.
pub fn when_known(
    console: &Console,
    plan: &Plan,
    located: &Located,
    default: Option<&store::Default>,
    written_at: Option<Moment>,
) -> When {
    let now = console.now();
    let (schedule, origin, _) = held(console, plan, located, default);
    let limit = |days: i32| written_at.map(|at| limit(at, days));
    let begins = plan.paused_until.filter(|until| *until > now).unwrap_or(now);
    let (due, runs) = match &schedule {
        Schedule::Inherited | Schedule::ByHand => (None, Vec::new()),
        Schedule::Age { days } => (limit(*days).map(|due| due.max(begins)), Vec::new()),
        Schedule::Cron { expression, zone, window_minutes } => {
            match Timetable::read(expression, zone, *window_minutes).ok().filter(|_| has_value(located)) {
                Some(timetable) => (timetable.next(begins), timetable.runs(begins, 5)),
                None => (None, Vec::new()),
            }
        }
    };
    // A limit that has passed is due: it is shown as it is.
    let due = match (&schedule, plan.is_paused(now)) {
        (Schedule::Age { days }, false) => limit(*days),
        _ => due,
    };
    When { schedule, origin, due, runs, paused_until: plan.paused_until.filter(|until| *until > now) }
}

fn has_value(located: &Located) -> bool {
    located.secret.current_version.is_some()
}

/// The schedule that holds for a secret, and since when.
async fn holds(
    console: &Console,
    db: &mut impl Sql,
    plan: &Plan,
    located: &Located,
) -> Result<(Schedule, Origin, Moment), Error> {
    let default = store::find_default(db, &located.environment.id, console.seal_key()).await?;
    Ok(held(console, plan, located, default.as_ref()))
}

fn held(
    console: &Console,
    plan: &Plan,
    located: &Located,
    default: Option<&store::Default>,
) -> (Schedule, Origin, Moment) {
    let own = default.map(store::Default::schedule);
    let (schedule, origin) = effective(&plan.schedule(), own.as_ref(), &console.level(located.environment.tier()));
    let set_at =
        default.filter(|_| origin == Origin::Environment).map_or(plan.set_at, |row| row.set_at.max(plan.set_at));
    // What fell into a pause was not missed.
    let since = plan.paused_until.map_or(set_at, |until| until.max(set_at));
    (schedule, origin, since)
}

/// When the current value was written; `None` where there is none.
async fn written_at(db: &mut impl Sql, located: &Located) -> Result<Option<Moment>, Error> {
    let secret = std::slice::from_ref(&located.secret.id);
    Ok(vault::store::written_at(db, secret).await?.into_iter().next().map(|(_, at)| at))
}

/// When a value reaches an age.
fn limit(written_at: Moment, days: i32) -> Moment {
    written_at + TimeDelta::days(days.into())
}

/// Is the window of a time of the calendar over?
pub(super) async fn is_over(
    console: &Console,
    db: &mut impl Sql,
    plan: &Plan,
    located: &Located,
    due: Moment,
) -> Result<bool, Error> {
    let (schedule, ..) = holds(console, db, plan, located).await?;
    Ok(match schedule {
        Schedule::Cron { window_minutes, .. } => console.now() > due + TimeDelta::minutes(window_minutes.into()),
        Schedule::Inherited | Schedule::ByHand | Schedule::Age { .. } => false,
    })
}

/// Begins a rotation for each secret that is due; how many were looked at.
pub async fn start_due(console: &Console) -> Result<usize, Error> {
    let due = store::perhaps_due(&mut console.read().await?, console.now(), ROUND).await?;
    let at_once = console.db().writers();
    jobs::each(console, SCHEDULE, due, at_once, |console, secret| async move { look_at(&console, &secret).await }).await
}

/// Begins what is due of one secret, and notes when to look again.
async fn look_at(console: &Console, secret: &str) -> Result<(), Error> {
    let Some(seen) = store::due_at(&mut console.read().await?, secret).await? else { return Ok(()) };
    let look = start_if_due(console, secret).await?;
    let mut tx = console.ledger.housekeeping().await?;
    match look {
        Some(at) => store::move_due(&mut tx, secret, seen, at).await?,
        None => store::forget_due(&mut tx, secret, seen).await?,
    };
    tx.finish().await
}

/// When to look again; `None`: never, by itself.
async fn start_if_due(console: &Console, secret: &str) -> Result<Option<Moment>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let plan = store::find_plan(&mut db, secret, key).await?;
    let located = Located::find(&mut db, secret, key).await?.ok_or(Error::NotFound)?;
    if plan.is_none() && store::has_plan(&mut db, secret).await? {
        return Err(Error::NotFound);
    }
    let Some(plan) = plan.filter(|_| located.secret.archived_at.is_none()) else { return Ok(None) };
    let open = store::open_of(&mut db, secret, key).await?;
    let (schedule, _, since) = holds(console, &mut db, &plan, &located).await?;
    // Nobody agreed while its window was open: it is missed, and stands in the way of nothing.
    if let Some(waiting) = open.as_ref().filter(|open| open.step() == Step::Waiting)
        && let Some(due) = waiting.due_at.filter(|_| waiting.trigger() == Trigger::Scheduled)
        && let Schedule::Cron { expression, zone, window_minutes } = &schedule
    {
        let timetable = Timetable::read(expression, zone, *window_minutes).map_err(|_| Error::Unavailable)?;
        if now <= due + timetable.window() {
            return Ok(Some(due + timetable.window() + TimeDelta::seconds(1)));
        }
        drop(db);
        lapse(console, &plan, &located, waiting, due).await?;
        return Ok(Some(now));
    }
    // What leaked, or is known to a leaver, waits for no calendar and no pause.
    if let Some(version) = located.secret.current_version
        && let Some(case) = cases::contained(console, &mut db, secret, version).await?
    {
        drop(db);
        let again = match open {
            _ if !is_confirmed(console, &plan, &located) => SOON,
            Some(open) if matches!(open.step(), Step::NeedsPerson | Step::Waiting) && !open.only_looks() => SOON,
            Some(open) if !open.only_looks() => SHORTLY,
            _ if begin(console, &plan, &located, Because::Contained(&case)).await? => AGAIN,
            _ => SHORTLY,
        };
        return Ok(Some(now + again));
    }
    if plan.is_paused(now) {
        return Ok(plan.paused_until);
    }
    let blocked = match open {
        Some(open) if !open.only_looks() => Some("another rotation was under way"),
        _ if !is_confirmed(console, &plan, &located) => Some("the plan was not confirmed"),
        _ if !has_value(&located) => Some("there was no value"),
        _ => None,
    };
    match schedule {
        Schedule::Inherited | Schedule::ByHand => Ok(None),
        Schedule::Age { days } => {
            let due = written_at(&mut db, &located).await?.map(|at| limit(at, days));
            drop(db);
            match due {
                Some(due) if due > now => Ok(Some(due)),
                Some(due) if blocked.is_none() => {
                    begin(console, &plan, &located, Because::Due(Trigger::Age, due)).await?;
                    Ok(Some(now + AGAIN))
                }
                // It counts from its limit on, whatever keeps it from beginning.
                Some(due) => {
                    count(console, &located, Trigger::Age, due).await?;
                    Ok(Some(now + AGAIN))
                }
                None => Ok(Some(now + AGAIN)),
            }
        }
        Schedule::Cron { expression, zone, window_minutes } => {
            let timetable = Timetable::read(&expression, &zone, window_minutes).map_err(|_| Error::Unavailable)?;
            let Some(due) = timetable.latest(now).filter(|due| *due > since) else {
                return Ok(timetable.next(now).map(|next| next + jitter(secret, next, timetable.window())));
            };
            let done = store::of_secret(&mut db, secret, 20, key).await?;
            let done = done.iter().any(|row| row.due_at == Some(due));
            drop(db);
            let next = timetable.next(now).map(|next| next + jitter(secret, next, timetable.window()));
            let begins = due + jitter(secret, due, timetable.window());
            match blocked {
                _ if done => Ok(next),
                _ if begins > now => Ok(Some(begins)),
                Some(_) if now < due + timetable.window() => Ok(Some((now + SOON).min(due + timetable.window()))),
                None if now <= due + timetable.window() => {
                    let begun = begin(console, &plan, &located, Because::Due(Trigger::Scheduled, due)).await?;
                    Ok(match begun {
                        // Whether somebody agreed in time is looked at when the window is over.
                        true if plan.approval_first => Some(due + timetable.window() + TimeDelta::seconds(1)),
                        true => next,
                        false => Some(now + SOON),
                    })
                }
                why => {
                    let why = why.unwrap_or("the service did not run");
                    miss(console, &plan, &located, due, why).await?;
                    Ok(next)
                }
            }
        }
    }
}

/// Why the service begins a rotation by itself.
#[derive(Clone, Copy)]
enum Because<'c> {
    Due(Trigger, Moment),
    /// Somebody contained this case while something else stood in the way.
    Contained(&'c case_store::Case),
}

/// Begins what is due; `false`: somebody was faster.
async fn begin(console: &Console, plan: &Plan, located: &Located, because: Because<'_>) -> Result<bool, Error> {
    let (trigger, due_at, cut_off) = match because {
        Because::Due(trigger, due) => (trigger, Some(due), false),
        Because::Contained(case) => (case.trigger(), None, case.cut_off),
    };
    let (now, key) = (console.now(), console.seal_key());
    let id = console.id::<RotationId>()?.to_string();
    let mut tx = console.ledger.begin(&Who::system(SCHEDULE)).await?;
    let locked = catalog::store::lock(&mut tx, &located.secret.id, key).await?.ok_or(Error::NotFound)?;
    let Some(from) = locked.current_version.filter(|_| locked.event_seq == located.secret.event_seq) else {
        return Ok(false);
    };
    let made_way = make_way(console, &mut tx, located, now).await?;
    let row = store::Rotation { due_at, cut_off, ..begun(&id, located, plan, from, trigger, now) };
    if store::insert(&mut tx, &row).await? == 0 {
        return Ok(false);
    }
    tx.seal(&row)?;
    let event = Event::new(Action::StartRotation).on(subject(located, &id));
    let event = match because {
        Because::Due(_, due) => event.detail("due_at", rfc3339(due)),
        Because::Contained(case) => {
            event.detail("case", case.id.clone()).detail("contained_by", case.contained_by.clone().unwrap_or_default())
        }
    };
    let mut events = vec![started(event, &row, plan, located)];
    events.extend(made_way);
    events.extend(cases::open(console, &mut tx, located, &row, None, now).await?);
    if row.step() == Step::Waiting {
        // Whoever may agree: never whoever set the plan.
        let mut told = catalog::leads(console, &mut tx, &located.project.id).await?;
        told.extend(crate::people::holders(console, &mut tx, app::policies::model::Role::Security).await?);
        told.sort_unstable();
        told.dedup();
        told.retain(|id| *id != plan.set_by);
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        crate::notifications::tell(console, &mut tx, told, "rotation.waits", &id).await?;
    }
    tx.commit(events).await?;
    Ok(true)
}

/// A rotation that nobody agreed to in time: cancelled and missed, in one change.
async fn lapse(
    console: &Console,
    plan: &Plan,
    located: &Located,
    waiting: &store::Rotation,
    due: Moment,
) -> Result<(), Error> {
    let (now, key) = (console.now(), console.seal_key());
    let mut tx = console.ledger.begin(&Who::system(SCHEDULE)).await?;
    catalog::store::lock(&mut tx, &located.secret.id, key).await?.ok_or(Error::NotFound)?;
    let locked = store::lock(&mut tx, &waiting.id, key).await?;
    let Some(locked) = locked.filter(|locked| locked.event_seq == waiting.event_seq) else { return Ok(()) };
    let row = locked.after(Happened::GivenUp, now)?;
    store::save(&mut tx, &row).await?;
    tx.seal(&row)?;
    let why = "nobody agreed while its window was open";
    let cancelled = Event::new(Action::CancelRotation)
        .on(subject(located, &row.id))
        .detail("why", why)
        .private("path", located.secret.path.clone());
    let mut events = vec![cancelled, missed(console, &mut tx, plan, located, due, why).await?];
    events.extend(cases::given_up(console, &mut tx, located, &row, now).await?);
    tx.commit(events).await?;
    Ok(())
}

/// A time of the calendar went by: said once, to those who own the secret, whichever replica looks and however often. Its value
/// counts as due from then on.
async fn miss(console: &Console, plan: &Plan, located: &Located, due: Moment, why: &str) -> Result<(), Error> {
    let secret = &located.secret.id;
    let mut tx = console.ledger.begin(&Who::system(SCHEDULE)).await?;
    let locked = catalog::store::lock(&mut tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let narrow = audit::store::Narrow {
        secret: Some(secret.clone()),
        action: Some(Action::MissRotation.code().to_owned()),
        ..audit::store::Narrow::default()
    };
    let said = audit::store::list(&mut tx, &narrow, None, 5).await?;
    let of_this = |leaf: Leaf| leaf.detail.get("due_at").is_some_and(|at| *at == rfc3339(due));
    if said.iter().filter_map(|event| Leaf::decode(&event.leaf).ok()).any(of_this) {
        return Ok(());
    }
    let mut events = vec![missed(console, &mut tx, plan, located, due, why).await?];
    if let Some(version) = locked.current_version {
        events.extend(cases::open_due(console, &mut tx, located, Trigger::Scheduled, version, due).await?);
    }
    tx.commit(events).await?;
    Ok(())
}

/// What is due and cannot begin has a case from then on.
async fn count(console: &Console, located: &Located, trigger: Trigger, due: Moment) -> Result<(), Error> {
    let mut tx = console.ledger.begin(&Who::system(SCHEDULE)).await?;
    let locked = catalog::store::lock(&mut tx, &located.secret.id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let version = locked.current_version.filter(|_| locked.event_seq == located.secret.event_seq);
    let Some(version) = version else { return Ok(()) };
    if let Some(event) = cases::open_due(console, &mut tx, located, trigger, version, due).await? {
        tx.commit(vec![event]).await?;
    }
    Ok(())
}

async fn missed(
    console: &Console,
    tx: &mut Tx,
    plan: &Plan,
    located: &Located,
    due: Moment,
    why: &str,
) -> Result<Event, Error> {
    let told = catalog::owners(console, tx, &located.project.id, &located.secret.id).await?;
    let told = told.iter().map(String::as_str);
    crate::notifications::tell(console, tx, told, "rotation.missed", &located.secret.id).await?;
    Ok(Event::new(Action::MissRotation)
        .on(subject(located, &plan.id))
        .detail("due_at", rfc3339(due))
        .detail("why", why)
        .private("path", located.secret.path.clone()))
}
