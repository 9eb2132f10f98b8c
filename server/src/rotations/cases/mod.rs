//! Cases: opened by whatever makes a rotation necessary, closed by the proof that the version they are about is dead.
//!
//! ```text
//! open ─▶ proved ◀─▶ open again, when the old credential works after all
//!   └──▶ attested · expired (by its own date) · not verified (no target to ask) · cancelled (by somebody else than whoever opened it)
//! ```
mod figures;
mod leavers;
pub mod store;

pub use figures::Seen;
pub use leavers::{open_leavers, take_up_leaver};

use self::store::Case;
use super::{engine, start_for, store as rotations, store::Rotation, subject};
use crate::{
    audit::{
        event::Event,
        ledger::{Receipt, Tx},
    },
    catalog::{self, Located},
    console::Console,
    db::Sql,
    grants, notifications,
    people::{self, Begun, Caller},
    vault, workloads,
};
use app::{
    audit::action::Action,
    catalog::model::Death,
    error::{Conflict, Error, Refusal},
    grants::model::State,
    id::CaseId,
    policies::model::Role,
    rotations::{
        cases::End,
        model::{Step, Trigger},
    },
    time::{Moment, rfc3339},
};
use chrono::TimeDelta;

/// How long ago a leak may have been detected.
const LONGEST_AGO: TimeDelta = TimeDelta::days(365);

/// What every event of a case says: enough to compute its figures from the trail alone.
fn about(console: &Console, action: Action, located: &Located, case: &Case) -> Event {
    let mut on = subject(located, &case.id);
    on.version = u32::try_from(case.version).ok();
    Event::new(action)
        .on(on)
        .detail("trigger", case.trigger_kind.code())
        .detail("began_at", rfc3339(case.began_at))
        .detail("target_hours", console.level_at(located.environment.tier(), case.began_at).dead_hours)
        .private("path", located.secret.path.clone())
}

fn fresh(console: &Console, located: &Located, trigger: Trigger, version: i32, began: Moment) -> Result<Case, Error> {
    Ok(Case {
        id: console.id::<CaseId>()?.to_string(),
        secret_id: located.secret.id.clone(),
        project_id: located.project.id.clone(),
        environment_id: located.environment.id.clone(),
        trigger_kind: trigger.into(),
        version,
        began_at: began,
        opened_by: None,
        opened_at: console.now(),
        suspect: None,
        cut_off: false,
        dead_at: None,
        outcome: String::new(),
        ended_at: None,
        contained_at: None,
        contained_by: None,
        event_seq: 0,
        row_mac: Vec::new(),
    })
}

/// Opens the case that a rotation belongs to, unless one is open for the same version.
pub(super) async fn open(
    console: &Console,
    tx: &mut Tx,
    located: &Located,
    rotation: &Rotation,
    by: Option<&str>,
    now: Moment,
) -> Result<Option<Event>, Error> {
    let began = rotation.due_at.unwrap_or(now);
    let case = Case {
        opened_by: by.map(Into::into),
        cut_off: rotation.cut_off,
        ..fresh(console, located, rotation.trigger(), rotation.from_version, began)?
    };
    open_as(console, tx, located, case).await
}

/// The same for what is due and cannot begin: it counts from then on all the same.
pub(super) async fn open_due(
    console: &Console,
    tx: &mut Tx,
    located: &Located,
    trigger: Trigger,
    version: i32,
    due: Moment,
) -> Result<Option<Event>, Error> {
    open_as(console, tx, located, fresh(console, located, trigger, version, due)?).await
}

async fn open_as(console: &Console, tx: &mut Tx, located: &Located, case: Case) -> Result<Option<Event>, Error> {
    let known = store::of_version(tx, &located.secret.id, case.version, console.seal_key()).await?;
    if known.iter().any(|case| case.ended_at.is_none()) {
        return Ok(None);
    }
    store::insert(tx, &case).await?;
    tx.seal(&case)?;
    Ok(Some(about(console, Action::OpenCase, located, &case)))
}

/// Does a leak, or somebody who left, want this version dead?
pub(super) async fn is_urgent(console: &Console, db: &mut impl Sql, secret: &str, version: i32) -> Result<bool, Error> {
    let cases = store::of_version(db, secret, version, console.seal_key()).await?;
    Ok(cases.iter().any(|case| case.ended_at.is_none() && case.is_urgent()))
}

