//! What people do with rotations: begin, agree, cancel, decide how a stopped one goes on.
use super::{
    cases, engine, is_confirmed, proof, store,
    store::{Plan, Rotation},
    subject,
};
use crate::{
    audit::{
        event::Event,
        ledger::{Receipt, Tx},
    },
    catalog::{self, Located, store::Secret},
    console::Console,
    db::Sql,
    people::{self, Begun, Caller},
};
use app::{
    audit::action::Action,
    error::{Conflict, Error, Refusal},
    id::RotationId,
    policies::model::Role,
    rotations::{
        cases::End,
        machine::Happened,
        model::{Choice, Grade, Step, Trigger, choices},
    },
};

/// Begins a rotation now. The engine takes it from there.
pub async fn start_rotation(console: &Console, caller: &Caller, secret: &str) -> Result<(String, Receipt), Error> {
    start_for(console, caller, secret, Trigger::Manual, false).await
}

/// Begins a rotation for a reason; with `cut_off` the old value is disabled as soon as the new one works.
pub async fn start_for(
    console: &Console,
    caller: &Caller,
    secret: &str,
    trigger: Trigger,
    cut_off: bool,
) -> Result<(String, Receipt), Error> {
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, caller, secret).await?;
    let plan = store::find_plan(&mut db, secret, console.seal_key()).await?;
    drop(db);
    let id = console.id::<RotationId>()?.to_string();
    let situation = catalog::secret_situation(&located);
    let (mut tx, event) = console.begin(caller, Action::StartRotation, subject(&located, &id), situation).await?;
    let locked = catalog::store::lock(&mut tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let plan = plan.ok_or_else(|| Error::invalid("plan", "Set first how this secret rotates."))?;
    if !is_confirmed(console, &plan, &located) {
        return Err(tx.refuse(event, Refusal::PlanUnconfirmed).await);
    }
    if locked.archived_at.is_some() {
        return Err(Error::Conflict(Conflict::Archived));
    }
    let Some(from) = locked.current_version else {
        return Err(tx.refuse(event, Refusal::NoSuchVersion).await);
    };
    let now = console.now();
    let made_way = make_way(console, &mut tx, &located, now).await?;
    let row =
        Rotation { started_by: Some(caller.id().into()), cut_off, ..begun(&id, &located, &plan, from, trigger, now) };
    if store::insert(&mut tx, &row).await? == 0 {
        return Err(Error::Conflict(Conflict::RotationOpen));
    }
    tx.seal(&row)?;
    let mut events = vec![started(event, &row, &plan, &located)];
    events.extend(made_way);
    events.extend(cases::open(console, &mut tx, &located, &row, Some(caller.id()), now).await?);
    Ok((id, tx.commit(events).await?))
}

/// Has somebody else to agree before it begins? Never where a leak or a leaver is the reason.
fn waits(plan: &Plan, trigger: Trigger) -> bool {
    plan.approval_first && !matches!(trigger, Trigger::Incident | Trigger::Leaver)
}

/// A rotation whose old value was shown to be dead only waits to look again: a new one takes over from it, so that what leaks
/// within that day is not kept waiting. Within a change; the secret is locked.
pub(super) async fn make_way(
    console: &Console,
    tx: &mut Tx,
    located: &Located,
    now: app::time::Moment,
) -> Result<Option<Event>, Error> {
    let key = console.seal_key();
    let open = store::open_of(tx, &located.secret.id, key).await?.filter(Rotation::only_looks);
    let Some(open) = open else { return Ok(None) };
    let locked = store::lock(tx, &open.id, key).await?.filter(|locked| locked.event_seq == open.event_seq);
    let row = locked.ok_or(Error::Conflict(Conflict::EditedMeanwhile))?;
    let row = match row.step() {
        Step::NeedsPerson => row.after(Happened::Decided(Choice::Retry), now)?,
        _ => row,
    };
    let row = row.after(Happened::LookedEnough, now)?;
    store::save(tx, &row).await?;
    tx.seal(&row)?;
    let event = Event::new(Action::CloseRotation)
        .on(subject(located, &row.id))
        .detail("grade", row.grade.unwrap_or_default())
        .detail("looks", row.repeats + 1)
        .detail("why", "a newer rotation began")
        .private("path", located.secret.path.clone());
    Ok(Some(event))
}

