//! Fetching: what a token may read at a place is worked out once and kept; each use asks policy again and stands in the
//! trail only if the rows that it rests on are, at that place of the trail, still the ones that were read.
use super::{
    TOKEN, store,
    store::{Token, Workload},
    subject,
};
use crate::{
    audit::{
        event::{Event, Who},
        ledger::Basis,
    },
    catalog::{self, Located},
    console::Console,
    grants::{self, Holder, store::Grant},
    people::passwords::bearer_hash,
    policies::{Principal, Situation},
    vault::{self, Sealed, Taken},
};
use app::{
    audit::{action::Action, leaf::Subject},
    catalog::model,
    error::{Error, Refusal},
    grants::model::State,
    id::WorkloadId,
    policies::model::Right,
    time::Moment,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// How often a fetch starts again because something changed under it.
const ATTEMPTS: usize = 4;

/// Everything that a token needs to read at one place, as it was when it was read from the database.
struct Ready {
    who: Who,
    workload: Workload,
    token: Token,
    grant: Grant,
    sealed: Sealed,
}

impl Ready {
    fn is_in_time(&self, now: Moment) -> bool {
        now < self.token.expires_at && self.grant.state(now) == State::Active
    }

    /// The rows without which this fetch would be refused, or would answer something else.
    fn basis(&self) -> Vec<Basis> {
        let located = &self.sealed.located;
        vec![
            Basis::of(&self.token),
            Basis::of(&self.workload),
            Basis::of(&self.grant),
            Basis::of(&located.environment),
            Basis::of(&located.secret),
        ]
    }
}

/// A token's hash, and the place that it asked for.
type Asked = (Vec<u8>, String);

/// What was worked out for the fetches of late. Nothing in it is trusted without its basis; values stay sealed.
#[derive(Default)]
pub struct Prepared(Mutex<HashMap<Asked, Arc<Ready>>>);

impl Prepared {
    /// More entries are forgotten all at once, which costs each its reads again.
    const MOST: usize = 2_000;
    /// Larger values are not kept: 2,000 of these are 16 MiB.
    const LARGEST: usize = 8 * 1024;

    fn get(&self, asked: &Asked, now: Moment) -> Option<Arc<Ready>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(asked).filter(|ready| ready.is_in_time(now)).cloned()
    }

    fn keep(&self, asked: Asked, ready: Arc<Ready>) {
        if ready.sealed.size() > Self::LARGEST {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= Self::MOST {
            kept.clear();
        }
        kept.insert(asked, ready);
    }

    fn forget(&self, asked: &Asked) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(asked);
    }
}

/// Reads the current value at a place for a workload. What it may not know answers like what does not exist.
pub async fn fetch_secret(
    console: &Console,
    origin: &Who,
    token: &str,
    project: &str,
    environment: &str,
    path: &str,
) -> Result<Taken, Error> {
    let hash = bearer_hash(TOKEN, token);
    let asked = (hash.clone().unwrap_or_default(), format!("{project}/{environment}/{path}"));
    // What was prepared rests on policies too: one that came into force since, on any replica, is asked.
    crate::policies::documents::follow(&console.engine, &mut console.read().await?, console.seal_key()).await?;
    for _ in 0..ATTEMPTS {
        let kept = console.prepared.get(&asked, console.now());
        let is_kept = kept.is_some();
        let ready = match kept {
            Some(ready) => ready,
            None => Arc::new(prepare(console, origin, hash.as_deref(), project, environment, path).await?),
        };
        if let Some(taken) = release(console, origin, &ready).await? {
            if !is_kept {
                console.prepared.keep(asked, ready);
            }
            return Ok(taken);
        }
        console.prepared.forget(&asked);
    }
    tracing::warn!(workload = asked.1, "what a fetch rests on changed at each attempt");
    Err(Error::Unavailable)
}