/// Ends the open cases of a version: what became of it is known. The secret is locked.
pub(super) async fn end(
    console: &Console,
    tx: &mut Tx,
    located: &Located,
    version: i32,
    end: End,
    now: Moment,
) -> Result<Vec<Event>, Error> {
    let death = match end {
        End::Proved => Some(Death::Proved),
        End::Attested => Some(Death::Attested),
        End::Expired => Some(Death::Expired),
        End::Unverified | End::Cancelled => None,
    };
    if let Some(death) = death {
        vault::store::note_death(tx, &located.secret.id, version, Some((now, death))).await?;
    }
    let mut events = Vec::new();
    for case in store::of_version(tx, &located.secret.id, version, console.seal_key()).await? {
        // What leaked, or is known to a leaver, is not over because nobody can be asked about it.
        let over = end != End::Unverified || !case.is_urgent();
        if case.ended_at.is_none() && over {
            // What ended by its date may have done so before the case began.
            let at = now.max(case.began_at);
            events.push(finish(console, tx, located, case, end, at).await?);
        }
    }
    Ok(events)
}

async fn finish(
    console: &Console,
    tx: &mut Tx,
    located: &Located,
    case: Case,
    end: End,
    now: Moment,
) -> Result<Event, Error> {
    let case =
        Case { dead_at: (end == End::Proved).then_some(now), outcome: end.code().into(), ended_at: Some(now), ..case };
    store::save(tx, &case).await?;
    tx.seal(&case)?;
    let action = if end == End::Cancelled { Action::CancelCase } else { Action::CloseCase };
    Ok(about(console, action, located, &case).detail("outcome", end.code()).detail("ended_at", rfc3339(now)))
}

/// The old credential works after all: what counted as proved is open again, and so is every older version whose proof was the
/// same answers.
pub(super) async fn reopen(
    console: &Console,
    tx: &mut Tx,
    located: &Located,
    rotation: &Rotation,
) -> Result<Vec<Event>, Error> {
    vault::store::doubt_death(tx, &located.secret.id, rotation.from_version, console.now()).await?;
    let mut events = Vec::new();
    for case in store::of_secret(tx, &located.secret.id, console.seal_key()).await? {
        let of_this = case.version == rotation.from_version;
        let beside = case.version < rotation.from_version && case.dead_at == rotation.dead_at;
        if case.end() == Some(End::Proved) && (of_this || beside) {
            vault::store::doubt_death(tx, &located.secret.id, case.version, console.now()).await?;
            let case = Case { dead_at: None, outcome: String::new(), ended_at: None, ..case };
            store::save(tx, &case).await?;
            tx.seal(&case)?;
            events.push(about(console, Action::ReopenCase, located, &case));
        }
    }
    Ok(events)
}

/// A rotation ended without a new value. Its case ends with it where somebody's wish was the only reason; what was due, is too old,
/// leaked or known to a leaver still has to be rotated.
pub(super) async fn given_up(
    console: &Console,
    tx: &mut Tx,
    located: &Located,
    rotation: &Rotation,
    now: Moment,
) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    for case in store::of_version(tx, &located.secret.id, rotation.from_version, console.seal_key()).await? {
        if case.ended_at.is_none() && case.trigger() == Trigger::Manual {
            events.push(finish(console, tx, located, case, End::Cancelled, now).await?);
        }
    }
    Ok(events)
}

/// A case that this caller may look at.
pub async fn visible_case(console: &Console, caller: &Caller, id: &str) -> Result<(Case, Located), Error> {
    let mut db = console.read().await?;
    let id: CaseId = id.parse().map_err(|_| Error::NotFound)?;
    let case = store::find(&mut db, id.as_str(), console.seal_key()).await?.ok_or(Error::NotFound)?;
    let located = Located::visible(console, &mut db, caller, &case.secret_id).await?;
    Ok((case, located))
}

/// A report that a value got out.
#[derive(Clone, Debug)]
pub struct Leak<'a> {
    /// The version that got out: the present one, where nothing else is known.
    pub version: i32,
    pub detected_at: Moment,
    pub what: &'a str,
    /// The person or workload that it is about, if one is suspected.
    pub suspect: Option<&'a str>,
}

