//! Environment keys: made, rotated, values wrapped anew, old ones destroyed.
use super::{
    envelope::{rewrap, unwrap_kek, wrap_kek},
    place, refused,
    store::{self, ACTIVE, EnvironmentKey},
};
use crate::{
    audit::{
        event::Event,
        ledger::{Receipt, Tx},
    },
    catalog::{self, Located, store::Environment},
    console::Console,
    db::Sql,
    keys::{self, Secret as Key},
    people::Caller,
};
use app::{
    audit::{action::Action, leaf::Subject},
    error::{Conflict, Error},
};
use zeroize::Zeroizing;

/// How many versions one change wraps anew.
const BATCH: u32 = 100;

/// Makes a key of the next generation for an environment, within a change.
pub async fn make_key(console: &Console, tx: &mut Tx, environment: &str, generation: i32) -> Result<(), Error> {
    let kek: Key = Zeroizing::new(keys::random().map_err(|_| Error::Unavailable)?);
    let keys = console.ledger.keys();
    let wrapped = wrap_kek(&keys.kek_wrap, keys.store().as_str(), environment, generation as u32, &kek);
    let row = EnvironmentKey {
        generation,
        wrapped: wrapped.map_err(|_| Error::Unavailable)?,
        state: ACTIVE.into(),
        created_at: console.now(),
    };
    if store::insert_key(tx, environment, &row).await? == 0 {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    store::retire_keys(tx, environment, generation).await?;
    Ok(())
}

/// The newest key of an environment and its generation.
pub async fn active_key(console: &Console, db: &mut impl Sql, environment: &str) -> Result<(u32, Key), Error> {
    let keys = store::keys(db, environment).await?;
    let newest = keys.into_iter().find(|key| key.state == ACTIVE).ok_or(Error::Unavailable)?;
    Ok((newest.generation as u32, unwrap(console, environment, &newest)?))
}

/// The key of one generation, while it was not destroyed.
pub async fn key_of(console: &Console, db: &mut impl Sql, environment: &str, generation: u32) -> Result<Key, Error> {
    find_key(console, db, environment, generation).await?.ok_or(Error::Unavailable)
}

/// The key of one generation, if it was not destroyed.
pub async fn find_key(
    console: &Console,
    db: &mut impl Sql,
    environment: &str,
    generation: u32,
) -> Result<Option<Key>, Error> {
    if let Some(known) = console.keyring.get(environment, generation) {
        return Ok(Some(known));
    }
    let keys = store::keys(db, environment).await?;
    let key = keys.into_iter().find(|key| key.generation as u32 == generation && !key.wrapped.is_empty());
    key.map(|key| unwrap(console, environment, &key)).transpose()
}

fn unwrap(console: &Console, environment: &str, row: &EnvironmentKey) -> Result<Key, Error> {
    let generation = row.generation as u32;
    if let Some(known) = console.keyring.get(environment, generation) {
        return Ok(known);
    }
    let keys = console.ledger.keys();
    let kek =
        unwrap_kek(&keys.kek_wrap, keys.store().as_str(), environment, generation, &row.wrapped).map_err(|error| {
            tracing::error!(%error, environment, generation, "an environment key does not open");
            Error::Unavailable
        })?;
    console.keyring.put(environment, generation, kek.clone());
    Ok(kek)
}

async fn environment(console: &Console, id: &str) -> Result<Environment, Error> {
    catalog::store::find_environment(&mut console.read().await?, id, console.seal_key()).await?.ok_or(Error::NotFound)
}

fn about(environment: &Environment) -> Subject {
    Subject {
        project: Some(environment.project_id.clone()),
        environment: Some(environment.id.clone()),
        ..Subject::default()
    }
}

/// A new key for what is written from now on. Older values stay as they are until they are wrapped anew.
pub async fn rotate_key(console: &Console, caller: &Caller, id: &str) -> Result<Receipt, Error> {
    let environment = environment(console, id).await?;
    let situation = catalog::environment_situation(&environment);
    let (mut tx, event) = console.begin(caller, Action::RotateKey, about(&environment), situation).await?;
    let newest = store::keys(&mut tx, id).await?.first().map_or(0, |key| key.generation);
    make_key(console, &mut tx, id, newest + 1).await?;
    tx.commit(vec![event.detail("generation", newest + 1)]).await
}

/// Wraps up to a hundred older values with the newest key; call it again until it says that none are left. Each batch is a
/// change of its own, so that stopping in the middle loses nothing.
pub async fn rewrap_versions(console: &Console, caller: &Caller, id: &str) -> Result<(u64, Option<Receipt>), Error> {
    let environment = environment(console, id).await?;
    let situation = catalog::environment_situation(&environment);
    let (generation, newest) = active_key(console, &mut console.read().await?, id).await?;
    let (mut tx, event) = console.begin(caller, Action::RewrapVersions, about(&environment), situation).await?;
    let batch = store::sealed_below(&mut tx, id, generation as i32, BATCH).await?;
    if batch.is_empty() {
        return Ok((0, None));
    }
    let done = batch.len() as u64;
    let mut secrets: Vec<&str> = batch.iter().map(|(secret, _)| secret.as_str()).collect();
    secrets.sort_unstable();
    secrets.dedup();
    for secret in secrets {
        // In the order of their ids, so that two replicas cannot wait for each other.
        catalog::store::lock(&mut tx, secret, console.seal_key()).await?;
    }
    for (secret, version) in batch {
        let located = Located::find(&mut tx, &secret, console.seal_key()).await?.ok_or(Error::Unavailable)?;
        let Some((_, stored)) = store::all_sealed(&mut tx, &secret).await?.into_iter().find(|(v, _)| *v == version)
        else {
            continue;
        };
        let old = key_of(console, &mut tx, id, stored.generation).await?;
        let place = place(console, &located);
        let anew = rewrap(&place, &place, version as u32, &old, &stored, (generation, &newest));
        let anew = anew.map_err(|error| refused(error, &located.secret))?;
        store::save_data_key(&mut tx, &secret, version, &anew).await?;
    }
    let receipt = tx.commit(vec![event.detail("generation", generation).detail("versions", done)]).await?;
    Ok((done, Some(receipt)))
}

/// Destroys an old key, once nothing is sealed with it.
pub async fn destroy_key(console: &Console, caller: &Caller, id: &str, generation: i32) -> Result<Receipt, Error> {
    let environment = environment(console, id).await?;
    let situation = catalog::environment_situation(&environment);
    let (mut tx, event) = console.begin(caller, Action::DestroyKey, about(&environment), situation).await?;
    store::lock_key(&mut tx, id, generation).await?;
    if store::count_sealed_with(&mut tx, id, generation).await? > 0 {
        return Err(Error::Conflict(Conflict::StillInUse));
    }
    if store::destroy_key(&mut tx, id, generation).await? == 0 {
        return Err(Error::Conflict(Conflict::AlreadyDone));
    }
    let event: Event = event.detail("generation", generation);
    let receipt = tx.commit(vec![event]).await?;
    console.keyring.forget(id, generation as u32);
    Ok(receipt)
}
