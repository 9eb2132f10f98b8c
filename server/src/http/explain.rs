//! Explaining: may they and why, who can read a secret, what a decision was made from.
use super::{
    Problem, Site,
    audit::{note, reading},
    visitor::{Signed, mistaken, shown},
};
use crate::{
    audit::{event::Event, store},
    catalog::Located,
    explain::{self, Whom},
    people::Caller,
};
use app::{
    error::{Error, FieldError},
    explain::{
        model::{Access, Decided, Explanation},
        page,
    },
    ui::Form,
};
use axum::{
    extract::{Path, Query},
    response::Response,
};
use serde::Deserialize;

type Answer = Result<Response, Problem>;

#[derive(Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    who: String,
    #[serde(default)]
    secret: String,
}

/// What is wrong with a question stands at its field.
fn form(asked: &Asked, error: Option<Error>) -> Result<Form, Error> {
    let filled = Form::default().with("who", &asked.who).with("secret", &asked.secret);
    let errors = match error {
        None => Vec::new(),
        Some(Error::Invalid(errors)) => errors,
        Some(Error::NotFound) => {
            vec![FieldError { field: "secret", message: Error::NotFound.to_string() }]
        }
        Some(error) => return Err(error),
    };
    Ok(Form { errors, ..filled })
}

pub async fn explain(signed: Signed, Query(asked): Query<Asked>) -> Answer {
    signed.sees_now()?;
    let shell = signed.shell("/explain").await?;
    if asked.secret.trim().is_empty() {
        return Ok(shown(page::asked(&shell, &form(&asked, None)?)));
    }
    match explained(signed.site(), &signed.caller, &asked.who, &asked.secret).await {
        Ok(view) => Ok(shown(page::explanation(&shell, &view, &form(&asked, None)?))),
        Err(error) => Ok(mistaken(page::asked(&shell, &form(&asked, Some(error))?))),
    }
}

/// The explanation, recorded where it is about somebody else.
pub async fn explained(site: &Site, caller: &Caller, who: &str, secret: &str) -> Result<Explanation, Error> {
    let console = &site.console;
    let mut db = console.read().await?;
    let located = Located::named(console, &mut db, caller, secret.trim()).await?;
    let who = who.trim();
    let found = if who.is_empty() {
        Ok(Whom::Person(caller.person.clone()))
    } else {
        Whom::find(console, &mut db, caller, who).await
    };
    drop(db);
    // Whether they may at all comes before whether somebody is called so.
    let event = explain::permit(console, caller, &located, found.as_ref().ok()).await?;
    let whom = found?;
    if !whom.is_own(caller) {
        noted(site, caller, event, &format!("{} {}", whom.id(), located.secret.id)).await?;
    }
    explain::explain(console, caller, &whom, &located).await
}

/// What was looked up is in the trail before it is told.
async fn noted(site: &Site, caller: &Caller, event: Event, what: &str) -> Result<(), Error> {
    if note(site, caller, event, what).await { Ok(()) } else { Err(Error::Unavailable) }
}

#[derive(Default, Deserialize)]
pub struct When {
    #[serde(default)]
    at: String,
}

pub async fn access(signed: Signed, Path(id): Path<String>, Query(when): Query<When>) -> Answer {
    let shell = signed.shell("/projects").await?;
    let filled = Form::default().with("at", &when.at);
    let asked = when_of(&when.at, signed.console().now());
    let (at, errors) = match asked {
        Ok(at) => (at, Vec::new()),
        Err(Error::Invalid(errors)) => (None, errors),
        Err(error) => return Err(error.into()),
    };
    let wrong = !errors.is_empty();
    let view = who_can(signed.site(), &signed.caller, &id, at).await?;
    let page = page::access(&shell, &view, &Form { errors, ..filled });
    Ok(if wrong { mistaken(page) } else { shown(page) })
}

/// Nothing is known of what is to come.
pub fn when_of(text: &str, now: app::time::Moment) -> Result<Option<app::time::Moment>, Error> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let at = page::moment(text)
        .ok_or_else(|| Error::invalid("at", "Write a day, as 2026-11-24, or a moment, as 2026-11-24T09:30."))?;
    // Today, asked at its end, is now.
    let today = text.trim() == now.format("%Y-%m-%d").to_string();
    if at > now && !today {
        return Err(Error::invalid("at", "That is still to come. Ask about now, or a day that was."));
    }
    Ok((!today).then_some(at))
}

pub async fn who_can(
    site: &Site,
    caller: &Caller,
    secret: &str,
    at: Option<app::time::Moment>,
) -> Result<Access, Error> {
    let console = &site.console;
    let located = Located::named(console, &mut console.read().await?, caller, secret.trim()).await?;
    let event = explain::permit(console, caller, &located, None).await?;
    let event = match at {
        Some(at) => event.detail("as_of", app::time::rfc3339(at)),
        None => event,
    };
    let what = format!("access {} {}", located.secret.id, at.map(app::time::rfc3339).unwrap_or_default());
    noted(site, caller, event, &what).await?;
    explain::access(console, &located, at).await
}

pub async fn why(signed: Signed, Path(seq): Path<u64>) -> Answer {
    let view = why_of(signed.site(), &signed.caller, seq).await?;
    let shell = signed.shell("/audit").await?;
    Ok(shown(page::decided(&shell, &view)))
}

pub async fn why_of(site: &Site, caller: &Caller, seq: u64) -> Result<Decided, Error> {
    let (reading, _) = reading(site, caller, &format!("event:{seq}")).await?;
    let row = store::find(&mut site.console.read().await?, seq).await?;
    let row = row.filter(|row| reading.covers_event(row)).ok_or(Error::NotFound)?;
    explain::decided(&site.console, &row, &reading).await?.ok_or(Error::NotFound)
}