/// Says that a value got out: opens a case from when it was detected, and tells leads and security.
pub async fn report_leak(
    console: &Console,
    caller: &Caller,
    secret: &str,
    leak: Leak<'_>,
) -> Result<(String, Receipt), Error> {
    let what = vault::prose(console, "what", leak.what, 2000).await?;
    if what.is_empty() {
        return Err(Error::invalid("what", "Say what happened: whoever contains it starts from here."));
    }
    let now = console.now();
    if leak.detected_at > now || leak.detected_at < now - LONGEST_AGO {
        return Err(Error::invalid("detected", "A time that is past, and within a year."));
    }
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, caller, secret).await?;
    let version = vault::store::find(&mut db, secret, leak.version).await?;
    let version = version.ok_or_else(|| Error::invalid("version", "There is no such version."))?;
    let ended = match version.death() {
        Some(Death::Proved) => Some("This value was shown to be dead: it opens nothing any more."),
        Some(Death::Expired) => Some("This value ended by its own date: it opens nothing any more."),
        _ => None,
    };
    if let Some(why) = ended {
        return Err(Error::invalid("version", why));
    }
    if let Some(suspect) = leak.suspect {
        let key = console.seal_key();
        let known = people::store::find(&mut db, suspect, key).await?.is_some()
            || workloads::store::find(&mut db, suspect, key).await?.is_some();
        if !known {
            return Err(Error::invalid("suspect", "Choose a person or workload, or nobody."));
        }
    }
    drop(db);
    let case = Case {
        opened_by: Some(caller.id().into()),
        suspect: leak.suspect.map(Into::into),
        ..fresh(console, &located, Trigger::Incident, leak.version, leak.detected_at)?
    };
    let situation = catalog::secret_situation(&located);
    let (mut tx, event) = console.begin(caller, Action::ReportLeak, subject(&located, &case.id), situation).await?;
    catalog::store::lock(&mut tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let known = store::of_version(&mut tx, secret, leak.version, console.seal_key()).await?;
    if known.iter().any(|case| case.ended_at.is_none() && case.trigger() == Trigger::Incident) {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    // A word that it is dead is not enough once it got out. What was withdrawn stays withdrawn.
    if version.death() != Some(Death::Withdrawn) {
        vault::store::doubt_death(&mut tx, secret, leak.version, now).await?;
    }
    store::insert(&mut tx, &case).await?;
    tx.seal(&case)?;
    let mut told = catalog::leads(console, &mut tx, &located.project.id).await?;
    told.extend(people::security(console, &mut tx).await?);
    told.sort_unstable();
    told.dedup();
    told.retain(|id| id != caller.id());
    notifications::tell(console, &mut tx, told.iter().map(String::as_str), "case.leak", &case.id).await?;
    let opened = about(console, Action::OpenCase, &located, &case);
    let event = event.private("path", located.secret.path.clone()).private("what", what);
    Ok((case.id, tx.commit(vec![event, opened]).await?))
}

/// Whose access to the secret is suspended before a new value is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspend {
    Suspect,
    Everybody,
    Nobody,
}

impl Suspend {
    pub fn code(self) -> &'static str {
        match self {
            Self::Suspect => "suspect",
            Self::Everybody => "everybody",
            Self::Nobody => "nobody",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Suspect, Self::Everybody, Self::Nobody].into_iter().find(|known| known.code() == code)
    }
}

