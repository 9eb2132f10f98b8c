//! Asking for a second factor, around every form: what policy answers with `factor_needed` becomes a question, and the answer sends
//! the same form again, once.
use super::{
    Problem, Site,
    error::{Unwritten, status},
    layers::accepts_json,
    routes::{Access, table},
    visitor::{Signed, Visitor},
};
use crate::people::{
    Caller,
    factors::{self, Answer, For, Proof, Question},
    store::Person,
};
use app::{
    audit::action::Action,
    error::{Error, Refusal},
    people::page::{self, Asking},
};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};

/// A proof that came with this request.
#[derive(Clone, Debug)]
pub struct Proved {
    pub proof: Proof,
    pub person: String,
    pub purpose: For,
}

/// Longer forms are not kept over a question: none that needs one is.
const LONGEST_KEPT: usize = 256 * 1024;

pub async fn ask(State(site): State<Site>, request: Request, next: Next) -> Response {
    let is_form = request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes().get(..33).is_some_and(|kind| kind.eq_ignore_ascii_case(b"application/x-www-form-urlencoded"))
    });
    if request.method() != Method::POST || !is_form {
        return next.run(request).await;
    }
    // It is here already, and bounded.
    let json = accepts_json(request.headers());
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else { return Problem(Error::TooLarge).into_response() };
    let asked = parts.clone();
    let (form, from) = if body.starts_with(b"proof=") {
        match take(&site, &mut parts, &body).await {
            Ok((question, proved)) => {
                parts.extensions.insert(proved);
                (Bytes::from(question.body.clone().into_bytes()), None)
            }
            Err(answer) => return *answer,
        }
    } else {
        (body.clone(), Some(body))
    };
    parts.headers.insert(header::CONTENT_LENGTH, form.len().into());
    let response = next.run(Request::from_parts(parts, Body::from(form.clone()))).await;
    let needed =
        matches!(response.extensions().get::<Unwritten>(), Some(Unwritten(Error::Refused(Refusal::FactorNeeded))));
    let Some(text) = from.filter(|_| needed && !json).and_then(|body| String::from_utf8(body.to_vec()).ok()) else {
        return response;
    };
    if text.len() > LONGEST_KEPT {
        return response;
    }
    let back = referer(&site, &asked);
    question(&site, asked, &text, back, None).await.unwrap_or_else(|answer| *answer)
}

type Either<T> = Result<T, Box<Response>>;

fn problem(error: impl Into<Problem>) -> Box<Response> {
    Box::new(error.into().into_response())
}

/// The answer of somebody who was asked. An error is what they see instead.
async fn take(site: &Site, parts: &mut Parts, body: &[u8]) -> Either<(Question, Proved)> {
    let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(body).unwrap_or_default();
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    let console = &site.console;
    let stale = || problem(Error::invalid("proof", "This page does not fit any more. Go back and begin again."));
    let question = Question::open(console, field("proof")).ok_or_else(stale)?;
    let visitor = Visitor::from_request_parts(parts, site).await.map_err(problem)?;
    let who = match question.purpose {
        For::Act => {
            let caller = visitor.caller().await.map_err(problem)?.ok_or_else(|| problem(Error::Unauthenticated))?;
            if caller.id() != question.person {
                return Err(stale());
            }
            caller.who
        }
        For::SignIn => {
            let id = question.person.parse().map_err(|_| stale())?;
            crate::audit::event::Who::person(&id, crate::people::PASSWORD, None).from(&visitor.who)
        }
    };
    let here = parts.uri.path_and_query().map_or("", |path| path.as_str());
    if question.path != here {
        return Err(stale());
    }
    let answer = Answer { code: field("code"), passkey: field("passkey") };
    match factors::prove(console, site.passkeys.as_ref(), &who, &question, &answer).await {
        Ok(proof) => {
            let proved = Proved { proof, person: question.person.clone(), purpose: question.purpose };
            Ok((question, proved))
        }
        Err(Error::Refused(why @ (Refusal::WrongFactor | Refusal::TooManyAttempts | Refusal::TooManyGuesses)))
            if !visitor.wants_json =>
        {
            Err(Box::new(again(site, parts, &visitor, question, why).await?))
        }
        Err(error) => Err(problem(error)),
    }
}

