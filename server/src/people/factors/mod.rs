//! Second factors: enrolled by their owner, asked for one act at a time.
//!
//! ```text
//! act ──▶ policy: factor_needed ──▶ question (sealed, two minutes) ──code | passkey──▶ event ──▶ the same act, once
//! ```
//!
//! Nothing is a mode: an answer is for exactly the form that was sent. A code of an authenticator, a recovery code and the answer
//! of a passkey each count once, under the lock of their row.
mod enrol;
mod passkeys;
mod prove;
mod question;
pub mod store;

pub use enrol::*;
pub use passkeys::relying_party;
pub use prove::*;
pub use question::{For, Question};

use crate::{audit::row_seal::SealKey, console::Console, db::Sql, vault::envelope};
use app::{error::Error, people::second::NEW, time::Moment};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use store::Factor;
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

/// Has this person a factor that stands alone?
pub async fn has_factor(db: &mut impl Sql, person: &str, key: &SealKey) -> Result<bool, Error> {
    Ok(store::open_of(db, person, key).await?.iter().any(Factor::stands_alone))
}

/// What somebody could prove: have they a factor that stands alone; and are all of these so new that it opens nothing critical?
pub async fn standing(db: &mut impl Sql, person: &str, now: Moment, key: &SealKey) -> Result<(bool, bool), Error> {
    let rows = store::open_of(db, person, key).await?;
    let alone: Vec<&Factor> = rows.iter().filter(|row| row.stands_alone()).collect();
    Ok((!alone.is_empty(), !alone.is_empty() && alone.iter().all(|row| now < row.counts_from())))
}

/// From when a factor counts that is added now: at once where one vouches for it that counts already, else after a day.
fn counts_from(vouched: Option<Proof>, now: Moment) -> Moment {
    match vouched.filter(|proof| proof.kind.stands_alone()) {
        Some(proof) => now.max(proof.counts_from),
        None => now + NEW,
    }
}

/// May this person decide in production as far as factors go? In a demonstration, where personas are clicked, everybody may.
pub async fn decides(console: &Console, db: &mut impl Sql, person: &str) -> Result<bool, Error> {
    Ok(console.demo || has_factor(db, person, console.seal_key()).await?)
}

/// An authenticator, as its row keeps it.
#[derive(Serialize, Deserialize)]
struct Authenticator {
    /// The shared secret, wrapped.
    sealed: String,
    /// The last step that was taken: earlier ones and this one count no more.
    step: u64,
}

/// Recovery codes, as their row keeps them: hashes of those that are left.
#[derive(Serialize, Deserialize)]
struct Codes {
    left: Vec<String>,
}

fn read<T: DeserializeOwned>(row: &Factor) -> Result<T, Error> {
    serde_json::from_str(&row.data).map_err(|_| Error::Unavailable)
}

fn write(data: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(data).map_err(|_| Error::Unavailable)
}

/// How many recovery codes are left in a row of them.
pub fn codes_left(row: &Factor) -> usize {
    read::<Codes>(row).map_or(0, |codes| codes.left.len())
}

fn context(id: &str) -> Vec<u8> {
    [b"authenticator/v1\0", id.as_bytes()].concat()
}

fn wrap(console: &Console, id: &str, secret: &[u8]) -> Result<String, Error> {
    let sealed = envelope::encrypt(&console.ledger.keys().credential_wrap, secret, &context(id));
    Ok(STANDARD.encode(sealed.map_err(|_| Error::Unavailable)?))
}

fn unwrap(console: &Console, id: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let sealed = STANDARD.decode(sealed).map_err(|_| Error::Unavailable)?;
    envelope::decrypt(&console.ledger.keys().credential_wrap, &sealed, &context(id)).map_err(|_| Error::Unavailable)
}

/// RFC 6238 as every app knows it: SHA-1, six digits, 30 seconds, one step early or late.
fn totp(secret: &[u8], login: &str) -> Result<Totp, Error> {
    let built = Builder::new().with_secret(secret.to_vec()).with_account_name(login).with_issuer(Some("Countersign"));
    built.build().map_err(|error| {
        tracing::error!(%error, "an authenticator could not be made");
        Error::Unavailable
    })
}

/// A recovery code has 80 random bits: a plain hash of it tells nobody the code.
fn code_hash(code: &str) -> String {
    STANDARD.encode(Sha256::digest(code.as_bytes()))
}
