//! A program of a person's, by its token; the body that it sent; and what a list gives it at once.
use super::super::{Problem, Site, visitor::Visitor};
use crate::people::{self, Caller};
use app::{audit::action::Action, error::Error, people::tokens::Scope};
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde::de::DeserializeOwned;

/// The token of a request. The scheme is written in any case (RFC 9110, 11.1).
pub fn token(headers: &HeaderMap) -> &str {
    let text = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let text = text.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    text.map_or("", |(_, token)| token.trim())
}

/// What a route asks of a token, put there by the table of routes.
#[derive(Clone, Copy)]
pub struct Needs(pub Scope, pub Action);

/// Somebody's program, with a token that is for this route. What it may do is decided by the operation behind it.
pub struct Program {
    pub site: Site,
    pub caller: Caller,
}

impl Program {
    pub fn console(&self) -> &crate::console::Console {
        &self.site.console
    }
}

impl FromRequestParts<Site> for Program {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Problem> {
        let Needs(scope, action) = *parts.extensions.get::<Needs>().ok_or(Error::Unavailable)?;
        let visitor = Visitor::from_request_parts(parts, site).await?;
        let caller = people::recognise_access_token(&site.console, &visitor.who, token(&parts.headers)).await?;
        people::use_access_token_for(&site.console, &caller, scope, action).await?;
        Ok(Self { site: site.clone(), caller })
    }
}

/// A body of JSON: exactly the members that the call takes, each once.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Site> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, site: &Site) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, site).await.map_err(|rejection| {
            let too_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
            Problem(if too_large { Error::TooLarge } else { Error::invalid("body", "The body could not be read.") })
        })?;
        // What was sent may be secret: the place is named, never the text.
        let wrong = |error: serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            Error::invalid("body", format!("Not the JSON that this call takes: see line {line}, column {column}."))
        };
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err(Error::invalid("body", "A JSON object is needed.").into());
        }
        Ok(Self(serde_json::from_slice(&bytes).map_err(wrong)?))
    }
}
