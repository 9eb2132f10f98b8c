//! Grants: given by approval alone, used under policy, ended by time, by revocation or by giving back.
//! States and invariants are in `app/src/grants`.
pub mod store;

pub use store::Holder;

use crate::{
    audit::{
        event::{Event, Who},
        ledger::{Receipt, Tx},
        row_seal::SealKey,
    },
    catalog,
    console::Console,
    db::Sql,
    jobs::{self, Job},
    notifications,
    people::{self, Begun, Caller},
    policies::Situation,
    requests::{self, store::Request},
    workloads,
};
use app::{
    audit::{action::Action, leaf::Subject},
    error::{Conflict, Error, Refusal},
    grants::model::State,
    id::GrantId,
    people::second::LINKED,
    policies::model::{Right, Role, Tier},
    time::Moment,
};
use chrono::TimeDelta;
use std::time::Duration;
use store::Grant;

const NOTE_ENDS: &str = "note-ends";

pub const JOBS: &[Job] = &[
    Job::due(NOTE_ENDS, "Records expired access and notifies its holders", |console| Box::pin(note_ends(console))),
    Job {
        every: Duration::from_secs(60),
        ..Job::due("remind", "Reminds people whose access expires soon", |console| Box::pin(remind(console)))
    },
];

/// The grant that lets a holder use a secret now, if there is one.
pub async fn effective(
    db: &mut impl Sql,
    holder: Holder<'_>,
    secret: &str,
    right: Right,
    now: Moment,
    key: &SealKey,
) -> Result<Option<Grant>, Error> {
    let grants = store::active_on(db, holder, secret, now, key).await?;
    Ok(grants.into_iter().find(|grant| grant.right() == right))
}

/// Why a person who holds no effective grant holds none: it begins later, is suspended, has ended, never was.
pub async fn why_none(
    db: &mut impl Sql,
    person: &str,
    secret: &str,
    right: Right,
    now: Moment,
    key: &SealKey,
) -> Result<Refusal, Error> {
    let last = store::last_on(db, person, secret, right, key).await?;
    Ok(match last.map(|grant| grant.state(now)) {
        Some(State::Scheduled) => Refusal::GrantEarly,
        Some(State::Suspended) => Refusal::GrantSuspended,
        Some(_) => Refusal::GrantEnded,
        None => Refusal::NoGrant,
    })
}

/// Does a holder hold anything in a project now?
pub async fn holds_any_in(
    db: &mut impl Sql,
    holder: Holder<'_>,
    project: &str,
    now: Moment,
    key: &SealKey,
) -> Result<bool, Error> {
    Ok(store::active_of(db, holder, now, key).await?.iter().any(|grant| grant.project_id == project))
}

fn subject(grant: &Grant) -> Subject {
    Subject {
        project: Some(grant.project_id.clone()),
        environment: Some(grant.environment_id.clone()),
        request: Some(grant.request_id.clone()),
        grant: Some(grant.id.clone()),
        person: grant.person_id.clone(),
        workload: grant.workload_id.clone(),
        ..Subject::default()
    }
}

