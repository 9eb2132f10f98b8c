//! Requests: submitted, decided seat by seat, ended. States and invariants are in `app/src/requests`.
mod decide;
mod pieces;
pub mod store;
mod submit;

pub use decide::*;
pub use submit::*;

use crate::{
    audit::{
        event::{Event, Who},
        ledger::{Receipt, Tx},
    },
    catalog::Located,
    console::Console,
    db::Sql,
    jobs::{self, Job},
    notifications,
    people::{
        self, Caller,
        delegation::{self, store::Delegation},
        roles_here,
        store::{Person, RoleRow},
    },
    policies::Situation,
    workloads,
};
use app::{
    audit::{action::Action, leaf::Subject},
    error::{Error, Refusal},
    policies::model::Role,
    requests::model::{Outcome, Seat, Shown, State, may_sit},
    time::Moment,
};
use std::collections::BTreeSet;
use store::{Decision, Request};

const EXPIRE: &str = "expire-requests";

pub const JOBS: &[Job] =
    &[Job::due(EXPIRE, "Expires requests that nobody decided", |console| Box::pin(expire_requests(console)))];

pub(crate) fn subject(request: &Request) -> Subject {
    Subject {
        project: Some(request.project_id.clone()),
        environment: Some(request.environment_id.clone()),
        request: Some(request.id.clone()),
        workload: request.workload_id.clone(),
        ..Subject::default()
    }
}

/// The role that the next seat asks for.
pub fn wanted(request: &Request, decisions: &[Decision], now: Moment) -> Option<Role> {
    match request.state(decisions, now) {
        State::InReview { taken, .. } => request.seats().get(taken).copied(),
        State::Ended(_) => None,
    }
}

/// Yes, in one's own place or in that of somebody who is away; or why not.
pub type May = Result<Option<String>, Refusal>;

/// May this person take the next seat, by the rules that no policy can switch off?
pub async fn may_decide(
    console: &Console,
    db: &mut impl Sql,
    request: &Request,
    decisions: &[Decision],
    person: &Person,
) -> Result<May, Error> {
    may_take(console, db, request, decisions, person, wanted(request, decisions, console.now())).await
}

/// The same for a seat that asks for a certain role.
async fn may_take(
    console: &Console,
    db: &mut impl Sql,
    request: &Request,
    decisions: &[Decision],
    person: &Person,
    wanted: Option<Role>,
) -> Result<May, Error> {
    if !person.is_active() {
        return Ok(Err(Refusal::Disabled));
    }
    let mut why = match may_seat(console, db, request, decisions, (person, None), wanted).await? {
        Ok(()) => return Ok(Ok(None)),
        Err(why) => why,
    };
    for (row, absent) in delegation::standing(console, db, &person.id).await? {
        let place = Some((&absent, &row));
        match may_seat(console, db, request, decisions, (person, place), wanted).await? {
            Ok(()) => return Ok(Ok(Some(absent.id))),
            // Standing in, they hold the role: what keeps them from it says more than that they hold none themself.
            Err(other) if why == Refusal::NotAnApprover => why = other,
            Err(_) => {}
        }
    }
    Ok(Err(why))
}

/// May they sit in their own place, or in that of somebody who is away, with that one's roles? The rules hold for both of them.
async fn may_seat(
    console: &Console,
    db: &mut impl Sql,
    request: &Request,
    decisions: &[Decision],
    (person, place): (&Person, Option<(&Person, &Delegation)>),
    wanted: Option<Role>,
) -> Result<Result<(), Refusal>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let rows = match place {
        Some((_, row)) => delegation::roles(console, db, row).await?,
        None => people::store::roles_of(db, &person.id, now, key).await?,
    };
    let counts = |row: &&RoleRow| people::decides(row, Some(&request.project_id), &[Role::Lead, Role::Security]);
    // A role that somebody stands in for is as new as their standing in.
    let since = |row: &RoleRow| place.map_or(row.valid_from, |(_, delegation)| delegation.made_at.max(row.valid_from));
    let roles: Vec<(Role, Moment)> =
        rows.iter().filter(counts).filter_map(|row| Some((Role::from_code(&row.role)?, since(row)))).collect();
    // Who decided in somebody's place has decided for both.
    let signers: Vec<&str> = request
        .standing(decisions)
        .flat_map(|decision| [Some(decision.person_id.as_str()), decision.on_behalf_of.as_deref()])
        .flatten()
        .collect();
    let both: Vec<&Person> = std::iter::once(person).chain(place.map(|(absent, _)| absent)).collect();
    let mut linked = Vec::new();
    for one in &both {
        let others = signers.iter().copied().chain([request.requester_id.as_str()]);
        for other in others.filter(|other| both.iter().all(|one| *other != one.id)) {
            linked.extend(people::linked_at(console, db, one, other).await?);
        }
    }
    let workload = match &request.workload_id {
        Some(workload) => workloads::store::find(db, workload, key).await?,
        None => None,
    };
    let (mut benefits, mut trust_changed_at, mut mutual_at) = (false, None, None);
    for one in &both {
        if let Some(workload) = &workload {
            let teams = people::store::memberships(db, Some(&one.id), now, key).await?;
            benefits |= teams.iter().any(|row| row.team_id == workload.team_id);
            trust_changed_at = trust_changed_at.max(workloads::trust_changed_by(console, db, workload, &one.id).await?);
        }
        mutual_at = mutual_at.max(store::last_decision_between(db, &request.requester_id, &one.id).await?);
    }
    let seat = Seat {
        tier: request.tier(),
        wanted,
        requester: &request.requester_id,
        decider: &person.id,
        absent: place.map(|(absent, _)| absent.id.as_str()),
        roles: &roles,
        account_since: both.iter().map(|one| one.counts_since()).max().unwrap_or(now),
        factor: people::factors::decides(console, db, &person.id).await?,
        signed: &signers,
        benefits,
        trust_changed_at,
        linked_at: linked.into_iter().max(),
        mutual_at,
    };
    Ok(may_sit(&seat, now))
}

