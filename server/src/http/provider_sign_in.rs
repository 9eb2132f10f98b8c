//! Leaving for an identity provider and coming back; and what a provider says behind the browser's back.
use super::{
    Problem, Site,
    door::{end_former, sign_in_refused},
    visitor::{Fields, Signed, Visitor, done, local},
};
use crate::{
    db::Sql,
    people::{
        self,
        attempts::Door,
        providers::{
            flow::{self, Answer as Returned, Flow, Purpose},
            logout, store,
        },
    },
};
use app::{
    audit::action::Action,
    error::{Error, Refusal},
    people::{factors::FRESH, page::Way},
};
use axum::{
    extract::{Path, Query},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

type Answer = Result<Response, Problem>;

/// Where a browser's record keeps the sign-ins that it has begun.
const FLOWS: &str = "provider_flows";
/// Tabs in which somebody may be on the way at once; the oldest is forgotten.
const MOST: usize = 4;

/// The providers as ways in.
pub(super) async fn ways(site: &Site, db: &mut impl Sql, query: &[(&str, &str)]) -> Result<Vec<Way>, Error> {
    let query = serde_urlencoded::to_string(query).unwrap_or_default();
    let providers = store::providers(db, site.console.seal_key()).await?;
    let way = |row: store::Provider| {
        let mark = if query.is_empty() { "" } else { "?" };
        Way { href: format!("/sign-in/provider/{}{mark}{query}", row.provider_id), name: row.name }
    };
    Ok(providers.into_iter().map(way).collect())
}

#[derive(Default, Deserialize)]
pub struct Leaving {
    #[serde(default)]
    next: String,
    #[serde(default)]
    link: String,
}

fn failed(error: tower_sessions::session::Error) -> Error {
    tracing::error!(%error, "browser session");
    Error::Unavailable
}

/// A link, never a form: a form's target may not redirect to another site under our own policy.
pub async fn leave(visitor: Visitor, Path(provider): Path<String>, Query(query): Query<Leaving>) -> Answer {
    let purpose = if query.link.is_empty() {
        Purpose::SignIn
    } else {
        from_here(&visitor)?;
        let (link, person) = people::find_link(&visitor.site.console, &query.link).await?;
        if person.joined_at.is_some() {
            return Err(Error::Refused(Refusal::LinkUsed).into());
        }
        Purpose::Join { link: link.id }
    };
    go(&visitor, &provider, purpose, local(&query.next)).await
}

/// The same for somebody signed in who adds an identity to their account.
pub async fn leave_to_link(signed: Signed, Path(provider): Path<String>) -> Answer {
    from_here(&signed.visitor)?;
    // A session that somebody left open adds no way in.
    let now = signed.console().now();
    if signed.caller.session().is_some_and(|session| now - session.started_at > FRESH) {
        return Err(Error::Refused(Refusal::SignInAgain).into());
    }
    let purpose = Purpose::Link { person: signed.caller.id().to_owned() };
    go(&signed.visitor, &provider, purpose, "/account").await
}

/// What binds an identity to an account begins on a page of ours: another site that sends somebody here could have signed them in
/// at the provider as somebody else before.
fn from_here(visitor: &Visitor) -> Result<(), Error> {
    if visitor.from_elsewhere { Err(Error::Refused(Refusal::OtherOrigin)) } else { Ok(()) }
}

async fn go(visitor: &Visitor, provider: &str, purpose: Purpose, next: &str) -> Answer {
    let console = &visitor.site.console;
    let source = visitor.who.address.clone().unwrap_or_default();
    // Each beginning leaves a record: no source begins without end. A sign-in that is finished is taken back.
    if !console.attempts.may_knock(Door::Provider, &source, console.now()) {
        return Err(Error::Refused(Refusal::TooManyAttempts).into());
    }
    console.attempts.knocked(Door::Provider, &source, console.now());
    let begun = flow::begin(console, &visitor.who, &visitor.site.base_url, provider, purpose, next).await;
    let (flow, url) = match begun {
        Ok(begun) => begun,
        Err(Error::Refused(why)) => return sign_in_refused(visitor, why).await,
        Err(error) => return Err(error.into()),
    };
    let mut flows: Vec<Flow> = visitor.browser.get(FLOWS).await.map_err(failed)?.unwrap_or_default();
    flows.push(flow);
    let surplus = flows.len().saturating_sub(MOST);
    flows.drain(..surplus);
    visitor.browser.insert(FLOWS, flows).await.map_err(failed)?;
    Ok(Redirect::to(&url).into_response())
}

#[derive(Default, Deserialize)]
pub struct Back {
    #[serde(default)]
    state: String,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

pub async fn back(visitor: Visitor, Query(back): Query<Back>) -> Answer {
    let site = &visitor.site;
    let console = &site.console;
    let mut flows: Vec<Flow> = visitor.browser.get(FLOWS).await.map_err(failed)?.unwrap_or_default();
    let Some(at) = flows.iter().position(|flow| !back.state.is_empty() && flow.state == back.state) else {
        let event = crate::audit::event::Event::new(Action::SignIn).detail("why", "state");
        console.ledger.refuse(&visitor.who, event, Refusal::SignInStale).await;
        return sign_in_refused(&visitor, Refusal::SignInStale).await;
    };
    // Taken out before anything else: a flow counts once, whatever becomes of it.
    let flow = flows.swap_remove(at);
    visitor.browser.insert(FLOWS, flows).await.map_err(failed)?;
    visitor.browser.save().await.map_err(failed)?;
    let returned = Returned { code: back.code, iss: back.iss, error: back.error };
    let proved = flow::finish(console, &visitor.who, &site.base_url, &flow, returned).await;
    let (provider, vouched) = match proved {
        Ok(proved) => proved,
        Err(Error::Refused(why)) => return sign_in_refused(&visitor, why).await,
        Err(error) => return Err(error.into()),
    };
    console.attempts.let_in(Door::Provider, &visitor.who.address.clone().unwrap_or_default());
    let former = visitor.caller().await?;
    if let Purpose::Link { person } = &flow.purpose {
        // Only into the account that was signed in here when it began.
        let caller = former.filter(|caller| caller.id() == person).ok_or(Error::Unauthenticated)?;
        let receipt = flow::link_identity(console, &caller, &provider, &vouched).await?;
        return Ok(done("/account", Action::LinkIdentity, receipt));
    }
    let browser = visitor.new_browser().await?;
    let opened = flow::sign_in(console, &visitor.who, &provider, &vouched, &flow.purpose, browser).await;
    // The browser has another id now: what it had before ends either way.
    end_former(&visitor, former).await?;
    match opened {
        Ok((_, receipt)) => Ok(done(local(&flow.next), Action::SignIn, receipt)),
        Err(Error::Refused(why)) => sign_in_refused(&visitor, why).await,
        Err(error) => Err(error.into()),
    }
}

/// Where somebody's own session at a provider ends (RP-Initiated Logout 1.0): a link on the page of sign-in.
pub(super) async fn provider_sign_out(site: &Site, provider: &str) -> Result<Option<Way>, Error> {
    let console = &site.console;
    let Some(row) = store::find(&mut console.read().await?, provider, console.seal_key()).await? else {
        return Ok(None);
    };
    let Ok(metadata) = console.providers.of(&console.reach, &row.issuer, console.now()).await else { return Ok(None) };
    let Some(end) = metadata.additional_metadata().end_session_endpoint.clone() else { return Ok(None) };
    let back = format!("{}/sign-in", site.base_url);
    let query = [("client_id", row.client_id.as_str()), ("post_logout_redirect_uri", back.as_str())];
    let query = serde_urlencoded::to_string(query).unwrap_or_default();
    let mark = if end.contains('?') { '&' } else { '?' };
    // Only an address of the web: this becomes a link.
    let fits = end.starts_with("https://") || end.starts_with("http://");
    Ok(fits.then(|| Way { name: row.name, href: format!("{end}{mark}{query}") }))
}

/// Back-Channel Logout 1.0, 2.8: 200 when done, 400 when the token does not count; never cached.
pub async fn back_channel(visitor: Visitor, Path(provider): Path<String>, fields: Fields) -> Answer {
    let ended = logout::end_by_provider(&visitor.site.console, &visitor.who, &provider, fields.get("logout_token"));
    match ended.await {
        Ok(_) => Ok(StatusCode::OK.into_response()),
        Err(Error::Refused(_)) => {
            let mut response = (StatusCode::BAD_REQUEST, r#"{"error":"invalid_request"}"#.to_owned()).into_response();
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response.extensions_mut().insert(super::error::Written);
            Ok(response)
        }
        Err(error) => Err(error.into()),
    }
}
