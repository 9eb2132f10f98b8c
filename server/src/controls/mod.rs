//! Changes of control: what tightens acts at once, what loosens waits for somebody else. States and invariants are in
//! `app/src/controls`.
//!
//! [`submit`] is the one way to give a role, a membership, an account back, an emergency account, a provider or a rule of one, to
//! lower a class, to set a policy or a protection level, and to let somebody decide in another one's place.
mod effect;
pub mod store;

use crate::{
    audit::{
        event::{Event, Who},
        ledger::{Receipt, Tx},
    },
    console::Console,
    db::Sql,
    jobs::{self, Job},
    notifications,
    people::{
        self, Begun, Caller,
        store::{Person, RoleRow},
    },
    policies::{Principal, Question, Situation, organisation::Organisation},
};
use app::{
    audit::{action::Action, leaf::Subject},
    controls::model::{self, Change, Direction, Outcome, Terms, WAITS, acts_alone},
    error::{Error, Refusal},
    id::ChangeId,
    people::second::LINKED,
    policies::model::Role,
};
use effect::{apply, outlook};
use store::Proposal;

const EXPIRE: &str = "expire-changes";

pub const JOBS: &[Job] = &[Job::due(EXPIRE, "Expires changes of control that nobody confirmed", |console| {
    Box::pin(expire_changes(console))
})];

/// How many proposals of one person may wait: what others confirm stays within what others can read.
const MOST: usize = 20;

/// What became of a change.
#[derive(Clone, Debug)]
pub enum Submitted {
    /// It acts.
    Done(Receipt),
    /// It loosens, and waits for somebody else.
    Waits { id: String, receipt: Receipt },
}

/// Does a change if it tightens; proposes it if it loosens.
pub async fn submit(console: &Console, caller: &Caller, change: Change) -> Result<Submitted, Error> {
    let action = effect::action(&change);
    let (subject, asked) = effect::about(console, &change, caller.id()).await?;
    let project = subject.project.clone();
    let (mut tx, event) = console.begin(caller, action, subject, asked).await?;
    let (before, after) = outlook(console, &mut tx, &change).await?;
    let loosens = model::direction(before.as_ref(), after.as_ref()) == Direction::Loosening;
    let situation = Situation { loosens, ..asked };
    let principal = caller.principal(project.as_deref());
    let (mut tx, event) = console.allow(tx, &principal, action, event.subject, situation).await?;
    if !loosens {
        let events = apply(console, &mut tx, caller.id(), &change, event).await?;
        return Ok(Submitted::Done(tx.commit(events).await?));
    }
    let seconds = candidates(console, &mut tx, caller.id(), change.person(), change.team()).await?;
    let able: Vec<&str> = seconds.iter().filter(|(_, may)| may.is_ok()).map(|(who, _)| who.id.as_str()).collect();
    let others: Vec<&str> = seconds.iter().map(|(who, _)| who.id.as_str()).filter(|id| *id != caller.id()).collect();
    // The caller counts as alone only if no rows of other people are missing.
    people::all_are_there(console, &mut tx).await?;
    let founded = people::store::first(&mut tx, console.seal_key()).await?.ok_or(Error::Unavailable)?.created_at;
    let lately = lately_confirming(console, &mut tx, caller.id()).await?;
    if acts_alone(able.len(), lately.len(), founded, console.now()) {
        let mut events = apply(console, &mut tx, caller.id(), &change, event).await?;
        if let Some(first) = events.first_mut() {
            *first = first.clone().detail("alone", true);
        }
        // Also those who are disabled: they read it when they are back.
        let told = lately.iter().map(String::as_str).collect::<Vec<_>>();
        notifications::tell(console, &mut tx, told, "control.alone", change.code()).await?;
        return Ok(Submitted::Done(tx.commit(events).await?));
    }
    let now = console.now();
    let own = store::open_of(&mut tx, caller.id(), now, console.seal_key()).await?;
    // Asked twice is proposed once.
    if let Some(row) = own.iter().find(|row| row.change().is_some_and(|known| known.is_same(&change))) {
        let receipt = Receipt { seq: row.event_seq.max(0) as u64, at: row.proposed_at };
        return Ok(Submitted::Waits { id: row.id.clone(), receipt });
    }
    if own.len() >= MOST {
        return Err(tx.refuse(event, Refusal::ManyProposals).await);
    }
    let id = console.id::<ChangeId>()?.to_string();
    let text = |value| serde_json_canonicalizer::to_string(value).map_err(|_| Error::Unavailable);
    let row = Proposal {
        kind: change.code().into(),
        change: text(&change)?,
        former: before
            .as_ref()
            .map(|before| serde_json::to_string(before).map_err(|_| Error::Unavailable))
            .transpose()?,
        person_id: change.person().map(Into::into),
        digest: Terms { id: &id, change: &change, before: before.as_ref(), proposed_by: caller.id() }.digest(),
        id: id.clone(),
        proposed_by: caller.id().into(),
        proposed_at: now,
        expires_at: now + WAITS,
        ended_at: None,
        outcome: None,
        decided_by: None,
        comment: String::new(),
        event_seq: 0,
        row_mac: Vec::new(),
    };
    store::insert(&mut tx, &row).await?;
    tx.seal(&row)?;
    // Everybody who could ever confirm hears of it, also those whose day has not come yet.
    notifications::tell(console, &mut tx, others, "control.proposed", &id).await?;
    let event = Event { action: Action::ProposeChange, ..event }
        .on(about(&row))
        .detail("change", change.code())
        .detail("digest", row.digest.clone());
    let receipt = tx.commit(vec![event]).await?;
    Ok(Submitted::Waits { id, receipt })
}

