//! Back-Channel Logout 1.0: a provider says that somebody's sessions are over, and they are, on the next request.
use super::{
    super::store as people,
    claims::{Flaw, SKEW, algorithms},
    discovery::Metadata,
    end_each,
    store::{self, Provider},
};
use crate::{
    audit::event::{Event, Who},
    console::Console,
};
use app::{
    audit::{action::Action, leaf::Subject},
    error::{Error, Refusal},
    time::Moment,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta};
use openidconnect::{JsonWebKey, core::CoreJwsSigningAlgorithm};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How old a logout token may be. It is remembered for longer, so that none counts twice.
const LIFE: TimeDelta = TimeDelta::minutes(2);

#[derive(Deserialize)]
struct Header {
    alg: CoreJwsSigningAlgorithm,
    #[serde(default)]
    kid: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    iat: i64,
    #[serde(default)]
    exp: Option<i64>,
    jti: String,
    events: Map<String, Value>,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    sid: Option<String>,
    #[serde(default)]
    nonce: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Ends the sessions that a logout token names; how many they were.
pub async fn end_by_provider(console: &Console, who: &Who, provider: &str, token: &str) -> Result<usize, Error> {
    let (now, key) = (console.now(), console.seal_key());
    let row = store::find(&mut console.read().await?, provider, key).await?.ok_or(Error::NotFound)?;
    let attempted = Event::new(Action::SignOutAtProvider).detail("provider", provider);
    let claims = match proved(console, &row, token, now).await {
        Ok(claims) => claims,
        Err(flaw) => {
            let event = attempted.detail("why", flaw.code());
            return Err(console.ledger.refuse(who, event, Refusal::ProviderAnswer).await);
        }
    };
    let mut tx = console.ledger.begin(&Who::system("provider-logout").from(who)).await?;
    let jti = Sha256::new().chain_update(&row.issuer).chain_update([0]).chain_update(&claims.jti).finalize();
    if store::use_logout(&mut tx, &URL_SAFE_NO_PAD.encode(jti), now + TimeDelta::hours(1)).await? == 0 {
        return Err(tx.refuse(attempted.detail("why", "used"), Refusal::ProviderAnswer).await);
    }
    let mut sessions = Vec::new();
    for session in people::open_sessions(&mut tx, now, key).await? {
        let Some(identity) = &session.identity_id else { continue };
        let Some(identity) = store::find_identity(&mut tx, identity, key).await? else { continue };
        let whose = claims.sub.as_ref().is_none_or(|sub| *sub == identity.subject);
        let which = claims.sid.as_ref().is_none_or(|sid| session.provider_sid.as_ref() == Some(sid));
        if identity.issuer == row.issuer && whose && which {
            sessions.push(session);
        }
    }
    let count = sessions.len();
    let person = sessions.first().map(|session| session.person_id.clone());
    let mut events = vec![attempted.on(Subject { person, ..Subject::default() }).detail("sessions", count as u64)];
    events.extend(end_each(console, &mut tx, sessions).await?);
    tx.commit(events).await?;
    Ok(count)
}

async fn proved(console: &Console, row: &Provider, token: &str, now: Moment) -> Result<Claims, Flaw> {
    let metadata = console.providers.of(&console.reach, &row.issuer, now).await.map_err(|_| Flaw::Silent)?;
    let bytes = match signed_part(&metadata, token) {
        Err(Flaw::Key) => {
            let metadata = console.providers.anew(&console.reach, &row.issuer, now).await.map_err(|_| Flaw::Silent)?;
            signed_part(&metadata, token)
        }
        other => other,
    }?;
    let claims: Claims = serde_json::from_slice(&bytes).map_err(|_| Flaw::Claims)?;
    let for_us = match &claims.aud {
        Audience::One(one) => *one == row.client_id,
        Audience::Many(many) => many.contains(&row.client_id),
    };
    let at = |seconds: i64| DateTime::from_timestamp(seconds, 0).ok_or(Flaw::Claims);
    let made = at(claims.iat)?;
    let over = claims.exp.map(at).transpose()?.is_some_and(|exp| exp <= now - SKEW);
    if claims.iss != row.issuer {
        Err(Flaw::Issuer)
    } else if !for_us {
        Err(Flaw::Audience)
    } else if made > now + SKEW || made < now - LIFE || over {
        Err(Flaw::Expired)
    } else if claims.nonce.is_some()
        || claims.jti.is_empty()
        || (claims.sub.is_none() && claims.sid.is_none())
        || !claims.events.get(EVENT).is_some_and(Value::is_object)
    {
        // A nonce would make it an ID token that somebody sends here to end others' sessions.
        Err(Flaw::Claims)
    } else {
        Ok(claims)
    }
}

/// The payload of a compact JWS (RFC 7515) that a key of the provider signed.
fn signed_part(metadata: &Metadata, token: &str) -> Result<Vec<u8>, Flaw> {
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Flaw::Claims);
    };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Flaw::Claims);
    let head: Header = serde_json::from_slice(&decode(header)?).map_err(|_| Flaw::Algorithm)?;
    if !algorithms().any(|known| known == head.alg) {
        return Err(Flaw::Algorithm);
    }
    let signature = decode(signature)?;
    let message = format!("{header}.{payload}");
    let named = |key: &&openidconnect::core::CoreJsonWebKey| {
        head.kid.is_none() || key.key_id().map(|id| id.as_str()) == head.kid.as_deref()
    };
    let mut keys = metadata.jwks().keys().iter().filter(named).peekable();
    if keys.peek().is_none() {
        return Err(Flaw::Key);
    }
    let holds = keys.any(|key| key.verify_signature(&head.alg, message.as_bytes(), &signature).is_ok());
    if holds { decode(payload) } else { Err(Flaw::Signature) }
}