/// A rotation at its beginning.
pub(super) fn begun(
    id: &str,
    located: &Located,
    plan: &Plan,
    from: i32,
    trigger: Trigger,
    now: app::time::Moment,
) -> Rotation {
    let step = if waits(plan, trigger) { Step::Waiting } else { Step::Queued };
    Rotation {
        id: id.into(),
        secret_id: located.secret.id.clone(),
        project_id: located.project.id.clone(),
        environment_id: located.environment.id.clone(),
        trigger_kind: trigger.into(),
        started_by: None,
        started_at: now,
        step: step.into(),
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
        due_at: None,
        cut_off: false,
        made_at: None,
        sent_at: None,
        failures: 0,
        over_version: None,
        sessions_left: 0,
        sessions_accepted: None,
        event_seq: 0,
        row_mac: Vec::new(),
    }
}

/// What the event of a beginning says.
pub(super) fn started(event: Event, row: &Rotation, plan: &Plan, located: &Located) -> Event {
    event
        .detail("trigger", row.trigger_kind.code())
        .detail("rotator", plan.rotator.clone())
        .detail("from_version", row.from_version)
        .detail("cut_off", row.cut_off)
        .detail("waits_for_approval", row.step() == Step::Waiting)
        .private("path", located.secret.path.clone())
}

/// A rotation that this caller may look at.
pub async fn visible_rotation(console: &Console, caller: &Caller, id: &str) -> Result<(Rotation, Located), Error> {
    let mut db = console.read().await?;
    let id: RotationId = id.parse().map_err(|_| Error::NotFound)?;
    let rotation = store::find(&mut db, id.as_str(), console.seal_key()).await?.ok_or(Error::NotFound)?;
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
    let comment = crate::vault::prose(console, "comment", comment, 1000).await?;
    if comment.is_empty() && choice != Choice::Retry {
        return Err(Error::invalid("comment", "Say what you saw: it goes into the record."));
    }
    let (rotation, located) = visible_rotation(console, caller, id).await?;
    let stopped = rotation.stopped().filter(|_| rotation.step() == Step::NeedsPerson);
    let stopped = stopped.ok_or(Error::Conflict(Conflict::AlreadyDone))?;
    let fits = choice != Choice::Accept || rotation.sessions_left > 0;
    if !choices(stopped).contains(&choice) || !fits {
        return Err(Error::invalid("choice", "This cannot be chosen here."));
    }
    let situation = catalog::secret_situation(&located);
    let (who, principal) = (&caller.who, caller.principal(Some(&located.project.id)));
    console.permit(who, &principal, Action::ResolveRotation, subject(&located, id), situation).await?;
    // Once it was sent the target may have the new value: what is handed out has to work there before that is set aside.
    let kept = located.secret.current_version.unwrap_or(rotation.from_version);
    let sent = rotation.was_sent() && stopped != Step::RollingBack;
    if choice == Choice::KeepOld
        && sent
        && let Err(why) = proof::takes(console, &rotation, kept).await?
    {
        return Err(Error::invalid("choice", why));
    }
    let (mut tx, event) = console.begin(caller, Action::ResolveRotation, subject(&located, id), situation).await?;
    let secret = catalog::store::lock(&mut tx, &rotation.secret_id, console.seal_key()).await?;
    let locked = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let in_use = secret.as_ref().and_then(|secret| secret.current_version);
    if locked.event_seq != rotation.event_seq || in_use != located.secret.current_version {
        return Err(Error::Conflict(Conflict::EditedMeanwhile));
    }
    if matches!(choice, Choice::Attest | Choice::Accept | Choice::KeepOld)
        && let Err(why) =
            cases::may_attest(console, &mut tx, caller.id(), &rotation.secret_id, rotation.from_version).await?
    {
        return Err(tx.refuse(event, why).await);
    }
    let now = console.now();
    let was_proved = locked.dead_at.is_some();
    let attested = (choice == Choice::Attest && !was_proved).then(|| Grade::Attested.code().to_owned());
    let in_the_middle = in_use.filter(|version| *version != locked.from_version && locked.promoted_at.is_none());
    let row = Rotation {
        grade: attested.or(locked.grade.clone()),
        over_version: if choice == Choice::KeepNew { in_the_middle } else { locked.over_version },
        sessions_accepted: if choice == Choice::Accept { Some(locked.sessions_left) } else { locked.sessions_accepted },
        ..locked.after(Happened::Decided(choice), now)?
    };
    if row.step() == Step::RolledBack && in_use != row.to_version {
        engine::set_aside(&mut tx, &row, now).await?;
    }
    store::save(&mut tx, &row).await?;
    tx.seal(&row)?;
    let event = event.detail("choice", choice.code()).detail("stopped", stopped.code()).private("comment", comment);
    let mut events = vec![match choice {
        // The target was asked about it: what was opened for that is in the event.
        Choice::KeepOld if sent => event.detail("opened_version", kept),
        Choice::KeepNew => match row.over_version {
            Some(over) => event.detail("over_version", over),
            None => event,
        },
        Choice::Accept => event.detail("sessions", row.sessions_left),
        _ => event,
    }];
    match choice {
        Choice::KeepOld => events.extend(cases::given_up(console, &mut tx, &located, &row, now).await?),
        Choice::Attest if !was_proved => {
            events.extend(cases::end(console, &mut tx, &located, row.from_version, End::Attested, now).await?);
        }
        Choice::Retry | Choice::KeepNew | Choice::Disable | Choice::Accept | Choice::Attest => {}
    }
    tx.commit(events).await
}

