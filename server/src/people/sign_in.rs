//! Sign-in, sign-out, sessions, links, the first administrator.
use super::{
    Caller, Entry, about,
    attempts::{Door, Try, network},
    familiar, overseers, own,
    passwords::{bearer, bearer_hash, mistake},
    providers::{self, takes_password},
    store::{self, Link, Person, RoleRow, Session},
    tokens::{end_access_tokens_from, end_access_tokens_of},
    turns::Lane,
};
use crate::{
    audit::{
        event::{Event, Who},
        ledger::{Basis, Receipt, Tx},
        row_seal::SealKey,
    },
    console::Console,
    notifications,
};
use app::{
    audit::{action::Action, leaf::Subject},
    error::{Conflict, Error, Refusal},
    id::{LinkId, PersonId, RoleId, SessionId},
    people::model,
    policies::model::Role,
    time::Moment,
};
use chrono::TimeDelta;
use zeroize::Zeroizing;

/// How long a link to join or to set a password works.
const LINK_LIFE: TimeDelta = TimeDelta::hours(72);

/// The prefixes of bearer secrets that people handle.
const LINK_PREFIX: &str = "csl";

/// Whose name and password these are. Unknown names answer like wrong passwords. `known` is what the browser keeps if it signed in
/// here before.
pub async fn check_password(
    console: &Console,
    origin: &Who,
    login: &str,
    password: Zeroizing<String>,
    known: Option<&str>,
) -> Result<Person, Error> {
    let now = console.now();
    let source = origin.address.clone().unwrap_or_default();
    let account = model::login(login).unwrap_or_default();
    let attempted = Event::new(Action::SignIn).private("login", account.clone());
    let mut db = console.read().await?;
    let found = store::find_by_login(&mut db, &account, console.seal_key()).await?;
    let may = match &found {
        Some(person) => person.is_active() && takes_password(console, &mut db, &person.id).await?,
        None => false,
    };
    drop(db);
    let browser = found.as_ref().zip(known).and_then(|(person, known)| familiar::recognise(console, known, person));
    let tried = Try { login: &account, exists: found.is_some(), source: &source, browser: browser.as_deref() };
    if !console.attempts.may_try(tried, now) {
        return Err(console.ledger.refuse(origin, attempted, Refusal::TooManyAttempts).await);
    }
    let place = network(&source);
    let queue = match &browser {
        // However many browsers an account has: it has one place in the queue.
        Some(_) => (Lane::Known, account.as_str()),
        None => (Lane::Stranger, place.as_str()),
    };
    let stored = found.as_ref().filter(|_| may).and_then(|person| person.password_hash.clone());
    // Counted before the slow check, so that many at once are not many free guesses; taken back when it fits.
    console.attempts.failed(tried, now);
    let fits = console.hasher.verify(queue, password, stored).await?;
    match found {
        Some(person) if fits => {
            console.attempts.forgive(tried);
            Ok(person)
        }
        found => {
            let subject = found.as_ref().map(about).unwrap_or_default();
            Err(console.ledger.refuse(origin, attempted.on(subject), Refusal::WrongCredentials).await)
        }
    }
}

