//! An identity provider on loopback that says what a story tells it to: well, or falsely.
use axum::{
    Form, Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

pub const CLIENT: &str = "countersign";
pub const SECRET: &str = "the secret of the client";

/// How a token is signed.
#[derive(Clone, Copy, Default)]
pub enum Sign {
    #[default]
    Well,
    /// By a key that nobody published, under the name of one that is.
    Stranger,
    None,
    /// HS256 with the client's secret.
    ClientSecret,
    /// HS256 with the bytes of the published key: the classic confusion.
    PublicKey,
}

/// What the provider does next.
#[derive(Clone, Default)]
pub struct Script {
    pub header: Value,
    pub claims: Value,
    pub sign: Sign,
    /// The payload as it stands, instead of the claims.
    pub payload: Option<String>,
    /// What the token endpoint answers instead of tokens.
    pub status: Option<(u16, String)>,
    pub slow: Option<Duration>,
    pub no_id_token: bool,
}

struct Inner {
    base: String,
    key: Mutex<(String, SigningKey)>,
    script: Mutex<Script>,
    down: Mutex<bool>,
    names_itself: Mutex<bool>,
    /// Codes that were exchanged, with the verifier that came.
    used: Mutex<HashMap<String, u32>>,
    pub forms: Mutex<Vec<HashMap<String, String>>>,
    asked: Mutex<u32>,
}

#[derive(Clone)]
pub struct Provider(Arc<Inner>);

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

impl Provider {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let inner = Inner {
            base,
            key: Mutex::new(("one".into(), SigningKey::from_bytes(&[7; 32]))),
            script: Mutex::default(),
            down: Mutex::default(),
            names_itself: Mutex::new(true),
            used: Mutex::default(),
            forms: Mutex::default(),
            asked: Mutex::default(),
        };
        let provider = Self(Arc::new(inner));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    pub fn issuer(&self) -> String {
        self.0.base.clone()
    }

    pub fn says(&self, script: Script) {
        *self.0.script.lock().unwrap() = script;
    }

    pub fn goes_down(&self, down: bool) {
        *self.0.down.lock().unwrap() = down;
    }

    pub fn names_itself(&self, names: bool) {
        *self.0.names_itself.lock().unwrap() = names;
    }

    /// New keys under another name.
    pub fn changes_keys(&self) {
        *self.0.key.lock().unwrap() = ("two".into(), SigningKey::from_bytes(&[9; 32]));
    }

    /// How often it was asked for its description.
    pub fn asked(&self) -> u32 {
        *self.0.asked.lock().unwrap()
    }

    /// The last form that came to the token endpoint.
    pub fn last_form(&self) -> HashMap<String, String> {
        self.0.forms.lock().unwrap().last().cloned().unwrap_or_default()
    }

    /// A compact JWS over a payload.
    pub fn sign(&self, header: Value, payload: &str, sign: Sign) -> String {
        let (kid, key) = self.0.key.lock().unwrap().clone();
        let alg = match sign {
            Sign::Well | Sign::Stranger => "EdDSA",
            Sign::None => "none",
            Sign::ClientSecret | Sign::PublicKey => "HS256",
        };
        let mut head = json!({ "alg": alg, "kid": kid });
        merge(&mut head, &header);
        let message = format!("{}.{}", part(&head), URL_SAFE_NO_PAD.encode(payload));
        let mac = |secret: &[u8]| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
            mac.update(message.as_bytes());
            mac.finalize().into_bytes().to_vec()
        };
        let signature = match sign {
            Sign::Well => key.sign(message.as_bytes()).to_bytes().to_vec(),
            Sign::Stranger => SigningKey::from_bytes(&[1; 32]).sign(message.as_bytes()).to_bytes().to_vec(),
            Sign::None => Vec::new(),
            Sign::ClientSecret => mac(SECRET.as_bytes()),
            Sign::PublicKey => mac(key.verifying_key().as_bytes()),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Sets each of the other's members; `null` takes one away.
pub fn merge(into: &mut Value, other: &Value) {
    for (name, value) in other.as_object().into_iter().flatten() {
        let members = into.as_object_mut().unwrap();
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
}

async fn configuration(State(provider): State<Provider>) -> Response {
    let inner = &provider.0;
    *inner.asked.lock().unwrap() += 1;
    if *inner.down.lock().unwrap() {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let base = &inner.base;
    Json(json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "jwks_uri": format!("{base}/keys"),
        "end_session_endpoint": format!("{base}/sign-out"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
        "scopes_supported": ["openid", "profile", "groups"],
        "backchannel_logout_supported": true,
        "authorization_response_iss_parameter_supported": *inner.names_itself.lock().unwrap(),
    }))
    .into_response()
}

async fn keys(State(provider): State<Provider>) -> Response {
    let (kid, key) = provider.0.key.lock().unwrap().clone();
    let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
    Json(json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": x }] }))
        .into_response()
}

async fn token(State(provider): State<Provider>, Form(form): Form<HashMap<String, String>>) -> Response {
    let inner = &provider.0;
    let script = inner.script.lock().unwrap().clone();
    let code = form.get("code").cloned().unwrap_or_default();
    inner.forms.lock().unwrap().push(form);
    if let Some(slow) = script.slow {
        tokio::time::sleep(slow).await;
    }
    if let Some((status, body)) = script.status {
        return (StatusCode::from_u16(status).unwrap(), body).into_response();
    }
    let times = {
        let mut used = inner.used.lock().unwrap();
        let times = used.entry(code).or_default();
        *times += 1;
        *times
    };
    if times > 1 {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
    }
    // EdDSA with Ed25519: half of a SHA-512.
    let at_hash = URL_SAFE_NO_PAD.encode(&Sha512::digest(b"access")[..32]);
    let mut claims = json!({ "at_hash": at_hash });
    merge(&mut claims, &script.claims);
    let payload = script.payload.unwrap_or_else(|| claims.to_string());
    let id_token = provider.sign(script.header, &payload, script.sign);
    let mut answer =
        json!({ "access_token": "access", "token_type": "Bearer", "expires_in": 60, "id_token": id_token });
    if script.no_id_token {
        merge(&mut answer, &json!({ "id_token": null }));
    }
    Json(answer).into_response()
}
