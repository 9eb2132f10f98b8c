//! Rotations: plans set and confirmed by people, rotations begun by people and run by the engine.
//! States and invariants are in `app/src/rotations`; what changes a target is in `rotator.rs`.
mod consumers;
mod engine;
pub mod postgres;
pub mod rotator;
mod schedule;
pub mod store;

pub use consumers::{Consumer, consumers};
pub use engine::run_due;
pub use schedule::{next_due, start_due};

use crate::{
    audit::ledger::Receipt,
    catalog::{self, Located},
    console::Console,
    db::Sql,
    people::Caller,
    policies::Situation,
    vault,
};
use app::{
    audit::{action::Action, leaf::Subject},
    catalog::model::Kind,
    error::{Conflict, Error, Refusal},
    id::{PlanId, RotationId},
    policies::model::seats,
    rotations::model::{Choice, RotatorKind, Standing, Step, Trigger, ValueRules, chosen},
};
use chrono::TimeDelta;
use store::{Plan, Rotation};

/// The longest that an old value goes on beside the new one.
pub const LONGEST_OVERLAP: TimeDelta = TimeDelta::days(30);

pub(crate) fn subject(located: &Located, row: &str) -> Subject {
    Subject { row: Some(row.to_owned()), ..located.subject() }
}

/// What a person sets for a secret.
#[derive(Clone, Debug)]
pub struct NewPlan {
    pub kind: RotatorKind,
    pub postgres: Option<postgres::Settings>,
    pub rules: ValueRules,
    pub overlap_minutes: i64,
    /// The greatest age of a value in days; 0: by hand alone.
    pub every_days: i64,
}

