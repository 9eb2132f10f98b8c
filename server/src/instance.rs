//! One installation: its folder, keys, database and ledger, made by `init` and opened by everything else.
use crate::{
    audit::{
        anchor::{Anchors, RolledBack},
        builder::{Builder, Head},
        event::{Event, Who},
        ledger::Ledger,
        store::{self, Identity},
        tiles,
    },
    clock::Clock,
    config::{Config, Network},
    db::{self, Db},
    grants,
    keys::{self, KeyFiles, Keys, restrict},
    people, workloads,
};
use aes_gcm::{Aes256Gcm, KeyInit, aead::Aead};
use app::{
    audit::{
        action::Action,
        checkpoint::{CosignerKey, VerifierKey},
    },
    id::{Id, LogId, StoreId},
};
use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Keys(#[from] keys::Error),
    #[error(transparent)]
    Database(#[from] db::Error),
    #[error("{0}: {1}")]
    Folder(PathBuf, std::io::Error),
    #[error("another countersign works on {0}; it must stop first")]
    Busy(PathBuf),
    #[error("this database has no Countersign in it: run `countersign init` first")]
    Uninitialised,
    #[error("there is an installation already; init never replaces one")]
    Exists,
    #[error("{0}")]
    Foreign(&'static str),
    #[error(transparent)]
    RolledBack(#[from] RolledBack),
    #[error("no anchor says that anything was lost: there is nothing to recover from")]
    NothingLost,
    #[error("the ledger could not be written")]
    Ledger,
}

impl Error {
    /// The exit code; 4 is a database older than its anchors.
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::RolledBack(_)) { 4 } else { 1 }
    }
}

pub struct Instance {
    pub db: Db,
    pub keys: Keys,
    pub ledger: Ledger,
    pub builder: Builder,
    pub demo: bool,
    /// Where the embedded database lies.
    pub folder: Option<PathBuf>,
    /// Private networks that calls to typed addresses may reach.
    pub private: Vec<Network>,
    /// Witnesses whose cosignatures are kept.
    pub witnesses: Vec<CosignerKey>,
    _lock: Option<File>,
}

/// A database and the identity that lies in it, without keys: enough to verify.
pub async fn connect(config: &Config) -> Result<Db, Error> {
    Ok(match &config.database {
        Some(url) => Db::postgres(url).await?,
        None => Db::sqlite(&config.data.join("countersign.db")).await?,
    })
}

/// Makes keys, store id and ledger. Nothing that exists is replaced.
pub async fn init(config: &Config, clock: Clock, demo: bool) -> Result<(), Error> {
    make_folder(&config.data)?;
    let _lock = lock(&config.data)?;
    let db = connect(config).await?;
    db.migrate().await?;
    if store::identity(&mut db.read().await?).await?.is_some() {
        return Err(Error::Exists);
    }
    let files = KeyFiles::create(&config.keys)?;
    create(&db, &files, clock.clone(), demo).await?;
    // The first head, so that there is never a log without one.
    let instance = Instance::attach(db, &files, clock, config.heads()).await?;
    instance.builder.build().await.map_err(|_| Error::Ledger)?;
    instance.db.close().await;
    Ok(())
}

/// Writes the identity and the ledger's first event into a migrated, empty database.
pub async fn create(db: &Db, files: &KeyFiles, clock: Clock, demo: bool) -> Result<(), Error> {
    let now = clock.now();
    let millis = now.timestamp_millis() as u64;
    let (store_id, log_id) = (StoreId::make(millis, keys::random()?), LogId::make(millis, keys::random()?));
    let keys = files.for_store(&store_id);
    let pseudonyms: keys::Secret = Zeroizing::new(keys::random()?);
    let identity = Identity {
        store_id: store_id.to_string(),
        log_id: log_id.to_string(),
        epoch: 0,
        demo,
        key_check: keys.check_value(log_id.as_str(), 0, demo),
        pseudonym_key: wrap(&keys.credential_wrap, &pseudonyms)?,
    };
    let verifier = files.log_key(origin(&identity)).verifier();
    let ledger = Ledger::new(db.clone(), clock, keys, pseudonyms);
    let mut tx = ledger.begin(&Who::system("init")).await.map_err(|_| Error::Ledger)?;
    if store::insert_identity(&mut tx, &identity, now).await? == 0 {
        return Err(Error::Exists);
    }
    let created = Event::new(Action::CreateLog)
        .detail("log", log_id.as_str())
        .detail("key", verifier.to_string())
        .detail("format", 1)
        .detail("demo", demo);
    tx.commit(vec![created]).await.map_err(|_| Error::Ledger)?;
    Ok(())
}

impl Instance {
    /// Opens an installation for writing; on SQLite as the only one.
    pub async fn open(config: &Config, clock: Clock) -> Result<Self, Error> {
        let lock = if config.database.is_none() {
            if !config.data.join("countersign.db").exists() {
                return Err(Error::Uninitialised);
            }
            restrict(&config.data, 0o700).map_err(|why| Error::Folder(config.data.clone(), why))?;
            Some(lock(&config.data)?)
        } else {
            // What is written there is missed before anything else has begun.
            make_folder(&config.data)?;
            None
        };
        let db = connect(config).await?;
        db.migrate().await?;
        let files = KeyFiles::read(&config.keys)?;
        let mut instance = Self::attach(db, &files, clock, config.heads()).await?;
        instance.folder = config.database.is_none().then(|| config.data.clone());
        instance.private.clone_from(&config.allow_private);
        instance.witnesses.clone_from(&config.witnesses);
        instance._lock = lock;
        Ok(instance)
    }

    /// Joins database and keys, after both were found to belong together and the database to be no older than its anchors.
    pub async fn attach(db: Db, files: &KeyFiles, clock: Clock, anchors: Anchors) -> Result<Self, Error> {
        let identity = store::identity(&mut db.read().await?).await?.ok_or(Error::Uninitialised)?;
        let store_id: StoreId =
            identity.store_id.parse().map_err(|_| Error::Foreign("the store's id is no store id"))?;
        let keys = files.for_store(&store_id);
        keys.check(&identity.log_id, identity.epoch, identity.demo, &identity.key_check)?;
        let db = db.keyed(&keys.row_seal);
        let pseudonyms = unwrap(&keys.credential_wrap, &identity.pseudonym_key)?;
        let log_key = files.log_key(origin(&identity));
        let trusted = check_anchors(&db, &anchors, &log_key.verifier()).await?;
        let ledger = Ledger::new(db.clone(), clock, keys.clone(), pseudonyms);
        let builder = Builder::new(ledger.clone(), log_key, anchors, trusted);
        Ok(Self {
            db,
            keys,
            ledger,
            builder,
            demo: identity.demo,
            folder: None,
            private: Vec::new(),
            witnesses: Vec::new(),
            _lock: None,
        })
    }
}

/// Resumes after an older state of the database was restored: opens the next epoch, records for ever what was lost, ends
/// sessions and tokens and suspends every grant until somebody confirms it.
/// Refused where no anchor says that anything is missing.
pub async fn recover(config: &Config, clock: Clock, reason: &str) -> Result<RolledBack, Error> {
    let _lock = lock(&config.data)?;
    let db = connect(config).await?;
    db.migrate().await?;
    let files = KeyFiles::read(&config.keys)?;
    let identity = store::identity(&mut db.read().await?).await?.ok_or(Error::Uninitialised)?;
    let key = files.log_key(origin(&identity)).verifier();
    let anchors = config.heads();
    let found = match check_anchors(&db, &anchors, &key).await {
        Err(Error::RolledBack(found)) => found,
        Ok(_) => return Err(Error::NothingLost),
        Err(other) => return Err(other),
    };
    let lost =
        anchors.read(&key).into_iter().map(|(_, checkpoint)| checkpoint).max_by_key(|checkpoint| checkpoint.size);
    let lost = lost.ok_or(Error::NothingLost)?;
    // Without its anchors, which it contradicts, the database is opened to write down that it does.
    let instance = Instance::attach(db.clone(), &files, clock.clone(), Anchors::default()).await?;
    let root = app::audit::tree::hex(&lost.root);
    let mut tx = instance.ledger.begin(&Who::system("recover")).await.map_err(|_| Error::Ledger)?;
    let check = instance.keys.check_value(&identity.log_id, identity.epoch + 1, identity.demo);
    store::set_epoch(&mut tx, identity.epoch + 1, check).await?;
    let restored = Event::new(Action::RestoreLog)
        .detail("epoch", identity.epoch + 1)
        .detail("lost_size", lost.size)
        .detail("lost_root", root)
        .private("reason", reason);
    // What ended after the backup is open again in it: nothing that opens survives a restore by itself.
    let (now, key) = (clock.now(), &instance.keys.row_seal);
    let mut events = vec![restored];
    events.extend(people::revoke_every_session(&mut tx, now, key).await.map_err(|_| Error::Ledger)?);
    events.extend(people::end_every_access_token(&mut tx, now, key).await.map_err(|_| Error::Ledger)?);
    events.extend(workloads::revoke_every_token(&mut tx, now, key).await.map_err(|_| Error::Ledger)?);
    events.extend(people::delegation::end_every(&mut tx, now, key).await.map_err(|_| Error::Ledger)?);
    events.extend(grants::suspend_every(&mut tx, now, "restored", key).await.map_err(|_| Error::Ledger)?);
    tx.commit(events).await.map_err(|_| Error::Ledger)?;
    // The first checkpoint of the new epoch takes the place of the lost one at every anchor.
    let reopened = Instance::attach(db, &files, clock, Anchors::default()).await?;
    let log_key = files.log_key(origin(&Identity { epoch: identity.epoch + 1, ..identity }));
    let builder = Builder::new(reopened.ledger.clone(), log_key, anchors, Head::default());
    builder.build().await.map_err(|_| Error::Ledger)?;
    reopened.db.close().await;
    Ok(found)
}

/// The key that verifies this installation's checkpoints, from its key file.
pub async fn verifier(config: &Config, db: &Db) -> Result<(VerifierKey, bool), Error> {
    let identity = store::identity(&mut db.read().await?).await?.ok_or(Error::Uninitialised)?;
    let files = KeyFiles::read(&config.keys)?;
    Ok((files.log_key(origin(&identity)).verifier(), identity.demo))
}

/// The keys of this installation, from its key files.
pub async fn keys(config: &Config, db: &Db) -> Result<Keys, Error> {
    let identity = store::identity(&mut db.read().await?).await?.ok_or(Error::Uninitialised)?;
    let id: StoreId = identity.store_id.parse().map_err(|_| Error::Foreign("the store's id is no store id"))?;
    let keys = KeyFiles::read(&config.keys)?.for_store(&id);
    keys.check(&identity.log_id, identity.epoch, identity.demo, &identity.key_check)?;
    Ok(keys)
}

fn origin(identity: &Identity) -> String {
    let demo = if identity.demo { "demo/" } else { "" };
    format!("countersign.invalid/{demo}{}/e{}", identity.log_id, identity.epoch)
}

/// Compares the database with each head that lies at an anchor; returns the largest.
async fn check_anchors(db: &Db, anchors: &Anchors, key: &VerifierKey) -> Result<Head, Error> {
    let mut trusted = Head::default();
    for (anchor, checkpoint) in anchors.read(key) {
        let mut reader = db.read().await?;
        let stored = store::size(&mut reader).await?;
        let anchored = checkpoint.size;
        if stored < anchored {
            return Err(RolledBack::Shorter { anchor, anchored, stored }.into());
        }
        let frontier = tiles::frontier(&mut reader, anchored).await?;
        if frontier.is_none_or(|frontier| frontier.root() != checkpoint.root) {
            return Err(RolledBack::Other { anchor, anchored }.into());
        }
        if anchored > trusted.size {
            trusted = Head { size: anchored, root: checkpoint.root };
        }
    }
    Ok(trusted)
}

fn make_folder(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).and_then(|()| restrict(folder, 0o700)).map_err(|why| Error::Folder(folder.into(), why))
}

fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join("instance.lock");
    let file = File::options().create(true).append(true).open(&path).map_err(|why| Error::Folder(path.clone(), why))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Busy(folder.into())),
        Err(TryLockError::Error(why)) => Err(Error::Folder(path, why)),
    }
}

fn wrap(key: &keys::Secret, plain: &keys::Secret) -> Result<Vec<u8>, Error> {
    let nonce: [u8; 12] = keys::random()?;
    let cipher = Aes256Gcm::new((&**key).into());
    let sealed = cipher.encrypt(&nonce.into(), plain.as_slice()).map_err(|_| keys::Error::WrongRoot)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn unwrap(key: &keys::Secret, sealed: &[u8]) -> Result<keys::Secret, Error> {
    let (nonce, sealed) = sealed.split_at_checked(12).ok_or(keys::Error::WrongRoot)?;
    let nonce: [u8; 12] = nonce.try_into().map_err(|_| keys::Error::WrongRoot)?;
    let cipher = Aes256Gcm::new((&**key).into());
    let plain = Zeroizing::new(cipher.decrypt(&nonce.into(), sealed).map_err(|_| keys::Error::WrongRoot)?);
    Ok(Zeroizing::new(plain.as_slice().try_into().map_err(|_| keys::Error::WrongRoot)?))
}
