//! Taking a value out: shown to a person, copied by a person, fetched by a workload. The event is durable before the value
//! leaves.
use super::{
    envelope::{Payload, open},
    key_of, place, refused, store, subject,
};
use crate::{
    audit::{event::Who, ledger::Receipt},
    catalog::{self, Located},
    console::Console,
    db::Sql,
    grants::{self, Holder},
    people::{self, Caller},
    policies::{Principal, Situation},
};
use app::{
    audit::action::Action,
    error::{Conflict, Error, Refusal},
    grants::model::State,
    people::model,
    policies::model::Right,
};

/// A value on its way out, with the event that says so.
pub struct Taken {
    pub payload: Payload,
    pub version: i32,
    pub receipt: Receipt,
    pub located: Located,
}

/// How a person takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    Reveal,
    Copy,
}

impl Take {
    fn action(self) -> Action {
        match self {
            Self::Reveal => Action::RevealSecret,
            Self::Copy => Action::CopySecret,
        }
    }

    fn how(self) -> &'static str {
        match self {
            Self::Reveal => "revealed",
            Self::Copy => "copied",
        }
    }
}

/// Releases the current value to a person who holds a grant. From then on the person knows it.
pub async fn take_value(
    console: &Console,
    caller: &Caller,
    secret: &str,
    take: Take,
    purpose: &str,
) -> Result<Taken, Error> {
    let purpose = model::line(purpose, 200).map_err(|why| Error::invalid("purpose", why))?;
    if purpose.is_empty() {
        return Err(Error::invalid("purpose", "Say what you need it for: it goes into the record."));
    }
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, caller, secret).await?;
    let (now, key) = (console.now(), console.seal_key());
    let grant = grants::effective(&mut db, Holder::Person(caller.id()), secret, Right::Read, now, key).await?;
    let deciders = people::deciders(&mut db, now, key).await?;
    let situation = Situation { grant: grant.is_some(), deciders, ..catalog::secret_situation(&located) };
    let version = located.secret.current_version.unwrap_or(0);
    let mut about = subject(&located, version);
    about.grant = grant.as_ref().map(|grant| grant.id.clone());
    about.request = grant.as_ref().map(|grant| grant.request_id.clone());
    let ended = grant.is_none() && grants::ever_held(&mut db, caller.id(), secret, Right::Read).await?;
    let opened = open_current(console, &mut db, &located).await;
    drop(db);
    let (mut tx, event) = match console.begin(caller, take.action(), about, situation).await {
        Err(Error::Refused(Refusal::NoGrant)) if ended => return Err(Error::Refused(Refusal::GrantEnded)),
        begun => begun?,
    };
    let event = event.private("path", located.secret.path.clone()).private("purpose", purpose);
    // What was read before the change began may have ended meanwhile: the grant and the secret are asked once more, kept.
    let held = match &grant {
        Some(grant) => grants::store::lock(&mut tx, &grant.id, key)
            .await?
            .is_some_and(|grant| grant.state(console.now()) == State::Active),
        None => false,
    };
    let same =
        catalog::store::lock(&mut tx, secret, key).await?.is_some_and(|row| row.event_seq == located.secret.event_seq);
    if !held {
        return Err(tx.refuse(event, Refusal::GrantEnded).await);
    }
    if !same {
        return Err(Error::Conflict(Conflict::EditedMeanwhile));
    }
    let payload = match opened? {
        Some(payload) => payload,
        None => return Err(tx.refuse(event, Refusal::NoSuchVersion).await),
    };
    store::learn(&mut tx, secret, version, caller.id(), take.how(), now).await?;
    let receipt = tx.commit(vec![event]).await?;
    Ok(Taken { payload, version, receipt, located })
}

/// Releases the current value to a workload by its grant: one event, no other write.
pub async fn fetch_value(console: &Console, who: &Who, workload: &str, located: Located) -> Result<Taken, Error> {
    let mut db = console.read().await?;
    let (now, key) = (console.now(), console.seal_key());
    let holder = Holder::Workload(workload);
    let grant = grants::effective(&mut db, holder, &located.secret.id, Right::Read, now, key).await?;
    let situation = Situation { grant: grant.is_some(), ..catalog::secret_situation(&located) };
    let version = located.secret.current_version.unwrap_or(0);
    let mut about = subject(&located, version);
    about.grant = grant.as_ref().map(|grant| grant.id.clone());
    let opened = open_current(console, &mut db, &located).await?;
    drop(db);
    let event = console.permit(who, &Principal::workload(workload), Action::FetchSecret, about, situation).await?;
    let event = event.private("path", located.secret.path.clone());
    let Some(payload) = opened else { return Err(console.ledger.refuse(who, event, Refusal::NoSuchVersion).await) };
    let receipt = console.ledger.observe(who, event).await?;
    Ok(Taken { payload, version, receipt, located })
}

async fn open_current(console: &Console, db: &mut impl Sql, located: &Located) -> Result<Option<Payload>, Error> {
    let secret = &located.secret;
    let Some(version) = secret.current_version.filter(|_| secret.archived_at.is_none()) else { return Ok(None) };
    let Some(stored) = store::sealed(db, &secret.id, version).await? else { return Ok(None) };
    let kek = key_of(console, db, &located.environment.id, stored.generation).await?;
    let payload = open(&place(console, located), version as u32, &kek, &stored);
    payload.map(Some).map_err(|error| refused(error, secret))
}
