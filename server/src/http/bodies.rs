//! What is sent with a request: so many bytes as its route takes, within a time, and from one source only a few at once. It is read
//! here, before anybody is recognised and anything is parsed.
use super::{
    Problem, Site,
    routes::table,
    visitor::{address, cookie},
};
use crate::{
    audit::event::{Event, Who},
    people::attempts::network,
};
use app::{
    audit::action::Action,
    error::{Error, Refusal},
};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

/// The longest that a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bodies that one source sends at the same time.
const AT_ONCE: usize = 32;
/// What an answer to a question for a second factor adds to the form that it carries.
const QUESTION: usize = 8 * 1024;

/// Bodies that arrive just now, by source.
#[derive(Clone, Default)]
pub struct Arriving(Arc<Mutex<HashMap<String, usize>>>);

struct Arrival(Arriving, String);

impl Arriving {
    fn begin(&self, source: String) -> Option<Arrival> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(source.clone()).or_default();
        if *count >= AT_ONCE {
            return None;
        }
        *count += 1;
        Some(Arrival(self.clone(), source))
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let mut all = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.1);
            }
        }
    }
}

/// Where passwords are taken. Other routes stay open to an address that guesses passwords, which others may share: the first set-up
/// too, and acts that only close.
const PASSWORDS: &str = "/sign-in";

/// How long a body may be at a path.
fn longest_at(path: &str) -> usize {
    static LONGEST: OnceLock<HashMap<&'static str, usize>> = OnceLock::new();
    let longest = LONGEST.get_or_init(|| {
        let changing = table().into_iter().filter(|route| route.method != Method::GET);
        changing.map(|route| (route.path, route.longest)).collect()
    });
    longest.get(path).copied().unwrap_or(0)
}

pub async fn read(State(site): State<Site>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let longest = longest_at(&path);
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    let source = address(&site, request.headers(), peer);
    if path == PASSWORDS && is_loud(&site, source.as_deref(), request.headers()) {
        let who = Who { address: source, ..Who::anonymous() };
        let event = Event::new(Action::SignIn);
        return Problem(site.console.ledger.refuse(&who, event, Refusal::TooManyAttempts).await).into_response();
    }
    if declared(request.headers()) > (2 * longest + QUESTION) as u64 {
        return Problem(Error::TooLarge).into_response();
    }
    let Some(arrival) = site.arriving.begin(network(source.as_deref().unwrap_or_default())) else {
        return Problem(Error::Refused(Refusal::TooManyAttempts)).into_response();
    };
    let (parts, body) = request.into_parts();
    let arrived = tokio::time::timeout(PATIENCE, to_bytes(body, 2 * longest + QUESTION)).await;
    drop(arrival);
    match arrived {
        Ok(Ok(body)) if fits(&body, longest) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Ok(_) => Problem(Error::TooLarge).into_response(),
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

/// Has a source failed too often already? Browsers that signed in here before are told apart later, by the account.
fn is_loud(site: &Site, source: Option<&str>, headers: &HeaderMap) -> bool {
    cookie(headers, super::visitor::KNOWN).is_none()
        && source.is_some_and(|source| !site.console.attempts.may_come(source, site.console.now()))
}

fn declared(headers: &HeaderMap) -> u64 {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

/// A form that answers a question carries the form that was asked about, sealed.
fn fits(body: &Bytes, longest: usize) -> bool {
    body.len() <= longest || body.starts_with(b"proof=")
}
