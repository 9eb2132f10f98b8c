//! The dashboard.
use super::{
    Problem,
    visitor::{Signed, mistaken, shown},
};
use crate::{
    audit::{self, event::Event},
    metrics::{self, Asked},
};
use app::{audit::action::Action, error::Refusal, metrics::page};
use axum::{extract::Query, response::Response};
use serde::Deserialize;

type Answer = Result<Response, Problem>;

#[derive(Default, Deserialize)]
pub struct Address {
    #[serde(default)]
    range: String,
    #[serde(default)]
    project: String,
    #[serde(default)]
    level: String,
    #[serde(default)]
    zone: String,
}

pub async fn dashboard(signed: Signed, Query(address): Query<Address>) -> Answer {
    let console = signed.console();
    if audit::search::Reading::of(console, &signed.caller).await?.is_none() {
        let refused = console.ledger.refuse(&signed.caller.who, Event::new(Action::ReadTrail), Refusal::NoRule).await;
        return Err(refused.into());
    }
    let Address { range, project, level, zone } = address;
    let view = metrics::dashboard(console, &signed.caller, &Asked { range, project, level, zone }).await?;
    let shell = signed.shell("/dashboard").await?;
    let wrong = view.mistake.is_some();
    let page = page::dashboard(&shell, view);
    Ok(if wrong { mistaken(page) } else { shown(page) })
}