/// Contains a leak: suspends access first, then rotates, with *cut off now* or with no downtime. Returns the rotation, if
/// the secret has a plan that can be carried out.
pub async fn contain_case(
    console: &Console,
    caller: &Caller,
    id: &str,
    suspend: Suspend,
    cut_off: bool,
) -> Result<(Option<String>, Receipt), Error> {
    let (case, located) = visible_case(console, caller, id).await?;
    let situation = catalog::secret_situation(&located);
    let (mut tx, event) = console.begin(caller, Action::ContainCase, subject(&located, id), situation).await?;
    let key = console.seal_key();
    let secret = catalog::store::lock(&mut tx, &case.secret_id, key).await?.ok_or(Error::NotFound)?;
    let locked = store::lock(&mut tx, id, key).await?.ok_or(Error::NotFound)?;
    if locked.ended_at.is_some() {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let now = console.now();
    let mut suspended = Vec::new();
    for grant in grants::store::open_for(&mut tx, &case.secret_id, now, key).await? {
        // It may have been revoked since it was read.
        let locked_grant = grants::store::lock(&mut tx, &grant.id, key).await?;
        let Some(grant) = locked_grant.filter(|grant| matches!(grant.state(now), State::Scheduled | State::Active))
        else {
            continue;
        };
        let holder = grant.person_id.as_deref().or(grant.workload_id.as_deref());
        let meant = match suspend {
            Suspend::Suspect => holder.is_some() && holder == locked.suspect.as_deref(),
            Suspend::Everybody => true,
            Suspend::Nobody => false,
        };
        if meant {
            suspended.push(grants::suspend(&mut tx, grant, now, "leak").await?);
        }
    }
    let row = Case { cut_off, contained_at: Some(now), contained_by: Some(caller.id().into()), ..locked };
    store::save(&mut tx, &row).await?;
    tx.seal(&row)?;
    let mut events = vec![
        event
            .detail("choice", if cut_off { "cut off now" } else { "no downtime" })
            .detail("suspended", suspended.len() as u64)
            .detail("suspend", suspend.code())
            .private("path", located.secret.path.clone()),
    ];
    events.append(&mut suspended);
    let running = hasten_open(console, &mut tx, &located, &row, &mut events).await?;
    // Where it cannot begin at once it begins by itself, when what stands in the way has ended.
    rotations::note_due(&mut tx, &case.secret_id, now).await?;
    let receipt = tx.commit(events).await?;
    if running.is_some() || secret.current_version != Some(case.version) {
        return Ok((running, receipt));
    }
    match start_for(console, caller, &case.secret_id, case.trigger(), cut_off).await {
        Ok((rotation, _)) => Ok((Some(rotation), receipt)),
        // Without a plan a person changes it: the case stays open until the old value is shown to be dead.
        Err(Error::Invalid(_) | Error::Refused(_) | Error::Conflict(_)) => Ok((None, receipt)),
        Err(error) => Err(error),
    }
}

/// A rotation of the case's version that is under way is hastened, not begun twice; which one. The secret and the case are locked.
async fn hasten_open(
    console: &Console,
    tx: &mut Tx,
    located: &Located,
    case: &Case,
    events: &mut Vec<Event>,
) -> Result<Option<String>, Error> {
    let key = console.seal_key();
    let open = rotations::open_of(tx, &case.secret_id, key).await?;
    let open = open.filter(|rotation| rotation.from_version == case.version && !rotation.only_looks());
    let Some(open) = open else { return Ok(None) };
    let rotation = rotations::lock(tx, &open.id, key).await?.ok_or(Error::NotFound)?;
    // What leaked, or is known to a leaver, waits for nobody's approval.
    let waits = case.is_urgent() && rotation.step() == Step::Waiting;
    if waits || (case.cut_off && !rotation.cut_off && rotation.step().can_be_hastened()) {
        let action = if case.cut_off { Action::CutOff } else { Action::ApproveRotation };
        events.push(Event::new(action).on(subject(located, &open.id)).private("path", located.secret.path.clone()));
        engine::hasten(tx, rotation, case.cut_off, console.now()).await?;
    }
    Ok(Some(open.id))
}

/// The case that was contained and whose value was not rotated since: a leaked value, or one that a leaver knows.
pub(super) async fn contained(
    console: &Console,
    db: &mut impl Sql,
    secret: &str,
    version: i32,
) -> Result<Option<Case>, Error> {
    let key = console.seal_key();
    let cases = store::of_version(db, secret, version, key).await?;
    let is_urgent = |case: &Case| case.is_urgent() && case.ended_at.is_none() && case.contained_at.is_some();
    let mut waiting = cases.into_iter().filter(is_urgent).peekable();
    if waiting.peek().is_none() {
        return Ok(None);
    }
    let begun = rotations::of_secret(db, secret, 50, key).await?;
    let was_tried = |case: &Case| {
        let tried = |row: &Rotation| row.from_version == version && row.step() != Step::Cancelled;
        begun.iter().any(|row| tried(row) && case.contained_at.is_some_and(|at| row.started_at >= at))
    };
    Ok(waiting.find(|case| !was_tried(case)))
}

/// Moves the beginning of a case to an earlier time: when it really was detected, or somebody really left.
pub async fn move_case(
    console: &Console,
    caller: &Caller,
    id: &str,
    began: Moment,
    reason: &str,
) -> Result<Receipt, Error> {
    let reason = vault::prose(console, "reason", reason, 1000).await?;
    if reason.is_empty() {
        return Err(Error::invalid("reason", "Say how you know: it goes into the record."));
    }
    let (_, located) = visible_case(console, caller, id).await?;
    let situation = catalog::secret_situation(&located);
    let (mut tx, event) = console.begin(caller, Action::MoveCase, subject(&located, id), situation).await?;
    catalog::store::lock(&mut tx, &located.secret.id, console.seal_key()).await?;
    let locked = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if began >= locked.began_at || began < locked.began_at - LONGEST_AGO {
        return Err(Error::invalid("began", "A case may only begin earlier than it says, and within a year."));
    }
    let from = locked.began_at;
    let case = Case { began_at: began, ..locked };
    store::save(&mut tx, &case).await?;
    tx.seal(&case)?;
    let event = event
        .detail("trigger", case.trigger_kind.code())
        .detail("from", rfc3339(from))
        .detail("began_at", rfc3339(began))
        .private("reason", reason);
    tx.commit(vec![event]).await
}

/// May this person give it up, as somebody else than whoever opened it and whoever is suspected?
pub async fn may_cancel(
    console: &Console,
    db: &mut impl Sql,
    person: &str,
    located: &Located,
    case: &Case,
) -> Result<Result<(), Refusal>, Error> {
    // What the service opened was taken up by whoever contained it.
    let opened_by = case.opened_by.as_deref().or(case.contained_by.as_deref());
    let by: Vec<&str> = opened_by.into_iter().chain(case.suspect.as_deref()).collect();
    let begun = Begun::at(located.environment.tier(), &located.project.id, &by, &[Role::Security]);
    people::second(console, db, person, begun).await
}

/// Gives a case up, with a reason. Never by whoever opened it; it stays counted.
pub async fn cancel_case(console: &Console, caller: &Caller, id: &str, reason: &str) -> Result<Receipt, Error> {
    let reason = vault::prose(console, "reason", reason, 1000).await?;
    if reason.is_empty() {
        return Err(Error::invalid("reason", "Say why nothing has to be rotated: it goes into the record."));
    }
    let (_, located) = visible_case(console, caller, id).await?;
    let situation = catalog::secret_situation(&located);
    let (mut tx, event) = console.begin(caller, Action::CancelCase, subject(&located, id), situation).await?;
    catalog::store::lock(&mut tx, &located.secret.id, console.seal_key()).await?;
    let locked = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if let Err(why) = may_cancel(console, &mut tx, caller.id(), &located, &locked).await? {
        return Err(tx.refuse(event, why).await);
    }
    if locked.ended_at.is_some() {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let now = console.now();
    let (began, trigger) = (locked.began_at, locked.trigger_kind);
    finish(console, &mut tx, &located, locked, End::Cancelled, now).await?;
    let event = event
        .detail("trigger", trigger.code())
        .detail("began_at", rfc3339(began))
        .detail("outcome", End::Cancelled.code())
        .detail("ended_at", rfc3339(now))
        .private("reason", reason);
    tx.commit(vec![event]).await
}

/// May this person say that a version is dead? Nobody clears themself.
pub async fn may_attest(
    console: &Console,
    db: &mut impl Sql,
    person: &str,
    secret: &str,
    version: i32,
) -> Result<Result<(), Refusal>, Error> {
    let cases = store::of_version(db, secret, version, console.seal_key()).await?;
    let own = cases.iter().any(|case| case.ended_at.is_none() && case.suspect.as_deref() == Some(person));
    Ok(if own { Err(Refusal::OwnChange) } else { Ok(()) })
}

/// Says by name that the value of a version is dead: for what no rotation proves. Never of the present one.
pub async fn attest_death(
    console: &Console,
    caller: &Caller,
    secret: &str,
    version: i32,
    reason: &str,
) -> Result<Receipt, Error> {
    let reason = vault::prose(console, "reason", reason, 1000).await?;
    if reason.is_empty() {
        return Err(Error::invalid("reason", "Say what you saw: it goes into the record."));
    }
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, caller, secret).await?;
    drop(db);
    let mut on = located.subject();
    on.version = u32::try_from(version).ok();
    let situation = catalog::secret_situation(&located);
    let (mut tx, event) = console.begin(caller, Action::AttestDeath, on, situation).await?;
    let locked = catalog::store::lock(&mut tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if let Err(why) = may_attest(console, &mut tx, caller.id(), secret, version).await? {
        return Err(tx.refuse(event, why).await);
    }
    let row = vault::store::find(&mut tx, secret, version).await?.ok_or(Error::NotFound)?;
    if locked.current_version == Some(version) {
        return Err(Error::invalid("reason", "This is the value in use: rotate it first."));
    }
    let open = rotations::open_of(&mut tx, secret, console.seal_key()).await?;
    if open.is_some_and(|rotation| rotation.from_version == version || rotation.to_version == Some(version)) {
        return Err(Error::Conflict(Conflict::RotationOpen));
    }
    if matches!(row.death(), Some(Death::Proved | Death::Attested | Death::Expired)) {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let mut events = vec![event.private("path", located.secret.path.clone()).private("reason", reason)];
    events.extend(end(console, &mut tx, &located, version, End::Attested, console.now()).await?);
    tx.commit(events).await
}
