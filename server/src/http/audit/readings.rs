//! Reading the trail is itself an event, once for the same reading in ten minutes.
use super::super::Site;
use crate::{
    audit::{event::Event, search::Reading},
    people::Caller,
    policies::Situation,
};
use app::{
    audit::action::Action,
    audit::leaf::Subject,
    error::{Error, Refusal},
    time::Moment,
};
use chrono::TimeDelta;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// One reading is recorded once in this time.
const AGAIN: TimeDelta = TimeDelta::minutes(10);
const MOST: usize = 10_000;

/// Readings that were recorded lately: `(session or token, query)`.
#[derive(Default)]
pub struct Readings(Mutex<HashMap<(String, String), Moment>>);

impl Readings {
    fn is_new(&self, session: &str, query: &str, now: Moment) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, at| now - *at < AGAIN);
        }
        let key = (session.to_owned(), query.to_owned());
        known.get(&key).is_none_or(|at| now - *at >= AGAIN)
    }

    fn recorded(&self, session: &str, query: &str, now: Moment) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((session.to_owned(), query.to_owned()), now);
    }
}

/// Asks policy, and records the reading. Reading goes on when the ledger cannot write: the answer says that it was not
/// recorded.
pub async fn may_read(site: &Site, caller: &Caller, project: Option<&str>, query: &str) -> Result<bool, Error> {
    let console = &site.console;
    let principal = caller.principal(project);
    let decision = console.decide(None, &principal, Action::ReadTrail, &Subject::default(), Situation::default());
    // It belongs to no project: what a lead of two asks is not for those who lead one of them.
    let event = Event::new(Action::ReadTrail).by(decision.deciding).private("query", query);
    if let Some(refusal) = decision.refusal {
        return Err(console.ledger.refuse(&caller.who, event, refusal).await);
    }
    Ok(note(site, caller, event, query).await)
}

/// Records that something was looked at, once for the same thing in ten minutes. Was it, then or now?
pub async fn note(site: &Site, caller: &Caller, event: Event, what: &str) -> bool {
    let console = &site.console;
    let session = caller.who.actor.session.as_deref().unwrap_or_default();
    if !site.readings.is_new(session, what, console.now()) {
        return true;
    }
    let recorded = console.ledger.observe(&caller.who, event).await.is_ok();
    if recorded {
        site.readings.recorded(session, what, console.now());
    }
    recorded
}

/// Whose trail somebody reads here, with the reading recorded.
pub async fn reading(site: &Site, caller: &Caller, query: &str) -> Result<(Reading, bool), Error> {
    let reading = Reading::of_events(&site.console, caller).await?;
    recorded(site, caller, query, reading).await
}

/// The same of what is computed from the trail as it is now: nobody reads it who audits a period alone.
pub async fn reading_now(site: &Site, caller: &Caller, query: &str) -> Result<(Reading, bool), Error> {
    match Reading::of(&site.console, caller).await? {
        None => Err(site.console.ledger.refuse(&caller.who, Event::new(Action::ReadTrail), Refusal::NoRule).await),
        reading => recorded(site, caller, query, reading).await,
    }
}

async fn recorded(
    site: &Site,
    caller: &Caller,
    query: &str,
    reading: Option<Reading>,
) -> Result<(Reading, bool), Error> {
    let Some(reading) = reading else {
        may_read(site, &caller.unlimited(), None, query).await?;
        return Err(Error::Refused(Refusal::NoRule));
    };
    let project = match &reading {
        Reading::All | Reading::Period { projects: None, .. } => None,
        Reading::Projects(led) | Reading::Period { projects: Some(led), .. } => led.first().map(String::as_str),
    };
    let noted = may_read(site, caller, project, query).await?;
    Ok((reading, noted))
}
