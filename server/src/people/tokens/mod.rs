//! Personal access tokens: made in a browser and shown once, then used by a program in its owner's name, within its scopes.
//! They end with the account, with a new password, with the session that made them when somebody ends it, with a restore, by
//! hand, or by themselves.
pub mod store;

use self::store::AccessToken;
use super::{
    Caller, about,
    attempts::Door,
    own,
    passwords::{bearer, bearer_hash},
    store as people,
};
use crate::{
    audit::{
        event::{Event, Who},
        ledger::{Receipt, Tx},
        row_seal::SealKey,
    },
    console::Console,
    vault,
};
use app::{
    audit::{action::Action, leaf::Subject},
    error::{Conflict, Error, Refusal},
    id::AccessTokenId,
    people::tokens::{LONGEST, MOST, Scope, join},
    time::Moment,
};
use chrono::TimeDelta;
use zeroize::Zeroizing;

/// The prefix by which scanners recognise one.
pub const PREFIX: &str = "csp";
/// A use is noted once in this time.
const NOTED: TimeDelta = TimeDelta::minutes(1);

/// A new token for oneself; its text is shown once.
pub async fn create_access_token(
    console: &Console,
    caller: &Caller,
    name: &str,
    scopes: &[Scope],
    life: TimeDelta,
) -> Result<(Zeroizing<String>, Receipt), Error> {
    let name = vault::name(console, "name", name).await?;
    if scopes.is_empty() {
        return Err(Error::invalid("scope", "Choose what it is for."));
    }
    if life < TimeDelta::days(1) || life > LONGEST {
        return Err(Error::invalid("days", "Between one day and 90 days."));
    }
    let (now, key, text) = (console.now(), console.seal_key(), bearer(PREFIX)?);
    let row = AccessToken {
        id: console.id::<AccessTokenId>()?.to_string(),
        person_id: caller.id().into(),
        name: name.clone(),
        scopes: join(scopes),
        session_id: caller.session().map(|session| session.id.clone()),
        hash: bearer_hash(PREFIX, &text).ok_or(Error::Unavailable)?,
        created_at: now,
        expires_at: now + life,
        revoked_at: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    let subject = Subject { row: Some(row.id.clone()), ..about(&caller.person) };
    let (mut tx, event) = console.begin(caller, Action::CreateAccessToken, subject, own(true)).await?;
    // Whoever waits here may wait for the end of the account or of the session that asks.
    people::lock(&mut tx, caller.id(), key).await?.ok_or(Error::NotFound)?;
    caller.goes_on(&mut tx, now, key).await?;
    if store::of_person(&mut tx, caller.id(), now, key).await?.len() >= MOST {
        return Err(Error::invalid("name", "You have 20 tokens that work. End one first."));
    }
    store::insert(&mut tx, &row).await?;
    tx.seal(&row)?;
    let event = event.detail("scopes", row.scopes).detail("days", life.num_days()).private("name", name);
    Ok((text, tx.commit(vec![event]).await?))
}

/// Ends one token: one's own, or as somebody who may end sessions anybody's.
pub async fn end_access_token(console: &Console, caller: &Caller, id: &str) -> Result<(String, Receipt), Error> {
    let row = store::find(&mut console.read().await?, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let subject = Subject { person: Some(row.person_id.clone()), row: Some(row.id.clone()), ..Subject::default() };
    let is_own = own(row.person_id == caller.id());
    let (mut tx, event) = console.begin(caller, Action::EndAccessToken, subject, is_own).await?;
    let owner = row.person_id.clone();
    if !end(&mut tx, row, console.now()).await? {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    Ok((owner, tx.commit(vec![event]).await?))
}

async fn end(tx: &mut Tx, mut row: AccessToken, now: Moment) -> Result<bool, Error> {
    let ended = store::revoke(tx, &row.id, now).await? > 0;
    row.revoked_at = Some(now);
    if ended {
        tx.seal(&row)?;
    }
    Ok(ended)
}

/// Ends these tokens within a change; an event for each.
async fn end_all(tx: &mut Tx, rows: Vec<AccessToken>, now: Moment) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    for row in rows {
        let subject = Subject { person: Some(row.person_id.clone()), row: Some(row.id.clone()), ..Subject::default() };
        if end(tx, row, now).await? {
            events.push(Event::new(Action::EndAccessToken).on(subject));
        }
    }
    Ok(events)
}

/// Ends every token of a person within a change.
pub(super) async fn end_access_tokens_of(console: &Console, tx: &mut Tx, person: &str) -> Result<Vec<Event>, Error> {
    let now = console.now();
    let rows = store::of_person(tx, person, now, console.seal_key()).await?;
    end_all(tx, rows, now).await
}

/// Ends every token that was made in a session which somebody ends: whoever had that session has these.
pub(super) async fn end_access_tokens_from(
    console: &Console,
    tx: &mut Tx,
    person: &str,
    session: &str,
) -> Result<Vec<Event>, Error> {
    let now = console.now();
    let rows = store::of_person(tx, person, now, console.seal_key()).await?;
    end_all(tx, rows.into_iter().filter(|row| row.session_id.as_deref() == Some(session)).collect(), now).await
}

/// Ends every token within a change: for a restored database, which may be older than their ends.
pub async fn end_every_access_token(tx: &mut Tx, now: Moment, key: &SealKey) -> Result<Vec<Event>, Error> {
    let rows = store::open(tx, now, key).await?;
    end_all(tx, rows, now).await
}

/// Whose program this is. Every wrong token gets the same answer.
pub async fn recognise_access_token(console: &Console, origin: &Who, text: &str) -> Result<Caller, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let source = origin.address.clone().unwrap_or_default();
    let attempted = Event::new(Action::SignIn).detail("method", "token");
    let mut db = console.read().await?;
    let found = match bearer_hash(PREFIX, text) {
        Some(hash) => store::find_by_hash(&mut db, &hash, key).await?,
        None => None,
    };
    let person = match found.as_ref().filter(|row| row.works(now)) {
        Some(row) => people::find(&mut db, &row.person_id, key).await?.filter(people::Person::is_active),
        None => None,
    };
    let used = match &found {
        Some(row) => store::used_at(&mut db, &row.id).await?,
        None => None,
    };
    drop(db);
    let Some((token, person)) = found.zip(person) else {
        // Nobody guesses 256 bits: what is slowed down is noise, and a good token is never kept out by it.
        if !console.attempts.may_knock(Door::AccessToken, &source, now) {
            return Err(console.ledger.refuse(origin, attempted, Refusal::TooManyAttempts).await);
        }
        console.attempts.knocked(Door::AccessToken, &source, now);
        return Err(console.ledger.refuse(origin, attempted, Refusal::BadToken).await);
    };
    if used.is_none_or(|used| now - used >= NOTED) {
        let mut tx = console.ledger.housekeeping().await?;
        store::note_use(&mut tx, &token.id, now).await?;
        tx.finish().await?;
    }
    Caller::load(console, person, super::Entry::Token(token), origin.clone()).await
}

/// Is this caller's token for such calls? What it may do there is asked again by the operation.
pub async fn use_access_token_for(
    console: &Console,
    caller: &Caller,
    scope: Scope,
    action: Action,
) -> Result<(), Error> {
    let fits = match &caller.entry {
        super::Entry::Token(token) => token.scopes().iter().any(|held| held.includes(scope)),
        super::Entry::Direct | super::Entry::Browser(_) => false,
    };
    match fits {
        true => Ok(()),
        false => Err(console.ledger.refuse(&caller.who, Event::new(action), Refusal::TokenScope).await),
    }
}
