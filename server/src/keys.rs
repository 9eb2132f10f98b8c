//! The key files and what is derived from them.
//!
//! The root key never leaves the process and encrypts nothing itself: HKDF-SHA-256 (RFC 5869) makes one key per purpose
//! from it, salted with the store's id. The log key is independent: whoever holds one cannot use it as the other.
use crate::audit::row_seal::SealKey;
use app::{audit::checkpoint::LogKey, id::StoreId};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const ROOT: &str = "root.key";
const LOG: &str = "log.key";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("key file {path}: {why}. Was `countersign init` run, and does --keys name its folder?")]
    Unreadable { path: PathBuf, why: std::io::Error },
    #[error("key file {0} can be read by others: run `chmod 600` on it")]
    Exposed(PathBuf),
    #[error("key file {0} does not hold a key of 64 hexadecimal digits")]
    Malformed(PathBuf),
    #[error("key file {path} could not be written: {why}")]
    Unwritable { path: PathBuf, why: std::io::Error },
    #[error("the root key is not the one this store was made with, or the store's identity was changed")]
    WrongRoot,
    #[error("the system's random numbers are not available")]
    NoRandom,
}

pub type Secret = Zeroizing<[u8; 32]>;

/// Random bytes from the operating system.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::NoRandom)?;
    Ok(bytes)
}

/// What the files hold.
#[derive(Clone)]
pub struct KeyFiles {
    root: Secret,
    log: Secret,
}

impl KeyFiles {
    /// Writes new keys, readable by this user alone. Files that are there are never replaced.
    pub fn create(folder: &Path) -> Result<Self, Error> {
        let unwritable = |path: PathBuf| move |why| Error::Unwritable { path, why };
        fs::create_dir_all(folder).map_err(unwritable(folder.into()))?;
        restrict(folder, 0o700).map_err(unwritable(folder.into()))?;
        for name in [ROOT, LOG] {
            let path = folder.join(name);
            let key: Secret = Zeroizing::new(random()?);
            let text: Zeroizing<String> = Zeroizing::new(key.iter().map(|byte| format!("{byte:02x}")).collect());
            let mut options = fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&path).map_err(unwritable(path.clone()))?;
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(unwritable(path))?;
        }
        Self::read(folder)
    }

    pub fn read(folder: &Path) -> Result<Self, Error> {
        Ok(Self { root: read_key(&folder.join(ROOT))?, log: read_key(&folder.join(LOG))? })
    }

    /// Keys that live only in memory: for tests.
    pub fn random() -> Result<Self, Error> {
        Ok(Self { root: Zeroizing::new(random()?), log: Zeroizing::new(random()?) })
    }

    /// The key that signs checkpoints under this origin.
    pub fn log_key(&self, origin: String) -> LogKey {
        LogKey::new(origin, &self.log)
    }

    pub fn for_store(&self, store: &StoreId) -> Keys {
        let derive = |label: &str| {
            let mut key = Zeroizing::new([0; 32]);
            // 32 bytes are always within what HKDF can give.
            let _ =
                Hkdf::<Sha256>::new(Some(store.as_str().as_bytes()), &*self.root).expand(label.as_bytes(), &mut *key);
            key
        };
        Keys {
            kek_wrap: derive("kek-wrap/v1"),
            row_seal: SealKey::new(derive("row-seal/v1")),
            credential_wrap: derive("credential-wrap/v1"),
            stash: derive("stash/v1"),
            event_seal: derive("event-seal/v1"),
            familiar: derive("familiar/v1"),
            key_check: derive("key-check/v1"),
            store: store.clone(),
        }
    }
}

/// One key per purpose, for one store.
#[derive(Clone)]
pub struct Keys {
    /// Wraps environment keys.
    pub kek_wrap: Secret,
    /// Seals rows that open access.
    pub row_seal: SealKey,
    /// Wraps small secrets of the installation itself.
    pub credential_wrap: Secret,
    /// Seals what lies in the database between two steps of one form.
    pub stash: Secret,
    /// Seals events.
    pub event_seal: Secret,
    /// Marks browsers that signed in before.
    pub familiar: Secret,
    key_check: Secret,
    store: StoreId,
}

impl Keys {
    pub fn store(&self) -> &StoreId {
        &self.store
    }

    /// What lies in the database to recognise the right root key, over the identity that it stands beside: whoever owns the
    /// database cannot change the log's id, its epoch or what kind of installation this is.
    pub fn check_value(&self, log: &str, epoch: i32, demo: bool) -> Vec<u8> {
        let parts: [&[u8]; 4] =
            [self.store.as_str().as_bytes(), log.as_bytes(), &epoch.to_be_bytes(), &[u8::from(demo)]];
        mac(&self.key_check, &parts).to_vec()
    }

    pub fn check(&self, log: &str, epoch: i32, demo: bool, stored: &[u8]) -> Result<(), Error> {
        if bool::from(self.check_value(log, epoch, demo).ct_eq(stored)) { Ok(()) } else { Err(Error::WrongRoot) }
    }
}

/// HMAC-SHA-256 over parts, each preceded by its length, so that no two lists of parts are the same message.
pub fn mac(key: &Secret, parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of any length: this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&**key) else { return [0; 32] };
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn read_key(path: &Path) -> Result<Secret, Error> {
    let text = Zeroizing::new(fs::read_to_string(path).map_err(|why| Error::Unreadable { path: path.into(), why })?);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_err(|why| Error::Unreadable { path: path.into(), why })?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(Error::Exposed(path.into()));
        }
    }
    let digits = text.trim();
    if digits.len() != 64 || !digits.is_ascii() {
        return Err(Error::Malformed(path.into()));
    }
    let mut key = Zeroizing::new([0; 32]);
    for (place, byte) in key.iter_mut().enumerate() {
        let pair = &digits[place * 2..place * 2 + 2];
        *byte = u8::from_str_radix(pair, 16).map_err(|_| Error::Malformed(path.into()))?;
    }
    Ok(key)
}

/// Writes a file that only its owner reads, from its first moment on. A former one is replaced.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}

#[cfg(unix)]
pub fn restrict(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
pub fn restrict(_path: &Path, _mode: u32) -> std::io::Result<()> {
    Ok(())
}
