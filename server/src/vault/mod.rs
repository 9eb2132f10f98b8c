//! Values: sealed, versioned, read only through a grant. The only code that sees a value in the clear.
//!
//! ```text
//! write: seal (outside any transaction) ─▶ lock secret ─▶ compare and set ─▶ commit(secret.version_written)
//! take:  policy and grant ─▶ open ─▶ event durable ─▶ first byte
//! key:   active ─▶ decrypt-only ─(nothing sealed with it any more)─▶ destroyed
//! ```
//!
//! `seal` and `open` of [`envelope`] are what stores outside this database implement beside the embedded one: both work on
//! a place and a version and neither touches a transaction.
pub mod envelope;
pub mod expiry;
mod keyring;
mod prose;
pub mod store;
mod take;
mod versions;

pub use keyring::*;
use prose::remember;
pub use prose::{line, name, prose, without_secrets};
pub use take::*;
pub use versions::*;

use crate::{
    catalog::{Located, store::Secret},
    console::Console,
    keys::Secret as Key,
};
use app::{audit::leaf::Subject, error::Error, rotations::model::ValueRules};
use envelope::{Payload, Place};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use zeroize::Zeroizing;

/// Unwrapped environment keys, kept while the process lives.
#[derive(Default)]
pub struct Keyring(Mutex<HashMap<(String, u32), Key>>);

impl Keyring {
    fn get(&self, environment: &str, generation: u32) -> Option<Key> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&(environment.to_owned(), generation)).cloned()
    }

    fn put(&self, environment: &str, generation: u32, key: Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((environment.to_owned(), generation), key);
    }

    fn forget(&self, environment: &str, generation: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(environment.to_owned(), generation));
    }
}

/// The place that a secret's values are sealed for.
pub fn place(console: &Console, located: &Located) -> Place {
    Place {
        store: console.ledger.keys().store().to_string(),
        project: (located.project.id.clone(), located.project.slug.clone()),
        environment: (located.environment.id.clone(), located.environment.slug.clone()),
        secret: located.secret.id.clone(),
        path: located.secret.path.clone(),
    }
}

pub(crate) fn subject(located: &Located, version: i32) -> Subject {
    Subject { version: u32::try_from(version).ok(), ..located.subject() }
}

fn refused(error: envelope::Error, secret: &Secret) -> Error {
    tracing::error!(%error, secret = secret.id, "a value could not be sealed or opened");
    match error {
        envelope::Error::Size | envelope::Error::Twice => Error::invalid("value", error.to_string()),
        _ => Error::Unavailable,
    }
}

/// Checks fields against the kind and makes a payload of them.
pub fn payload(kind: app::catalog::model::Kind, fields: Vec<(String, Zeroizing<String>)>) -> Result<Payload, Error> {
    for wanted in kind.fields() {
        if !fields.iter().any(|(name, _)| name == wanted) {
            return Err(Error::invalid("value", format!("A {kind} has a field called {wanted}.")));
        }
    }
    let bytes = |value: Zeroizing<String>| Zeroizing::new(value.as_bytes().to_vec());
    let fields = fields
        .into_iter()
        .map(|(name, value)| Ok((app::catalog::model::field_name(&name)?, bytes(value))))
        .collect::<Result<Vec<_>, &str>>()
        .map_err(|why| Error::invalid("value", why))?;
    Payload::new(fields).map_err(|why| Error::invalid("value", why.to_string()))
}

/// A random value: `length` characters without look-alikes, more than 5.7 bits each.
pub fn generate(length: usize) -> Result<Zeroizing<String>, Error> {
    generate_by(&ValueRules { length, ..ValueRules::default() })
}

/// A random value as rules want it.
pub fn generate_by(rules: &ValueRules) -> Result<Zeroizing<String>, Error> {
    let (alphabet, length) = (rules.alphabet(), rules.length);
    if alphabet.is_empty() {
        return Err(Error::Unavailable);
    }
    let mut text = Zeroizing::new(String::with_capacity(length));
    while text.len() < length {
        let bytes: Zeroizing<[u8; 64]> = Zeroizing::new(crate::keys::random().map_err(|_| Error::Unavailable)?);
        // Bytes beyond the last whole multiple are thrown away, so that every character is equally likely.
        let fair = bytes.iter().filter(|byte| usize::from(**byte) < 256 / alphabet.len() * alphabet.len());
        for byte in fair.take(length - text.len()) {
            text.push(char::from(alphabet[usize::from(*byte) % alphabet.len()]));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::catalog::model::Kind;

    #[test]
    fn generated_values_have_their_length_and_differ() {
        let (one, two) = (generate(40).unwrap(), generate(40).unwrap());
        assert_eq!(one.len(), 40);
        assert!(*one != *two);
        assert!(!one.contains(['0', 'O', '1', 'l', 'I']));
    }

    #[test]
    fn kinds_want_their_fields() {
        let field = |name: &str| (name.to_owned(), Zeroizing::new("x".to_owned()));
        assert!(payload(Kind::Database, vec![field("username")]).is_err());
        assert!(payload(Kind::Database, vec![field("username"), field("password")]).is_ok());
        assert!(payload(Kind::Opaque, vec![field("value"), field("bad name")]).is_err());
    }
}
