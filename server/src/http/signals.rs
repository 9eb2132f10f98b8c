//! Signals: the list, one with its evidence, answers.
use super::{
    Problem,
    audit::{lines, reading_now},
    visitor::{Fields, Names, Signed, done, mistaken, shown},
};
use crate::{
    audit::store as trail,
    catalog::{self, Located},
    db::Sql,
    metrics::charts,
    signals::{
        self, Wanted,
        store::{self, Narrow, Signal},
    },
};
use app::{
    error::Error,
    nav,
    signals::{
        model::{Answer, Detector, Evidence, Key, State},
        page::{self, List, One, Past, Row, TABS},
    },
    ui::Form,
};
use axum::{
    extract::{Path, Query},
    response::Response,
};
use chrono::TimeDelta;
use serde::Deserialize;

type Shown = Result<Response, Problem>;

const PAGE: u32 = 50;
/// Events that one page shows of a signal.
const EVENTS: usize = 60;

#[derive(Default, Deserialize)]
pub struct Address {
    #[serde(default)]
    show: String,
    #[serde(default)]
    detector: String,
    #[serde(default)]
    before: String,
}

pub async fn list(signed: Signed, Query(asked): Query<Address>) -> Shown {
    let console = signed.console();
    let (reading, _) = reading_now(signed.site(), &signed.caller, "signals").await?;
    signals::refresh(console).await?;
    let shell = signed.shell("/signals").await?;
    let tab = TABS.iter().find(|(code, _)| *code == asked.show).map_or("open", |(code, _)| code);
    let detector = Detector::from_code(&asked.detector);
    let mut db = console.read().await?;
    let before = match Key::parse(&asked.before) {
        Some(key) => {
            let last = store::find(&mut db, key).await?;
            last.filter(|last| reading.covers(last.project_id.as_deref())).map(|last| (last.at, key))
        }
        None => None,
    };
    let projects = reading.projects();
    let narrow = Narrow {
        state: match tab {
            "all" => None,
            // What is one's own is open.
            tab => Some(State::from_code(tab).unwrap_or(State::Open)),
        },
        detector: detector.map(Detector::code),
        assignee: (tab == "mine").then_some(signed.caller.id()),
        projects: &projects,
        before,
    };
    let mut found = store::list(&mut db, &narrow, console.now(), PAGE + 1).await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let older = found.last().filter(|_| more).and_then(Signal::key);
    let mut names = Names::default();
    let mut rows = Vec::new();
    for signal in &found {
        let Some(key) = signal.key() else { continue };
        let assignee = match &signal.assignee_id {
            Some(id) => Some(names.person(&mut db, signed.site(), id).await?),
            None => None,
        };
        rows.push(Row {
            key,
            at: signal.at,
            who: who(&signed, &mut db, &mut names, signal).await?,
            place: place(&signed, &mut db, signal).await?.map(|(_, words)| words),
            state: signal.state(console.now()),
            assignee,
        });
    }
    let tally = store::tally(&mut db, console.now() - TimeDelta::days(90), &projects).await?;
    let tally = Detector::ALL
        .map(|detector| {
            let row = tally.iter().find(|(code, ..)| code == detector.code());
            row.map_or((detector, 0, 0), |(_, found, rejected)| (detector, *found as u64, *rejected as u64))
        })
        .to_vec();
    let older = older.map(|key| page::address(tab, detector, Some(key)));
    Ok(shown(page::list(&shell, List { tab, detector, rows, older, tally })))
}

/// Whom a signal is about.
async fn who(signed: &Signed, db: &mut impl Sql, names: &mut Names, signal: &Signal) -> Result<String, Error> {
    match signal.actor_id.as_deref() {
        Some(id) if id.starts_with("wkl_") => names.workload(db, signed.site(), id).await,
        Some(id) => names.person(db, signed.site(), id).await,
        None => Ok("Somebody not signed in".into()),
    }
}

/// Project and environment.
async fn place(signed: &Signed, db: &mut impl Sql, signal: &Signal) -> Result<Option<(String, String)>, Error> {
    let Some(project) = &signal.project_id else { return Ok(None) };
    let Some(project) = catalog::store::find_project(db, project).await? else { return Ok(None) };
    let environment = match &signal.environment_id {
        Some(id) => catalog::store::find_environment(db, id, signed.console().seal_key()).await?,
        None => None,
    };
    let words = match environment {
        Some(environment) => format!("{}, {}", project.name, environment.slug),
        None => project.name,
    };
    Ok(Some((format!("/projects/{}", project.slug), words)))
}

pub async fn one(signed: Signed, Path(key): Path<String>) -> Shown {
    Ok(shown(one_page(&signed, &key, &Form::default()).await?))
}

