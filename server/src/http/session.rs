//! The browser's session: a cookie whose id is stored only as a hash, and a record that carries no authority.
use crate::{console::Console, people::store};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
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
            let data = serde_json::to_string(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
            if store::create_browser(&mut tx, &hash(&record.id), &data, expiry(record)).await.map_err(failed)? > 0 {
                break;
            }
            record.id = Id::default();
        }
        tx.finish().await.map_err(failed)
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let data = serde_json::to_string(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
        let mut tx = self.0.ledger.housekeeping().await.map_err(failed)?;
        store::save_browser(&mut tx, &hash(&record.id), &data, expiry(record)).await.map_err(failed)?;
        tx.finish().await.map_err(failed)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let mut db = self.0.read().await.map_err(failed)?;
        let Some(data) = store::load_browser(&mut db, &hash(id), self.0.now()).await.map_err(failed)? else {
            return Ok(None);
        };
        let data = serde_json::from_str(&data).map_err(|error| Error::Decode(error.to_string()))?;
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
