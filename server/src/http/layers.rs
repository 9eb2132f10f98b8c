//! Around every route: an id for the request, headers, the check that a form comes from here, errors as pages.
use super::{
    Site,
    error::{Unwritten, Written, problem_json, status},
    visitor::{cookie, theme_of},
};
use crate::db::PATIENCE;
use app::{
    error::{Error, Refusal},
    id::CorrelationId,
    session::Shell,
    ui,
};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use tracing::Instrument;

const CSP: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
                   connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Gives the request an id, runs it in a task that outlives its connection, and finishes its answer.
pub async fn correlate(State(site): State<Site>, mut request: Request, next: Next) -> Response {
    let correlation = match site.console.id::<CorrelationId>() {
        Ok(id) => id,
        Err(_) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    request.extensions_mut().insert(correlation.clone());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let wants_json = path.starts_with("/api/") || path == "/metrics" || accepts_json(request.headers());
    let theme = theme_of(request.headers());
    let is_asset = path.starts_with("/assets/");
    // The path may hold a link's token: only its first part is logged.
    let place = path.split('/').nth(1).unwrap_or_default().to_owned();
    let span = tracing::info_span!("request", id = %correlation, %method, place);
    let started = tokio::time::Instant::now();
    let ran = tokio::spawn(next.run(request).instrument(span.clone())).await;
    let mut response = ran.unwrap_or_else(|error| {
        tracing::error!(%error, id = %correlation, "a handler stopped");
        super::Problem(Error::Unavailable).into_response()
    });
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE && response.extensions().get::<Unwritten>().is_none() {
        response = super::Problem(Error::TooLarge).into_response();
    }
    // What the framework refuses by itself (an address or a query that does not parse) gets our page, not its text.
    let ours = response.extensions().get::<Unwritten>().is_some() || response.extensions().get::<Written>().is_some();
    if response.status() == StatusCode::BAD_REQUEST && !ours {
        response = super::Problem(Error::invalid("address", "This address does not fit any page.")).into_response();
    }
    if let Some(Unwritten(error)) = response.extensions_mut().remove::<Unwritten>() {
        let written = write(&site, &error, correlation.as_str(), wants_json, theme);
        let headers = std::mem::take(response.headers_mut());
        response = written;
        for (name, value) in headers.iter().filter(|(name, _)| *name == header::SET_COOKIE) {
            response.headers_mut().append(name, value.clone());
        }
    }
    span.in_scope(|| {
        tracing::info!(status = response.status().as_u16(), micros = started.elapsed().as_micros() as u64, "answered");
    });
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        // Whatever was waited for in vain is asked for again no sooner than after as long.
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(PATIENCE.as_secs()));
    }
    decorate(response.headers_mut(), &site, correlation.as_str(), is_asset);
    response
}

fn write(site: &Site, error: &Error, correlation: &str, json: bool, theme: app::session::Theme) -> Response {
    if json {
        let body = problem_json(error, correlation).to_string();
        let mut response = (status(error), body).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if response.status() == StatusCode::UNAUTHORIZED {
            // RFC 6750, 3: which scheme would be taken.
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        return response;
    }
    let shell = Shell {
        organisation: site.console.organisation.clone(),
        viewer: None,
        theme,
        flash: None,
        assets: site.assets.clone(),
        here: "",
        levels: site.console.engine.levels(),
        now: site.console.now(),
    };
    let page = ui::door(&shell, "Problem", || ui::problem(error, correlation));
    (status(error), Html(page)).into_response()
}

fn decorate(headers: &mut HeaderMap, site: &Site, correlation: &str, is_asset: bool) {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            header::HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), clipboard-write=(self)",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !is_asset {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if site.base_url.starts_with("https://") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if let Ok(value) = HeaderValue::from_str(correlation) {
        headers.insert("x-request-id", value);
    }
}

/// A change comes from this site's own pages, or from a caller that a browser cannot be made to imitate.
pub async fn same_origin(State(site): State<Site>, request: Request<Body>, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) || is_same_origin(request.headers(), &site.base_url) {
        return next.run(request).await;
    }
    super::Problem(Error::Refused(Refusal::OtherOrigin)).into_response()
}

fn is_same_origin(headers: &HeaderMap, base_url: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    if let Some(origin) = text("origin") {
        return origin == base_url;
    }
    // Neither header: not a browser of today. Without a cookie there is nothing to ride on.
    cookie(headers, super::session::COOKIE).is_none()
}

pub fn accepts_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.starts_with("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_change_things() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs
                .iter()
                .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect()
        };
        let base = "http://127.0.0.1:8400";
        for (pairs, good) in [
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "cross-site")], false),
            (vec![("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:8400")], false),
            (vec![("sec-fetch-site", "none")], false),
            (vec![("origin", "http://127.0.0.1:8400")], true),
            (vec![("origin", "null")], false),
            (vec![("origin", "http://127.0.0.1:8401")], false),
            (vec![("cookie", "__Host-session=x")], false),
            (vec![("authorization", "Bearer x")], true),
        ] {
            assert_eq!(is_same_origin(&headers(&pairs), base), good, "{pairs:?}");
        }
    }
}
