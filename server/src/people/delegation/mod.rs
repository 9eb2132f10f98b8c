//! Standing in: who decides on requests in whose place while somebody is away. Naming somebody loosens, and waits for another
//! person (`controls`); ending it acts at once. What the delegate may not decide themself they do not decide for somebody else:
//! the rules of separation hold for both (`requests::may_decide`).
pub mod store;

use super::{
    Caller,
    store::{self as people, RoleRow},
};
use crate::{
    audit::{
        event::Event,
        ledger::{Receipt, Tx},
        row_seal::SealKey,
    },
    console::Console,
    controls::{self, Submitted},
    db::Sql,
    notifications,
    policies::Situation,
};
use app::{
    audit::{action::Action, leaf::Subject},
    controls::model::{Change, Control},
    error::{Conflict, Error},
    id::DelegationId,
    people::delegation::{Span, check},
    policies::model::Role,
    time::Moment,
};
use store::Delegation;

/// Names somebody to decide in one's own place; waits for another person.
pub async fn delegate(
    console: &Console,
    caller: &Caller,
    delegate: &str,
    starts_at: Moment,
    ends_at: Moment,
) -> Result<Submitted, Error> {
    let change = Change::Delegate { person: delegate.into(), absent: caller.id().into(), starts_at, ends_at };
    controls::submit(console, caller, change).await
}

/// Is it possible, and what would it be?
pub(crate) async fn outlook(
    console: &Console,
    tx: &mut Tx,
    delegate: &str,
    absent: &str,
    span: Span,
) -> Result<(Option<Control>, Option<Control>), Error> {
    let (now, key) = (console.now(), console.seal_key());
    check(span.starts_at, span.ends_at, now).map_err(|(field, why)| Error::invalid(field, why))?;
    if delegate == absent {
        return Err(Error::invalid("delegate", "Somebody else decides in your place."));
    }
    if !people::find(tx, delegate, key).await?.is_some_and(|person| person.is_active()) {
        return Err(Error::invalid("delegate", "They have not joined yet, or their account is closed."));
    }
    let roles = people::roles_of(tx, absent, now, key).await?;
    if !roles.iter().any(|row| decides(&row.role)) {
        return Err(Error::invalid(
            "delegate",
            "You decide nothing yourself that somebody could decide in your place.",
        ));
    }
    let open = store::open_for(tx, absent, now, key).await?;
    if open.iter().any(|row| row.span().overlaps(span)) {
        return Err(Error::invalid("from", "Somebody stands in for you then already. End that first."));
    }
    let control = Control::Delegation { delegate: delegate.into(), starts_at: span.starts_at, ends_at: span.ends_at };
    Ok((None, Some(control)))
}

/// Does this role decide on requests?
pub fn decides(role: &str) -> bool {
    [Role::Lead.code(), Role::Security.code()].contains(&role)
}

