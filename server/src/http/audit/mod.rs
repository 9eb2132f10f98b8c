//! The trail as it is asked for, one event with its proof, views that are kept.
mod event;
pub mod lines;
mod readings;
mod suggest;

pub use readings::{Readings, note, reading, reading_now};

use super::{
    Problem,
    visitor::{Fields, Names, Signed, done, mistaken, shown},
};
use crate::{
    audit::{
        search::{self, Asked, Condition, Group, Place, Reading},
        store, views,
    },
    catalog, people,
};
use app::{
    audit::{
        action::Action,
        page::{self, Search, Trail, View},
        query::Query,
    },
    error::Error,
    time::Moment,
};
use axum::{
    Json,
    extract::{Path, Query as Address},
    response::{IntoResponse, Response},
};
use chrono_tz::Tz;
use readings::may_read;
use serde::Deserialize;

type Answer = Result<Response, Problem>;

/// Events on one page.
const PAGE: u64 = 50;
/// New events that are counted; beyond it is said that there are more.
const MOST_NEW: u64 = 100;
#[derive(Default, Deserialize)]
pub struct TrailQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    zone: String,
    before: Option<u64>,
    event: Option<u64>,
    /// Where the page was drawn that asks for what is new.
    from: Option<u64>,
}

impl TrailQuery {
    /// The search as it is shown again, and the zone to read times in.
    fn search(&self) -> (Search, Tz) {
        let text = self.q.trim().to_owned();
        let zone = if self.zone.trim().is_empty() { "UTC" } else { self.zone.trim() };
        let parsed = zone.parse::<Tz>();
        let unknown = parsed.is_err().then(|| "No time zone has this name. They are written Europe/Zurich.".to_owned());
        let (query, mistake) = match Query::parse(&text) {
            Ok(query) => (query, None),
            Err(mistake) => (Query::default(), Some(mistake)),
        };
        let zone_words = zone.chars().take(64).collect();
        (Search { text, query, mistake, zone: zone_words, zone_mistake: unknown }, parsed.unwrap_or(Tz::UTC))
    }
}

pub async fn trail(signed: Signed, Address(asked): Address<TrailQuery>) -> Answer {
    let console = signed.console();
    let (mut search, zone) = asked.search();
    let (reading, recorded) = reading(signed.site(), &signed.caller, &search.query.to_string()).await?;
    let shell = signed.shell("/audit").await?;
    let seen = store::size(&mut console.read().await?).await?;
    let words_to = search::refresh(console).await?;
    let mut db = console.read().await?;
    let size = store::size(&mut db).await?;
    let filter = match search.mistake {
        Some(_) => None,
        None => match search::resolve(console, &mut db, &signed.caller, &reading, &search.query, zone).await {
            Ok(filter) => Some(filter),
            Err(Asked::Mistake(mistake)) => {
                search.mistake = Some(mistake);
                None
            }
            Err(Asked::Error(error)) => return Err(error.into()),
        },
    };
    let found = match &filter {
        Some(filter) => filter.page(&mut db, asked.before, PAGE).await?,
        None => search::Page::default(),
    };
    let lines = lines::lines(signed.site(), &mut db, &mut Names::default(), &found.rows, zone).await?;
    let full = found.rows.len() as u64 >= PAGE;
    let looked_to = match filter.as_ref().filter(|_| !full && !found.complete) {
        Some(_) => store::find(&mut db, found.looked_to)
            .await?
            .map(|row| (found.looked_to, row.at.with_timezone(&zone).format("%-d %b %Y, %H:%M").to_string())),
        None => None,
    };
    let row = match asked.event {
        Some(seq) => store::find(&mut db, seq).await?,
        None => None,
    };
    let scope = match &reading {
        Reading::All => None,
        Reading::Period { projects: None, period } => Some(format!("of {}", period.words())),
        Reading::Projects(led) | Reading::Period { projects: Some(led), .. } => {
            let projects = catalog::store::projects(&mut db).await?;
            let names: Vec<String> =
                projects.into_iter().filter(|row| led.contains(&row.id)).map(|row| row.name).collect();
            let period = match &reading {
                Reading::Period { period, .. } => format!(", {}", period.words()),
                _ => String::new(),
            };
            Some(format!("of {}{period}", names.join(", ")))
        }
    };
    let (views, teams) = kept(&signed, &mut db).await?;
    drop(db);
    let beside = match row.filter(|row| reading.covers_event(row)) {
        Some(row) => {
            may_read(signed.site(), &signed.caller, row.project_id.as_deref(), &format!("event:{}", row.seq)).await?;
            Some(event::view(&signed, row, zone).await?)
        }
        None => None,
    };
    let wrong = search.mistake.is_some() || search.zone_mistake.is_some();
    let view = Trail {
        window: filter.as_ref().map_or(String::new(), |filter| window(filter.since, filter.until, zone)),
        older: (!found.complete && filter.is_some()).then_some(found.looked_to),
        search,
        lines,
        beside,
        before: asked.before,
        looked_to,
        views,
        teams,
        size,
        signed: console.builder.signed().size,
        words_to: (words_to < size && words_to < seen).then_some(words_to),
        scope,
        unrecorded: !recorded,
    };
    let page = page::trail(&shell, view);
    Ok(if wrong { mistaken(page) } else { shown(page) })
}

