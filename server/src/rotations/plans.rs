//! Plans: how a secret rotates and when, who confirmed it, pauses, and what the secrets of an environment inherit.
use super::{rotator::Target, store, store::Columns, store::Plan, subject, timetable};
use crate::{
    audit::ledger::{Receipt, Tx},
    catalog::{self, Located},
    console::Console,
    db::Sql,
    people::{self, Begun, Caller},
};
use app::{
    audit::{action::Action, leaf::Subject},
    catalog::model::Kind,
    error::{Conflict, Error, Refusal},
    id::{DefaultId, PlanId},
    policies::model::Role,
    rotations::{
        model::{RotatorKind, ValueRules},
        schedule::Schedule,
    },
    time::Moment,
};
use chrono::TimeDelta;

/// The longest that an old value goes on beside the new one.
pub const LONGEST_OVERLAP: TimeDelta = TimeDelta::days(30);
/// The longest that a schedule is paused at once.
pub const LONGEST_PAUSE: TimeDelta = TimeDelta::days(30);

/// What a person sets for a secret.
#[derive(Clone, Debug)]
pub struct NewPlan {
    pub target: Target,
    pub rules: ValueRules,
    pub overlap_minutes: i64,
    pub schedule: Schedule,
    /// Somebody else agrees before each rotation begins.
    pub approval_first: bool,
    /// Who still uses the old value when the overlap is over holds it up: a person decides.
    pub hold: bool,
}

impl NewPlan {
    /// The least that a plan says: a generated value, rotated by hand, the old one disabled at once.
    pub fn generated() -> Self {
        Self::at(Target::Consumers)
    }

