//! Who is at the door: origin, session, preferences; and the frame of the page that they get.
use super::{Problem, Site, layers::accepts_json, proof::Proved, session};
use crate::{
    audit::{event::Who, ledger::Receipt},
    controls, grants, notifications,
    people::{self, Caller, factors::For},
    policies::Situation,
    requests,
};
use app::{
    audit::action::Action,
    error::Error,
    id::CorrelationId,
    policies::model::Role,
    session::{Flash, Shell, Theme, Viewer},
};
use axum::{
    body::Bytes,
    extract::{ConnectInfo, FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Redirect, Response},
};
use std::{collections::HashMap, net::SocketAddr};
use tower_sessions::Session;
use zeroize::{Zeroize, Zeroizing};

const FLASH: &str = "__Host-flash";
const THEME: &str = "__Host-theme";
/// What a browser keeps that signed in here before.
pub(super) const KNOWN: &str = "__Host-known";

/// One cookie of a request.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

pub fn theme_of(headers: &HeaderMap) -> Theme {
    cookie(headers, THEME).and_then(Theme::from_code).unwrap_or_default()
}

/// Anybody, signed in or not.
pub struct Visitor {
    pub site: Site,
    pub who: Who,
    pub browser: Session,
    pub theme: Theme,
    pub flash: Option<Flash>,
    /// What this browser keeps if it signed in here before; it may be anything.
    pub known: Option<String>,
    pub wants_json: bool,
    /// The browser says that another site, or nobody, led here.
    pub from_elsewhere: bool,
}

impl FromRequestParts<Site> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Problem> {
        let browser = parts.extensions.get::<Session>().cloned().ok_or(Error::Unavailable)?;
        let correlation = parts.extensions.get::<CorrelationId>().cloned().ok_or(Error::Unavailable)?;
        let peer = ConnectInfo::<SocketAddr>::from_request_parts(parts, site).await.ok();
        let text = |name: header::HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let who = Who {
            correlation: Some(correlation),
            address: address(site, &parts.headers, peer.map(|ConnectInfo(peer)| peer)),
            agent: text(header::USER_AGENT)
                .map(|agent| agent.chars().filter(|letter| !letter.is_control()).take(200).collect()),
            ..Who::anonymous()
        };
        Ok(Self {
            site: site.clone(),
            who,
            browser,
            theme: theme_of(&parts.headers),
            flash: cookie(&parts.headers, FLASH).and_then(Flash::decode),
            known: cookie(&parts.headers, KNOWN).map(str::to_owned),
            wants_json: accepts_json(&parts.headers),
            from_elsewhere: text(header::HeaderName::from_static("sec-fetch-site"))
                .is_some_and(|site| site != "same-origin"),
        })
    }
}

/// The caller's address; what a proxy says is believed only from the trusted one, and only its own last entry.
pub(super) fn address(site: &Site, headers: &HeaderMap, peer: Option<SocketAddr>) -> Option<String> {
    let peer = peer?.ip().to_canonical();
    if site.trusted_proxy.is_some_and(|network| network.contains(peer)) {
        let forwarded = headers.get_all("x-forwarded-for").into_iter().next_back();
        let last = forwarded.and_then(|value| value.to_str().ok()).and_then(|value| value.rsplit(',').next());
        if let Some(client) = last.and_then(|client| client.trim().parse::<std::net::IpAddr>().ok()) {
            return Some(client.to_canonical().to_string());
        }
    }
    Some(peer.to_string())
}

impl Visitor {
    /// The frame of a page for somebody who is not signed in.
    pub fn door(&self) -> Shell {
        Shell {
            organisation: self.site.console.organisation.clone(),
            viewer: None,
            theme: self.theme,
            flash: self.flash.clone(),
            assets: self.site.assets.clone(),
            here: "",
            levels: self.site.console.engine.levels(),
            now: self.site.console.now(),
        }
    }

    /// Who this browser is signed in as.
    pub async fn caller(&self) -> Result<Option<Caller>, Error> {
        match self.browser.id() {
            Some(id) => people::recognise(&self.site.console, self.who.clone(), &session::hash(&id)).await,
            None => Ok(None),
        }
    }

    /// Gives the browser a new id and returns its hash: at every sign-in.
    pub async fn new_browser(&self) -> Result<Vec<u8>, Error> {
        let failed = |error: tower_sessions::session::Error| {
            tracing::error!(%error, "browser session");
            Error::Unavailable
        };
        self.browser.clear().await;
        self.browser.cycle_id().await.map_err(failed)?;
        self.browser.insert("signed_in", true).await.map_err(failed)?;
        self.browser.save().await.map_err(failed)?;
        self.browser.id().map(|id| session::hash(&id)).ok_or(Error::Unavailable)
    }
}

/// Somebody signed in. Everybody else is sent to the door.
pub struct Signed {
    pub visitor: Visitor,
    pub caller: Caller,
}

/// Where to go after signing in, or that nothing was done.
pub enum Turned {
    ToSignIn(String),
    Problem(Problem),
}

