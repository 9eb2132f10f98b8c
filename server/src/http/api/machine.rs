//! What pipelines call: a client secret for a token, a token for a value. Version 1.
use super::{
    super::{Problem, visitor::Visitor},
    bearer::{self, Body},
    model::{Fetched, Field, Issued, TokenRequest},
};
use crate::{vault::envelope::as_text, workloads};
use app::{audit::action::Action, error::Error};
use axum::{
    Json,
    extract::Path,
    http::{HeaderMap, Uri},
};
use serde_json::json;
use zeroize::Zeroizing;

/// A client secret for a token that lives minutes.
#[utoipa::path(
    post, path = "/api/v1/token", tag = "Pipelines", operation_id = "exchangeClientSecret", security(()),
    request_body = TokenRequest,
    responses(
        (status = 200, body = Issued),
        (status = 401, response = super::reference::Refused),
        (status = 422, response = super::reference::Mistaken),
        (status = 429, response = super::reference::Refused),
    )
)]
pub async fn token(visitor: Visitor, Body(request): Body<TokenRequest>) -> Result<Json<Issued>, Problem> {
    let secret = Zeroizing::new(request.client_secret);
    let issued = workloads::issue_token(&visitor.site.console, &visitor.who, &secret).await?;
    Ok(Json(Issued {
        token: issued.token.to_string(),
        token_type: "Bearer",
        expires_in: issued.life.num_seconds(),
        event: issued.receipt.seq,
    }))
}

/// The current value at a place, and the event that says that it was fetched.
#[utoipa::path(
    get, path = "/api/v1/secrets/{project}/{environment}/{path}", tag = "Pipelines", operation_id = "fetchSecret",
    security(("workload" = [])),
    params(
        ("project" = String, Path, description = "The project's slug"),
        ("environment" = String, Path, description = "The environment's slug: a workload fetches from its own alone"),
        ("path" = String, Path, description = "The secret's path; it may hold slashes"),
    ),
    responses(
        (status = 200, body = Fetched),
        (status = 401, response = super::reference::Refused),
        (status = 403, response = super::reference::Refused),
        (status = 404, response = super::reference::Refused),
    )
)]
pub async fn secret(
    visitor: Visitor,
    uri: Uri,
    Path((project, environment, path)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Json<Fetched>, Problem> {
    // No name needs an escape: whoever sends one hopes that two readers disagree.
    if uri.path().contains('%') {
        return Err(Error::NotFound.into());
    }
    let token = bearer::token(&headers);
    let taken =
        workloads::fetch_secret(&visitor.site.console, &visitor.who, token, &project, &environment, &path).await?;
    let field = |(name, value): (&str, &[u8])| {
        let (text, encoding) = as_text(value);
        (name.to_owned(), json!(Field { value: text.to_string(), encoding }))
    };
    Ok(Json(Fetched {
        secret: taken.located.secret.id,
        path: taken.located.secret.path,
        version: taken.version,
        fields: taken.payload.fields().map(field).collect(),
        event: taken.receipt.seq,
        action: Action::FetchSecret.code(),
    }))
}
