//! The calendar of rotations: what will begin by itself, what runs, what ended, in one month.
use super::Answer;
use crate::{
    catalog::Located,
    http::visitor::{Signed, shown},
    rotations::{self, store, timetable::Timetable},
};
use app::{
    error::Error,
    rotations::{
        model::Step,
        page::{self, CalendarView, Entry, EntryKind},
        schedule::Schedule,
    },
};
use axum::extract::Query;
use chrono::{Datelike, Months, NaiveDate, NaiveTime};
use serde::Deserialize;

/// Plans that one month looks at, and rotations that it shows.
const PLANS: u32 = 1_000;
const ROTATIONS: u32 = 1_000;
/// Times of one secret in one month.
const TIMES: usize = 40;

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
    let (now, key) = (console.now(), console.seal_key());
    let today = now.date_naive();
    let this = today.with_day(1).unwrap_or(today);
    let asked = NaiveDate::parse_from_str(&format!("{}-01", query.month), "%Y-%m-%d").ok();
    let month = asked.filter(|month| (2000..2200).contains(&month.year())).unwrap_or(this);
    let from = month.and_time(NaiveTime::MIN).and_utc();
    let until = (month + Months::new(1)).and_time(NaiveTime::MIN).and_utc();
    let mut db = console.read().await?;
    let mut entries = Vec::new();
    for rotation in store::between(&mut db, from, until, ROTATIONS, key).await? {
        let located = match Located::visible(console, &mut db, &signed.caller, &rotation.secret_id).await {
            Ok(located) => located,
            Err(Error::NotFound) => continue,
            Err(error) => return Err(error.into()),
        };
        let kind = match rotation.step() {
            Step::NeedsPerson => EntryKind::Stuck,
            _ if rotation.ended_at.is_some() => EntryKind::Done,
            _ => EntryKind::UnderWay,
        };
        let href = format!("/rotations/{}", rotation.id);
        entries.push(entry(rotation.started_at, href, &located, kind));
    }
    let mut more = false;
    if until > now {
        let plans = store::plans(&mut db, PLANS + 1, key).await?;
        more = plans.len() > PLANS as usize;
        for plan in plans.into_iter().take(PLANS as usize) {
            let located = match Located::visible(console, &mut db, &signed.caller, &plan.secret_id).await {
                Ok(located) if located.secret.archived_at.is_none() => located,
                Ok(_) | Err(Error::NotFound) => continue,
                Err(error) => return Err(error.into()),
            };
            let when = rotations::when(console, &mut db, &plan, &located).await?;
            let confirmed = rotations::is_confirmed(&plan, &located);
            let times = match &when.schedule {
                Schedule::Cron { expression, zone, window_minutes } if when.due.is_some() => {
                    let begins = from.max(now);
                    let timetable = Timetable::read(expression, zone, *window_minutes);
                    let runs = timetable.map(|timetable| timetable.runs(begins, TIMES)).unwrap_or_default();
                    runs.into_iter().map(|run| run.at).collect()
                }
                // What is due already is due today.
                _ => when.due.map(|due| due.max(now)).into_iter().collect::<Vec<_>>(),
            };
            for at in times.into_iter().filter(|at| *at >= from && *at < until) {
                let held = !confirmed || when.paused_until.is_some_and(|paused| at < paused);
                let kind = if held { EntryKind::Held } else { EntryKind::Planned };
                entries.push(entry(at, format!("/secrets/{}", plan.secret_id), &located, kind));
            }
        }
    }
    entries.sort_by(|one, other| (one.at, &one.path).cmp(&(other.at, &other.path)));
    let view = CalendarView { month, agenda: query.view == "agenda", entries, more };
    Ok(shown(page::calendar(&shell, view)))
}

fn entry(at: app::time::Moment, href: String, located: &Located, kind: EntryKind) -> Entry {
    Entry {
        at,
        href,
        path: located.secret.path.clone(),
        project: format!("{} · {}", located.project.name, located.environment.tier().words()),
        kind,
    }
}
