//! Workloads: made by leads, signed in with a client secret, served by short-lived tokens.
//! States and invariants are in `app/src/workloads`.
mod fetch;
mod second;
pub mod store;

pub use fetch::*;
pub(crate) use second::{confirm_credential, credential_situation, end_credentials_of, handed_out, widened};

use crate::{
    audit::{
        event::{Event, Who},
        ledger::{Receipt, Tx},
        row_seal::SealKey,
    },
    catalog::{
        self,
        store::{Environment, Project},
    },
    console::Console,
    controls::{self, Submitted},
    db::Sql,
    grants::{self, Holder},
    people::{
        Caller,
        attempts::Door,
        passwords::{bearer, bearer_hash},
    },
    policies::{Principal, Situation},
};
use app::{
    audit::{action::Action, leaf::Subject},
    controls::model::Change,
    error::{Conflict, Error, Refusal},
    id::{CredentialId, TokenId, WorkloadId},
    people::model as text,
    policies::model::Tier,
    time::Moment,
};
use chrono::TimeDelta;
use store::{Credential, Token, Workload};
use zeroize::Zeroizing;

/// Prefixes by which scanners recognise our secrets.
pub const CLIENT_SECRET: &str = "csc";
pub const TOKEN: &str = "cst";

/// The longest life of a client secret.
pub const LONGEST_CREDENTIAL: TimeDelta = TimeDelta::days(180);

pub(crate) fn subject(workload: &Workload) -> Subject {
    Subject {
        project: Some(workload.project_id.clone()),
        environment: Some(workload.environment_id.clone()),
        workload: Some(workload.id.clone()),
        team: Some(workload.team_id.clone()),
        ..Subject::default()
    }
}

/// What policy is asked about a workload of an environment of this level.
pub(crate) fn situation(tier: Tier, of_its_team: bool) -> Situation {
    Situation { team: of_its_team, tier: Some(tier), ..Situation::default() }
}