/// Sets how a secret rotates. Where reading takes a second person, somebody of security confirms where values will go.
pub async fn configure_rotation(
    console: &Console,
    caller: &Caller,
    secret: &str,
    new: NewPlan,
) -> Result<Receipt, Error> {
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, caller, secret).await?;
    let mistake = |(field, why): (&'static str, &'static str)| Error::invalid(field, why);
    new.rules.check().map_err(mistake)?;
    if !(0..=LONGEST_OVERLAP.num_minutes()).contains(&new.overlap_minutes) {
        return Err(Error::invalid("overlap", "Between none and 30 days."));
    }
    let oldest = located.environment.tier().rotate_within().num_days();
    if !(0..=oldest).contains(&new.every_days) {
        return Err(Error::invalid(
            "every",
            format!("At most {oldest} days at this protection level, or 0 for by hand."),
        ));
    }
    let is_account = located.secret.kind() == Kind::Database;
    if is_account == (new.kind == RotatorKind::Generated) {
        return Err(Error::invalid("kind", "Database accounts rotate at their server, other values are generated."));
    }
    let settings = match (new.kind, &new.postgres) {
        (RotatorKind::Generated, _) => "{}".to_owned(),
        (kind, Some(settings)) => {
            settings.check(kind == RotatorKind::PostgresAlternating).map_err(mistake)?;
            check_admin(console, &mut db, &located, settings.admin.as_deref()).await?;
            serde_json::to_string(settings).map_err(|_| Error::Unavailable)?
        }
        (_, None) => return Err(Error::invalid("endpoints", "Name the servers.")),
    };
    let former = store::find_plan(&mut db, secret, console.seal_key()).await?;
    drop(db);
    let plan = Plan {
        id: former.map_or(console.id::<PlanId>()?.to_string(), |plan| plan.id),
        secret_id: secret.into(),
        rotator: new.kind.code().into(),
        settings,
        length: new.rules.length as i32,
        forbidden: new.rules.forbidden,
        overlap_minutes: new.overlap_minutes,
        every_days: new.every_days as i32,
        set_by: caller.id().into(),
        set_at: console.now(),
        confirmed_by: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    let situation = catalog::secret_situation(&located);
    let about = subject(&located, &plan.id);
    let (mut tx, event) = console.begin(caller, Action::ConfigureRotation, about, situation).await?;
    let locked = catalog::store::lock(&mut tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if locked.archived_at.is_some() {
        return Err(Error::Conflict(Conflict::Archived));
    }
    if store::open_of(&mut tx, secret, console.seal_key()).await?.is_some() {
        return Err(Error::Conflict(Conflict::RotationOpen));
    }
    store::save_plan(&mut tx, &plan).await?;
    tx.seal(&plan)?;
    match plan.every_days {
        0 => store::forget_due(&mut tx, secret).await?,
        _ => store::note_due(&mut tx, secret, console.now()).await?,
    };
    let event = event
        .detail("every_days", plan.every_days)
        .detail("rotator", plan.rotator.clone())
        .detail("overlap_minutes", plan.overlap_minutes)
        .private("path", located.secret.path.clone())
        .private("settings", plan.settings.clone());
    tx.commit(vec![event]).await
}

/// The administrative account lies in the same environment: a plan opens nothing across.
async fn check_admin(
    console: &Console,
    db: &mut impl Sql,
    located: &Located,
    admin: Option<&str>,
) -> Result<(), Error> {
    let Some(admin) = admin else { return Ok(()) };
    let found = catalog::store::find(db, admin, console.seal_key()).await?;
    let fits = found.is_some_and(|row| {
        row.environment_id == located.environment.id && row.archived_at.is_none() && row.id != located.secret.id
    });
    if fits { Ok(()) } else { Err(Error::invalid("admin", "Choose a database account of the same environment.")) }
}

/// Agrees where a secret's values go.
pub async fn confirm_plan(console: &Console, caller: &Caller, secret: &str) -> Result<Receipt, Error> {
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, caller, secret).await?;
    let plan = store::find_plan(&mut db, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    drop(db);
    let (mut tx, event) =
        console.begin(caller, Action::ConfirmPlan, subject(&located, &plan.id), Situation::default()).await?;
    catalog::store::lock(&mut tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let locked = store::find_plan(&mut tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if locked.set_by == caller.id() {
        return Err(tx.refuse(event, Refusal::OwnRequest).await);
    }
    if locked.event_seq != plan.event_seq {
        return Err(Error::Conflict(Conflict::EditedMeanwhile));
    }
    if locked.confirmed_by.is_some() {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let plan = Plan { confirmed_by: Some(caller.id().into()), ..locked };
    store::save_plan(&mut tx, &plan).await?;
    tx.seal(&plan)?;
    tx.commit(vec![event.private("settings", plan.settings)]).await
}

/// May a plan be carried out as it stands? Whoever names a server could name one that keeps what it is sent: where reading
/// takes a second person, so does this.
pub fn is_confirmed(plan: &Plan, located: &Located) -> bool {
    seats(located.environment.tier(), located.secret.class()).is_empty()
        || plan.confirmed_by.is_some()
        || plan.rotator == RotatorKind::Generated.code()
}

/// Begins a rotation now. The engine takes it from there.
pub async fn start_rotation(console: &Console, caller: &Caller, secret: &str) -> Result<(String, Receipt), Error> {
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, caller, secret).await?;
    let plan = store::find_plan(&mut db, secret, console.seal_key()).await?;
    drop(db);
    let id = console.id::<RotationId>()?.to_string();
    let situation = catalog::secret_situation(&located);
    let (mut tx, event) = console.begin(caller, Action::StartRotation, subject(&located, &id), situation).await?;
    let locked = catalog::store::lock(&mut tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let plan = plan.ok_or_else(|| Error::invalid("plan", "Set first how this secret rotates."))?;
    if !is_confirmed(&plan, &located) {
        return Err(tx.refuse(event, Refusal::PlanUnconfirmed).await);
    }
    if locked.archived_at.is_some() {
        return Err(Error::Conflict(Conflict::Archived));
    }
    let Some(from) = locked.current_version else {
        return Err(tx.refuse(event, Refusal::NoSuchVersion).await);
    };
    let row = begun(&id, &located, from, Trigger::Manual, Some(caller.id()), console.now());
    if store::insert(&mut tx, &row).await? == 0 {
        return Err(Error::Conflict(Conflict::RotationOpen));
    }
    tx.seal(&row)?;
    let event = event
        .detail("trigger", row.trigger_kind)
        .detail("rotator", plan.rotator)
        .detail("from_version", from)
        .private("path", located.secret.path);
    Ok((id, tx.commit(vec![event]).await?))
}

/// A rotation at its beginning.
fn begun(
    id: &str,
    located: &Located,
    from: i32,
    trigger: Trigger,
    by: Option<&str>,
    now: app::time::Moment,
) -> Rotation {
    Rotation {
        id: id.into(),
        secret_id: located.secret.id.clone(),
        project_id: located.project.id.clone(),
        environment_id: located.environment.id.clone(),
        trigger_kind: trigger.code().into(),
        started_by: by.map(Into::into),
        started_at: now,
        step: Step::Queued.code().into(),
        stopped: None,
        reason: None,
        attempts: 0,
        next_at: now,
        from_version: from,
        to_version: None,
        promoted_at: None,
        overlap_until: None,
        dead_at: None,
        repeats: 0,
        grade: None,
        ended_at: None,
        event_seq: 0,
        row_mac: Vec::new(),
    }
}

/// A rotation that this caller may look at.
pub async fn visible_rotation(console: &Console, caller: &Caller, id: &str) -> Result<(Rotation, Located), Error> {
    let mut db = console.read().await?;
    let rotation = store::find(&mut db, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let located = Located::visible(console, &mut db, caller, &rotation.secret_id).await?;
    Ok((rotation, located))
}

/// Sends a stopped rotation where a person decided. What the target denies is not accepted.
pub async fn resolve_rotation(
    console: &Console,
    caller: &Caller,
    id: &str,
    choice: Choice,
    comment: &str,
) -> Result<Receipt, Error> {
    let comment = app::people::model::prose(comment, 1000).map_err(|why| Error::invalid("comment", why))?;
    if comment.is_empty() && choice != Choice::Retry {
        return Err(Error::invalid("comment", "Say what you saw: it goes into the record."));
    }
    let (rotation, located) = visible_rotation(console, caller, id).await?;
    let stopped = rotation.stopped().filter(|_| rotation.step() == Step::NeedsPerson);
    let stopped = stopped.ok_or(Error::Conflict(Conflict::AlreadyDone))?;
    let next = chosen(stopped, choice).ok_or_else(|| Error::invalid("choice", "This cannot be chosen here."))?;
    if choice == Choice::KeepOld && matches!(stopped, Step::SetUnknown | Step::SetOnTarget | Step::VerifiedNew) {
        let answers = engine::ask_about_old(console, &rotation).await?;
        if answers.iter().any(|answer| *answer != Standing::Accepted) {
            return Err(Error::invalid("choice", "The target does not take the old value now: it would be lost."));
        }
    }
    let situation = catalog::secret_situation(&located);
    let (mut tx, event) = console.begin(caller, Action::ResolveRotation, subject(&located, id), situation).await?;
    let secret = catalog::store::lock(&mut tx, &rotation.secret_id, console.seal_key()).await?;
    let locked = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if locked.event_seq != rotation.event_seq {
        return Err(Error::Conflict(Conflict::EditedMeanwhile));
    }
    let now = console.now();
    let grade = (choice == Choice::Attest).then(|| app::rotations::model::Grade::Attested.code().to_owned());
    let row = Rotation {
        step: next.code().into(),
        stopped: None,
        reason: None,
        attempts: 0,
        next_at: now,
        ended_at: next.has_ended().then_some(now),
        grade: grade.or(locked.grade.clone()),
        ..locked
    };
    if let (Step::RolledBack, Some(secret), Some(version)) = (next, secret, row.to_version)
        && secret.current_version != Some(version)
    {
        // Restorable: it may be asked for once more.
        vault::store::set_deleted(&mut tx, &secret.id, version, Some(now)).await?;
    }
    store::save(&mut tx, &row).await?;
    tx.seal(&row)?;
    let event = event.detail("choice", choice.code()).detail("stopped", stopped.code()).private("comment", comment);
    tx.commit(vec![event]).await
}
