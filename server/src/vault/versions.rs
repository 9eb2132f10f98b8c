//! Writing a version, deleting, restoring and destroying one.
use super::{
    active_key,
    envelope::{Payload, join_names, seal},
    expiry, place, refused,
    store::{self, Version},
    subject,
};
use crate::{
    audit::{
        event::Event,
        ledger::{Receipt, Tx},
    },
    catalog::{self, Located, store::Secret},
    console::Console,
    db::Sql,
    grants::{self, Holder},
    people::{self, Begun, Caller},
    rotations, workloads,
};
use app::{
    audit::action::Action,
    catalog::model::{DESTRUCTION_WAIT, destroyable},
    error::{Conflict, Error, Refusal},
    grants::model::State,
    policies::model::{Right, Role, Tier},
    time::Moment,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// How a value came in: whoever typed or imported one knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Typed,
    Imported,
    Generated,
}

impl Source {
    pub fn code(self) -> &'static str {
        match self {
            Self::Typed => "typed",
            Self::Imported => "imported",
            Self::Generated => "generated",
        }
    }
}

/// Writes a new version, which becomes the current one, if the latest is still the one that the writer looked at.
pub async fn write_version(
    console: &Console,
    caller: &Caller,
    secret: &str,
    expected: i32,
    payload: Payload,
    source: Source,
) -> Result<(i32, Receipt), Error> {
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, caller, secret).await?;
    let situation = catalog::situation(console, &mut db, caller, &located, Some(Right::Write)).await?;
    let version = expected + 1;
    let sealed = seal_version(console, &mut db, &located, version, &payload).await?;
    drop(db);
    let (mut tx, event) = console.begin(caller, Action::WriteVersion, subject(&located, version), situation).await?;
    let locked = catalog::store::lock(&mut tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    if locked.archived_at.is_some() {
        return Err(Error::Conflict(Conflict::Archived));
    }
    if locked.latest_version != expected || locked.path != located.secret.path {
        return Err(Error::Conflict(Conflict::StaleVersion));
    }
    if located.environment.tier() == Tier::Production {
        let (now, key) = (console.now(), console.seal_key());
        let held = grants::effective(&mut tx, Holder::Person(caller.id()), secret, Right::Write, now, key).await?;
        let held = match held {
            Some(grant) => grants::store::lock(&mut tx, &grant.id, key)
                .await?
                .is_some_and(|grant| grant.state(now) == State::Active),
            None => false,
        };
        if !held {
            return Err(tx.refuse(event, Refusal::GrantEnded).await);
        }
    }
    // Last of all, so that nothing is opened that no event tells of: a guess that is wrong becomes the value.
    let compared = match source {
        Source::Typed => compare(console, &mut tx, &located, &payload).await?,
        Source::Imported | Source::Generated => Compared::default(),
    };
    let event = if compared.opened.is_empty() { event } else { event.detail("compared", compared.opened.join(", ")) };
    if let Some(same) = compared.same {
        tx.refuse(event.private("path", located.secret.path), Refusal::UsedBefore).await;
        return Err(Error::invalid("value", format!("This is the value of version {same}. Choose another.")));
    }
    let event = put_version(console, &mut tx, caller, locked, version, &payload, sealed, source, event).await?;
    Ok((version, tx.commit(vec![event]).await?))
}

/// What a new value was compared with.
#[derive(Default)]
struct Compared {
    opened: Vec<String>,
    /// The version that has the same value.
    same: Option<i32>,
}

/// Was this value used before? Asked of the last values of a secret that rotates: a leaked one must not come back by hand.
async fn compare(
    console: &Console,
    db: &mut impl Sql,
    located: &Located,
    payload: &Payload,
) -> Result<Compared, Error> {
    let mut compared = Compared::default();
    let plan = rotations::store::find_plan(db, &located.secret.id, console.seal_key()).await?;
    let Some(rules) = plan.map(|plan| plan.rules()) else { return Ok(compared) };
    // Deleted ones too: what leaked is often deleted first.
    for (version, stored) in store::newest_sealed(db, &located.secret.id, rules.not_again).await? {
        let sealed = super::Sealed { located: located.clone(), version, stored };
        let Some(known) = super::open_sealed_in(console, db, &sealed).await? else { continue };
        compared.opened.push(format!("v{version}"));
        if known.is_same(payload) {
            compared.same = Some(version);
            break;
        }
    }
    Ok(compared)
}

