//! What providers say of themselves (OpenID Connect Discovery 1.0) and their keys, fetched sparingly and kept in memory.
//!
//! Nothing of it lies in the database: whoever owns that could otherwise put keys of his own there. An outage of the provider
//! leaves what was fetched before in use for a day; people who are signed in do not depend on it at all.
use crate::outbound::{self, Failure, Reach};
use app::time::Moment;
use chrono::TimeDelta;
use openidconnect::{
    AdditionalProviderMetadata, AsyncHttpClient, DiscoveryError, HttpRequest, HttpResponse, IssuerUrl,
    ProviderMetadata,
    core::{
        CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
        CoreSubjectIdentifierType,
    },
};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, pin::Pin, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// Asked anew after so long.
const FRESH: TimeDelta = TimeDelta::minutes(15);
/// Used for so long when the provider does not answer.
const STALE: TimeDelta = TimeDelta::hours(24);
/// Asked no more often than this, whatever anybody sends: unknown keys cause no storm.
const PACE: TimeDelta = TimeDelta::seconds(30);
/// The longest answer that is read, in bytes, and how long is waited for it.
const BOUNDS: (usize, Duration) = (256 * 1024, Duration::from_secs(5));

/// What is read beside the fields of the specification's first version.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Extra {
    #[serde(default)]
    pub end_session_endpoint: Option<String>,
    #[serde(default)]
    pub backchannel_logout_supported: bool,
    /// RFC 9207: the answer names its issuer.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}
impl AdditionalProviderMetadata for Extra {}

pub type Metadata = ProviderMetadata<
    Extra,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// Why a provider could not be asked, in words for an administrator.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unread {
    #[error("{0}")]
    Call(String),
    #[error("the answer is not what the specification says: {0}")]
    Answer(String),
}

struct Known {
    metadata: Arc<Metadata>,
    read_at: Moment,
}

#[derive(Default)]
struct Entry {
    known: Option<Known>,
    asked_at: Option<Moment>,
    failed: Option<Unread>,
}

/// One entry for each issuer; while one is asked, others who want the same wait for its answer.
#[derive(Default)]
pub struct Discovered(Mutex<HashMap<String, Arc<Mutex<Entry>>>>);

impl Discovered {
    /// What the provider says of itself, asked anew when it is old.
    pub async fn of(&self, reach: &Reach, issuer: &str, now: Moment) -> Result<Arc<Metadata>, Unread> {
        self.read(reach, issuer, now, FRESH).await
    }

    /// The same, because a key was not among those known: asked anew unless that was done just now.
    pub async fn anew(&self, reach: &Reach, issuer: &str, now: Moment) -> Result<Arc<Metadata>, Unread> {
        self.read(reach, issuer, now, PACE).await
    }

    async fn read(&self, reach: &Reach, issuer: &str, now: Moment, old: TimeDelta) -> Result<Arc<Metadata>, Unread> {
        let entry = self.0.lock().await.entry(issuer.to_owned()).or_default().clone();
        let mut entry = entry.lock().await;
        let age = entry.known.as_ref().map(|known| now - known.read_at);
        let usable = |within: TimeDelta| age.is_some_and(|age| age >= TimeDelta::zero() && age < within);
        if let Some(known) = entry.known.as_ref().filter(|_| usable(old)) {
            return Ok(known.metadata.clone());
        }
        let rests = entry.asked_at.is_some_and(|at| now - at >= TimeDelta::zero() && now - at < PACE);
        if !rests {
            entry.asked_at = Some(now);
            match ask(reach, issuer).await {
                Ok(metadata) => {
                    let metadata = Arc::new(metadata);
                    *entry = Entry {
                        known: Some(Known { metadata: metadata.clone(), read_at: now }),
                        asked_at: Some(now),
                        failed: None,
                    };
                    return Ok(metadata);
                }
                Err(why) => {
                    tracing::warn!(issuer, %why, "an identity provider did not say what it offers");
                    entry.failed = Some(why);
                }
            }
        }
        match &entry.known {
            Some(known) if usable(STALE) => Ok(known.metadata.clone()),
            _ => Err(entry.failed.clone().unwrap_or_else(|| Unread::Call("it was asked just now".into()))),
        }
    }
}

/// Discovery and keys, uncached.
pub async fn ask(reach: &Reach, issuer: &str) -> Result<Metadata, Unread> {
    let url = IssuerUrl::new(issuer.to_owned()).map_err(|error| Unread::Answer(error.to_string()))?;
    let calls = Calls(reach.clone());
    Metadata::discover_async(url, &calls).await.map_err(|error| match error {
        DiscoveryError::Request(failure) => Unread::Call(failure.to_string()),
        DiscoveryError::Response(status, _, _) => {
            Unread::Answer(format!("it answered with status {}", status.as_u16()))
        }
        DiscoveryError::Parse(error) => Unread::Answer(format!("{} does not fit", error.path())),
        DiscoveryError::Validation(why) => Unread::Answer(why),
        other => Unread::Answer(other.to_string()),
    })
}

/// The library's calls, through the one way out of this process.
pub struct Calls(pub Reach);

impl<'c> AsyncHttpClient<'c> for Calls {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Failure>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(call(&self.0, request))
    }
}

async fn call(reach: &Reach, request: HttpRequest) -> Result<HttpResponse, Failure> {
    let (parts, body) = request.into_parts();
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    let headers: Vec<(&'static str, String)> =
        ["accept", "content-type", "authorization"].into_iter().filter_map(|name| Some((name, text(name)?))).collect();
    let method = reqwest::Method::from_bytes(parts.method.as_str().as_bytes()).map_err(|_| Failure::NoUrl)?;
    let answer = outbound::send(reach, method, &parts.uri.to_string(), &headers, body, BOUNDS).await?;
    let mut response = HttpResponse::new(answer.body);
    *response.status_mut() = axum::http::StatusCode::from_u16(answer.status).map_err(|_| Failure::Broken)?;
    Ok(response)
}