/// "16 Nov 2026, 00:00 – 23 Nov 2026, 14:06".
fn window(since: Option<Moment>, until: Option<Moment>, zone: Tz) -> String {
    let words = |at: Moment| at.with_timezone(&zone).format("%-d %b %Y, %H:%M").to_string();
    match (since, until) {
        (None, None) => String::new(),
        (since, until) => {
            let (since, until) = (since.map_or("The beginning".into(), words), until.map_or("now".into(), words));
            format!("{since} – {until}")
        }
    }
}

/// The views that somebody is shown, and the teams that they can keep one for.
async fn kept(signed: &Signed, db: &mut impl crate::db::Sql) -> Result<(Vec<View>, Vec<(String, String)>), Error> {
    let all = people::store::teams(db).await?;
    let teams: Vec<(String, String)> = all
        .into_iter()
        .filter(|team| signed.caller.teams.contains(&team.id))
        .map(|team| (team.id, team.name))
        .collect();
    let views = views::visible(db, &signed.caller).await?;
    let views = views
        .into_iter()
        .map(|view| View {
            team: view.team_id.as_ref().and_then(|id| Some(teams.iter().find(|(team, _)| team == id)?.1.clone())),
            id: view.id,
            name: view.name,
            query: view.query,
            own: true,
        })
        .collect();
    Ok((views, teams))
}

/// How many events fit that were recorded since the page was drawn.
pub async fn new_events(signed: Signed, Address(asked): Address<TrailQuery>) -> Answer {
    let console = signed.console();
    let (search, zone) = asked.search();
    let (reading, _) = reading(signed.site(), &signed.caller, &search.query.to_string()).await?;
    search::refresh(console).await?;
    let mut db = console.read().await?;
    let filter = search::resolve(console, &mut db, &signed.caller, &reading, &search.query, zone).await;
    let mut filter = filter.map_err(Error::from)?;
    filter.from = filter.from.max(asked.from.unwrap_or(filter.to)).min(filter.to);
    // One's own looking is not news.
    let own = vec![
        Condition::Text(Place::Action, vec![Action::ReadTrail.code().to_owned()]),
        Condition::Text(Place::Actor, vec![signed.caller.id().to_owned()]),
    ];
    filter.groups.push(Group { negated: true, any: vec![own] });
    let found = filter.page(&mut db, None, MOST_NEW).await?;
    let words = match found.rows.len() as u64 {
        0 => String::new(),
        1 => "1 new event".into(),
        MOST_NEW if !found.complete => format!("more than {MOST_NEW} new events"),
        count => format!("{count} new events"),
    };
    Ok(Json(serde_json::json!({ "words": words })).into_response())
}

#[derive(Default, Deserialize)]
pub struct Typing {
    #[serde(default)]
    text: String,
    #[serde(default)]
    cursor: usize,
}

pub async fn suggest(signed: Signed, Address(typing): Address<Typing>) -> Answer {
    Ok(Json(suggest::offers(&signed, &typing.text, typing.cursor).await?).into_response())
}

pub async fn event(signed: Signed, Path(seq): Path<u64>) -> Answer {
    let console = signed.console();
    let row = store::find(&mut console.read().await?, seq).await?.ok_or(Error::NotFound)?;
    // Outside of a period that somebody audits there is nothing; what it opens it opens there alone.
    let within = match Reading::of_events(console, &signed.caller).await? {
        Some(reading @ Reading::Period { .. }) if !reading.covers_event(&row) => return Err(Error::NotFound.into()),
        Some(Reading::Period { .. }) => true,
        _ => false,
    };
    let reader = if within { signed.caller.clone() } else { signed.caller.unlimited() };
    may_read(signed.site(), &reader, row.project_id.as_deref(), &format!("event:{seq}")).await?;
    let shell = signed.shell("/audit").await?;
    Ok(shown(page::event(&shell, event::view(&signed, row, Tz::UTC).await?)))
}

pub async fn save_view(signed: Signed, fields: Fields) -> Answer {
    let team = Some(fields.get("team")).filter(|team| !team.is_empty());
    let query = fields.get("q");
    let receipt = views::save_view(signed.console(), &signed.caller, fields.get("name"), query, team).await?;
    Ok(done(&page::at(query, "UTC"), Action::SaveView, receipt))
}

pub async fn remove_view(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = views::remove_view(signed.console(), &signed.caller, &id).await?;
    Ok(done("/audit", Action::RemoveView, receipt))
}
