//! The calendar of rotations: what will begin by itself, what runs, what ended, in one month.
use super::Answer;
use crate::{
    http::visitor::{Signed, shown},
    rotations::{self, Dated, What},
};
use app::rotations::{
    model::Step,
    page::{self, CalendarView, Entry, EntryKind},
};
use axum::extract::Query;
use chrono::{Datelike, Months, NaiveDate, NaiveTime};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Month {
    #[serde(default)]
    month: String,
    #[serde(default)]
    view: String,
}

pub async fn calendar(signed: Signed, Query(query): Query<Month>) -> Answer {
    let console = signed.console();
    let shell = signed.shell("/rotations").await?;
    let today = console.now().date_naive();
    let this = today.with_day(1).unwrap_or(today);
    let asked = NaiveDate::parse_from_str(&format!("{}-01", query.month), "%Y-%m-%d").ok();
    let month = asked.filter(|month| (2000..2200).contains(&month.year())).unwrap_or(this);
    let from = month.and_time(NaiveTime::MIN).and_utc();
    let until = (month + Months::new(1)).and_time(NaiveTime::MIN).and_utc();
    let (dated, more) = rotations::calendar(console, &mut console.read().await?, &signed.caller, from, until).await?;
    let entries = dated.into_iter().map(entry).collect();
    let view = CalendarView { month, agenda: query.view == "agenda", entries, more };
    Ok(shown(page::calendar(&shell, view)))
}

fn entry(dated: Dated) -> Entry {
    let Dated { at, located, what } = dated;
    let kind = match &what {
        What::Rotation(rotation) if rotation.step() == Step::NeedsPerson => EntryKind::Stuck,
        What::Rotation(rotation) if rotation.ended_at.is_some() => EntryKind::Done,
        What::Rotation(_) => EntryKind::UnderWay,
        What::Planned => EntryKind::Planned,
        What::Held => EntryKind::Held,
    };
    Entry {
        at,
        href: match what {
            What::Rotation(rotation) => format!("/rotations/{}", rotation.id),
            What::Planned | What::Held => format!("/secrets/{}", located.secret.id),
        },
        project: format!("{} · {}", located.project.name, located.environment.tier().words()),
        path: located.secret.path,
        kind,
    }
}