/// Agrees that a rotation begins. Never by whoever started it.
pub async fn approve_rotation(console: &Console, caller: &Caller, id: &str) -> Result<Receipt, Error> {
    let (rotation, located) = visible_rotation(console, caller, id).await?;
    let situation = catalog::secret_situation(&located);
    let (mut tx, event) = console.begin(caller, Action::ApproveRotation, subject(&located, id), situation).await?;
    let locked = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if let Err(why) = may_approve(console, &mut tx, caller, &located, &locked).await? {
        return Err(tx.refuse(event, why).await);
    }
    if locked.step() != Step::Waiting || locked.event_seq != rotation.event_seq {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    if let (Some(due), Trigger::Scheduled) = (locked.due_at, locked.trigger())
        && let Some(plan) = store::find_plan(&mut tx, &locked.secret_id, console.seal_key()).await?
        && super::is_over(console, &mut tx, &plan, &located, due).await?
    {
        return Err(Error::Conflict(Conflict::WindowOver));
    }
    let row = locked.after(Happened::Agreed, console.now())?;
    store::save(&mut tx, &row).await?;
    tx.seal(&row)?;
    tx.commit(vec![event.private("path", located.secret.path)]).await
}

/// May this caller, as somebody else than whoever started it?
pub async fn may_approve(
    console: &Console,
    db: &mut impl Sql,
    caller: &Caller,
    located: &Located,
    rotation: &Rotation,
) -> Result<Result<(), Refusal>, Error> {
    // What the service began was begun by whoever set the plan.
    let plan = store::find_plan(db, &rotation.secret_id, console.seal_key()).await?;
    let set_by = plan.as_ref().map(|plan| plan.set_by.as_str()).filter(|_| rotation.started_by.is_none());
    let by: Vec<&str> = rotation.started_by.as_deref().into_iter().chain(set_by).collect();
    let begun = Begun::at(located.environment.tier(), &located.project.id, &by, &[Role::Lead, Role::Security]);
    people::second(console, db, caller.id(), begun).await
}

/// Ends a rotation that has not begun at its target.
pub async fn cancel_rotation(console: &Console, caller: &Caller, id: &str, reason: &str) -> Result<Receipt, Error> {
    let reason = crate::vault::prose(console, "comment", reason, 1000).await?;
    if reason.is_empty() {
        return Err(Error::invalid("comment", "Say why: it goes into the record."));
    }
    let (rotation, located) = visible_rotation(console, caller, id).await?;
    let situation = catalog::secret_situation(&located);
    let (mut tx, event) = console.begin(caller, Action::CancelRotation, subject(&located, id), situation).await?;
    catalog::store::lock(&mut tx, &rotation.secret_id, console.seal_key()).await?;
    let locked = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if locked.event_seq != rotation.event_seq || !matches!(locked.step(), Step::Waiting | Step::Queued) {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    // What leaked, or is known to a leaver, is given up with its case alone, which takes somebody else.
    if cases::is_urgent(console, &mut tx, &rotation.secret_id, rotation.from_version).await? {
        return Err(Error::invalid("comment", "A leak or a leaver is the reason: its case has to be given up first."));
    }
    let now = console.now();
    let row = locked.after(Happened::GivenUp, now)?;
    store::save(&mut tx, &row).await?;
    tx.seal(&row)?;
    let mut events = vec![event.private("comment", reason)];
    events.extend(cases::given_up(console, &mut tx, &located, &row, now).await?);
    tx.commit(events).await
}

/// Ends the overlap of a rotation now, whoever still uses the old value.
pub async fn cut_off(console: &Console, caller: &Caller, id: &str) -> Result<Receipt, Error> {
    let (rotation, located) = visible_rotation(console, caller, id).await?;
    let situation = catalog::secret_situation(&located);
    let (mut tx, event) = console.begin(caller, Action::CutOff, subject(&located, id), situation).await?;
    catalog::store::lock(&mut tx, &rotation.secret_id, console.seal_key()).await?;
    let locked = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if locked.cut_off || !locked.step().can_be_hastened() {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    engine::hasten(&mut tx, locked, true, console.now()).await?;
    tx.commit(vec![event.private("path", located.secret.path)]).await
}

/// Asks the target whether a rotation would work now. Nothing is changed; what was opened for it is in the event.
pub async fn check_rotation(
    console: &Console,
    caller: &Caller,
    secret: &str,
) -> Result<(Result<String, String>, String, Receipt), Error> {
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, caller, secret).await?;
    let plan = store::find_plan(&mut db, secret, console.seal_key()).await?;
    drop(db);
    let plan = plan.ok_or_else(|| Error::invalid("plan", "Set first how this secret rotates."))?;
    let situation = catalog::secret_situation(&located);
    let (who, principal) = (&caller.who, caller.principal(Some(&located.project.id)));
    console.permit(who, &principal, Action::CheckRotation, located.subject(), situation).await?;
    let works = match located.secret.current_version {
        Some(from) => {
            let id = console.id::<RotationId>()?.to_string();
            let rotation = begun(&id, &located, &plan, from, Trigger::Manual, console.now());
            match engine::load(console, rotation).await? {
                Ok(work) => work.preflight().await,
                Err(why) => Err(why),
            }
        }
        None => Err("there is no value".into()),
    };
    let (tx, event) = console.begin(caller, Action::CheckRotation, subject(&located, &plan.id), situation).await?;
    let said = match &works {
        Ok(said) | Err(said) => said.clone(),
    };
    let event = event
        .detail("works", works.is_ok())
        .detail("said", said)
        .detail("opened_version", located.secret.current_version.unwrap_or(0))
        .private("path", located.secret.path.clone());
    let receipt = tx.commit(vec![event]).await?;
    Ok((works, located.secret.path, receipt))
}

/// Goes back to the old value while both work: it is handed out again at once, and the new one withdrawn. Every endpoint has to
/// take the old one still.
pub async fn roll_back(console: &Console, caller: &Caller, id: &str, reason: &str) -> Result<Receipt, Error> {
    let reason = crate::vault::prose(console, "reason", reason, 1000).await?;
    if reason.is_empty() {
        return Err(Error::invalid("reason", "Say why: it goes into the record."));
    }
    let (rotation, located) = visible_rotation(console, caller, id).await?;
    let overlaps = rotation.step() == Step::Overlap
        || (rotation.step(), rotation.stopped()) == (Step::NeedsPerson, Some(Step::Overlap));
    if !overlaps {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let situation = catalog::secret_situation(&located);
    let (who, principal) = (&caller.who, caller.principal(Some(&located.project.id)));
    console.permit(who, &principal, Action::RollBack, subject(&located, id), situation).await?;
    if let Err(why) = proof::takes(console, &rotation, rotation.from_version).await? {
        return Err(Error::invalid("reason", why));
    }
    let (mut tx, event) = console.begin(caller, Action::RollBack, subject(&located, id), situation).await?;
    let secret =
        catalog::store::lock(&mut tx, &rotation.secret_id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let locked = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if locked.event_seq != rotation.event_seq || secret.current_version != locked.to_version {
        return Err(Error::Conflict(Conflict::EditedMeanwhile));
    }
    // Whoever is suspected of having leaked a value does not bring it back.
    if let Err(why) = cases::may_attest(console, &mut tx, caller.id(), &secret.id, locked.from_version).await? {
        return Err(tx.refuse(event, why).await);
    }
    let secret = Secret { current_version: Some(locked.from_version), ..secret };
    catalog::store::save(&mut tx, &secret).await?;
    tx.seal(&secret)?;
    let row = locked.after(Happened::WentBack, console.now())?;
    store::save(&mut tx, &row).await?;
    store::release_any(&mut tx, id).await?;
    // What is handed out again may have leaked meanwhile.
    store::note_due(&mut tx, &secret.id, console.now()).await?;
    tx.seal(&row)?;
    let opened = format!("{} v{}, {} v{}", secret.id, row.from_version, secret.id, row.to_version.unwrap_or_default());
    let event = event
        .detail("version", row.from_version)
        .detail("opened", opened)
        .private("path", secret.path)
        .private("reason", reason);
    tx.commit(vec![event]).await
}