/// The question once more, with what was wrong. One that is older than it may be begins anew where somebody is signed in; after a
/// password alone it ends.
async fn again(site: &Site, parts: &Parts, visitor: &Visitor, question: Question, why: Refusal) -> Either<Response> {
    if question.purpose == For::Act {
        return self::question(site, parts.clone(), &question.body, question.back.clone(), Some(why)).await;
    }
    if site.console.now() > question.until {
        return super::door::sign_in_refused(visitor, Refusal::SignInStale).await.map_err(problem);
    }
    let find = async {
        let mut db = site.console.read().await?;
        let found = crate::people::store::find(&mut db, &question.person, site.console.seal_key()).await?;
        found.ok_or(Error::NotFound)
    };
    let person = find.await.map_err(problem)?;
    let until = question.until;
    sign_in_question(visitor, &person, &question.body, Some(until), Some(why)).await.map_err(problem)
}

/// The page of ours that the form was sent from.
fn referer(site: &Site, parts: &Parts) -> String {
    let from = parts.headers.get(header::REFERER).and_then(|from| from.to_str().ok());
    let back = from.and_then(|from| from.strip_prefix(site.base_url.as_str())).map(super::visitor::local);
    back.unwrap_or("/").to_owned()
}

async fn question(site: &Site, mut parts: Parts, body: &str, back: String, why: Option<Refusal>) -> Either<Response> {
    let route = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let signed = match Signed::from_request_parts(&mut parts, site).await {
        Ok(signed) => signed,
        Err(turned) => return Err(Box::new(turned.into_response())),
    };
    let write = async {
        let Caller { person, factor, .. } = &signed.caller;
        let (mut question, options) =
            factors::ask(&site.console, site.passkeys.as_ref(), person, For::Act, &path, body).await?;
        question.back.clone_from(&back);
        let kinds = kinds(site, person).await?;
        let asking = Asking {
            act: act(&route),
            to: path,
            proof: question.seal(&site.console)?,
            options,
            wrong: why,
            back,
            has_factor: *factor,
            kinds,
            copies: route.ends_with("/copy"),
        };
        Ok::<_, Error>(page::prove(&signed.shell("").await?, asking))
    };
    let page = write.await.map_err(problem)?;
    Ok((code(why), Html(page)).into_response())
}

fn code(why: Option<Refusal>) -> StatusCode {
    why.map_or(StatusCode::FORBIDDEN, |why| match why {
        Refusal::TooManyAttempts | Refusal::TooManyGuesses => status(&Error::Refused(why)),
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    })
}

/// The question after a password.
pub(super) async fn sign_in_question(
    visitor: &Visitor,
    person: &Person,
    body: &str,
    until: Option<app::time::Moment>,
    why: Option<Refusal>,
) -> Result<Response, Error> {
    let site = &visitor.site;
    let (mut question, options) =
        factors::ask(&site.console, site.passkeys.as_ref(), person, For::SignIn, "/sign-in", body).await?;
    // Two minutes in all, however often a code was wrong.
    question.until = until.unwrap_or(question.until);
    let asking = Asking {
        act: "sign in",
        to: "/sign-in".into(),
        proof: question.seal(&site.console)?,
        options,
        wrong: why,
        back: "/sign-in".into(),
        has_factor: true,
        kinds: kinds(site, person).await?,
        copies: false,
    };
    let page = page::prove(&visitor.door(), asking);
    Ok((why.map_or(StatusCode::OK, |why| code(Some(why))), Html(page)).into_response())
}

/// What this person could answer with.
async fn kinds(site: &Site, person: &Person) -> Result<Vec<app::people::factors::Kind>, Error> {
    let rows = factors::store::open_of(&mut site.console.read().await?, &person.id, site.console.seal_key()).await?;
    Ok(rows.iter().filter_map(factors::store::Factor::kind).collect())
}

/// What is about to be done, in words that fit after "to".
fn act(route: &str) -> &'static str {
    let known = table().into_iter().find(|known| known.path == route && known.method == Method::POST);
    let action = known.and_then(|known| match known.access {
        Access::Person(action) => Some(action),
        _ => None,
    });
    match action {
        Some(Action::ApproveRequest | Action::ApproveRotation | Action::CancelCase) => "decide in production",
        Some(Action::DestroyVersion) => "destroy a production value",
        Some(Action::RevealSecret | Action::CopySecret) => "take a critical value",
        Some(Action::StartExport) => "take evidence out of the console",
        Some(Action::ConfirmChange) => "confirm a change of control",
        Some(Action::CreateAccessToken) => "make a token that acts in your name",
        Some(Action::EnrolFactor | Action::RemoveFactor | Action::RenewCodes) => "change your second factors",
        Some(Action::ResetFactors) => "take somebody’s second factors away",
        _ => "change what others may do",
    }
}
