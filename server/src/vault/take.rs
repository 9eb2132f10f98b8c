//! Taking a value out: shown to a person, copied by a person. The event is durable before the value leaves. What workloads
//! fetch is in `workloads/fetch.rs`.
use super::{
    Key,
    envelope::{Payload, Stored, open},
    find_key, place, refused, store, subject,
};
use crate::{
    audit::ledger::Receipt,
    catalog::{self, Located},
    console::Console,
    db::Sql,
    grants::{self, Holder, store::Grant},
    held,
    people::{self, Caller},
    policies::Situation,
};
use app::{
    audit::action::Action,
    error::{Conflict, Error, Refusal},
    grants::model::State,
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

/// The grant that a person would take a value with now, and what policy is asked about it.
pub async fn taking(
    console: &Console,
    db: &mut impl Sql,
    person: &str,
    located: &Located,
) -> Result<(Option<Grant>, Situation), Error> {
    let (now, key) = (console.now(), console.seal_key());
    let holder = Holder::Person(person);
    let grant = grants::effective(db, holder, &located.secret.id, Right::Read, now, key).await?;
    let deciders = people::deciders(db, now, key).await?;
    let situation = Situation { grant: grant.is_some(), deciders, ..catalog::secret_situation(located) };
    Ok((grant, situation))
}

/// Releases the current value to a person who holds a grant. From then on the person knows it.
pub async fn take_value(
    console: &Console,
    caller: &Caller,
    secret: &str,
    take: Take,
    purpose: &str,
) -> Result<Taken, Error> {
    let purpose = super::line(console, "purpose", purpose, 200).await?;
    if purpose.is_empty() {
        return Err(Error::invalid("purpose", "Say what you need it for: it goes into the record."));
    }
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, caller, secret).await?;
    let (now, key) = (console.now(), console.seal_key());
    let (grant, situation) = taking(console, &mut db, caller.id(), &located).await?;
    let version = located.secret.current_version.unwrap_or(0);
    let mut about = subject(&located, version);
    about.grant = grant.as_ref().map(|grant| grant.id.clone());
    about.request = grant.as_ref().map(|grant| grant.request_id.clone());
    let why = match &grant {
        Some(_) => Refusal::NoGrant,
        None => grants::why_none(&mut db, caller.id(), secret, Right::Read, now, key).await?,
    };
    let sealed = current(&mut db, located.clone()).await?;
    drop(db);
    let opened = match &sealed {
        Some(sealed) => open_sealed(console, sealed).await,
        None => Ok(None),
    };
    let (mut tx, event) = match console.begin(caller, take.action(), about, situation).await {
        Err(Error::Refused(Refusal::NoGrant)) => return Err(Error::Refused(why)),
        begun => begun?,
    };
    let event = event.private("path", located.secret.path.clone()).private("purpose", purpose);
    // What was read before the change began may have ended meanwhile: the grant and the secret are asked once more, kept.
    // The secret first, as whoever ends what hangs on it does.
    let same =
        catalog::store::lock(&mut tx, secret, key).await?.is_some_and(|row| row.event_seq == located.secret.event_seq);
    let held = match &grant {
        Some(grant) => grants::store::lock(&mut tx, &grant.id, key)
            .await?
            .is_some_and(|grant| grant.state(console.now()) == State::Active),
        None => false,
    };
    if !held {
        return Err(tx.refuse(event, Refusal::GrantEnded).await);
    }
    // What the level lets a person do at all: a rule that no policy widens.
    if let Err(why) = console.level(located.environment.tier()).takes(take == Take::Reveal) {
        return Err(tx.refuse(event, why).await);
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

/// The current value of a secret, still sealed.
pub struct Sealed {
    pub located: Located,
    pub version: i32,
    pub(super) stored: Stored,
}

impl Sealed {
    /// Bytes that it takes in memory, about.
    pub fn size(&self) -> usize {
        self.stored.payload.len()
    }
}

/// The current value of a secret, if it has one that is there.
pub async fn current(db: &mut impl Sql, located: Located) -> Result<Option<Sealed>, Error> {
    let secret = &located.secret;
    let Some(version) = secret.current_version.filter(|_| secret.archived_at.is_none()) else { return Ok(None) };
    let stored = store::sealed(db, &secret.id, version).await?;
    Ok(stored.map(|stored| Sealed { located, version, stored }))
}

/// One version of a secret, still sealed.
pub async fn version(db: &mut impl Sql, located: Located, version: i32) -> Result<Option<Sealed>, Error> {
    let stored = store::sealed(db, &located.secret.id, version).await?;
    Ok(stored.map(|stored| Sealed { located, version, stored }))
}

/// Opens what is sealed; `None` if its key was destroyed since, after the value had been wrapped with a newer one.
/// For callers that hold no reader; see [`open_sealed_in`].
pub async fn open_sealed(console: &Console, sealed: &Sealed) -> Result<Option<Payload>, Error> {
    held::nothing_is_held("an environment's key");
    let environment = &sealed.located.environment.id;
    let kek = match console.keyring.get(environment, sealed.stored.generation) {
        Some(kek) => Some(kek),
        None => find_key(console, &mut console.read().await?, environment, sealed.stored.generation).await?,
    };
    open_with(console, kek, sealed)
}

/// The same, for callers that can look the environment's key up themselves.
pub async fn open_sealed_in(console: &Console, db: &mut impl Sql, sealed: &Sealed) -> Result<Option<Payload>, Error> {
    let kek = find_key(console, db, &sealed.located.environment.id, sealed.stored.generation).await?;
    open_with(console, kek, sealed)
}

fn open_with(console: &Console, kek: Option<Key>, sealed: &Sealed) -> Result<Option<Payload>, Error> {
    let Some(kek) = kek else { return Ok(None) };
    let payload = open(&place(console, &sealed.located), sealed.version as u32, &kek, &sealed.stored);
    payload.map(Some).map_err(|error| refused(error, &sealed.located.secret))
}