fn about(row: &Proposal) -> Subject {
    Subject { row: Some(row.id.clone()), person: row.person_id.clone(), ..Subject::default() }
}

/// Who else held a role that confirms within the last week, whatever became of role or account: whoever took it from them is not
/// alone by that.
async fn lately_confirming(console: &Console, db: &mut impl Sql, caller: &str) -> Result<Vec<String>, Error> {
    let since = console.now() - LINKED;
    let key = console.seal_key();
    let rows = people::store::roles_since(db, since, key).await?;
    let mut ids: Vec<String> =
        rows.into_iter().filter(|row| confirms(row) && row.person_id != caller).map(|row| row.person_id).collect();
    ids.sort();
    ids.dedup();
    let mut found = Vec::new();
    for id in ids {
        let person = people::store::find(db, &id, key).await?;
        if person.is_some_and(|person| person.joined_at.is_some() && person.disabled_at.is_none_or(|at| at > since)) {
            found.push(id);
        }
    }
    Ok(found)
}

/// The roles of the organisation that confirm.
const CONFIRMING: [Role; 2] = [Role::Admin, Role::Security];

fn confirms(row: &RoleRow) -> bool {
    people::decides(row, None, &CONFIRMING)
}

/// May this person confirm what another proposes for a third?
async fn may(
    console: &Console,
    db: &mut impl Sql,
    person: &str,
    proposer: &str,
    gains: Option<&str>,
    team: Option<&str>,
) -> Result<Result<(), Refusal>, Error> {
    if let Some(team) = team {
        let teams = people::store::memberships(db, Some(person), console.now(), console.seal_key()).await?;
        if teams.iter().any(|row| row.team_id == team) {
            return Ok(Err(Refusal::OwnBenefit));
        }
    }
    let by: Vec<&str> = std::iter::once(proposer).chain(gains).collect();
    let begun = Begun { by: &by, own: Refusal::OwnChange, roles: &CONFIRMING, project: None, guarded: true };
    people::second(console, db, person, begun).await
}

