//! Browsers that signed in to an account before. Each keeps a cookie that says so; it opens nothing, and gives its owner a budget of
//! tries that strangers cannot use up (OWASP: *Slow Down Online Guessing Attacks with Device Cookies*).
use super::store::Person;
use crate::{console::Console, keys};
use app::{error::Error, time::Moment};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta};
use subtle::ConstantTimeEq;

/// How long a browser is remembered.
pub const LIFE: TimeDelta = TimeDelta::days(180);

/// What a browser keeps after a sign-in: its own random name, when, and a seal over both, the account and its password.
pub fn remember(console: &Console, person: &Person) -> Result<String, Error> {
    let name: [u8; 16] = keys::random().map_err(|_| Error::Unavailable)?;
    let (name, at) = (URL_SAFE_NO_PAD.encode(name), console.now().timestamp().to_string());
    let seal = seal(console, &name, &at, person);
    Ok(format!("{name}.{at}.{seal}"))
}

/// The name of a browser that signed in to this account before.
pub fn recognise(console: &Console, kept: &str, person: &Person) -> Option<String> {
    let mut parts = kept.splitn(3, '.');
    let (name, at, sealed) = (parts.next()?, parts.next()?, parts.next()?);
    let is_ours = bool::from(seal(console, name, at, person).as_bytes().ct_eq(sealed.as_bytes()));
    let since: Moment = DateTime::from_timestamp(at.parse().ok()?, 0)?;
    (is_ours && console.now() - since < LIFE).then(|| name.to_owned())
}

fn seal(console: &Console, name: &str, at: &str, person: &Person) -> String {
    // With another password every browser begins again.
    let password = person.password_hash.as_deref().unwrap_or_default();
    let parts = [name.as_bytes(), at.as_bytes(), person.id.as_bytes(), password.as_bytes()];
    URL_SAFE_NO_PAD.encode(keys::mac(&console.ledger.keys().familiar, &parts))
}