/// Opens a session for somebody whose identity was established by `method`.
pub async fn open_session(
    console: &Console,
    origin: &Who,
    person: &Person,
    method: &str,
    browser: Vec<u8>,
) -> Result<(Session, Receipt), Error> {
    console.may_open(Action::SignIn)?;
    let id: PersonId = person.id.parse().map_err(|_| Error::Unavailable)?;
    let session_id = console.id::<SessionId>()?;
    let who = Who::person(&id, method, Some(session_id.as_str())).from(origin);
    let mut tx = console.ledger.begin(&who).await?;
    // While the password was checked, the account may have ended or got another password.
    let now_is = store::lock(&mut tx, &person.id, console.seal_key()).await?;
    let same = |now_is: &Person| now_is.is_active() && now_is.password_hash == person.password_hash;
    let Some(now_is) = now_is.filter(same) else {
        return Err(tx.refuse(Event::new(Action::SignIn).on(about(person)), Refusal::WrongCredentials).await);
    };
    tx.rests_on([Basis::of(&now_is)]);
    if method == PASSWORD && providers::store::any(&mut tx).await? {
        // An emergency account, while a provider is used: nobody does that unnoticed.
        let told = overseers(console, &mut tx).await?;
        let told: Vec<&str> = told.iter().map(String::as_str).filter(|id| *id != person.id).collect();
        notifications::tell(console, &mut tx, told, "emergency.used", &person.id).await?;
    }
    let (session, event) = open_in(console, &mut tx, origin, person, session_id, method, None, browser).await?;
    let receipt = tx.commit(vec![event]).await?;
    Ok((session, receipt))
}

/// How somebody signs in who types a password.
pub const PASSWORD: &str = "password";

/// What a provider said of a sign-in.
pub(super) struct Strength {
    pub identity: String,
    pub sid: Option<String>,
    pub acr: Option<String>,
    pub auth_time: Option<Moment>,
}

/// Opens a session within a change, with the event that says so.
#[allow(clippy::too_many_arguments, reason = "everything that a session is made of, at the one place that makes it")]
pub(super) async fn open_in(
    console: &Console,
    tx: &mut Tx,
    origin: &Who,
    person: &Person,
    id: SessionId,
    method: &str,
    strength: Option<Strength>,
    browser: Vec<u8>,
) -> Result<(Session, Event), Error> {
    let now = console.now();
    let roles = super::organisation_roles(&store::roles_of(tx, &person.id, now, console.seal_key()).await?);
    let (identity_id, provider_sid, acr, auth_time) = match strength {
        Some(strength) => (Some(strength.identity), strength.sid, strength.acr, strength.auth_time),
        None => (None, None, None, None),
    };
    let session = Session {
        id: id.to_string(),
        hash: browser,
        person_id: person.id.clone(),
        method: method.into(),
        agent: origin.agent.clone(),
        address: origin.address.clone(),
        started_at: now,
        expires_at: now + model::session_limits(&roles).longest,
        revoked_at: None,
        identity_id,
        provider_sid,
        acr,
        auth_time,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    store::insert_session(tx, &session).await?;
    tx.seal(&session)?;
    let subject = Subject { row: Some(session.id.clone()), ..about(person) };
    Ok((session, Event::new(Action::SignIn).on(subject)))
}

/// Who a browser's session is, if it may still act. Revocation, disabling and timeouts act here, on the next request.
pub async fn recognise(console: &Console, origin: Who, browser: &[u8]) -> Result<Option<Caller>, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let Some(session) = store::find_session(&mut db, browser, key).await? else { return Ok(None) };
    let seen = store::seen_at(&mut db, &session.id).await?.unwrap_or(session.started_at);
    if !session.is_open(now) {
        return Ok(None);
    }
    let Some(person) = store::find(&mut db, &session.person_id, key).await?.filter(Person::is_active) else {
        return Ok(None);
    };
    drop(db);
    let (id, started_at) = (session.id.clone(), session.started_at);
    let caller = Caller::load(console, person, Entry::Browser(session), origin).await?;
    // Roles of now: whoever was made an administrator in the middle of a session has an administrator's limits.
    let limits = model::session_limits(&caller.organisation_roles());
    if now - started_at >= limits.longest || now - seen >= limits.idle {
        return Ok(None);
    }
    if now - seen >= TimeDelta::minutes(1) {
        let mut tx = console.ledger.housekeeping().await?;
        store::touch(&mut tx, &id, now).await?;
        tx.finish().await?;
    }
    Ok(Some(caller))
}