/// Everybody who holds the next seat's role or stands in for somebody who does, and whether they may take it now.
pub async fn candidates(
    console: &Console,
    db: &mut impl Sql,
    request: &Request,
    decisions: &[Decision],
) -> Result<Vec<(Person, May)>, Error> {
    let Some(wanted) = wanted(request, decisions, console.now()) else { return Ok(Vec::new()) };
    let roles = people::store::roles(db, console.now(), console.seal_key()).await?;
    let mut ids: Vec<&str> = roles
        .iter()
        .filter(|row| match &row.project_id {
            Some(_) => {
                wanted == Role::Lead
                    && roles_here(std::slice::from_ref(row), Some(&request.project_id)).contains(&wanted)
            }
            None => row.role == wanted.code(),
        })
        .map(|row| row.person_id.as_str())
        .collect();
    let standing = delegation::store::standing(db, console.now(), console.seal_key()).await?;
    let delegates =
        standing.iter().filter(|row| ids.contains(&row.person_id.as_str())).map(|row| row.delegate_id.as_str());
    let delegates: Vec<&str> = delegates.collect();
    ids.extend(delegates);
    ids.sort_unstable();
    ids.dedup();
    let mut found = Vec::new();
    for id in ids {
        let Some(person) = people::store::find(db, id, console.seal_key()).await? else { continue };
        if person.disabled_at.is_some() {
            continue;
        }
        let may = may_decide(console, db, request, decisions, &person).await?;
        found.push((person, may));
    }
    Ok(found)
}

/// A request that this caller may look at, with its decisions.
pub async fn visible_request(console: &Console, caller: &Caller, id: &str) -> Result<(Request, Vec<Decision>), Error> {
    let mut db = console.read().await?;
    let request = store::find(&mut db, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let situation = Situation { own: request.requester_id == caller.id(), ..Situation::default() };
    let caller = &delegation::standing_in_for(console, &mut db, caller, None).await?;
    if console.would(caller, Action::ViewRequest, Some(&request.project_id), situation).is_some() {
        return Err(Error::NotFound);
    }
    let decisions = store::decisions(&mut db, id, console.seal_key()).await?;
    Ok((request, decisions))
}

/// The most that an inbox shows; each of them is judged at every view.
pub const INBOX: u32 = 100;

/// What this caller can decide now, the first to expire first: out of the first [`INBOX`] that wait where they decide.
pub async fn inbox(console: &Console, caller: &Caller) -> Result<Vec<(Request, Vec<Decision>)>, Error> {
    let mut found = Vec::new();
    let mut db = console.read().await?;
    let caller = &delegation::standing_in_for(console, &mut db, caller, None).await?;
    let deciding =
        caller.roles.iter().filter(|row| [Role::Lead.code(), Role::Security.code()].contains(&row.role.as_str()));
    // `None` among the projects: a role in the whole organisation.
    let projects: Option<Vec<String>> = deciding.map(|row| row.project_id.clone()).collect();
    if projects.as_ref().is_some_and(Vec::is_empty) {
        return Ok(found);
    }
    let (now, key) = (console.now(), console.seal_key());
    for request in store::open_in(&mut db, projects.as_deref(), caller.id(), now, INBOX, key).await? {
        let decisions = store::decisions(&mut db, &request.id, console.seal_key()).await?;
        if may_decide(console, &mut db, &request, &decisions, &caller.person).await?.is_ok() {
            found.push((request, decisions));
        }
    }
    Ok(found)
}

/// Ends a locked request.
async fn end(
    console: &Console,
    tx: &mut Tx,
    request: Request,
    outcome: Outcome,
    grant: Option<String>,
) -> Result<Request, Error> {
    let request =
        Request { ended_at: Some(console.now()), outcome: Some(outcome.code().into()), grant_id: grant, ..request };
    store::save_end(tx, &request).await?;
    tx.seal(&request)?;
    Ok(request)
}

/// Takes a request back before it is decided.
pub async fn withdraw_request(console: &Console, caller: &Caller, id: &str) -> Result<Receipt, Error> {
    let (request, _) = visible_request(console, caller, id).await?;
    let situation = Situation { own: request.requester_id == caller.id(), ..Situation::default() };
    let (mut tx, event) = console.begin(caller, Action::WithdrawRequest, subject(&request), situation).await?;
    let request = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if !matches!(request.state(&[], console.now()), State::InReview { .. }) {
        return Err(tx.refuse(event, Refusal::NotOpen).await);
    }
    end(console, &mut tx, request, Outcome::Withdrawn, None).await?;
    tx.commit(vec![event]).await
}

async fn void(console: &Console, tx: &mut Tx, id: &str, why: &'static str) -> Result<Option<Event>, Error> {
    let Some(request) = store::lock(tx, id, console.seal_key()).await? else { return Ok(None) };
    if request.ended_at.is_some() {
        return Ok(None);
    }
    let request = end(console, tx, request, Outcome::Voided, None).await?;
    notifications::tell(console, tx, [request.requester_id.as_str()], "request.voided", id).await?;
    Ok(Some(Event::new(Action::VoidRequest).on(subject(&request)).detail("why", why)))
}

/// What a person asked for, and what they signed or somebody in their place, loses its effect on requests that wait, within a
/// change.
pub async fn void_everything_of(
    console: &Console,
    tx: &mut Tx,
    person: &str,
    why: &'static str,
) -> Result<Vec<Event>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let open = store::open_of(tx, person, now, key).await?;
    let signed = store::signatures_of(tx, person, now, key).await?;
    // Whoever locks several requests does so in the order of their ids, all before the first is changed: nobody waits in a circle.
    let own = open.iter().map(|request| request.id.as_str());
    let concerned: BTreeSet<&str> = own.chain(signed.iter().map(|decision| decision.request_id.as_str())).collect();
    for id in concerned {
        store::lock(tx, id, key).await?;
    }
    let mut events = void_signatures(console, tx, signed).await?;
    for request in open {
        events.extend(void(console, tx, &request.id, why).await?);
    }
    Ok(events)
}