async fn one_page(signed: &Signed, key: &str, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    let key = Key::parse(key).ok_or(Error::NotFound)?;
    let (reading, _) = reading_now(signed.site(), &signed.caller, &format!("signal {key}")).await?;
    signals::refresh(console).await?;
    let signal = signals::find(console, &signed.caller, key).await?;
    let refused = signals::may_answer(console, &signed.caller, &signal).await?;
    let mut people = if refused.is_none() { signals::able(console, &signal).await? } else { Vec::new() };
    // The reader first.
    people.sort_by_key(|(id, _)| id != signed.caller.id());
    let shell = signed.shell("/signals").await?;
    let (mut names, now) = (Names::default(), console.now());
    let mut db = console.read().await?;
    let events = signal.events();
    let mut rows = Vec::new();
    for seq in events.iter().rev().take(EVENTS) {
        let row = trail::find(&mut db, *seq).await?;
        rows.extend(row.filter(|row| reading.covers(row.project_id.as_deref())));
    }
    let mut lines = lines::lines(signed.site(), &mut db, &mut names, &rows, chrono_tz::Tz::UTC).await?;
    // A refusal does not say what the path of the secret is: who may see the secret is told.
    for (line, row) in lines.iter_mut().zip(&rows).filter(|(line, _)| line.about.is_empty()) {
        if let Some(id) = &row.secret_id
            && let Ok(located) = Located::visible(console, &mut db, &signed.caller, id).await
        {
            line.about = located.secret.path;
        }
    }
    let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
    let mut places: Vec<String> = trail::disclosures_of(&mut db, &seqs)
        .await?
        .into_iter()
        .filter(|(_, field, ..)| field == "address" || field == "agent")
        .map(|(.., value)| value)
        .collect();
    places.sort_unstable();
    places.dedup();
    let evidence = signal.evidence();
    let chart = match &evidence {
        Some(Evidence::Hours { hour, hours, .. }) => {
            let bars: Vec<u64> = hours.iter().map(|days| u64::from(*days)).collect();
            Some(charts::bars(&bars, charts::Role::Bar, &[*hour as usize]))
        }
        _ => None,
    };
    let other = match &evidence {
        Some(evidence) => match evidence.other() {
            Some(other) => Some(names.person(&mut db, signed.site(), other).await?),
            None => None,
        },
        None => None,
    };
    let mut answers = Vec::new();
    for row in store::answers(&mut db, key).await? {
        answers.extend(past(signed, &mut db, &mut names, row).await?);
    }
    let secret = match &signal.secret_id {
        Some(id) => Located::visible(console, &mut db, &signed.caller, id).await.ok(),
        None => None,
    };
    let who_href = signal.actor_id.as_ref().map(|id| match id.starts_with("wkl_") {
        true => format!("/workloads/{id}"),
        false => format!("/people/{id}"),
    });
    let trail_of = signal.actor_id.as_ref().map(|id| {
        let around = |minutes: i64| (signal.at + TimeDelta::minutes(minutes)).format("%Y-%m-%dT%H:%M").to_string();
        let query = format!("actor:{id} created:{}..{}", around(-15), around(16));
        nav::address("/audit", &[("q", &query)])
    });
    let view = One {
        key,
        at: signal.at,
        state: signal.state(now),
        until: signal.until_at,
        who: who(signed, &mut db, &mut names, &signal).await?,
        who_href,
        trail: trail_of,
        other,
        project: place(signed, &mut db, &signal).await?,
        secret: secret.map(|located| (format!("/secrets/{}", located.secret.id), located.secret.path)),
        request: signal.request_id.as_ref().map(|id| format!("/requests/{id}")),
        evidence,
        chart,
        lines,
        events: events.len(),
        places,
        answers,
        seen: signal.n.unwrap_or(0),
        assignee: match &signal.assignee_id {
            Some(id) => Some(names.person(&mut db, signed.site(), id).await?),
            None => None,
        },
        people,
        refused: refused.map(|why| why.to_string()),
    };
    drop(db);
    Ok(page::one(&shell, view, form))
}

async fn past(
    signed: &Signed,
    db: &mut impl Sql,
    names: &mut Names,
    row: store::Answered,
) -> Result<Option<Past>, Error> {
    let Some(answer) = Answer::from_code(&row.answer) else { return Ok(None) };
    let assignee = match &row.assignee_id {
        Some(id) => Some(names.person(db, signed.site(), id).await?),
        None => None,
    };
    let by = names.person(db, signed.site(), &row.by_id).await?;
    Ok(Some(Past { answer, by, at: row.answered_at, assignee, until: row.until_at, reason: row.reason }))
}

pub async fn answer(signed: Signed, Path(key): Path<String>, fields: Fields) -> Shown {
    let id = Key::parse(&key).ok_or(Error::NotFound)?;
    let wanted = async {
        let answer =
            Answer::from_code(fields.get("answer")).ok_or_else(|| Error::invalid("reason", "Choose an answer."))?;
        let seen = fields.version("seen")?;
        let days = if answer == Answer::Snooze { fields.number("days")? } else { 0 };
        let wanted = Wanted { answer, seen, assignee: fields.get("assignee"), days, reason: fields.get("reason") };
        let receipt = signals::answer(signed.console(), &signed.caller, id, wanted).await?;
        Ok::<_, Error>((answer, receipt))
    };
    match wanted.await {
        Ok((answer, receipt)) => Ok(done(&format!("/signals/{id}"), signals::action(answer), receipt)),
        Err(error) => {
            let form = fields.again(error, &[])?;
            Ok(mistaken(one_page(&signed, &key, &form).await?))
        }
    }
}