    pub fn at(target: Target) -> Self {
        Self {
            target,
            rules: ValueRules::default(),
            overlap_minutes: 0,
            schedule: Schedule::ByHand,
            approval_first: false,
            hold: false,
        }
    }
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
    let now = console.now();
    timetable::check(&new.schedule, &console.level(located.environment.tier()), now).map_err(mistake)?;
    new.target.check().map_err(mistake)?;
    let is_account = located.secret.kind() == Kind::Database;
    let fits = match new.target {
        Target::Consumers => !is_account,
        Target::Postgres(_) | Target::PostgresInTurn(_) => is_account,
        Target::Webhook(_) => true,
    };
    if !fits {
        return Err(Error::invalid(
            "kind",
            "Database accounts rotate at their server or a receiver, other values not.",
        ));
    }
    check_helper(console, &mut db, &located, &new.target).await?;
    let former = store::find_plan(&mut db, secret, console.seal_key()).await?;
    drop(db);
    let columns = Columns::from(&new.schedule);
    let plan = Plan {
        id: former.as_ref().map_or(console.id::<PlanId>()?.to_string(), |plan| plan.id.clone()),
        secret_id: secret.into(),
        rotator: new.target.kind().code().into(),
        settings: new.target.settings()?,
        length: new.rules.length as i32,
        forbidden: new.rules.forbidden,
        alphabet: new.rules.letters.code().into(),
        not_again: i32::try_from(new.rules.not_again).unwrap_or_default(),
        overlap_minutes: new.overlap_minutes,
        every_days: columns.every_days,
        set_by: caller.id().into(),
        set_at: now,
        confirmed_by: None,
        schedule: columns.schedule,
        cron: columns.cron,
        zone: columns.zone,
        window_minutes: columns.window_minutes,
        paused_until: former.and_then(|plan| plan.paused_until),
        approval_first: new.approval_first,
        hold: new.hold,
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
    store::note_due(&mut tx, secret, now).await?;
    let event = event
        .detail("schedule", new.schedule.words())
        .detail("rotator", plan.rotator.clone())
        .detail("overlap_minutes", plan.overlap_minutes)
        .detail("approval_first", plan.approval_first)
        .detail("hold", plan.hold)
        .detail("length", plan.length)
        .detail("letters", plan.alphabet.clone())
        .detail("not_again", plan.not_again)
        .private("path", located.secret.path.clone())
        .private("settings", plan.settings.clone());
    tx.commit(vec![event]).await
}

/// What a target needs beside the value lies in the same environment: a plan opens nothing across.
async fn check_helper(console: &Console, db: &mut impl Sql, located: &Located, target: &Target) -> Result<(), Error> {
    let Some((field, helper)) = target.helper() else { return Ok(()) };
    let found = catalog::store::find(db, helper, console.seal_key()).await?;
    let is_account = |row: &catalog::store::Secret| row.kind() == Kind::Database;
    let fits = found.is_some_and(|row| {
        row.environment_id == located.environment.id
            && row.archived_at.is_none()
            && row.id != located.secret.id
            && is_account(&row) != matches!(target, Target::Webhook(_))
    });
    match (fits, field) {
        (true, _) => Ok(()),
        (false, "signing") => Err(Error::invalid(field, "Choose a secret of the same environment to sign with.")),
        (false, _) => Err(Error::invalid(field, "Choose a database account of the same environment.")),
    }
}

/// Agrees where a secret's values go.
pub async fn confirm_plan(console: &Console, caller: &Caller, secret: &str) -> Result<Receipt, Error> {
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, caller, secret).await?;
    let plan = store::find_plan(&mut db, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    drop(db);
    let situation = catalog::secret_situation(&located);
    let (mut tx, event) = console.begin(caller, Action::ConfirmPlan, subject(&located, &plan.id), situation).await?;
    catalog::store::lock(&mut tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let locked = store::find_plan(&mut tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if let Err(why) = may_confirm(console, &mut tx, caller, &located, &locked).await? {
        return Err(tx.refuse(event, why).await);
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

/// May this caller, as somebody else than whoever set it?
pub async fn may_confirm(
    console: &Console,
    db: &mut impl Sql,
    caller: &Caller,
    located: &Located,
    plan: &Plan,
) -> Result<Result<(), Refusal>, Error> {
    let by = [plan.set_by.as_str()];
    let begun = Begun::at(located.environment.tier(), &located.project.id, &by, &[Role::Security]);
    people::second(console, db, caller.id(), begun).await
}

/// May a plan be carried out as it stands? Whoever names a server could name one that keeps what it is sent: where reading
/// takes a second person, so does this.
pub fn is_confirmed(console: &Console, plan: &Plan, located: &Located) -> bool {
    console.level(located.environment.tier()).seats(located.secret.class()).is_empty()
        || plan.confirmed_by.is_some()
        || plan.rotator == RotatorKind::Generated.code()
}

/// Pauses the schedule of a secret for some days: what falls into them is not missed.
pub async fn pause_rotation(
    console: &Console,
    caller: &Caller,
    secret: &str,
    days: i64,
    reason: &str,
) -> Result<Receipt, Error> {
    let (located, plan) = planned(console, caller, secret).await?;
    let situation = catalog::secret_situation(&located);
    let about = subject(&located, &plan.id);
    let (mut tx, event) = console.begin(caller, Action::PauseRotation, about, situation).await?;
    let reason = crate::vault::line(console, "reason", reason, 200).await?;
    if reason.is_empty() {
        return Err(Error::invalid("reason", "Say why: it goes into the record."));
    }
    let until = TimeDelta::try_days(days).filter(|length| *length > TimeDelta::zero() && *length <= LONGEST_PAUSE);
    let until = console.now() + until.ok_or_else(|| Error::invalid("days", "Between one and 30 days."))?;
    catalog::store::lock(&mut tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    save_pause(console, &mut tx, secret, until).await?;
    let event = event.detail("until", app::time::rfc3339(until));
    tx.commit(vec![event.private("path", located.secret.path).private("reason", reason)]).await
}

/// Ends the pause of a secret's schedule.
pub async fn resume_rotation(console: &Console, caller: &Caller, secret: &str) -> Result<Receipt, Error> {
    let (located, plan) = planned(console, caller, secret).await?;
    let situation = catalog::secret_situation(&located);
    let about = subject(&located, &plan.id);
    let (mut tx, event) = console.begin(caller, Action::ResumeRotation, about, situation).await?;
    catalog::store::lock(&mut tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let now = console.now();
    let locked = store::find_plan(&mut tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if !locked.is_paused(now) {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    // What fell into the pause until now was not missed.
    save_pause(console, &mut tx, secret, now).await?;
    tx.commit(vec![event.private("path", located.secret.path)]).await
}

/// A secret that this caller sees, and how it rotates.
async fn planned(console: &Console, caller: &Caller, secret: &str) -> Result<(Located, Plan), Error> {
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, caller, secret).await?;
    let plan = store::find_plan(&mut db, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    Ok((located, plan))
}

async fn save_pause(console: &Console, tx: &mut Tx, secret: &str, until: Moment) -> Result<(), Error> {
    let locked = store::find_plan(tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let plan = Plan { paused_until: Some(until), ..locked };
    store::save_plan(tx, &plan).await?;
    tx.seal(&plan)?;
    store::note_due(tx, secret, console.now()).await?;
    Ok(())
}

/// Sets when the secrets of an environment rotate that say nothing themselves.
pub async fn set_default(
    console: &Console,
    caller: &Caller,
    environment: &str,
    schedule: Schedule,
) -> Result<Receipt, Error> {
    let mut db = console.read().await?;
    let row =
        catalog::store::find_environment(&mut db, environment, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let now = console.now();
    timetable::check(&schedule, &console.level(row.tier()), now).map_err(|(field, why)| Error::invalid(field, why))?;
    let former = store::find_default(&mut db, environment, console.seal_key()).await?;
    drop(db);
    let id = former.map_or(console.id::<DefaultId>()?.to_string(), |row| row.id);
    let about = Subject {
        project: Some(row.project_id.clone()),
        environment: Some(row.id.clone()),
        row: Some(id.clone()),
        ..Subject::default()
    };
    let situation = catalog::environment_situation(&row);
    let (mut tx, event) = console.begin(caller, Action::SetDefault, about, situation).await?;
    let columns = Columns::from(&schedule);
    let default = store::Default {
        id,
        environment_id: environment.into(),
        schedule: columns.schedule,
        every_days: columns.every_days,
        cron: columns.cron,
        zone: columns.zone,
        window_minutes: columns.window_minutes,
        set_by: caller.id().into(),
        set_at: now,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    store::save_default(&mut tx, &default).await?;
    tx.seal(&default)?;
    store::note_all_due(&mut tx, environment, now).await?;
    tx.commit(vec![event.detail("schedule", schedule.words())]).await
}