impl IntoResponse for Turned {
    fn into_response(self) -> Response {
        match self {
            Self::ToSignIn(next) => Redirect::to(&next).into_response(),
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

impl FromRequestParts<Site> for Signed {
    type Rejection = Turned;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Turned> {
        let visitor = Visitor::from_request_parts(parts, site).await.map_err(Turned::Problem)?;
        match visitor.caller().await {
            Ok(Some(caller)) => {
                let came = parts.extensions.get::<Proved>();
                let came = came.filter(|came| came.purpose == For::Act && came.person == caller.person.id);
                let proved = came.map(|came| came.proof);
                Ok(Self { visitor, caller: Caller { proved, ..caller } })
            }
            Ok(None) if parts.method == "GET" && !visitor.wants_json && !parts.uri.path().starts_with("/log/") => {
                let next = parts.uri.path_and_query().map_or("/", |path| path.as_str());
                let query = serde_urlencoded::to_string([("next", next)]).unwrap_or_default();
                Err(Turned::ToSignIn(format!("/sign-in?{query}")))
            }
            Ok(None) => Err(Turned::Problem(Problem(Error::Unauthenticated))),
            Err(error) => Err(Turned::Problem(Problem(error))),
        }
    }
}

impl Signed {
    pub fn site(&self) -> &Site {
        &self.visitor.site
    }

    pub fn console(&self) -> &crate::console::Console {
        &self.visitor.site.console
    }

    /// An auditor of a period who holds no other role sees nothing of the present.
    pub fn sees_now(&self) -> Result<(), Error> {
        match self.console().would(&self.caller, Action::ViewPeople, None, Situation::default()) {
            Some(refusal) => Err(Error::Refused(refusal)),
            None => Ok(()),
        }
    }

    /// Who reads, without what waits for them.
    pub fn viewer(&self) -> Result<Viewer, Error> {
        let roles = &self.caller.roles;
        Ok(Viewer {
            id: self.caller.person.id.parse().map_err(|_| Error::Unavailable)?,
            name: self.caller.person.name.clone(),
            roles: String::new(),
            organisation: self.caller.organisation_roles(),
            leads: roles.iter().any(|row| row.role == Role::Lead.code()),
            audits: roles.iter().any(|row| row.role == Role::Auditor.code() && row.period().is_none()),
            looks_back: roles.iter().any(|row| row.period().is_some()),
            inbox: 0,
            requests: 0,
            grants: 0,
            notices: 0,
        })
    }

    /// The frame of a page, with what waits for this person.
    pub async fn shell(&self, here: &'static str) -> Result<Shell, Error> {
        let console = self.console();
        let waiting = requests::inbox(console, &self.caller).await?.len();
        let inbox = (waiting + controls::inbox(console, &self.caller).await?.len()) as u64;
        let mut db = console.read().await?;
        let (now, key) = (console.now(), console.seal_key());
        let open = requests::store::open_of(&mut db, self.caller.id(), now, key).await?.len() as u64;
        let held = grants::store::count_active(&mut db, self.caller.id(), now).await? as u64;
        let unread = notifications::store::count_unread(&mut db, self.caller.id()).await? as u64;
        let roles = role_words(&mut db, &self.caller).await?;
        let viewer = Viewer { roles, inbox, requests: open, grants: held, notices: unread, ..self.viewer()? };
        Ok(Shell { viewer: Some(viewer), here, ..self.visitor.door() })
    }
}

/// "Security", "Lead of payments": what the rail says below the name.
async fn role_words(db: &mut impl crate::db::Sql, caller: &Caller) -> Result<String, Error> {
    let mut words = Vec::new();
    for row in &caller.roles {
        let Some(role) = row.words() else { continue };
        match &row.project_id {
            Some(project) => {
                let project = crate::catalog::store::find_project(db, project).await?;
                words.extend(project.map(|project| format!("{role} of {}", project.name)));
            }
            None => words.push(role),
        }
    }
    match words.len() {
        0 => Ok("Member".into()),
        1 | 2 => Ok(words.join(", ")),
        more => Ok(format!("{}, and {} more", words[0], more - 1)),
    }
}

/// The most fields that a form has: its longest lists are of 500 things.
pub const MOST_FIELDS: usize = 1_200;

/// The fields of a form, in order. Secret ones are wiped from memory when this is dropped.
pub struct Fields(Vec<(String, Zeroizing<String>)>);

impl FromRequest<Site> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, site: &Site) -> Result<Self, Problem> {
        let body = Bytes::from_request(request, site).await.map_err(|rejection| {
            let too_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
            Problem(if too_large { Error::TooLarge } else { Error::invalid("form", "The form could not be read.") })
        })?;
        // Each field costs more than its bytes: they are counted before they are taken apart.
        if body.iter().filter(|byte| **byte == b'&').count() >= MOST_FIELDS {
            return Err(Error::TooLarge.into());
        }
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_bytes(&body).map_err(|_| Error::invalid("form", "The form could not be read."))?;
        Ok(Self(pairs.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect()))
    }
}

impl Fields {
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.to_string()).collect()
    }

    pub fn number(&self, name: &'static str) -> Result<i64, Error> {
        self.get(name).parse().map_err(|_| Error::invalid(name, "This is not a number."))
    }

    /// A version or a generation.
    pub fn version(&self, name: &'static str) -> Result<i32, Error> {
        i32::try_from(self.number(name)?).map_err(|_| Error::invalid(name, "There is no such version."))
    }

    pub fn secret(&self, name: &str) -> Zeroizing<String> {
        Zeroizing::new(self.get(name).to_owned())
    }

    /// Fields whose name begins with a prefix, without it.
    pub fn with_prefix(&self, prefix: &str) -> Vec<(String, Zeroizing<String>)> {
        self.0.iter().filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone()))).collect()
    }

    /// The form as it was sent, with its mistakes, without the fields that are named: those are secret.
    pub fn again(self, error: Error, secret: &[&str]) -> Result<app::ui::Form, Error> {
        let Error::Invalid(errors) = error else { return Err(error) };
        let values = self
            .0
            .into_iter()
            .filter(|(name, _)| {
                !secret.iter().any(|hidden| {
                    name == hidden || hidden.strip_suffix('*').is_some_and(|prefix| name.starts_with(prefix))
                })
            })
            .map(|(name, mut value)| {
                let copy = value.to_string();
                value.zeroize();
                (name, copy)
            })
            .collect();
        Ok(app::ui::Form { values, errors })
    }
}