/// Ends the session that asks. One that has ended already is signed out: nothing is written for it again.
pub async fn sign_out(console: &Console, caller: &Caller) -> Result<Option<Receipt>, Error> {
    let Some(session) = caller.session() else { return Err(Error::Unauthenticated) };
    let subject = Subject { row: Some(session.id.clone()), ..about(&caller.person) };
    let begun = console.begin(caller, Action::SignOut, subject, own(true)).await;
    let (mut tx, event) = match begun {
        Err(Error::Unauthenticated) => return Ok(None),
        begun => begun?,
    };
    // Another click, or an administrator, may have been faster.
    if close_session(&mut tx, session.clone(), console.now()).await? == 0 {
        return Ok(None);
    }
    match tx.commit(vec![event]).await {
        Err(Error::Conflict(Conflict::EditedMeanwhile)) => Ok(None),
        done => done.map(Some),
    }
}

/// Ends one session: one's own, or as an administrator anybody's. Says whose it was.
pub async fn end_session(console: &Console, caller: &Caller, id: &str) -> Result<(String, Receipt), Error> {
    let session = store::find_session_by_id(&mut console.read().await?, id, console.seal_key()).await?;
    let session = session.ok_or(Error::NotFound)?;
    let subject =
        Subject { person: Some(session.person_id.clone()), row: Some(session.id.clone()), ..Subject::default() };
    let is_own = session.person_id == caller.id();
    let (mut tx, event) = console.begin(caller, Action::EndSession, subject, own(is_own)).await?;
    let (owner, session_id) = (session.person_id.clone(), session.id.clone());
    if close_session(&mut tx, session, console.now()).await? == 0 {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let mut events = vec![event];
    events.extend(end_access_tokens_from(console, &mut tx, &owner, &session_id).await?);
    Ok((owner, tx.commit(events).await?))
}

/// Ends every open session of a person, and the tokens made in them; of one's own all but the one that asks.
pub async fn end_sessions(console: &Console, caller: &Caller, person: &str) -> Result<Receipt, Error> {
    let subject = Subject { person: Some(person.into()), ..Subject::default() };
    let is_own = person == caller.id();
    let (mut tx, event) = console.begin(caller, Action::EndSession, subject, own(is_own)).await?;
    let current = caller.session().filter(|_| is_own).map(|session| session.id.as_str());
    let open = store::sessions_of(&mut tx, person, console.now(), console.seal_key()).await?;
    let others: Vec<Session> = open.into_iter().filter(|session| current != Some(session.id.as_str())).collect();
    if others.is_empty() {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let mut events = vec![event.detail("sessions", others.len() as u64)];
    events.extend(providers::end_each(console, &mut tx, others).await?);
    tx.commit(events).await
}

pub(super) async fn close_session(tx: &mut Tx, mut session: Session, now: Moment) -> Result<u64, Error> {
    let closed = store::revoke_session(tx, &session.id, now).await?;
    session.revoked_at = Some(now);
    if closed > 0 {
        tx.seal(&session)?;
    }
    Ok(closed)
}

/// Ends every open session of a person, except one; an event for each.
pub(super) async fn close_sessions(
    console: &Console,
    tx: &mut Tx,
    person: &str,
    except: Option<&str>,
) -> Result<Vec<Event>, Error> {
    let now = console.now();
    let mut events = Vec::new();
    for session in store::sessions_of(tx, person, now, console.seal_key()).await? {
        if except == Some(session.id.as_str()) {
            continue;
        }
        let subject = Subject { person: Some(person.into()), row: Some(session.id.clone()), ..Subject::default() };
        if close_session(tx, session, now).await? > 0 {
            events.push(Event::new(Action::EndSession).on(subject));
        }
    }
    Ok(events)
}

/// Ends every open session within a change: for a restored database, which may be older than their ends.
pub async fn revoke_every_session(tx: &mut Tx, now: Moment, key: &SealKey) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    for session in store::open_sessions(tx, now, key).await? {
        let subject =
            Subject { person: Some(session.person_id.clone()), row: Some(session.id.clone()), ..Subject::default() };
        if close_session(tx, session, now).await? > 0 {
            events.push(Event::new(Action::EndSession).on(subject));
        }
    }
    Ok(events)
}

/// A new password for oneself; every other session and every token ends.
pub async fn change_password(
    console: &Console,
    caller: &Caller,
    former: Zeroizing<String>,
    new: Zeroizing<String>,
) -> Result<Receipt, Error> {
    if let Some(mistake) = mistake(&new, &caller.person.login) {
        return Err(Error::invalid("new_password", mistake));
    }
    let event = Event::new(Action::ChangePassword).on(about(&caller.person));
    let (guessed, now) = (format!("password {}", caller.id()), console.now());
    if !console.attempts.may_prove(&guessed, now) {
        return Err(console.ledger.refuse(&caller.who, event, Refusal::TooManyAttempts).await);
    }
    console.attempts.proving(&guessed, now);
    let fits = console.hasher.verify((Lane::Known, caller.id()), former, caller.person.password_hash.clone()).await?;
    if !fits {
        console.ledger.refuse(&caller.who, event, Refusal::WrongCredentials).await;
        return Err(Error::invalid("password", "This is not your present password."));
    }
    console.attempts.proved(&guessed);
    let hash = console.hasher.hash(caller.id(), new).await?;
    let (mut tx, event) = console.begin(caller, Action::ChangePassword, about(&caller.person), own(true)).await?;
    let person = store::lock(&mut tx, caller.id(), console.seal_key()).await?.ok_or(Error::NotFound)?;
    if person.password_hash != caller.person.password_hash {
        return Err(tx.refuse(event, Refusal::WrongCredentials).await);
    }
    let person = Person { password_hash: Some(hash), ..person };
    store::save(&mut tx, &person).await?;
    tx.seal(&person)?;
    let mut events = vec![event];
    events.extend(close_links(console, &mut tx, &person.id, None).await?);
    let current = caller.session().map(|session| session.id.as_str());
    events.extend(close_sessions(console, &mut tx, &person.id, current).await?);
    events.extend(end_access_tokens_of(console, &mut tx, &person.id).await?);
    tx.commit(events).await
}

/// Ends every link of a person that was not used: there is never more than one that works.
async fn close_links(console: &Console, tx: &mut Tx, person: &str, except: Option<&str>) -> Result<Vec<Event>, Error> {
    let now = console.now();
    let mut events = Vec::new();
    for link in store::open_links(tx, person, console.seal_key()).await? {
        if except != Some(link.id.as_str()) && store::use_link(tx, &link.id, now).await? > 0 {
            let subject = Subject { person: Some(person.into()), row: Some(link.id.clone()), ..Subject::default() };
            tx.seal(&Link { used_at: Some(now), ..link })?;
            events.push(Event::new(Action::CloseLink).on(subject));
        }
    }
    Ok(events)
}

/// Ends every link that somebody made for others and that was not used: they have seen it.
pub(super) async fn close_links_made_by(console: &Console, tx: &mut Tx, maker: &str) -> Result<Vec<Event>, Error> {
    let now = console.now();
    let mut events = Vec::new();
    for link in store::open_links_by(tx, maker, now, console.seal_key()).await? {
        if store::use_link(tx, &link.id, now).await? > 0 {
            let subject =
                Subject { person: Some(link.person_id.clone()), row: Some(link.id.clone()), ..Subject::default() };
            tx.seal(&Link { used_at: Some(now), ..link })?;
            events.push(Event::new(Action::CloseLink).on(subject));
        }
    }
    Ok(events)
}

/// A link that works once: its text, shown once, the row's id, and the ends of those before it.
pub(super) struct NewLink {
    pub text: Zeroizing<String>,
    pub id: String,
    pub closed: Vec<Event>,
}

/// Makes a one-time link for a person within a change. The text is shown once; only its hash is kept.
pub(super) async fn make_link(
    console: &Console,
    tx: &mut Tx,
    person: &str,
    kind: &str,
    by: Option<&str>,
) -> Result<NewLink, Error> {
    let text = bearer(LINK_PREFIX)?;
    let now = console.now();
    let link = Link {
        id: console.id::<LinkId>()?.to_string(),
        person_id: person.into(),
        kind: kind.into(),
        token_hash: bearer_hash(LINK_PREFIX, &text).ok_or(Error::Unavailable)?,
        created_by: by.map(Into::into),
        created_at: now,
        expires_at: now + LINK_LIFE,
        used_at: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    let closed = close_links(console, tx, person, None).await?;
    store::insert_link(tx, &link).await?;
    tx.seal(&link)?;
    Ok(NewLink { text, id: link.id, closed })
}

/// Whose link this is, while it works.
pub async fn find_link(console: &Console, text: &str) -> Result<(Link, Person), Error> {
    let hash = bearer_hash(LINK_PREFIX, text).ok_or(Error::Refused(Refusal::LinkUsed))?;
    let mut db = console.read().await?;
    let link = store::find_link(&mut db, &hash, console.seal_key()).await?;
    let link = link.filter(|link| link.used_at.is_none() && link.expires_at > console.now());
    let link = link.ok_or(Error::Refused(Refusal::LinkUsed))?;
    let person = store::find(&mut db, &link.person_id, console.seal_key()).await?;
    let person = person.filter(|person| person.disabled_at.is_none()).ok_or(Error::Refused(Refusal::LinkUsed))?;
    Ok((link, person))
}

/// Sets a password by a link: a new person joins, a known one gets in again and every session and token of theirs
/// ends.
pub async fn use_link(
    console: &Console,
    origin: &Who,
    text: &str,
    password: Zeroizing<String>,
) -> Result<Receipt, Error> {
    let (link, person) = find_link(console, text).await?;
    if !takes_password(console, &mut console.read().await?, &person.id).await? {
        let event = Event::new(Action::ChangePassword).on(Subject { row: Some(link.id), ..about(&person) });
        return Err(console.ledger.refuse(origin, event, Refusal::UseProvider).await);
    }
    if let Some(mistake) = mistake(&password, &person.login) {
        return Err(Error::invalid("new_password", mistake));
    }
    let hash = console.hasher.hash(&person.id, password).await?;
    finish_link(console, origin, link, Some(hash)).await
}

async fn finish_link(console: &Console, origin: &Who, link: Link, hash: Option<String>) -> Result<Receipt, Error> {
    let id: PersonId = link.person_id.parse().map_err(|_| Error::Unavailable)?;
    let mut tx = console.ledger.begin(&Who::person(&id, "link", None).from(origin)).await?;
    let attempted = Event::new(Action::JoinOrganisation).on(Subject {
        person: Some(link.person_id.clone()),
        row: Some(link.id.clone()),
        ..Subject::default()
    });
    match use_up_link(console, &mut tx, link, hash).await {
        Ok((_, events)) => tx.commit(events).await,
        Err(Error::Refused(why)) => Err(tx.refuse(attempted, why).await),
        Err(error) => Err(error),
    }
}

/// Takes a link within a change: its person joins, or gets in again with the new password, and what was open before ends.
pub(super) async fn use_up_link(
    console: &Console,
    tx: &mut Tx,
    mut link: Link,
    hash: Option<String>,
) -> Result<(Person, Vec<Event>), Error> {
    let now = console.now();
    let locked = store::lock(tx, &link.person_id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let joins = locked.joined_at.is_none();
    let subject = Subject { row: Some(link.id.clone()), ..about(&locked) };
    let event = Event::new(if joins { Action::JoinOrganisation } else { Action::ChangePassword }).on(subject);
    let still_open = store::use_link(tx, &link.id, now).await? > 0 && link.expires_at > now;
    let Some(person) = Some(locked).filter(|person| still_open && person.disabled_at.is_none()) else {
        return Err(Error::Refused(Refusal::LinkUsed));
    };
    link.used_at = Some(now);
    tx.seal(&link)?;
    let mut events = vec![event];
    events.extend(close_links(console, tx, &person.id, Some(&link.id)).await?);
    let password_hash = hash.or(person.password_hash);
    let person = Person { password_hash, joined_at: person.joined_at.or(Some(now)), ..person };
    store::save(tx, &person).await?;
    tx.seal(&person)?;
    events.extend(close_sessions(console, tx, &person.id, None).await?);
    events.extend(end_access_tokens_of(console, tx, &person.id).await?);
    Ok((person, events))
}

/// Makes the first administrator, with the code that the server printed. Works while there is nobody.
pub async fn set_up(
    console: &Console,
    origin: &Who,
    code: &str,
    login: &str,
    name: &str,
    password: Zeroizing<String>,
) -> Result<Receipt, Error> {
    if !super::is_empty(console, &mut console.read().await?).await? {
        return Err(Error::NotFound);
    }
    let attempted = Event::new(Action::JoinOrganisation);
    let (source, now) = (origin.address.clone().unwrap_or_default(), console.now());
    if !console.set_up.fits(code, now) {
        // The code cannot be guessed: whoever has it is let in whatever others try.
        if !console.attempts.may_knock(Door::SetUp, &source, now) {
            return Err(console.ledger.refuse(origin, attempted, Refusal::TooManyAttempts).await);
        }
        console.attempts.knocked(Door::SetUp, &source, now);
        console.ledger.refuse(origin, attempted, Refusal::SetUpCode).await;
        return Err(Error::invalid("code", Refusal::SetUpCode.to_string()));
    }
    let login = model::login(login).map_err(|why| Error::invalid("login", why))?;
    let name = model::display(name).map_err(|why| Error::invalid("name", why))?;
    if let Some(mistake) = mistake(&password, &login) {
        return Err(Error::invalid("new_password", mistake));
    }
    let hash = console.hasher.hash(&source, password).await?;
    let receipt = make_administrator(console, origin, &login, &name, Some(hash)).await?;
    console.set_up.close();
    Ok(receipt)
}

/// The person and the role, in one change.
pub async fn make_administrator(
    console: &Console,
    origin: &Who,
    login: &str,
    name: &str,
    password_hash: Option<String>,
) -> Result<Receipt, Error> {
    let now = console.now();
    let person = Person {
        id: console.id::<PersonId>()?.to_string(),
        login: login.into(),
        name: name.into(),
        password_hash,
        created_at: now,
        joined_at: Some(now),
        disabled_at: None,
        set_up_by: None,
        set_up_at: None,
        factor_at: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    let role = RoleRow {
        id: console.id::<RoleId>()?.to_string(),
        person_id: person.id.clone(),
        project_id: None,
        role: Role::Admin.code().into(),
        given_by: None,
        rule_id: None,
        valid_from: now,
        valid_to: None,
        reads_from: None,
        reads_until: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    let mut tx = console.ledger.begin(origin).await?;
    if store::insert(&mut tx, &person).await? == 0 {
        return Err(Error::Conflict(Conflict::Taken));
    }
    tx.seal(&person)?;
    store::insert_role(&mut tx, &role).await?;
    tx.seal(&role)?;
    let joined = Event::new(Action::JoinOrganisation).on(about(&person)).private("name", name).private("login", login);
    let assigned = Event::new(Action::AssignRole)
        .on(Subject { row: Some(role.id.clone()), ..about(&person) })
        .detail("role", Role::Admin.code());
    tx.commit(vec![joined, assigned]).await
}

/// Uses a link in a demonstration: the person joins without a password of their own, since personas are clicked.
pub async fn join_demo(console: &Console, origin: &Who, link: &str) -> Result<Receipt, Error> {
    if !console.demo {
        return Err(Error::NotFound);
    }
    let (link, _) = find_link(console, link).await?;
    finish_link(console, origin, link, None).await
}