async fn void_signatures(console: &Console, tx: &mut Tx, signed: Vec<Decision>) -> Result<Vec<Event>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let mut events = Vec::new();
    for decision in signed {
        // The request's row is the quorum's mutex: whoever decides on it meanwhile comes before or after.
        let Some(request) = store::lock(tx, &decision.request_id, key).await? else { continue };
        if request.ended_at.is_some() {
            continue;
        }
        let about =
            Subject { row: Some(decision.id.clone()), person: Some(decision.person_id.clone()), ..subject(&request) };
        let decision = Decision { voided_at: Some(now), ..decision };
        if store::void_decision(tx, &decision).await? == 0 {
            continue;
        }
        tx.seal(&decision)?;
        notifications::tell(console, tx, [request.requester_id.as_str()], "request.unsigned", &request.id).await?;
        events.push(Event::new(Action::VoidDecision).on(about));
    }
    Ok(events)
}

/// Open requests for a secret lose their effect, within a change.
pub async fn void_requests_for(
    console: &Console,
    tx: &mut Tx,
    secret: &str,
    why: &'static str,
) -> Result<Vec<Event>, Error> {
    let mut requests = store::for_secret(tx, secret, 1000, console.seal_key()).await?;
    requests.sort_by(|a, b| a.id.cmp(&b.id));
    let mut events = Vec::new();
    for request in requests {
        events.extend(void(console, tx, &request.id, why).await?);
    }
    Ok(events)
}

/// Records that requests expired which nobody decided in time.
pub async fn expire_requests(console: &Console) -> Result<usize, Error> {
    let due = store::overdue(&mut console.read().await?, console.now(), 100).await?;
    jobs::each(console, EXPIRE, due, 1, |console, id| async move { expire(&console, &id).await }).await
}

async fn expire(console: &Console, id: &str) -> Result<(), Error> {
    let mut tx = console.ledger.begin(&Who::system(EXPIRE)).await?;
    let request = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if request.ended_at.is_some() {
        return Ok(());
    }
    let request = end(console, &mut tx, request, Outcome::Expired, None).await?;
    notifications::tell(console, &mut tx, [request.requester_id.as_str()], "request.expired", id).await?;
    tx.commit(vec![Event::new(Action::ExpireRequest).on(subject(&request))]).await?;
    Ok(())
}

/// What somebody who decides reads of these secrets.
fn shown<'a>(located: impl Iterator<Item = &'a Located>) -> String {
    let shown = located.map(|located| Shown {
        secret: &located.secret.id,
        path: &located.secret.path,
        class: located.secret.class().code(),
        description: &located.secret.description,
    });
    app::requests::model::shown(shown.collect())
}

/// The secrets of a request with their places, as they are now.
pub async fn located(console: &Console, db: &mut impl Sql, request: &Request) -> Result<Vec<Located>, Error> {
    let mut found = Vec::new();
    for id in request.secret_ids() {
        found.extend(Located::find(db, id, console.seal_key()).await?);
    }
    Ok(found)
}