/// Everybody with a role that confirms, and whether they may confirm what this person proposes for that one.
pub async fn candidates(
    console: &Console,
    db: &mut impl Sql,
    proposer: &str,
    gains: Option<&str>,
    team: Option<&str>,
) -> Result<Vec<(Person, Result<(), Refusal>)>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let roles = people::store::roles(db, now, key).await?;
    let mut ids: Vec<&str> = roles.iter().filter(|row| confirms(row)).map(|row| row.person_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut found = Vec::new();
    for id in ids {
        let Some(person) = people::store::find(db, id, key).await?.filter(Person::is_active) else { continue };
        let may = may(console, db, id, proposer, gains, team).await?;
        found.push((person, may));
    }
    Ok(found)
}

/// What this caller can confirm now, the first to expire first.
pub async fn inbox(console: &Console, caller: &Caller) -> Result<Vec<Proposal>, Error> {
    let mut found = Vec::new();
    if !caller.roles.iter().any(confirms) {
        return Ok(found);
    }
    let mut db = console.read().await?;
    for row in store::open(&mut db, console.now(), console.seal_key()).await? {
        let (gains, change) = (row.person_id.as_deref(), row.change());
        let team = change.as_ref().and_then(Change::team);
        if may(console, &mut db, caller.id(), &row.proposed_by, gains, team).await?.is_ok() {
            found.push(row);
        }
    }
    Ok(found)
}

