//! The dashboard's figures and signals, for programs.
use super::{
    bearer::Program,
    model::*,
    reference::{Mistaken, Refused},
    rotations::page_of,
};
use crate::{
    audit::event::Event as Recorded,
    audit::search::Reading,
    http::{Problem, audit::reading_now},
    metrics::{self, Asked as Range},
    signals::{
        self,
        store::{self, Narrow, Signal},
    },
};
use app::{
    audit::action::Action,
    error::{Error, Refusal},
    signals::model::{Detector, Key, State as Stands},
};
use axum::{
    Json,
    extract::{Path, Query},
};
use chrono::TimeDelta;

type Answer<T> = Result<Json<T>, Problem>;

/// The dashboard's figures, each with its definition, window, coverage and data.
#[utoipa::path(
    get, path = "/api/v1/figures/dashboard", tag = "Figures", operation_id = "readDashboard", params(DashboardQuery),
    security(("personal" = ["trail:read"])),
    responses(
        (status = 200, body = DashboardFigures), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 422, response = Mistaken),
    )
)]
pub async fn dashboard(program: Program, Query(asked): Query<DashboardQuery>) -> Answer<DashboardFigures> {
    let (console, caller) = (program.console(), &program.caller);
    if Reading::of(console, caller).await?.is_none() {
        let refused = console.ledger.refuse(&caller.who, Recorded::new(Action::ReadTrail), Refusal::NoRule).await;
        return Err(refused.into());
    }
    let range = Range { range: asked.range, project: asked.project, level: asked.level, zone: asked.zone };
    let board = metrics::dashboard(console, caller, &range).await?;
    if let Some(mistake) = board.mistake {
        return Err(Error::invalid("query", mistake).into());
    }
    let seconds = |time: Option<TimeDelta>| time.map(|time| time.num_seconds());
    let time_to_rotate = board.triggers.into_iter().map(|row| TimeToRotate {
        trigger: row.words.into(),
        mean: seconds(row.mean),
        mean_before: seconds(row.before),
        median: seconds(row.median),
        p90: seconds(row.p90),
        longest: seconds(row.longest),
        proved: row.proved,
    });
    let figures = board.cells.into_iter().map(|cell| Figure {
        title: cell.title.into(),
        figure: cell.figure.0,
        words: cell.figure.1,
        before: cell.before,
        definition: cell.definition,
        window: cell.window,
        coverage: cell.about,
        columns: cell.heads.into_iter().map(Into::into).collect(),
        rows: cell.data,
        behind: cell.behind.1,
    });
    Ok(Json(DashboardFigures { time_to_rotate: time_to_rotate.collect(), figures: figures.collect() }))
}

fn signal_of(program: &Program, signal: &Signal) -> Option<SignalFound> {
    let key = signal.key()?;
    let state = signal.state(program.console().now());
    Some(SignalFound {
        id: key.to_string(),
        detector: key.detector.code().into(),
        words: key.detector.words().into(),
        rule: key.detector.rule().into(),
        at: signal.at,
        state: state.code().into(),
        actor: signal.actor_id.clone(),
        assignee: signal.assignee_id.clone(),
        snoozed_until: signal.until_at.filter(|_| state == Stands::Snoozed),
        project: signal.project_id.clone(),
        environment: signal.environment_id.clone(),
        secret: signal.secret_id.clone(),
        request: signal.request_id.clone(),
        grant: signal.grant_id.clone(),
        events: signal.events(),
        evidence: serde_json::from_str(&signal.evidence).unwrap_or_default(),
    })
}

/// Signals, the newest first. They are answered by people in the console.
#[utoipa::path(
    get, path = "/api/v1/signals", tag = "Signals", operation_id = "listSignals", params(SignalQuery),
    security(("personal" = ["trail:read"])),
    responses(
        (status = 200, body = Page<SignalFound>), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 422, response = Mistaken),
    )
)]
pub async fn list_signals(program: Program, Query(asked): Query<SignalQuery>) -> Answer<Page<SignalFound>> {
    let console = program.console();
    let limit = page_of(asked.limit)?;
    let state = match asked.state.as_deref() {
        None => None,
        Some(code) => Some(
            Stands::from_code(code)
                .ok_or_else(|| Error::invalid("state", "`open`, `snoozed`, `closed` or `not_useful`."))?,
        ),
    };
    let detector = match asked.detector.as_deref() {
        None => None,
        Some(code) => {
            Some(Detector::from_code(code).ok_or_else(|| Error::invalid("detector", "No detector has this code."))?)
        }
    };
    let (reading, _) = reading_now(&program.site, &program.caller, "signals").await?;
    signals::refresh(console).await?;
    let mut db = console.read().await?;
    let before = match asked.before.as_deref() {
        None => None,
        Some(text) => {
            let wrong = || Error::invalid("before", "This is no next of a page.");
            let key = Key::parse(text).ok_or_else(wrong)?;
            let last = store::find(&mut db, key).await?;
            Some(
                last.filter(|last| reading.covers(last.project_id.as_deref()))
                    .map(|last| (last.at, key))
                    .ok_or_else(wrong)?,
            )
        }
    };
    let projects = reading.projects();
    let narrow = Narrow { state, detector: detector.map(Detector::code), assignee: None, projects: &projects, before };
    let rows = store::list(&mut db, &narrow, console.now(), limit + 1).await?;
    let more = rows.len() > limit as usize;
    let items: Vec<_> = rows.iter().take(limit as usize).filter_map(|row| signal_of(&program, row)).collect();
    Ok(Json(Page { next: items.last().filter(|_| more).map(|last| last.id.clone()), items }))
}

/// One signal.
#[utoipa::path(
    get, path = "/api/v1/signals/{id}", tag = "Signals", operation_id = "readSignal",
    params(("id" = String, Path, description = "Its detector and event: `refusal_burst-1234`")),
    security(("personal" = ["trail:read"])),
    responses(
        (status = 200, body = SignalFound), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 404, response = Refused),
    )
)]
pub async fn read_signal(program: Program, Path(id): Path<String>) -> Answer<SignalFound> {
    let console = program.console();
    let key = Key::parse(&id).ok_or(Error::NotFound)?;
    reading_now(&program.site, &program.caller, &format!("signal {key}")).await?;
    signals::refresh(console).await?;
    let signal = signals::find(console, &program.caller, key).await?;
    Ok(Json(signal_of(&program, &signal).ok_or(Error::NotFound)?))
}