/// `303 See Other` with what happened, to be said on the next page.
pub fn done(to: &str, action: Action, receipt: Receipt) -> Response {
    let flash = Flash { action, event: Some(receipt.seq) };
    let cookie = format!("{FLASH}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60", flash.encode());
    let mut response = Redirect::to(to).into_response();
    response.headers_mut().append(header::SET_COOKIE, cookie.parse().unwrap_or(HeaderValue::from_static("")));
    response
}

/// The same answer from which the browser is known at this account's next sign-in.
pub fn remembered(
    mut response: Response,
    console: &crate::console::Console,
    person: &people::store::Person,
) -> Result<Response, Error> {
    let kept = people::familiar::remember(console, person)?;
    let life = people::familiar::LIFE.num_seconds();
    let cookie = format!("{KNOWN}={kept}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={life}");
    response.headers_mut().append(header::SET_COOKIE, cookie.parse().map_err(|_| Error::Unavailable)?);
    Ok(response)
}

/// A page; a flash message that it showed is gone with it.
pub fn shown(page: String) -> Response {
    let mut response = Html(page).into_response();
    let gone = format!("{FLASH}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
    response.headers_mut().append(header::SET_COOKIE, gone.parse().unwrap_or(HeaderValue::from_static("")));
    response
}

/// A form with mistakes.
pub fn mistaken(page: String) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response()
}

/// The answer that sets the theme, and goes back to where one was.
pub fn set_theme(theme: Theme, headers: &HeaderMap, base_url: &str) -> Response {
    let cookie = format!("{THEME}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=31536000", theme.code());
    let back =
        headers.get(header::REFERER).and_then(|value| value.to_str().ok()).and_then(|from| from.strip_prefix(base_url));
    let mut response = Redirect::to(local(back.unwrap_or("/"))).into_response();
    response.headers_mut().append(header::SET_COOKIE, cookie.parse().unwrap_or(HeaderValue::from_static("")));
    response
}

/// A path of this site, never another site's.
pub fn local(next: &str) -> &str {
    if next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && next.bytes().all(|byte| byte.is_ascii_graphic())
    {
        next
    } else {
        "/"
    }
}

/// Names by id, each looked up once.
#[derive(Default)]
pub struct Names(HashMap<String, String>);

impl Names {
    pub async fn person(&mut self, db: &mut impl crate::db::Sql, site: &Site, id: &str) -> Result<String, Error> {
        if let Some(known) = self.0.get(id) {
            return Ok(known.clone());
        }
        let person = people::store::find(db, id, site.console.seal_key()).await?;
        let name = person.map_or_else(|| "unknown".into(), |person| person.name);
        self.0.insert(id.into(), name.clone());
        Ok(name)
    }

    pub async fn team(&mut self, db: &mut impl crate::db::Sql, id: &str) -> Result<String, Error> {
        if let Some(known) = self.0.get(id) {
            return Ok(known.clone());
        }
        let team = people::store::find_team(db, id).await?;
        let name = team.map_or_else(|| "unknown".into(), |team| team.name);
        self.0.insert(id.into(), name.clone());
        Ok(name)
    }

    pub async fn workload(&mut self, db: &mut impl crate::db::Sql, site: &Site, id: &str) -> Result<String, Error> {
        if let Some(known) = self.0.get(id) {
            return Ok(known.clone());
        }
        let workload = crate::workloads::store::find(db, id, site.console.seal_key()).await?;
        let name = workload.map_or_else(|| "unknown".into(), |workload| workload.slug);
        self.0.insert(id.into(), name.clone());
        Ok(name)
    }
}