/// Somebody else's yes: the change acts, in the same step.
pub async fn confirm_change(console: &Console, caller: &Caller, id: &str, digest: &str) -> Result<Receipt, Error> {
    let seen = store::find(&mut console.read().await?, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let change = seen.change().ok_or(Error::Unavailable)?;
    let (subject, situation) = effect::about(console, &change, &seen.proposed_by).await?;
    let (mut tx, event, row) = take_up(console, caller, &seen, digest, Action::ConfirmChange).await?;
    // Whatever makes the change impossible by now (a person or a project that is gone, done already) overtakes it too.
    let stands = match outlook(console, &mut tx, &change).await {
        Ok((before, _)) => before == row.former(),
        Err(Error::NotFound | Error::Conflict(_) | Error::Invalid(_)) => false,
        Err(error) => return Err(error),
    };
    // It acts in the proposer's name: they still have to be somebody who may.
    let proposer = people::store::find(&mut tx, &row.proposed_by, console.seal_key()).await?;
    let roles = people::store::roles_of(&mut tx, &row.proposed_by, console.now(), console.seal_key()).await?;
    let principal = people::principal(&row.proposed_by, &roles, subject.project.as_deref());
    // Their factor was asked for when they proposed it, as this one's is for the confirmation.
    let principal = Principal { proved: true, ..principal };
    // By their role: what the hour or the network allowed was asked when they proposed it.
    let still = console.engine.decide_with(
        &Organisation::none(),
        &Question {
            principal: &principal,
            action: effect::action(&change),
            resource: "",
            situation,
            project: None,
            environment: None,
            address: None,
            at: console.now(),
        },
    );
    let still = still.refusal.is_none();
    if !stands || !still || !proposer.is_some_and(|person| person.is_active()) {
        end(console, &mut tx, row.clone(), Outcome::Overtaken, None, "").await?;
        tx.commit(vec![Event::new(Action::OvertakeChange).on(about(&row))]).await?;
        return Err(Error::Refused(Refusal::WorldChanged));
    }
    let applied = Event::new(effect::action(&change)).on(subject).detail("change", id);
    let effects = apply(console, &mut tx, &row.proposed_by, &change, applied).await?;
    end(console, &mut tx, row, Outcome::Confirmed, Some(caller.id()), "").await?;
    let mut events = vec![event];
    events.extend(effects);
    tx.commit(events).await
}

/// Somebody else's no, which says why.
pub async fn decline_change(
    console: &Console,
    caller: &Caller,
    id: &str,
    digest: &str,
    comment: &str,
) -> Result<Receipt, Error> {
    let comment = crate::vault::prose(console, "comment", comment, 1000).await?;
    if comment.is_empty() {
        return Err(Error::invalid("comment", "Say why: the proposer reads it."));
    }
    let seen = store::find(&mut console.read().await?, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let (mut tx, event, row) = take_up(console, caller, &seen, digest, Action::DeclineChange).await?;
    end(console, &mut tx, row, Outcome::Declined, Some(caller.id()), &comment).await?;
    tx.commit(vec![event.private("comment", comment)]).await
}

/// The proposal under its lock, with policy, digest and the rules of confirming asked.
async fn take_up(
    console: &Console,
    caller: &Caller,
    seen: &Proposal,
    digest: &str,
    action: Action,
) -> Result<(Tx, Event, Proposal), Error> {
    let (mut tx, event) = console.begin(caller, action, about(seen), Situation::default()).await?;
    let row = store::lock(&mut tx, &seen.id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let event = event.detail("change", row.kind.clone()).detail("digest", row.digest.clone());
    if row.outcome(console.now()).is_some() {
        return Err(tx.refuse(event, Refusal::NotOpen).await);
    }
    if row.digest != digest || row.compute_digest().as_ref() != Some(&row.digest) {
        return Err(tx.refuse(event, Refusal::WorldChanged).await);
    }
    let (gains, change) = (row.person_id.as_deref(), row.change());
    let team = change.as_ref().and_then(Change::team);
    let seconds = candidates(console, &mut tx, &row.proposed_by, gains, team).await?;
    let mine = seconds.into_iter().find(|(person, _)| person.id == caller.id()).map(|(_, may)| may);
    match mine.unwrap_or(Err(Refusal::NotAnApprover)) {
        Ok(()) => Ok((tx, event, row)),
        Err(why) => Err(tx.refuse(event, why).await),
    }
}

async fn end(
    console: &Console,
    tx: &mut Tx,
    row: Proposal,
    outcome: Outcome,
    by: Option<&str>,
    comment: &str,
) -> Result<(), Error> {
    let row = Proposal {
        ended_at: Some(console.now()),
        outcome: Some(outcome.code().into()),
        decided_by: by.map(Into::into),
        comment: comment.into(),
        ..row
    };
    store::save_end(tx, &row).await?;
    tx.seal(&row)?;
    if outcome != Outcome::Withdrawn {
        notifications::tell(console, tx, [row.proposed_by.as_str()], "control.ended", &row.id).await?;
    }
    Ok(())
}

/// The proposer takes it back.
pub async fn withdraw_change(console: &Console, caller: &Caller, id: &str) -> Result<Receipt, Error> {
    let seen = store::find(&mut console.read().await?, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let situation = Situation { own: seen.proposed_by == caller.id(), ..Situation::default() };
    let (mut tx, event) = console.begin(caller, Action::WithdrawChange, about(&seen), situation).await?;
    let row = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if row.outcome(console.now()).is_some() {
        return Err(tx.refuse(event, Refusal::NotOpen).await);
    }
    end(console, &mut tx, row, Outcome::Withdrawn, None, "").await?;
    tx.commit(vec![event]).await
}

/// Records that proposals expired which nobody answered in time.
pub async fn expire_changes(console: &Console) -> Result<usize, Error> {
    let due = store::overdue(&mut console.read().await?, console.now()).await?;
    jobs::each(console, EXPIRE, due, 1, |console, id| async move { expire(&console, &id).await }).await
}

async fn expire(console: &Console, id: &str) -> Result<(), Error> {
    let mut tx = console.ledger.begin(&Who::system(EXPIRE)).await?;
    let row = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if row.ended_at.is_some() {
        return Ok(());
    }
    end(console, &mut tx, row.clone(), Outcome::Expired, None, "").await?;
    tx.commit(vec![Event::new(Action::ExpireChange).on(about(&row))]).await?;
    Ok(())
}