pub(crate) async fn seal_version(
    console: &Console,
    db: &mut impl Sql,
    located: &Located,
    version: i32,
    payload: &Payload,
) -> Result<super::envelope::Stored, Error> {
    let (generation, kek) = active_key(console, db, &located.environment.id).await?;
    seal(&place(console, located), version as u32, generation, &kek, payload)
        .map_err(|error| refused(error, &located.secret))
}

/// Stores a sealed version of a locked secret and makes it current.
#[allow(clippy::too_many_arguments, reason = "the parts of one row and its event")]
pub(crate) async fn put_version(
    console: &Console,
    tx: &mut Tx,
    caller: &Caller,
    secret: Secret,
    version: i32,
    payload: &Payload,
    sealed: super::envelope::Stored,
    source: Source,
    event: Event,
) -> Result<Event, Error> {
    let digest = insert(console, tx, &secret, version, payload, &sealed, Some(caller.id())).await?;
    if source != Source::Generated {
        store::learn(tx, &secret.id, version, caller.id(), source.code(), console.now()).await?;
    }
    let path = secret.path.clone();
    let secret = Secret { current_version: Some(version), latest_version: version, ..secret };
    catalog::store::save(tx, &secret).await?;
    tx.seal(&secret)?;
    workloads::handed_out(console, tx, &secret.id, version).await?;
    Ok(event.detail("sealed", digest).detail("source", source.code()).private("path", path))
}

/// Stores a sealed version of a locked secret that is not yet handed out: for a rotation. Returns the digest of what was
/// sealed.
pub(crate) async fn put_pending(
    console: &Console,
    tx: &mut Tx,
    secret: Secret,
    version: i32,
    payload: &Payload,
    sealed: super::envelope::Stored,
) -> Result<String, Error> {
    let digest = insert(console, tx, &secret, version, payload, &sealed, None).await?;
    let secret = Secret { latest_version: version, ..secret };
    catalog::store::save(tx, &secret).await?;
    tx.seal(&secret)?;
    Ok(digest)
}

async fn insert(
    console: &Console,
    tx: &mut Tx,
    secret: &Secret,
    version: i32,
    payload: &Payload,
    sealed: &super::envelope::Stored,
    by: Option<&str>,
) -> Result<String, Error> {
    let row = Version {
        secret_id: secret.id.clone(),
        version,
        environment_id: secret.environment_id.clone(),
        key_generation: sealed.generation as i32,
        field_names: join_names(&payload.names()),
        length: payload.length() as i32,
        created_by: by.map(Into::into),
        created_at: console.now(),
        deleted_at: None,
        destroy_after: None,
        destroy_by: None,
        destroyed_at: None,
        dead_at: None,
        death: None,
        valid_until: expiry::of(secret.kind(), payload),
    };
    // The key may have been destroyed since the value was sealed with it.
    if !store::lock_key(tx, &secret.environment_id, row.key_generation).await? {
        return Err(Error::Conflict(Conflict::StaleVersion));
    }
    store::insert(tx, &row, sealed).await?;
    super::remember(console, tx, &secret.id, version, payload).await?;
    if let Some(until) = row.valid_until {
        store::note_look(tx, &secret.id, version, expiry::first_look(until)).await?;
    }
    let digest = Sha256::new().chain_update(&sealed.data_key).chain_update(&sealed.payload).finalize();
    Ok(URL_SAFE_NO_PAD.encode(digest))
}

/// Notes until when a version works, and when to look at it.
pub(crate) async fn note_valid_until(tx: &mut Tx, secret: &str, version: i32, until: Moment) -> Result<(), Error> {
    store::note_valid_until(tx, secret, version, until).await?;
    store::note_look(tx, secret, version, expiry::first_look(until)).await?;
    Ok(())
}

struct Held {
    tx: Tx,
    event: Event,
    secret: Secret,
    version: Version,
    /// Where it lies, as it was found before the change began.
    located: Located,
}

