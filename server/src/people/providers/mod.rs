//! Identity providers: sign-in by OpenID Connect, what their groups give, and accounts for emergencies.
//!
//! ```text
//! browser ─GET─▶ begin (state, nonce, verifier in the browser's record) ─303─▶ provider ─303─▶ return
//!         return: state known here? issuer, code for token, token proved ─▶ identity (issuer, subject) ─▶ groups ─▶ session
//! ```
//!
//! Invariants: an identity is (issuer, subject) and nothing else, never an e-mail or a name; a sign-in ends in the browser that
//! began it; what the provider told of groups gives exactly what rules say, and takes what they no longer say; where a provider
//! is used, passwords are for emergency accounts alone.
pub mod claims;
pub mod discovery;
pub mod flow;
pub mod groups;
pub mod logout;
pub mod store;

use super::{
    Caller, about, own,
    sign_in::close_session,
    store::{self as people, Person},
    tokens::{end_access_tokens_from, store as token_store},
};
use crate::{
    audit::{
        event::Event,
        ledger::{Receipt, Tx},
    },
    console::Console,
    controls::{self, Submitted},
    db::Sql,
    policies::Situation,
    vault::envelope::{decrypt, encrypt},
};
use app::{
    audit::{action::Action, leaf::Subject},
    controls::model::Change,
    error::{Conflict, Error, Refusal},
    id::{EmergencyId, ProviderId},
    people::provider::Settings,
    policies::model::Role,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::collections::BTreeSet;
use store::{EmergencyAccount, Provider};
use zeroize::Zeroizing;

/// A new provider. It loosens, and waits for somebody else.
pub async fn add_provider(
    console: &Console,
    caller: &Caller,
    settings: Settings,
    secret: Zeroizing<String>,
) -> Result<Submitted, Error> {
    set_provider(console, caller, None, settings, secret).await
}

/// Other settings of a provider; `seen` is the row that they were changed from. Loosens unless it only narrows.
pub async fn change_provider(
    console: &Console,
    caller: &Caller,
    provider: &str,
    seen: &str,
    settings: Settings,
    secret: Zeroizing<String>,
) -> Result<Submitted, Error> {
    // Whether they may at all comes before what is wrong with how they ask.
    let principal = caller.principal(None);
    let (subject, situation) = (Subject::default(), Situation::default());
    console.permit(&caller.who, &principal, Action::SetProvider, subject, situation).await?;
    let row = store::find(&mut console.read().await?, provider, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if row.issuer != settings.issuer.trim() {
        return Err(Error::invalid("issuer", "Another issuer is another provider: add it, then remove this one."));
    }
    if row.id != seen {
        // What was typed is not lost: the form comes again with it, beside the settings as they are now.
        return Err(Error::invalid(
            "name",
            "Somebody changed these settings since you opened them. Compare, then save again.",
        ));
    }
    set_provider(console, caller, Some(provider), settings, secret).await
}

async fn set_provider(
    console: &Console,
    caller: &Caller,
    provider: Option<&str>,
    settings: Settings,
    secret: Zeroizing<String>,
) -> Result<Submitted, Error> {
    let settings = settings.check().map_err(Error::Invalid)?;
    let provider = match provider {
        Some(provider) => provider.to_owned(),
        None => console.id::<ProviderId>()?.to_string(),
    };
    let sealed_secret = if secret.is_empty() { None } else { Some(seal(console, &provider, &secret)?) };
    controls::submit(console, caller, Change::SetProvider { provider, settings, sealed_secret }).await
}

fn context(provider: &str) -> Vec<u8> {
    [b"identity-provider/v1\0", provider.as_bytes()].concat()
}

fn seal(console: &Console, provider: &str, secret: &str) -> Result<String, Error> {
    let key = &console.ledger.keys().credential_wrap;
    let sealed = encrypt(key, secret.as_bytes(), &context(provider)).map_err(|_| Error::Unavailable)?;
    Ok(STANDARD.encode(sealed))
}

/// The client's secret at its provider.
pub fn open_secret(console: &Console, provider: &Provider) -> Result<Zeroizing<String>, Error> {
    let sealed = STANDARD.decode(&provider.sealed_secret).map_err(|_| Error::Unavailable)?;
    let key = &console.ledger.keys().credential_wrap;
    let plain = decrypt(key, &sealed, &context(&provider.provider_id)).map_err(|_| Error::Unavailable)?;
    String::from_utf8(plain.to_vec()).map(Zeroizing::new).map_err(|_| Error::Unavailable)
}

/// Is there, beside somebody, an emergency account that administers for good?
async fn has_a_way_in(console: &Console, db: &mut impl Sql, beside: Option<&str>) -> Result<bool, Error> {
    let (now, key) = (console.now(), console.seal_key());
    for row in store::emergency_accounts(db, key).await? {
        if beside == Some(row.person_id.as_str()) {
            continue;
        }
        let person = people::find(db, &row.person_id, key).await?;
        let able = person.is_some_and(|person| person.is_active() && person.password_hash.is_some());
        let roles = people::roles_of(db, &row.person_id, now, key).await?;
        let administers = |row: &people::RoleRow| {
            row.project_id.is_none() && row.role == Role::Admin.code() && row.valid_to.is_none()
        };
        if able && roles.iter().any(administers) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// While a provider is used: does somebody get in when it does not answer, also without this person?
pub(super) async fn keeps_a_way_in(console: &Console, tx: &mut Tx, without: &str) -> Result<bool, Error> {
    if !store::any(tx).await? {
        return Ok(true);
    }
    // Kept for this change, so that two do not leave at once.
    store::lock_emergency_accounts(tx).await?;
    let named = store::emergency_accounts(tx, console.seal_key()).await?;
    Ok(!named.iter().any(|row| row.person_id == without) || has_a_way_in(console, tx, Some(without)).await?)
}

/// Where the first provider comes, somebody has to be able to get in without it.
pub async fn emergency_first(console: &Console, db: &mut impl Sql) -> Result<(), Error> {
    if has_a_way_in(console, db, None).await? {
        return Ok(());
    }
    Err(Error::invalid(
        "issuer",
        "First name an emergency account: an administrator with a password, who gets in when the provider does not answer.",
    ))
}

/// Sets a provider within a change: a row of its own for the settings of each time.
pub(crate) async fn set(
    console: &Console,
    tx: &mut Tx,
    by: &str,
    provider: &str,
    settings: &Settings,
    sealed_secret: Option<&str>,
    event: Event,
) -> Result<Vec<Event>, Error> {
    let now = console.now();
    let former = store::lock(tx, provider, console.seal_key()).await?;
    let row = Provider {
        id: console.id::<ProviderId>()?.to_string(),
        provider_id: provider.into(),
        name: settings.name.clone(),
        issuer: settings.issuer.clone(),
        client_id: settings.client_id.clone(),
        sealed_secret: sealed_secret
            .map(ToOwned::to_owned)
            .or(former.as_ref().map(|former| former.sealed_secret.clone()))
            .ok_or(Error::Unavailable)?,
        groups_claim: settings.groups_claim.clone(),
        admits: settings.admits,
        acr: settings.acr.clone(),
        max_age: settings.max_age.map(|seconds| seconds as i32),
        set_by: by.into(),
        valid_from: now,
        valid_to: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    let mut events = vec![
        event
            .on(Subject { row: Some(row.id.clone()), ..Subject::default() })
            .detail("provider", provider)
            .private("name", row.name.clone())
            .private("issuer", row.issuer.clone()),
    ];
    if let Some(former) = former {
        events.extend(close(tx, former, now, Some(&row.id)).await?);
    }
    if store::insert(tx, &row).await? == 0 {
        return Err(Error::Conflict(Conflict::Taken));
    }
    tx.seal(&row)?;
    Ok(events)
}

async fn close(
    tx: &mut Tx,
    row: Provider,
    now: app::time::Moment,
    replaced_by: Option<&str>,
) -> Result<Option<Event>, Error> {
    if store::close(tx, &row.id, now).await? == 0 {
        return Ok(None);
    }
    let row = Provider { valid_to: Some(now), ..row };
    tx.seal(&row)?;
    let event = Event::new(Action::RemoveProvider)
        .on(Subject { row: Some(row.id.clone()), ..Subject::default() })
        .detail("provider", row.provider_id.clone());
    Ok(Some(match replaced_by {
        Some(id) => event.detail("replaced_by", id),
        None => event,
    }))
}

pub async fn remove_provider(console: &Console, caller: &Caller, provider: &str) -> Result<Submitted, Error> {
    controls::submit(console, caller, Change::RemoveProvider { provider: provider.into() }).await
}

/// Removes a provider within a change: its rules, what they gave, and the sessions that it vouched for end with it.
pub(crate) async fn remove(console: &Console, tx: &mut Tx, provider: &str, event: Event) -> Result<Vec<Event>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let row = store::lock(tx, provider, key).await?.ok_or(Error::NotFound)?;
    let (id, issuer) = (row.id.clone(), row.issuer.clone());
    close(tx, row, now, None).await?.ok_or(Error::Conflict(Conflict::AlreadyDone))?;
    let subject = Subject { row: Some(id), ..Subject::default() };
    let mut events = vec![event.on(subject).detail("provider", provider)];
    for rule in store::rules(tx, provider, key).await? {
        events.extend(groups::close(console, tx, rule).await?);
    }
    for identity in store::identities_at(tx, &issuer, key).await? {
        events.extend(end_sessions_of(console, tx, &identity).await?);
    }
    Ok(events)
}

/// Ends the sessions that one identity opened, within a change.
pub(super) async fn end_sessions_of(
    console: &Console,
    tx: &mut Tx,
    identity: &store::Identity,
) -> Result<Vec<Event>, Error> {
    let open = people::sessions_of(tx, &identity.person_id, console.now(), console.seal_key()).await?;
    let theirs = open.into_iter().filter(|session| session.identity_id.as_deref() == Some(&identity.id));
    let mut events = end_each(console, tx, theirs.collect()).await?;
    events.extend(end_tokens_of(console, tx, identity).await?);
    Ok(events)
}

/// Ends the tokens that were made in any session of an identity, also in one that is over.
async fn end_tokens_of(console: &Console, tx: &mut Tx, identity: &store::Identity) -> Result<Vec<Event>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let mut sessions = BTreeSet::new();
    for token in token_store::of_person(tx, &identity.person_id, now, key).await? {
        let Some(id) = token.session_id else { continue };
        let session = people::find_session_by_id(tx, &id, key).await?;
        if session.is_some_and(|session| session.identity_id.as_deref() == Some(&identity.id)) {
            sessions.insert(id);
        }
    }
    let mut events = Vec::new();
    for session in sessions {
        events.extend(end_access_tokens_from(console, tx, &identity.person_id, &session).await?);
    }
    Ok(events)
}

pub(super) async fn end_each(
    console: &Console,
    tx: &mut Tx,
    sessions: Vec<people::Session>,
) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    for session in sessions {
        let (person, id) = (session.person_id.clone(), session.id.clone());
        if close_session(tx, session, console.now()).await? > 0 {
            let subject = Subject { person: Some(person.clone()), row: Some(id.clone()), ..Subject::default() };
            events.push(Event::new(Action::EndSession).on(subject));
            events.extend(end_access_tokens_from(console, tx, &person, &id).await?);
        }
    }
    Ok(events)
}

/// Asks a provider what it offers, for whoever sets it up. Changes nothing.
pub async fn check_provider(
    console: &Console,
    caller: &Caller,
    issuer: &str,
) -> Result<Result<discovery::Metadata, discovery::Unread>, Error> {
    let principal = caller.principal(None);
    let event = console
        .permit(&caller.who, &principal, Action::CheckProvider, Subject::default(), Situation::default())
        .await?;
    console.ledger.observe(&caller.who, event.private("issuer", issuer.to_owned())).await?;
    Ok(discovery::ask(&console.reach, issuer).await)
}

/// Names an account that signs in here also where a provider is used. It loosens, and waits for somebody else.
pub async fn name_emergency_account(console: &Console, caller: &Caller, person: &str) -> Result<Submitted, Error> {
    controls::submit(console, caller, Change::NameEmergency { person: person.into() }).await
}

pub(crate) async fn name_emergency(console: &Console, tx: &mut Tx, by: &str, person: &str) -> Result<Subject, Error> {
    let row = EmergencyAccount {
        id: console.id::<EmergencyId>()?.to_string(),
        person_id: person.into(),
        named_by: by.into(),
        valid_from: console.now(),
        valid_to: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    store::insert_emergency(tx, &row).await?;
    tx.seal(&row)?;
    Ok(Subject { person: Some(person.into()), row: Some(row.id), ..Subject::default() })
}

/// The account signs in by its provider again. The last one that administers stays while a provider is used.
pub async fn unname_emergency_account(console: &Console, caller: &Caller, person: &str) -> Result<Receipt, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let all = store::emergency_accounts(&mut console.read().await?, key).await?;
    let row = all.into_iter().find(|row| row.person_id == person).ok_or(Error::NotFound)?;
    let subject = Subject { person: Some(person.into()), row: Some(row.id.clone()), ..Subject::default() };
    let (mut tx, event) = console.begin(caller, Action::UnnameEmergency, subject, Situation::default()).await?;
    if !keeps_a_way_in(console, &mut tx, person).await? {
        return Err(tx.refuse(event, Refusal::LastAdministrator).await);
    }
    if store::close_emergency(&mut tx, &row.id, now).await? == 0 {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    tx.seal(&EmergencyAccount { valid_to: Some(now), ..row })?;
    tx.commit(vec![event]).await
}

/// May this account sign in with a password? Anybody while there is no provider; then emergency accounts alone.
pub async fn takes_password(console: &Console, db: &mut impl Sql, person: &str) -> Result<bool, Error> {
    let key = console.seal_key();
    if !store::any(db).await? {
        return Ok(true);
    }
    Ok(store::emergency_accounts(db, key).await?.iter().any(|row| row.person_id == person))
}

/// Takes an identity from an account: one's own, or as an administrator anybody's. Its sessions end.
pub async fn unlink_identity(console: &Console, caller: &Caller, id: &str) -> Result<Receipt, Error> {
    let key = console.seal_key();
    let identity = store::find_identity(&mut console.read().await?, id, key).await?.ok_or(Error::NotFound)?;
    let subject = Subject { person: Some(identity.person_id.clone()), row: Some(id.into()), ..Subject::default() };
    let is_own = identity.person_id == caller.id();
    let (mut tx, event) = console.begin(caller, Action::UnlinkIdentity, subject, own(is_own)).await?;
    let person = people::lock(&mut tx, &identity.person_id, key).await?.ok_or(Error::NotFound)?;
    // Nobody shuts oneself out by mistake; an administrator may shut somebody out on purpose.
    let others = store::identities_of(&mut tx, &person.id, key).await?.len() > 1;
    let by_password = person.password_hash.is_some() && takes_password(console, &mut tx, &person.id).await?;
    if is_own && !others && !by_password {
        return Err(tx.refuse(event, Refusal::NoSecondSignIn).await);
    }
    // As it is now: a sign-in may have told of its groups since.
    let identity = store::find_identity(&mut tx, id, key).await?.ok_or(Error::NotFound)?;
    let now = console.now();
    if store::close_identity(&mut tx, id, now).await? == 0 {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let identity = store::Identity { valid_to: Some(now), ..identity };
    tx.seal(&identity)?;
    let mut events = vec![event];
    events.extend(end_sessions_of(console, &mut tx, &identity).await?);
    events.extend(groups::take_given(console, &mut tx, &person, &identity).await?);
    tx.commit(events).await
}

/// The provider that vouches for an identity now.
pub async fn provider_of(console: &Console, identity: &str) -> Result<Option<String>, Error> {
    let (mut db, key) = (console.read().await?, console.seal_key());
    let Some(identity) = store::find_identity(&mut db, identity, key).await? else { return Ok(None) };
    let providers = store::providers(&mut db, key).await?;
    Ok(providers.into_iter().find(|row| row.issuer == identity.issuer).map(|row| row.provider_id))
}

/// The event's subject for a person, with a row.
fn about_row(person: &Person, row: &str) -> Subject {
    Subject { row: Some(row.into()), ..about(person) }
}
