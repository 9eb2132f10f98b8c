//! The door: sign-in, the first set-up, links to join and for a new password.
use super::{
    Problem, Site,
    proof::{Proved, sign_in_question},
    provider_sign_in::{provider_sign_out, ways},
    visitor::{Fields, Visitor, done, local, mistaken, remembered, shown},
};
use crate::{
    audit::ledger::Receipt,
    db::Sql,
    people::{
        self, Caller,
        factors::{For, has_factor},
        open_session, store,
    },
};
use app::{
    audit::action::Action,
    error::{Error, Refusal},
    people::page::{self, Persona},
    ui::Form,
};
use axum::{
    Extension,
    extract::{Path, Query},
    response::{Redirect, Response},
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

type Answer = Result<Response, Problem>;

#[derive(Default, Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
    /// The provider whose session is still open after signing out here.
    #[serde(default)]
    out: String,
}

/// The personas of a demonstration: one for each way of working.
async fn personas(site: &Site, db: &mut impl Sql) -> Result<Vec<Persona>, Error> {
    let mut found = Vec::new();
    for (login, words) in crate::demo::PERSONAS.iter().filter(|_| site.console.demo) {
        if let Some(person) = store::find_by_login(db, login, site.console.seal_key()).await? {
            found.push(Persona { id: person.id, name: person.name, words });
        }
    }
    Ok(found)
}

/// What stands on the page of sign-in beside its form.
async fn door(site: &Site, refused: Option<Refusal>, next: &str) -> Result<page::Door, Error> {
    let mut db = site.console.read().await?;
    let query: &[(&str, &str)] = if next.is_empty() || next == "/" { &[] } else { &[("next", next)] };
    Ok(page::Door {
        refused,
        next: next.into(),
        ways: ways(site, &mut db, query).await?,
        personas: personas(site, &mut db).await?,
        provider_sign_out: None,
    })
}

pub async fn sign_in_page(visitor: Visitor, Query(query): Query<Next>) -> Answer {
    let site = &visitor.site;
    if visitor.caller().await?.is_some() {
        return Ok(redirect(local(&query.next)));
    }
    if people::is_empty(&site.console, &mut site.console.read().await?).await? {
        return Ok(redirect("/set-up"));
    }
    let door = door(site, None, &query.next).await?;
    let provider_sign_out = if query.out.is_empty() { None } else { provider_sign_out(site, &query.out).await? };
    let door = page::Door { provider_sign_out, ..door };
    Ok(shown(page::sign_in(&visitor.door(), &Form::default(), door)))
}

/// Nobody was signed in, and why: the page of sign-in with the reason where it happened.
pub(super) async fn sign_in_refused(visitor: &Visitor, why: Refusal) -> Answer {
    let door = door(&visitor.site, Some(why), "").await?;
    let mut response = mistaken(page::sign_in(&visitor.door(), &Form::default(), door));
    *response.status_mut() = super::error::status(&Error::Refused(why));
    Ok(response)
}

fn redirect(to: &str) -> Response {
    axum::response::IntoResponse::into_response(Redirect::to(to))
}

/// Whose password this is, for as long as it is: stands in a question between password and second factor.
fn stamp(person: &store::Person) -> String {
    let hash = person.password_hash.as_deref().unwrap_or_default();
    app::audit::tree::hex(&Sha256::digest(format!("{} {hash}", person.id)))
}

pub async fn sign_in(visitor: Visitor, proved: Option<Extension<Proved>>, fields: Fields) -> Answer {
    let console = &visitor.site.console;
    let next = local(fields.get("next")).to_owned();
    let former = visitor.caller().await?;
    if let Some(Extension(proved)) = proved.filter(|proved| proved.purpose == For::SignIn) {
        let person = store::find(&mut console.read().await?, &proved.person, console.seal_key()).await?;
        let person = person.filter(|person| stamp(person) == fields.get("stamp"));
        let Some(person) = person else { return sign_in_refused(&visitor, Refusal::SignInStale).await };
        let receipt = switch(&visitor, former, &person, people::PASSWORD).await?;
        return Ok(remembered(done(&next, Action::SignIn, receipt), console, &person)?);
    }
    let (login, password) = (fields.get("login").to_owned(), fields.secret("password"));
    match people::check_password(console, &visitor.who, &login, password, visitor.known.as_deref()).await {
        Ok(person) => {
            if has_factor(&mut console.read().await?, &person.id, console.seal_key()).await? {
                let body = serde_urlencoded::to_string([("next", &next), ("stamp", &stamp(&person))]);
                let body = body.map_err(|_| Error::Unavailable)?;
                return Ok(sign_in_question(&visitor, &person, &body, None, None).await?);
            }
            let receipt = switch(&visitor, former, &person, people::PASSWORD).await?;
            Ok(remembered(done(&next, Action::SignIn, receipt), console, &person)?)
        }
        Err(Error::Refused(refusal)) => {
            let form = Form::default().with("login", login);
            let door = door(&visitor.site, Some(refusal), &next).await?;
            let mut response = mistaken(page::sign_in(&visitor.door(), &form, door));
            *response.status_mut() = super::error::status(&Error::Refused(refusal));
            if refusal == Refusal::WrongCredentials {
                *response.status_mut() = axum::http::StatusCode::UNAUTHORIZED;
            }
            Ok(response)
        }
        Err(error) => Err(error.into()),
    }
}

