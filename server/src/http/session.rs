//! The browser's session: a cookie whose id is stored only as a hash, and a record that only this service reads and writes: what a
//! browser is in the middle of is encrypted for that browser alone.
use crate::{
    console::Console,
    people::store,
    vault::envelope::{decrypt, encrypt},
};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use tower_sessions::{
    Expiry, SessionManagerLayer, SessionStore,
    cookie::SameSite,
    session::{Id, Record},
    session_store::{Error, Result},
};

pub const COOKIE: &str = "__Host-session";

/// What is stored of a session's id.
pub fn hash(id: &Id) -> Vec<u8> {
    Sha256::digest(id.to_string().as_bytes()).to_vec()
}

pub fn layer(console: Console) -> SessionManagerLayer<Records> {
    SessionManagerLayer::new(Records(console))
        .with_name(COOKIE)
        .with_secure(true)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_always_save(false)
        .with_expiry(Expiry::OnInactivity(time::Duration::hours(8)))
}

/// Pre-login state of browsers. Saving never brings a deleted record back.
#[derive(Clone)]
pub struct Records(Console);

/// What it is encrypted for.
fn context(id: &Id) -> Vec<u8> {
    [b"countersign/browser/v1 ".as_slice(), &hash(id)].concat()
}

impl Records {
    fn sealed(&self, record: &Record) -> Result<String> {
        let plain = serde_json::to_vec(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
        let sealed = encrypt(&self.0.ledger.keys().stash, &plain, &context(&record.id));
        Ok(STANDARD.encode(sealed.map_err(failed)?))
    }

    fn opened(&self, id: &Id, data: &str) -> Option<HashMap<String, Value>> {
        let sealed = STANDARD.decode(data).ok()?;
        let plain = decrypt(&self.0.ledger.keys().stash, &sealed, &context(id)).ok()?;
        serde_json::from_slice(&plain).ok()
    }
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Records")
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Backend(error.to_string())
}

fn expiry(record: &Record) -> DateTime<Utc> {
    DateTime::from_timestamp(record.expiry_date.unix_timestamp(), 0).unwrap_or_default()
}

#[async_trait]
impl SessionStore for Records {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let mut tx = self.0.ledger.housekeeping().await.map_err(failed)?;
        loop {
            let data = self.sealed(record)?;
            if store::create_browser(&mut tx, &hash(&record.id), &data, expiry(record)).await.map_err(failed)? > 0 {
                break;
            }
            record.id = Id::default();
        }
        tx.finish().await.map_err(failed)
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let data = self.sealed(record)?;
        let mut tx = self.0.ledger.housekeeping().await.map_err(failed)?;
        store::save_browser(&mut tx, &hash(&record.id), &data, expiry(record)).await.map_err(failed)?;
        tx.finish().await.map_err(failed)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let mut db = self.0.read().await.map_err(failed)?;
        let Some(data) = store::load_browser(&mut db, &hash(id), self.0.now()).await.map_err(failed)? else {
            return Ok(None);
        };
        let Some(data) = self.opened(id, &data) else {
            tracing::error!("what is stored of a browser's session was not written by this service for it");
            return Ok(None);
        };
        let expiry_date =
            time::OffsetDateTime::from_unix_timestamp(self.0.now().timestamp() + 8 * 3600).map_err(failed)?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let mut tx = self.0.ledger.housekeeping().await.map_err(failed)?;
        store::delete_browser(&mut tx, &hash(id)).await.map_err(failed)?;
        tx.finish().await.map_err(failed)
    }
}
