//! Passwords (Argon2id, RFC 9106) in a bounded pool, and the code that makes the first administrator.
use super::turns::{Lane, Turns};
use crate::keys;
use app::{error::Error, time::Moment};
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use sha2::{Digest, Sha256};
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The shortest password that is accepted, in characters (NIST SP 800-63B-4 for passwords that stand alone).
pub const SHORTEST: usize = 15;
const LONGEST: usize = 200;
/// Hashes at the same time: each takes 19 MiB and a core, and half of the cores are for everything else.
fn at_once() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}
/// Verified against when a name is unknown, so that the answer takes as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Y291bnRlcnNpZ24tbm9ib2R5$2m3uNkgVJw0dHNfWqvxZ2Zd6EMZQZ7a3r4nO0PjI0wM";

#[derive(Clone)]
pub struct Hasher(Turns);

impl Default for Hasher {
    fn default() -> Self {
        Self(Turns::new(at_once()))
    }
}

impl Hasher {
    /// `source` is who hashes: everybody has their turn.
    pub async fn hash(&self, source: &str, password: Zeroizing<String>) -> Result<String, Error> {
        let salt: [u8; 16] = keys::random().map_err(|_| Error::Unavailable)?;
        let hashed = self.run(Lane::Known, source, move || {
            let hash = argon()?.hash_password_with_salt(password.as_bytes(), &salt);
            hash.map(|hash| hash.to_string()).ok()
        });
        hashed.await?.ok_or(Error::Unavailable)
    }

    /// False for a wrong password and for no account at all, after the same time.
    pub async fn verify(
        &self,
        (lane, source): (Lane, &str),
        password: Zeroizing<String>,
        stored: Option<String>,
    ) -> Result<bool, Error> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| NOBODY.to_owned());
        let fits = self
            .run(lane, source, move || {
                let parsed = PasswordHash::new(&stored).ok()?;
                Some(argon()?.verify_password(password.as_bytes(), &parsed).is_ok())
            })
            .await?;
        Ok(fits.unwrap_or(false) && known)
    }

    async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        source: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let _turn = self.0.take(lane, source).await?;
        tokio::task::spawn_blocking(work).await.map_err(|_| Error::Unavailable)
    }
}

fn argon() -> Option<Argon2<'static>> {
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19 * 1024, 2, 1, None).ok()?))
}

/// What is wrong with a new password, if anything.
pub fn mistake(password: &str, login: &str) -> Option<String> {
    let length = password.chars().count();
    if length < SHORTEST {
        return Some(format!("At least {SHORTEST} characters: a few words are easy to remember."));
    }
    if length > LONGEST {
        return Some(format!("At most {LONGEST} characters."));
    }
    let lower = password.to_lowercase();
    let repeats = password.chars().collect::<std::collections::BTreeSet<_>>().len() < 5;
    (repeats || lower.contains(login) && !login.is_empty())
        .then(|| "This is easy to guess: use several words that are not your name.".into())
}

/// 256 random bits with a prefix and a checksum, so that scanners find it and typing mistakes are told apart.
pub fn bearer(prefix: &str) -> Result<Zeroizing<String>, Error> {
    let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(keys::random().map_err(|_| Error::Unavailable)?);
    let body = Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes));
    let sum = checksum(&body);
    Ok(Zeroizing::new(format!("{prefix}_{}{sum}", *body)))
}

/// What is stored of a bearer secret; `None` when its prefix or checksum is wrong.
pub fn bearer_hash(prefix: &str, text: &str) -> Option<Vec<u8>> {
    let rest = text.strip_prefix(prefix)?.strip_prefix('_')?;
    let (body, sum) = rest.split_at_checked(43)?;
    (checksum(body) == sum).then(|| Sha256::digest(text.as_bytes()).to_vec())
}

fn checksum(body: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(body.as_bytes())[..3])
}

/// The code for the first administrator: half an hour, used once, kept in memory only as a hash. Where there is no terminal
/// to show it on it lies in a private file, until it was used.
#[derive(Default)]
pub struct SetUp(Mutex<Option<Code>>);

