//! Texts that many people read: reasons, comments, descriptions, reports. They lie in clear in the database and in exports, so none of
//! them may hold a secret: neither what has the form of one, nor a value that works here.
//!
//! Values are recognised by marks: an HMAC of each, under a key that lies wrapped beside the log's identity. What is typed is looked up
//! word by word and in rows of words; nothing is opened for it.
use super::{envelope::Payload, store};
use crate::{audit::ledger::Tx, console::Console, keys::mac};
use app::{
    error::Error,
    people::model,
    prose::{looks_secret, phrases},
};

/// Shorter values are words that people use.
const SHORTEST: usize = 6;
/// Fields that are no secret by themselves.
const OPEN: [&str; 3] = ["username", "chain", "host"];
/// Marks that one statement looks up.
const CHUNK: usize = 400;

fn mark(console: &Console, value: &[u8]) -> Vec<u8> {
    mac(console.ledger.pseudonyms(), &[b"countersign/value-mark/v1", value])[..16].to_vec()
}

/// Remembers what a version looks like, within the change that stores it.
pub(super) async fn remember(
    console: &Console,
    tx: &mut Tx,
    secret: &str,
    version: i32,
    payload: &Payload,
) -> Result<(), Error> {
    for (name, value) in payload.fields() {
        if value.len() >= SHORTEST && !OPEN.contains(&name) {
            store::insert_mark(tx, mark(console, value), secret, version).await?;
        }
    }
    Ok(())
}

/// A text of several lines in the form in which it is kept, or what is wrong with it, at its field.
pub async fn prose(console: &Console, field: &'static str, text: &str, most: usize) -> Result<String, Error> {
    let text = model::prose(text, most).map_err(|why| Error::invalid(field, why))?;
    without_secrets(console, field, &text).await?;
    Ok(text)
}

/// The same for one line.
pub async fn line(console: &Console, field: &'static str, text: &str, most: usize) -> Result<String, Error> {
    let text = model::line(text, most).map_err(|why| Error::invalid(field, why))?;
    without_secrets(console, field, &text).await?;
    Ok(text)
}

/// The same for what people and things are called.
pub async fn name(console: &Console, field: &'static str, text: &str) -> Result<String, Error> {
    let text = model::display(text).map_err(|why| Error::invalid(field, why))?;
    without_secrets(console, field, &text).await?;
    Ok(text)
}

/// Refuses a text that holds a secret; for texts with a form of their own, as queries and policies.
pub async fn without_secrets(console: &Console, field: &'static str, text: &str) -> Result<(), Error> {
    if looks_secret(text) {
        return Err(Error::invalid(field, "This looks like it holds a secret. It is read by many: take it out."));
    }
    let marks: Vec<Vec<u8>> = phrases(text)
        .into_iter()
        .filter(|phrase| phrase.len() >= SHORTEST)
        .map(|phrase| mark(console, phrase.as_bytes()))
        .collect();
    if marks.is_empty() {
        return Ok(());
    }
    let mut db = console.read().await?;
    for chunk in marks.chunks(CHUNK) {
        if store::is_marked(&mut db, chunk).await? {
            return Err(Error::invalid(
                field,
                "This holds the value of a secret that works. It is read by many: take it out.",
            ));
        }
    }
    Ok(())
}