/// Begins a change of one version: policy asked, secret locked.
async fn hold(console: &Console, caller: &Caller, action: Action, secret: &str, version: i32) -> Result<Held, Error> {
    let mut db = console.read().await?;
    let located = Located::visible(console, &mut db, caller, secret).await?;
    drop(db);
    let situation = catalog::secret_situation(&located);
    let (mut tx, event) = console.begin(caller, action, subject(&located, version), situation).await?;
    let secret = catalog::store::lock(&mut tx, secret, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let version = store::find(&mut tx, &secret.id, version).await?.ok_or(Error::NotFound)?;
    if version.destroyed_at.is_some() {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    // A rotation holds on to its two values until it knows which one works.
    if rotations::store::open_of(&mut tx, &secret.id, console.seal_key()).await?.is_some() {
        return Err(Error::Conflict(Conflict::RotationOpen));
    }
    let event = event.private("path", secret.path.clone());
    Ok(Held { tx, event, secret, version, located })
}

/// The newest version that is there, and whose credential is not known to be dead, becomes the current one.
async fn settle_current(console: &Console, held: &mut Held) -> Result<(), Error> {
    let newest = store::versions(&mut held.tx, &held.secret.id)
        .await?
        .into_iter()
        .find(|row| row.is_there() && row.death.is_none());
    held.secret.current_version = newest.map(|version| version.version);
    catalog::store::save(&mut held.tx, &held.secret).await?;
    // Another value is handed out: it may be one that is due.
    rotations::store::note_due(&mut held.tx, &held.secret.id, console.now()).await?;
    held.tx.seal(&held.secret)
}

/// Hides a version; it can be restored.
pub async fn delete_version(console: &Console, caller: &Caller, secret: &str, version: i32) -> Result<Receipt, Error> {
    let mut held = hold(console, caller, Action::DeleteVersion, secret, version).await?;
    if held.version.deleted_at.is_some() {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    store::set_deleted(&mut held.tx, secret, version, Some(console.now())).await?;
    settle_current(console, &mut held).await?;
    held.tx.commit(vec![held.event]).await
}

pub async fn undelete_version(
    console: &Console,
    caller: &Caller,
    secret: &str,
    version: i32,
) -> Result<Receipt, Error> {
    let mut held = hold(console, caller, Action::UndeleteVersion, secret, version).await?;
    if held.version.deleted_at.is_none() || held.version.destroy_after.is_some() {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    store::set_deleted(&mut held.tx, secret, version, None).await?;
    settle_current(console, &mut held).await?;
    held.tx.commit(vec![held.event]).await
}

/// Asks for a version to be destroyed: it is deleted at once and can be destroyed after the waiting time.
pub async fn schedule_destruction(
    console: &Console,
    caller: &Caller,
    secret: &str,
    version: i32,
) -> Result<Receipt, Error> {
    let mut held = hold(console, caller, Action::ScheduleDestruction, secret, version).await?;
    let now = console.now();
    let after = if held.located.environment.tier() == Tier::Production { now + DESTRUCTION_WAIT } else { now };
    if store::schedule_destruction(&mut held.tx, secret, version, caller.id(), after, now).await? == 0 {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    settle_current(console, &mut held).await?;
    held.tx.commit(vec![held.event]).await
}

/// May this person destroy what somebody asked to be destroyed? Below production it takes no other one.
pub async fn may_destroy(
    console: &Console,
    db: &mut impl Sql,
    person: &str,
    located: &Located,
    asked_by: &str,
) -> Result<Result<(), Refusal>, Error> {
    let tier = located.environment.tier();
    if tier != Tier::Production {
        return Ok(Ok(()));
    }
    let by = [asked_by];
    let begun = Begun::at(tier, &located.project.id, &by, &[Role::Lead, Role::Security]);
    people::second(console, db, person, Begun { own: Refusal::SecondPerson, ..begun }).await
}

/// Overwrites the sealed bytes. In production by somebody else than whoever asked, a week later.
pub async fn destroy_version(console: &Console, caller: &Caller, secret: &str, version: i32) -> Result<Receipt, Error> {
    let mut held = hold(console, caller, Action::DestroyVersion, secret, version).await?;
    let by = match destroyable(held.version.destroy_by.as_deref(), held.version.destroy_after, console.now()) {
        Ok(by) => by.to_owned(),
        Err(why) => return Err(held.tx.refuse(held.event, why).await),
    };
    if let Err(why) = may_destroy(console, &mut held.tx, caller.id(), &held.located, &by).await? {
        return Err(held.tx.refuse(held.event, why).await);
    }
    store::destroy(&mut held.tx, secret, version, console.now()).await?;
    settle_current(console, &mut held).await?;
    held.tx.commit(vec![held.event]).await
}