/// Opens the value and writes the event; the value leaves only with it. `None`: something changed since it was prepared.
async fn release(console: &Console, origin: &Who, ready: &Ready) -> Result<Option<Taken>, Error> {
    let who = ready.who.clone().from(origin);
    let located = &ready.sealed.located;
    let about = Subject {
        version: u32::try_from(ready.sealed.version).ok(),
        grant: Some(ready.grant.id.clone()),
        ..located.subject()
    };
    let situation = Situation { grant: true, ..catalog::secret_situation(located) };
    let principal = Principal::workload(&ready.workload.id);
    let event = console.permit(&who, &principal, Action::FetchSecret, about, situation).await?;
    let event = event.private("path", located.secret.path.clone());
    let Some(payload) = vault::open_sealed(console, &ready.sealed).await? else { return Ok(None) };
    let receipt = console.ledger.observe_while(&who, event, ready.basis()).await?;
    Ok(receipt.map(|receipt| Taken { payload, version: ready.sealed.version, receipt, located: located.clone() }))
}

/// Works out what a token may read at a place; what it may not is refused with an event.
async fn prepare(
    console: &Console,
    origin: &Who,
    hash: Option<&[u8]>,
    project: &str,
    environment: &str,
    path: &str,
) -> Result<Ready, Error> {
    let (workload, token, who) = recognise(console, origin, hash).await?;
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let place = catalog::store::find_project_by_slug(&mut db, project).await?;
    let place = match place {
        Some(place) => {
            let environments = catalog::store::environments(&mut db, &place.id, key).await?;
            environments.into_iter().find(|row| row.slug == environment).map(|environment| (place, environment))
        }
        None => None,
    };
    let attempted = Event::new(Action::FetchSecret).on(subject(&workload)).private("path", path.to_owned());
    let Some((project, environment)) = place else {
        drop(db);
        console.ledger.refuse(&who, attempted, Refusal::NoGrant).await;
        return Err(Error::NotFound);
    };
    if environment.id != workload.environment_id {
        drop(db);
        let refused = console.ledger.refuse(&who, attempted, Refusal::OtherEnvironment).await;
        // What there is outside its own project a workload learns of from nobody: it is as if it were not there.
        return Err(if project.id == workload.project_id { refused } else { Error::NotFound });
    }
    let secret = catalog::store::find_at(&mut db, &environment.id, &model::folded(path), key).await?;
    let Some(secret) = secret.filter(|secret| secret.path == path) else {
        drop(db);
        console.ledger.refuse(&who, attempted, Refusal::NoGrant).await;
        return Err(Error::NotFound);
    };
    let located = Located { project, environment, secret };
    let holder = Holder::Workload(&workload.id);
    let grant = grants::effective(&mut db, holder, &located.secret.id, Right::Read, now, key).await?;
    let sealed = vault::current(&mut db, located.clone()).await?;
    drop(db);
    let (Some(grant), Some(sealed)) = (&grant, sealed) else {
        // Policy says why not; it may also be that there is nothing to read.
        let about = Subject { grant: grant.as_ref().map(|grant| grant.id.clone()), ..located.subject() };
        let situation = Situation { grant: grant.is_some(), ..catalog::secret_situation(&located) };
        let principal = Principal::workload(&workload.id);
        let event = console.permit(&who, &principal, Action::FetchSecret, about, situation).await?;
        let why = if grant.is_some() { Refusal::NoSuchVersion } else { Refusal::NoGrant };
        return Err(console.ledger.refuse(&who, event.private("path", path.to_owned()), why).await);
    };
    Ok(Ready { who, workload, token, grant: grant.clone(), sealed })
}

/// Whose token this is, while it works and its workload does.
async fn recognise(console: &Console, origin: &Who, hash: Option<&[u8]>) -> Result<(Workload, Token, Who), Error> {
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let found = match hash {
        Some(hash) => store::find_token(&mut db, hash, key).await?,
        None => None,
    };
    let found = found.filter(|token| token.revoked_at.is_none() && now < token.expires_at);
    let workload = match &found {
        Some(token) => store::find(&mut db, &token.workload_id, key).await?.filter(|row| row.disabled_at.is_none()),
        None => None,
    };
    drop(db);
    match found.zip(workload) {
        Some((token, workload)) => {
            let id: WorkloadId = workload.id.parse().map_err(|_| Error::Unavailable)?;
            Ok((workload, token, Who::workload(&id, "token").from(origin)))
        }
        None => Err(console.ledger.refuse(origin, Event::new(Action::FetchSecret), Refusal::BadToken).await),
    }
}
