//! What pipelines call: a client secret for a token, a token for a value. Version 1.
use super::{Problem, visitor::Visitor};
use crate::{vault::envelope::as_text, workloads};
use app::{audit::action::Action, error::Error};
use axum::{
    Json,
    body::Bytes,
    extract::Path,
    http::{HeaderMap, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use zeroize::Zeroizing;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    client_secret: String,
}

/// `POST /api/v1/token` with `{"client_secret": "csc_…"}`: an opaque token that lives minutes.
pub async fn token(visitor: Visitor, body: Bytes) -> Result<Response, Problem> {
    let wrong = || Error::invalid("body", "A JSON object with exactly one member, client_secret.");
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(wrong().into());
    }
    let request: TokenRequest = serde_json::from_slice(&body).map_err(|_| wrong())?;
    let secret = Zeroizing::new(request.client_secret);
    let issued = workloads::issue_token(&visitor.site.console, &visitor.who, &secret).await?;
    let body = serde_json::json!({
        "token": *issued.token,
        "token_type": "Bearer",
        "expires_in": issued.life.num_seconds(),
        "event": issued.receipt.seq,
    });
    Ok(Json(body).into_response())
}

/// `GET /api/v1/secrets/{project}/{environment}/{path}` with a bearer token: the current value, and the event that says so.
pub async fn secret(
    visitor: Visitor,
    uri: Uri,
    Path((project, environment, path)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // No name needs an escape: whoever sends one hopes that two readers disagree.
    if uri.path().contains('%') {
        return Err(Error::NotFound.into());
    }
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    // The scheme is written in any case (RFC 9110, 11.1).
    let token =
        token.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let token = token.map_or("", |(_, token)| token.trim());
    let taken =
        workloads::fetch_secret(&visitor.site.console, &visitor.who, token, &project, &environment, &path).await?;
    let fields: serde_json::Map<String, serde_json::Value> = taken
        .payload
        .fields()
        .map(|(name, value)| {
            let (text, encoding) = as_text(value);
            (name.to_owned(), serde_json::json!({ "value": *text, "encoding": encoding }))
        })
        .collect();
    let body = serde_json::json!({
        "secret": taken.located.secret.id,
        "path": taken.located.secret.path,
        "version": taken.version,
        "fields": fields,
        "event": taken.receipt.seq,
        "action": Action::FetchSecret.code(),
    });
    Ok(Json(body).into_response())
}