struct Code {
    hash: Vec<u8>,
    until: Moment,
    file: Option<PathBuf>,
}

impl SetUp {
    /// Makes a new code and forgets the former one.
    pub fn open(&self, now: Moment) -> Result<Zeroizing<String>, Error> {
        let code = bearer("set")?;
        let hash = Sha256::digest(code.as_bytes()).to_vec();
        *self.code() = Some(Code { hash, until: now + TimeDelta::minutes(30), file: None });
        Ok(code)
    }

    /// Writes the code where only the owner of the process reads it.
    pub fn write_to(&self, code: &str, file: &Path) -> std::io::Result<()> {
        keys::write_private(file, format!("{code}\n").as_bytes())?;
        if let Some(held) = self.code().as_mut() {
            held.file = Some(file.into());
        }
        Ok(())
    }

    pub fn is_open(&self, now: Moment) -> bool {
        self.code().as_ref().is_some_and(|held| now < held.until)
    }

    pub fn fits(&self, code: &str, now: Moment) -> bool {
        let hash = Sha256::digest(code.trim().as_bytes());
        let fits = |held: &Code| now < held.until && bool::from(held.hash.as_slice().ct_eq(hash.as_slice()));
        self.code().as_ref().is_some_and(fits)
    }

    /// The code was used: it, and the file with it, are gone.
    pub fn close(&self) {
        let file = self.code().take().and_then(|held| held.file);
        if let Some(Err(error)) = file.map(std::fs::remove_file) {
            tracing::warn!(%error, "the file with the used set-up code could not be removed; it opens nothing");
        }
    }

    fn code(&self) -> MutexGuard<'_, Option<Code>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearers_are_recognised_and_misspellings_are_not() {
        let bearer = bearer("cst").unwrap_or_default();
        assert!(bearer_hash("cst", &bearer).is_some());
        assert!(bearer_hash("csc", &bearer).is_none());
        let mut bent = bearer.to_string();
        bent.replace_range(10..11, if &bent[10..11] == "A" { "B" } else { "A" });
        assert!(bearer_hash("cst", &bent).is_none());
        assert!(bearer_hash("cst", "cst_").is_none());
    }

    #[tokio::test]
    async fn a_password_fits_itself_alone() {
        let hasher = Hasher::default();
        let secret = |text: &str| Zeroizing::new(text.to_owned());
        let stored = hasher.hash("test", secret("four ordinary words here")).await.unwrap_or_default();
        assert_eq!(
            hasher.verify((Lane::Stranger, "test"), secret("four ordinary words here"), Some(stored.clone())).await,
            Ok(true)
        );
        assert_eq!(
            hasher.verify((Lane::Stranger, "test"), secret("four ordinary words there"), Some(stored)).await,
            Ok(false)
        );
        assert_eq!(hasher.verify((Lane::Stranger, "test"), secret("four ordinary words here"), None).await, Ok(false));
        assert!(PasswordHash::new(NOBODY).is_ok());
    }

    #[test]
    fn a_used_set_up_code_leaves_no_file() {
        let (folder, set_up, now) = (tempfile::tempdir().unwrap(), SetUp::default(), Moment::default());
        let file = folder.path().join("set-up-code");
        let code = set_up.open(now).unwrap_or_default();
        for _ in 0..2 {
            set_up.write_to(&code, &file).unwrap();
        }
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap()) & 0o777, 0o600);
        assert!(set_up.fits(&std::fs::read_to_string(&file).unwrap(), now));
        assert!(!set_up.fits(&code, now + TimeDelta::minutes(30)));
        set_up.close();
        assert!(!file.exists() && !set_up.fits(&code, now));
    }

    #[test]
    fn weak_passwords_are_named() {
        assert!(mistake("short", "mara").is_some());
        assert!(mistake("aaaaaaaaaaaaaaaaaaaa", "mara").is_some());
        assert!(mistake("my name is mara today", "mara").is_some());
        assert!(mistake("correct horse battery", "mara").is_none());
    }
}