/// Gives what a request asked for, within the change that approved it. The clock starts now, or at the start that was asked for.
pub async fn issue(console: &Console, tx: &mut Tx, request: &Request) -> Result<(Grant, Event), Error> {
    let now = console.now();
    let starts = request.starts_at.filter(|at| *at > now).unwrap_or(now);
    let grant = Grant {
        id: console.id::<GrantId>()?.to_string(),
        request_id: request.id.clone(),
        person_id: request.workload_id.is_none().then(|| request.requester_id.clone()),
        workload_id: request.workload_id.clone(),
        project_id: request.project_id.clone(),
        environment_id: request.environment_id.clone(),
        access_right: request.access_right,
        secrets: request.secrets.clone(),
        starts_at: starts,
        expires_at: starts + TimeDelta::minutes(request.minutes),
        revoked_at: None,
        revoked_by: None,
        given_back_at: None,
        suspended_at: None,
        suspended_for: None,
        end_noted_at: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    store::insert(tx, &grant).await?;
    tx.seal(&grant)?;
    if let Some(workload) = &grant.workload_id {
        workloads::widened(console, tx, workload, &grant.secrets).await?;
    }
    let event = Event::new(Action::IssueGrant)
        .on(subject(&grant))
        .detail("right", grant.access_right.code())
        .detail("minutes", request.minutes as u64)
        .detail("secrets", grant.secrets.split(' ').count() as u64);
    let event =
        if grant.starts_at > now { event.detail("starts_at", app::time::rfc3339(grant.starts_at)) } else { event };
    Ok((grant, event))
}

async fn revoke(console: &Console, tx: &mut Tx, grant: Grant, by: &str) -> Result<Event, Error> {
    let grant = Grant { revoked_at: Some(console.now()), revoked_by: Some(by.into()), ..grant };
    store::save_end(tx, &grant).await?;
    tx.seal(&grant)?;
    if let Some(holder) = &grant.person_id {
        notifications::tell(console, tx, [holder.as_str()], "grant.revoked", &grant.request_id).await?;
    }
    Ok(Event::new(Action::RevokeGrant).on(subject(&grant)))
}

/// Ends somebody's access. It fails on the next use.
pub async fn revoke_grant(console: &Console, caller: &Caller, id: &str) -> Result<(Receipt, Grant), Error> {
    let grant = store::find(&mut console.read().await?, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let (mut tx, event) = console.begin(caller, Action::RevokeGrant, subject(&grant), Situation::default()).await?;
    let grant = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if !grant.state(console.now()).is_open() {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let revoked = revoke(console, &mut tx, grant.clone(), caller.id()).await?;
    let receipt = tx.commit(vec![Event { policy: event.policy, ..revoked }]).await?;
    Ok((receipt, grant))
}

/// Ends one's own access early.
pub async fn give_back_grant(console: &Console, caller: &Caller, id: &str) -> Result<Receipt, Error> {
    let grant = store::find(&mut console.read().await?, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let own = grant.person_id.as_deref() == Some(caller.id());
    let situation = Situation { own, ..Situation::default() };
    let (mut tx, event) = console.begin(caller, Action::GiveBackGrant, subject(&grant), situation).await?;
    let grant = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if !grant.state(console.now()).is_open() {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let grant = Grant { given_back_at: Some(console.now()), ..grant };
    store::save_end(&mut tx, &grant).await?;
    tx.seal(&grant)?;
    tx.commit(vec![event]).await
}

/// Ends every grant of a holder within a change; an event for each.
pub async fn revoke_grants_of(
    console: &Console,
    tx: &mut Tx,
    holder: Holder<'_>,
    by: &str,
) -> Result<Vec<Event>, Error> {
    let grants = store::open_of(tx, holder, console.now(), console.seal_key()).await?;
    revoke_all(console, tx, grants, by).await
}

/// Ends every grant on a secret that covers nothing else; wider ones stay, the secret itself is closed.
pub async fn revoke_grants_on(console: &Console, tx: &mut Tx, secret: &str, by: &str) -> Result<Vec<Event>, Error> {
    let mut grants = store::open_for(tx, secret, console.now(), console.seal_key()).await?;
    grants.retain(|grant| grant.secrets == secret);
    revoke_all(console, tx, grants, by).await
}

async fn revoke_all(console: &Console, tx: &mut Tx, mut grants: Vec<Grant>, by: &str) -> Result<Vec<Event>, Error> {
    grants.sort_by(|a, b| a.id.cmp(&b.id));
    let mut events = Vec::new();
    for grant in grants {
        if let Some(grant) = store::lock(tx, &grant.id, console.seal_key()).await?
            && grant.state(console.now()).is_open()
        {
            events.push(revoke(console, tx, grant, by).await?);
        }
    }
    Ok(events)
}

/// Suspends a grant within a change: it opens nothing until somebody else confirms it.
pub async fn suspend(tx: &mut Tx, grant: Grant, now: Moment, why: &'static str) -> Result<Event, Error> {
    let grant = Grant { suspended_at: Some(now), suspended_for: Some(why.into()), ..grant };
    store::save_end(tx, &grant).await?;
    tx.seal(&grant)?;
    Ok(Event::new(Action::SuspendGrant).on(subject(&grant)).detail("why", why))
}

/// Suspends every grant that has not ended, within a change: for a restored database, which may be older than their ends.
pub async fn suspend_every(tx: &mut Tx, now: Moment, why: &'static str, key: &SealKey) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    for grant in store::open(tx, now, key).await? {
        if grant.suspended_at.is_none() {
            events.push(suspend(tx, grant, now, why).await?);
        }
    }
    Ok(events)
}

/// Lets a suspended grant go on, until the end that it always had. Never by its holder.
pub async fn resume_grant(console: &Console, caller: &Caller, id: &str) -> Result<(Receipt, Grant), Error> {
    let mut db = console.read().await?;
    let grant = store::find(&mut db, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let place = catalog::store::find_environment(&mut db, &grant.environment_id, console.seal_key()).await?;
    let place = place.ok_or(Error::NotFound)?;
    let mut class = None;
    for secret in grant.secrets.split(' ') {
        class = class.max(catalog::store::find(&mut db, secret, console.seal_key()).await?.map(|row| row.class()));
    }
    drop(db);
    // The highest class among what it opens.
    let situation = Situation { class, ..catalog::environment_situation(&place) };
    let (mut tx, event) = console.begin(caller, Action::ResumeGrant, subject(&grant), situation).await?;
    let grant = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if let Err(why) = may_resume(console, &mut tx, caller.id(), place.tier(), &grant).await? {
        return Err(tx.refuse(event, why).await);
    }
    if grant.state(console.now()) != State::Suspended {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let grant = Grant { suspended_at: None, suspended_for: None, ..grant };
    store::save_end(&mut tx, &grant).await?;
    tx.seal(&grant)?;
    if let Some(holder) = &grant.person_id {
        notifications::tell(console, &mut tx, [holder.as_str()], "grant.resumed", &grant.request_id).await?;
    }
    Ok((tx.commit(vec![event]).await?, grant))
}

/// May this person, by the rules that held when it was approved: somebody else than its holder and whoever asked for it, and of a
/// workload's nobody of its team, nor whoever changed its trust lately.
pub async fn may_resume(
    console: &Console,
    db: &mut impl Sql,
    person: &str,
    tier: Tier,
    grant: &Grant,
) -> Result<Result<(), Refusal>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    if let Some(workload) = &grant.workload_id {
        let Some(workload) = workloads::store::find(db, workload, key).await? else {
            return Ok(Err(Refusal::GrantEnded));
        };
        let teams = people::store::memberships(db, Some(person), now, key).await?;
        if teams.iter().any(|row| row.team_id == workload.team_id) {
            return Ok(Err(Refusal::OwnBenefit));
        }
        let changed = workloads::trust_changed_by(console, db, &workload, person).await?;
        if tier == Tier::Production && changed.is_some_and(|at| now - at < LINKED) {
            return Ok(Err(Refusal::ChangedTrust));
        }
    }
    let Some(request) = requests::store::find(db, &grant.request_id, key).await? else {
        return Ok(Err(Refusal::GrantEnded));
    };
    let by: Vec<&str> = std::iter::once(request.requester_id.as_str()).chain(grant.person_id.as_deref()).collect();
    let begun = Begun::at(tier, &grant.project_id, &by, &[Role::Lead, Role::Security]);
    people::second(console, db, person, begun).await
}

/// When people are reminded that their access ends, and the notice. Not those who got it within that time.
const REMINDERS: [(TimeDelta, &str); 2] =
    [(TimeDelta::hours(1), "grant.ends_soon"), (TimeDelta::hours(24), "grant.ends_tomorrow")];

/// Reminds people whose access expires soon: once a day before, once an hour before.
pub async fn remind(console: &Console) -> Result<usize, Error> {
    let now = console.now();
    let mut db = console.read().await?;
    let mut due = Vec::new();
    for (ahead, kind) in REMINDERS {
        let ending = store::ending(&mut db, now, now + ahead, now - ahead, kind).await?;
        due.extend(ending.into_iter().map(|(person, request)| (person, request, kind)));
    }
    drop(db);
    let count = due.len();
    if count > 0 {
        let mut tx = console.ledger.housekeeping().await?;
        for (person, request, kind) in due {
            notifications::tell(console, &mut tx, [person.as_str()], kind, &request).await?;
        }
        tx.finish().await?;
    }
    Ok(count)
}

/// Records and tells the end of grants whose time is over. They opened nothing since: expiry is computed at every use.
pub async fn note_ends(console: &Console) -> Result<usize, Error> {
    let due = store::ended_unnoted(&mut console.read().await?, console.now(), 100).await?;
    jobs::each(console, NOTE_ENDS, due, 1, |console, id| async move { note_end(&console, id).await }).await
}

async fn note_end(console: &Console, id: String) -> Result<(), Error> {
    let mut tx = console.ledger.begin(&Who::system(NOTE_ENDS)).await?;
    let grant = store::lock(&mut tx, &id, console.seal_key()).await?;
    let now = console.now();
    if store::note_end(&mut tx, &id, now).await? == 0 {
        return Ok(());
    }
    let Some(grant) = grant else {
        let subject = Subject { grant: Some(id), ..Subject::default() };
        tx.commit(vec![Event::new(Action::RejectRow).on(subject)]).await?;
        return Ok(());
    };
    if let Some(holder) = &grant.person_id {
        notifications::tell(console, &mut tx, [holder.as_str()], "grant.ended", &grant.request_id).await?;
    }
    let about = subject(&grant);
    tx.seal(&Grant { end_noted_at: Some(now), ..grant })?;
    tx.commit(vec![Event::new(Action::EndGrant).on(about)]).await?;
    Ok(())
}