/// A workload, and what policy is asked about it of this caller.
async fn found(console: &Console, caller: &Caller, id: &str) -> Result<(Workload, Situation), Error> {
    let mut db = console.read().await?;
    let workload = store::find(&mut db, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let place = catalog::store::find_environment(&mut db, &workload.environment_id, console.seal_key()).await?;
    let situation = situation(place.ok_or(Error::NotFound)?.tier(), caller.teams.contains(&workload.team_id));
    Ok((workload, situation))
}

pub async fn create_workload(
    console: &Console,
    caller: &Caller,
    project: &Project,
    environment: &Environment,
    slug: &str,
    name: &str,
    team: &str,
) -> Result<(String, Receipt), Error> {
    let workload = Workload {
        id: console.id::<WorkloadId>()?.to_string(),
        slug: text::slug(slug).map_err(|why| Error::invalid("slug", why))?,
        name: text::display(name).map_err(|why| Error::invalid("name", why))?,
        team_id: team.into(),
        project_id: project.id.clone(),
        environment_id: environment.id.clone(),
        created_by: Some(caller.id().into()),
        created_at: console.now(),
        disabled_at: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    let situation = situation(environment.tier(), caller.teams.contains(&workload.team_id));
    let (mut tx, event) = console.begin(caller, Action::CreateWorkload, subject(&workload), situation).await?;
    if crate::people::store::find_team(&mut tx, team).await?.is_none() {
        return Err(Error::invalid("team", "Choose the team that owns it."));
    }
    if store::insert(&mut tx, &workload).await? == 0 {
        return Err(Error::invalid("slug", "That name is taken."));
    }
    tx.seal(&workload)?;
    let receipt = tx.commit(vec![event.private("name", workload.name).private("slug", workload.slug)]).await?;
    Ok((workload.id, receipt))
}

/// A new client secret, shown once.
pub async fn issue_credential(
    console: &Console,
    caller: &Caller,
    id: &str,
    life: TimeDelta,
) -> Result<NewCredential, Error> {
    if life < TimeDelta::hours(1) || life > LONGEST_CREDENTIAL {
        return Err(Error::invalid("days", "Between one day and 180 days."));
    }
    let (workload, situation) = found(console, caller, id).await?;
    let waits = situation.tier.is_some_and(second::needs_second);
    // What a second person has to confirm is asked for like every other control that loosens, before anything is made.
    let situation = Situation { loosens: waits, ..situation };
    let secret = bearer(CLIENT_SECRET)?;
    let now = console.now();
    let row = Credential {
        id: console.id::<CredentialId>()?.to_string(),
        workload_id: id.into(),
        hash: bearer_hash(CLIENT_SECRET, &secret).ok_or(Error::Unavailable)?,
        issued_by: Some(caller.id().into()),
        created_at: now,
        expires_at: now + life,
        revoked_at: None,
        waits,
        confirmed_at: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    let about = Subject { row: Some(row.id.clone()), ..subject(&workload) };
    let (mut tx, event) = console.begin(caller, Action::IssueCredential, about, situation).await?;
    let locked = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if locked.disabled_at.is_some() {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    store::insert_credential(&mut tx, &row).await?;
    tx.seal(&row)?;
    let event = event.detail("days", life.num_days().max(0) as u64);
    if !waits {
        second::works(console, &mut tx, &row).await?;
        let receipt = tx.commit(vec![event]).await?;
        return Ok(NewCredential { secret, receipt, waits_for: None });
    }
    let receipt = tx.commit(vec![event.detail("waits", true)]).await?;
    // Until it is confirmed it opens nothing: whatever stops this in between leaves a client secret that never works.
    let (credential, team) = (row.id, workload.team_id);
    let change = Change::IssueCredential { credential, workload: workload.id, team };
    let waits_for = match controls::submit(console, caller, change).await? {
        Submitted::Waits { id, .. } => Some(id),
        Submitted::Done(_) => None,
    };
    Ok(NewCredential { secret, receipt, waits_for })
}

/// A client secret, shown once.
pub struct NewCredential {
    pub secret: Zeroizing<String>,
    pub receipt: Receipt,
    /// The change that a second person has to confirm before it works.
    pub waits_for: Option<String>,
}

/// Ends a client secret and every token that came from it.
pub async fn revoke_credential(console: &Console, caller: &Caller, id: &str) -> Result<(Receipt, String), Error> {
    let mut db = console.read().await?;
    let row = store::find_credential(&mut db, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    drop(db);
    let (workload, situation) = found(console, caller, &row.workload_id).await?;
    let about = Subject { row: Some(row.id.clone()), ..subject(&workload) };
    let (mut tx, event) = console.begin(caller, Action::RevokeCredential, about, situation).await?;
    store::lock(&mut tx, &workload.id, console.seal_key()).await?;
    // As it is now: somebody may have confirmed it since.
    let row = store::find_credential(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let now = console.now();
    if store::revoke_credential(&mut tx, id, now).await? == 0 {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    tx.seal(&Credential { revoked_at: Some(now), ..row })?;
    let mut events = vec![event];
    events.extend(revoke_tokens(console, &mut tx, &workload, Some(id)).await?);
    Ok((tx.commit(events).await?, workload.id))
}

async fn revoke_tokens(
    console: &Console,
    tx: &mut Tx,
    workload: &Workload,
    credential: Option<&str>,
) -> Result<Vec<Event>, Error> {
    let now = console.now();
    let mut events = Vec::new();
    for token in store::open_tokens(tx, &workload.id, now, console.seal_key()).await? {
        if credential.is_some_and(|credential| token.credential_id != credential) {
            continue;
        }
        store::revoke_token(tx, &token.id, now).await?;
        let about = Subject { row: Some(token.id.clone()), ..subject(workload) };
        tx.seal(&Token { revoked_at: Some(now), ..token })?;
        events.push(Event::new(Action::RevokeToken).on(about));
    }
    Ok(events)
}

/// Closes a workload: client secrets, tokens and grants end in one change.
pub async fn disable_workload(console: &Console, caller: &Caller, id: &str) -> Result<Receipt, Error> {
    let (workload, situation) = found(console, caller, id).await?;
    let (mut tx, event) = console.begin(caller, Action::DisableWorkload, subject(&workload), situation).await?;
    let workload = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let now = console.now();
    if store::disable(&mut tx, id, now).await? == 0 {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    tx.seal(&Workload { disabled_at: Some(now), ..workload.clone() })?;
    let mut events = vec![event];
    for row in store::credentials(&mut tx, id, console.seal_key()).await? {
        if store::revoke_credential(&mut tx, &row.id, now).await? > 0 {
            let about = Subject { row: Some(row.id.clone()), ..subject(&workload) };
            tx.seal(&Credential { revoked_at: Some(now), ..row })?;
            events.push(Event::new(Action::RevokeCredential).on(about));
        }
    }
    events.extend(revoke_tokens(console, &mut tx, &workload, None).await?);
    events.extend(grants::revoke_grants_of(console, &mut tx, Holder::Workload(id), caller.id()).await?);
    tx.commit(events).await
}

/// A token on its way to a workload.
pub struct Issued {
    pub token: Zeroizing<String>,
    pub life: TimeDelta,
    pub receipt: Receipt,
}

/// Exchanges a client secret for a token. Every wrong one gets the same answer.
pub async fn issue_token(console: &Console, origin: &Who, client_secret: &str) -> Result<Issued, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let attempted = Event::new(Action::IssueToken);
    let source = origin.address.clone().unwrap_or_default();
    let mut db = console.read().await?;
    crate::policies::documents::follow(&console.engine, &mut db, key).await?;
    let found = match bearer_hash(CLIENT_SECRET, client_secret) {
        Some(hash) => store::find_credential_by_hash(&mut db, &hash, key).await?,
        None => None,
    };
    let credential = found.filter(|credential| credential.works(now));
    let workload = match &credential {
        Some(credential) => store::find(&mut db, &credential.workload_id, key).await?,
        None => None,
    };
    let environment = match &workload {
        Some(workload) => catalog::store::find_environment(&mut db, &workload.environment_id, key).await?,
        None => None,
    };
    drop(db);
    let Some(credential) = credential else {
        // Nobody guesses 256 bits: noise is slowed down, and a good secret is never kept out by somebody else's.
        if !console.attempts.may_knock(Door::ClientSecret, &source, now) {
            return Err(console.ledger.refuse(origin, attempted, Refusal::TooManyAttempts).await);
        }
        console.attempts.knocked(Door::ClientSecret, &source, now);
        return Err(console.ledger.refuse(origin, attempted, Refusal::BadToken).await);
    };
    let Some(workload) = workload.filter(|row| row.disabled_at.is_none()) else {
        return Err(console.ledger.refuse(origin, attempted, Refusal::BadToken).await);
    };
    let tier = environment.ok_or(Error::Unavailable)?.tier();
    let token = bearer(TOKEN)?;
    let row = Token {
        id: console.id::<TokenId>()?.to_string(),
        workload_id: workload.id.clone(),
        credential_id: credential.id,
        hash: bearer_hash(TOKEN, &token).ok_or(Error::Unavailable)?,
        issued_at: now,
        expires_at: now + console.level(tier).token_life(),
        revoked_at: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    let id: WorkloadId = workload.id.parse().map_err(|_| Error::Unavailable)?;
    let who = Who::workload(&id, "client-secret").from(origin);
    let about = Subject { row: Some(row.id.clone()), ..subject(&workload) };
    let situation = Situation { own: true, tier: Some(tier), ..Situation::default() };
    let tx = console.ledger.begin(&who).await?;
    let principal = Principal::workload(&workload.id);
    let (mut tx, event) = console.allow(tx, &principal, Action::IssueToken, about, situation).await?;
    let workload = store::lock(&mut tx, &workload.id, key).await?.filter(|row| row.disabled_at.is_none());
    let credential =
        store::find_credential(&mut tx, &row.credential_id, key).await?.filter(|credential| credential.works(now));
    if workload.is_none() || credential.is_none() {
        return Err(tx.refuse(event, Refusal::BadToken).await);
    }
    store::insert_token(&mut tx, &row).await?;
    tx.seal(&row)?;
    let receipt = tx.commit(vec![event]).await?;
    Ok(Issued { token, life: row.expires_at - row.issued_at, receipt })
}

/// When somebody last made a workload or issued a client secret for it: they could use it themselves.
pub async fn trust_changed_by(
    console: &Console,
    db: &mut impl Sql,
    workload: &Workload,
    person: &str,
) -> Result<Option<Moment>, Error> {
    let made = (workload.created_by.as_deref() == Some(person)).then_some(workload.created_at);
    let credentials = store::credentials(db, &workload.id, console.seal_key()).await?;
    let now = console.now();
    let issued = credentials.into_iter().filter(|row| row.issued_by.as_deref() == Some(person));
    // One that works, or will, is as good as issued now.
    let issued = issued.map(|row| {
        let open = row.revoked_at.is_none() && now < row.expires_at;
        if open { now } else { row.created_at.max(row.confirmed_at.unwrap_or(row.created_at)) }
    });
    Ok(issued.chain(made).max())
}

/// Ends every token of every workload within a change: for a restored database, which may be older than their ends.
pub async fn revoke_every_token(tx: &mut Tx, now: Moment, key: &SealKey) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    for token in store::all_open_tokens(tx, now, key).await? {
        store::revoke_token(tx, &token.id, now).await?;
        let about =
            Subject { workload: Some(token.workload_id.clone()), row: Some(token.id.clone()), ..Subject::default() };
        tx.seal(&Token { revoked_at: Some(now), ..token })?;
        events.push(Event::new(Action::RevokeToken).on(about));
    }
    Ok(events)
}
