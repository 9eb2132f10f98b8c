//! One mapping of errors to pages, and one to RFC 9457 problems. The layer around all routes writes either.
use app::error::Error;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

/// An error on its way to becoming an answer.
#[derive(Clone, Debug)]
pub struct Problem(pub Error);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<crate::db::Error> for Problem {
    fn from(error: crate::db::Error) -> Self {
        Self(error.into())
    }
}

/// Marks a response whose body is still to be written.
#[derive(Clone, Debug)]
pub struct Unwritten(pub Error);

/// Marks a response of ours that only looks like one of the framework's.
#[derive(Clone, Copy, Debug)]
pub struct Written;

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = status(&self.0).into_response();
        response.extensions_mut().insert(Unwritten(self.0));
        response
    }
}

pub fn status(error: &Error) -> StatusCode {
    match error {
        Error::Unauthenticated => StatusCode::UNAUTHORIZED,
        Error::NotFound => StatusCode::NOT_FOUND,
        Error::Refused(app::error::Refusal::BadToken) => StatusCode::UNAUTHORIZED,
        Error::Refused(app::error::Refusal::TooManyAttempts | app::error::Refusal::TooManyGuesses) => {
            StatusCode::TOO_MANY_REQUESTS
        }
        Error::Refused(_) => StatusCode::FORBIDDEN,
        Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Conflict(_) => StatusCode::CONFLICT,
        Error::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
        Error::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Uncertain | Error::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The code of a problem, for machines.
pub fn code(error: &Error) -> &'static str {
    match error {
        Error::Unauthenticated => "unauthenticated",
        Error::NotFound => "not_found",
        Error::Refused(refusal) => refusal.code(),
        Error::Invalid(_) => "invalid",
        Error::Conflict(conflict) => conflict.code(),
        Error::WrongMethod => "wrong_method",
        Error::TooLarge => "too_large",
        Error::Uncertain => "uncertain",
        Error::Unavailable => "unavailable",
    }
}

/// `application/problem+json` (RFC 9457).
pub fn problem_json(error: &Error, correlation: &str) -> serde_json::Value {
    let status = status(error);
    let mut body = serde_json::json!({
        "type": format!("urn:countersign:{}", code(error)),
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": error.to_string(),
        "instance": format!("urn:countersign:{correlation}"),
    });
    if let Error::Invalid(fields) = error {
        body["errors"] =
            fields.iter().map(|field| serde_json::json!({ "field": field.field, "detail": field.message })).collect();
    }
    body
}

pub async fn unmatched() -> Problem {
    Problem(Error::NotFound)
}

/// The path is known, the method is not: axum adds which are (RFC 9110, 15.5.6).
pub async fn wrong_method() -> Problem {
    Problem(Error::WrongMethod)
}