/// The same within a change.
pub(crate) async fn set(
    console: &Console,
    tx: &mut Tx,
    delegate: &str,
    absent: &str,
    span: Span,
    event: Event,
) -> Result<Event, Error> {
    let row = Delegation {
        id: console.id::<DelegationId>()?.to_string(),
        person_id: absent.into(),
        delegate_id: delegate.into(),
        starts_at: span.starts_at,
        ends_at: span.ends_at,
        made_at: console.now(),
        ended_at: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    store::insert(tx, &row).await?;
    tx.seal(&row)?;
    notifications::tell(console, tx, [delegate], "delegation.made", &row.id).await?;
    let event = event.on(subject(&row)).detail("absent", row.person_id.clone());
    Ok(event.detail("starts_at", app::time::rfc3339(row.starts_at)).detail("ends_at", app::time::rfc3339(row.ends_at)))
}

/// About the delegate, whose word counts for more while it lasts.
fn subject(row: &Delegation) -> Subject {
    Subject { person: Some(row.delegate_id.clone()), row: Some(row.id.clone()), ..Subject::default() }
}

/// Either of the two ends it, or whoever keeps people right.
pub async fn end(console: &Console, caller: &Caller, id: &str) -> Result<Receipt, Error> {
    let key = console.seal_key();
    let seen = store::find(&mut console.read().await?, id, key).await?.ok_or(Error::NotFound)?;
    let own = [&seen.person_id, &seen.delegate_id].into_iter().any(|id| id == caller.id());
    let situation = Situation { own, ..Situation::default() };
    let (mut tx, event) = console.begin(caller, Action::EndDelegation, subject(&seen), situation).await?;
    let row = store::lock(&mut tx, id, key).await?.ok_or(Error::NotFound)?;
    if !row.span().is_open(console.now()) {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let told: Vec<String> =
        [&row.person_id, &row.delegate_id].into_iter().filter(|id| *id != caller.id()).cloned().collect();
    let absent = row.person_id.clone();
    close(&mut tx, row, console.now()).await?;
    notifications::tell(console, &mut tx, told.iter().map(String::as_str).collect::<Vec<_>>(), "delegation.ended", id)
        .await?;
    tx.commit(vec![event.detail("absent", absent)]).await
}

async fn close(tx: &mut Tx, row: Delegation, now: Moment) -> Result<(), Error> {
    let row = Delegation { ended_at: Some(now), ..row };
    store::save_end(tx, &row).await?;
    tx.seal(&row)
}

/// Ends every delegation from and to somebody whose account closes, within that change.
pub(crate) async fn end_all_of(console: &Console, tx: &mut Tx, person: &str) -> Result<Vec<Event>, Error> {
    let now = console.now();
    let mut events = Vec::new();
    for seen in open_of(console, tx, person).await? {
        let Some(row) = store::lock(tx, &seen.id, console.seal_key()).await?.filter(|row| row.span().is_open(now))
        else {
            continue;
        };
        let event = Event::new(Action::EndDelegation).on(subject(&row)).detail("absent", row.person_id.clone());
        close(tx, row, now).await?;
        events.push(event);
    }
    Ok(events)
}

/// Ends every delegation within a change: for a restored database, which may be older than their ends.
pub async fn end_every(tx: &mut Tx, now: Moment, key: &SealKey) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    for row in store::open(tx, now, key).await? {
        events.push(Event::new(Action::EndDelegation).on(subject(&row)).detail("absent", row.person_id.clone()));
        close(tx, row, now).await?;
    }
    Ok(events)
}

/// Every delegation from and to somebody that holds now or later.
pub async fn open_of(console: &Console, db: &mut impl Sql, person: &str) -> Result<Vec<Delegation>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let mut rows = store::open_for(db, person, now, key).await?;
    rows.extend(store::open_to(db, person, now, key).await?);
    Ok(rows)
}

/// In whose place somebody decides now: each delegation with whoever is away, while their account works.
pub async fn standing(
    console: &Console,
    db: &mut impl Sql,
    delegate: &str,
) -> Result<Vec<(Delegation, people::Person)>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let mut found = Vec::new();
    for row in store::open_to(db, delegate, now, key).await?.into_iter().filter(|row| row.span().stands(now)) {
        let absent = people::find(db, &row.person_id, key).await?.filter(people::Person::is_active);
        found.extend(absent.map(|absent| (row, absent)));
    }
    Ok(found)
}

/// The caller with the deciding roles of those in whose place they decide, or of one of them alone. Whether a seat is theirs is
/// asked besides.
pub async fn standing_in_for(
    console: &Console,
    db: &mut impl Sql,
    caller: &Caller,
    absent: Option<&str>,
) -> Result<Caller, Error> {
    let mut caller = caller.clone();
    for (row, person) in standing(console, db, &caller.person.id).await? {
        if absent.is_none_or(|absent| absent == person.id) {
            caller.roles.extend(roles(console, db, &row).await?);
        }
    }
    Ok(caller)
}

/// The deciding roles that go over: those that whoever is away held when it was confirmed, and holds still.
pub async fn roles(console: &Console, db: &mut impl Sql, row: &Delegation) -> Result<Vec<RoleRow>, Error> {
    let held = people::roles_of(db, &row.person_id, console.now(), console.seal_key()).await?;
    Ok(held.into_iter().filter(|role| decides(&role.role) && role.valid_from <= row.made_at).collect())
}
