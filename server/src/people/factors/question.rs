//! A question that a second factor answers: one act, on exactly what was sent, for two minutes.
//!
//! It travels in the page, sealed: the server keeps nothing until it is answered, and what was typed comes back unchanged. What
//! an answer was used for is kept, so that it counts once.
use super::super::store::Person;
use crate::{
    console::Console,
    keys,
    vault::envelope::{decrypt, encrypt},
};
use app::{error::Error, people::factors::OPEN, time::Moment};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use webauthn_rs::prelude::PasskeyAuthentication;
use zeroize::{Zeroize, Zeroizing};

/// What is to be done once it is shown who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum For {
    /// One act of somebody who is signed in.
    Act,
    /// Signing in, after the password.
    SignIn,
}

#[derive(Serialize, Deserialize)]
pub struct Question {
    /// Random; an answer is taken once per id.
    pub id: String,
    pub person: String,
    pub purpose: For,
    /// Where the form goes, and the form.
    pub path: String,
    pub body: String,
    /// Where one goes back to without doing it.
    pub back: String,
    pub until: Moment,
    /// What a passkey was asked; absent where none can answer.
    pub passkey: Option<PasskeyAuthentication>,
}

impl Drop for Question {
    fn drop(&mut self) {
        self.body.zeroize();
    }
}

impl Question {
    pub fn new(console: &Console, person: &Person, purpose: For, path: &str, body: &str) -> Result<Self, Error> {
        let random: [u8; 32] = keys::random().map_err(|_| Error::Unavailable)?;
        Ok(Self {
            id: URL_SAFE_NO_PAD.encode(random),
            person: person.id.clone(),
            purpose,
            path: path.into(),
            body: body.into(),
            back: "/sign-in".into(),
            until: console.now() + OPEN,
            passkey: None,
        })
    }

    /// What was agreed to, for the trail. The id is random and not kept, so nothing can be guessed from it.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for part in ["countersign/proof/v1", &self.id, &self.person, &self.path, &self.body] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        URL_SAFE_NO_PAD.encode(digest.finalize())
    }

    pub fn seal(&self, console: &Console) -> Result<String, Error> {
        seal(console, "question", self)
    }

    pub fn open(console: &Console, text: &str) -> Option<Self> {
        open(console, "question", text)
    }
}

/// Something of ours that a page carries and brings back, readable and changeable by nobody.
pub(super) fn seal(console: &Console, kind: &str, value: &impl Serialize) -> Result<String, Error> {
    let plain = Zeroizing::new(serde_json::to_vec(value).map_err(|_| Error::Unavailable)?);
    let sealed = encrypt(&console.ledger.keys().stash, &plain, &context(kind));
    Ok(URL_SAFE_NO_PAD.encode(sealed.map_err(|_| Error::Unavailable)?))
}

pub(super) fn open<T: DeserializeOwned>(console: &Console, kind: &str, text: &str) -> Option<T> {
    let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
    let plain = decrypt(&console.ledger.keys().stash, &sealed, &context(kind)).ok()?;
    serde_json::from_slice(&plain).ok()
}

fn context(kind: &str) -> Vec<u8> {
    format!("countersign/factor/v1 {kind}").into_bytes()
}