/// Opens a session under a new id of the browser, and ends the one that the browser had.
async fn switch(
    visitor: &Visitor,
    former: Option<Caller>,
    person: &store::Person,
    method: &str,
) -> Result<Receipt, Error> {
    let console = &visitor.site.console;
    let browser = visitor.new_browser().await?;
    let (_, receipt) = open_session(console, &visitor.who, person, method, browser).await?;
    end_former(visitor, former).await?;
    Ok(receipt)
}

/// Ends the session that this browser had before it got another one.
pub(super) async fn end_former(visitor: &Visitor, former: Option<Caller>) -> Result<(), Error> {
    if let Some(former) = former {
        people::sign_out(&visitor.site.console, &former).await?;
    }
    Ok(())
}

/// Signs in as a persona. Exists in demonstrations alone.
pub async fn demo_sign_in(visitor: Visitor, fields: Fields) -> Answer {
    let console = &visitor.site.console;
    if !console.demo {
        return Err(Error::NotFound.into());
    }
    let person = store::find(&mut console.read().await?, fields.get("person"), console.seal_key()).await?;
    let person = person.filter(|person| crate::demo::PERSONAS.iter().any(|(login, _)| *login == person.login));
    let person = person.filter(store::Person::is_active).ok_or(Error::NotFound)?;
    let receipt = switch(&visitor, visitor.caller().await?, &person, "demo").await?;
    Ok(done("/", Action::SignIn, receipt))
}

async fn empty_installation(visitor: &Visitor) -> Result<(), Problem> {
    let console = &visitor.site.console;
    if !people::is_empty(console, &mut console.read().await?).await? {
        return Err(Error::NotFound.into());
    }
    if visitor.site.is_private { Ok(()) } else { Err(Error::Refused(Refusal::NotPublic).into()) }
}

pub async fn set_up_page(visitor: Visitor) -> Answer {
    empty_installation(&visitor).await?;
    Ok(shown(page::set_up(&visitor.door(), &Form::default())))
}

pub async fn set_up(visitor: Visitor, fields: Fields) -> Answer {
    empty_installation(&visitor).await?;
    let (login, name) = (fields.get("login").to_owned(), fields.get("name").to_owned());
    let (code, password) = (fields.secret("code"), fields.secret("new_password"));
    match people::set_up(&visitor.site.console, &visitor.who, &code, &login, &name, password).await {
        Ok(receipt) => Ok(done("/sign-in", Action::JoinOrganisation, receipt)),
        Err(error) => {
            let form = fields.again(error, &["code", "new_password"])?;
            Ok(mistaken(page::set_up(&visitor.door(), &form)))
        }
    }
}

pub async fn link_page(visitor: Visitor, Path(token): Path<String>) -> Answer {
    Ok(shown(use_link_page(&visitor, &token, &Form::default()).await?))
}

async fn use_link_page(visitor: &Visitor, token: &str, form: &Form) -> Result<String, Error> {
    let site = &visitor.site;
    let (link, person) = people::find_link(&site.console, token).await?;
    let mut db = site.console.read().await?;
    let joins = link.kind == "join";
    let query: &[(&str, &str)] = if joins { &[("link", token)] } else { &[] };
    let view = page::LinkView {
        password: people::providers::takes_password(&site.console, &mut db, &person.id).await?,
        ways: ways(site, &mut db, query).await?,
        name: person.name,
        joins,
        action: format!("/link/{token}"),
    };
    Ok(page::use_link(&visitor.door(), form, view))
}

pub async fn use_link(visitor: Visitor, Path(token): Path<String>, fields: Fields) -> Answer {
    let console = &visitor.site.console;
    let joins = people::find_link(console, &token).await.is_ok_and(|(link, _)| link.kind == "join");
    match people::use_link(console, &visitor.who, &token, fields.secret("new_password")).await {
        Ok(receipt) => {
            Ok(done("/sign-in", if joins { Action::JoinOrganisation } else { Action::ChangePassword }, receipt))
        }
        Err(error) => {
            let form = fields.again(error, &["new_password"])?;
            Ok(mistaken(use_link_page(&visitor, &token, &form).await?))
        }
    }
}
