//! Rotations, their calendar, cases and figures, for programs.
use super::{
    bearer::{Body, Program},
    model::*,
    reference::{Conflicting, Mistaken, Refused},
};
use crate::{
    catalog::{self, Located},
    console::Console,
    db::Sql,
    http::Problem,
    people::Caller,
    rotations::{self as operations, Seen, case_store, store},
};
use app::{
    audit::leaf::Leaf,
    error::Error,
    id::{CaseId, RotationId},
    rotations::model::{self, Choice as Chosen},
};
use axum::{
    Json,
    extract::{Path, Query},
};
use chrono::{Datelike, TimeDelta};

type Answer<T> = Result<Json<T>, Problem>;

/// How many items a page has by itself, and at most.
const PAGE: u32 = 50;
const LONGEST_PAGE: u32 = 200;

pub(super) fn place(located: &Located) -> Place {
    let (project, environment) = (&located.project.slug, &located.environment.slug);
    Place {
        id: located.secret.id.clone(),
        name: format!("{project}/{environment}/{}", located.secret.path),
        level: located.environment.tier().code().into(),
    }
}

fn rotation_of(row: &store::Rotation, located: &Located) -> Rotation {
    let stopped = row.stopped().filter(|_| row.step() == model::Step::NeedsPerson);
    let choices = stopped.map(model::choices).unwrap_or_default().iter();
    Rotation {
        id: row.id.clone(),
        secret: place(located),
        trigger: row.trigger_kind.text(),
        step: row.step().code().into(),
        stopped: stopped.map(|step| step.code().into()),
        reason: row.reason.clone(),
        choices: choices.filter(|choice| **choice != Chosen::Attest).map(|choice| choice.code().into()).collect(),
        grade: row.grade.clone(),
        from_version: row.from_version,
        to_version: row.to_version,
        started_at: row.started_at,
        due_at: row.due_at,
        promoted_at: row.promoted_at,
        overlap_until: row.overlap_until,
        dead_at: row.dead_at,
        ended_at: row.ended_at,
        cut_off: row.cut_off,
    }
}

fn case_of(console: &Console, row: &case_store::Case, located: &Located) -> Case {
    Case {
        id: row.id.clone(),
        secret: place(located),
        trigger: row.trigger_kind.text(),
        version: row.version,
        began_at: row.began_at,
        target_hours: console.level_at(located.environment.tier(), row.began_at).dead_hours,
        dead_at: row.dead_at,
        outcome: row.end().map(|end| end.code().into()),
        ended_at: row.ended_at,
    }
}

fn event_of((stored, leaf): (crate::audit::store::Stored, Leaf)) -> Event {
    Event {
        seq: stored.seq as u64,
        at: stored.at,
        action: stored.action,
        actor_kind: stored.actor_kind,
        actor: stored.actor_id,
        detail: leaf.detail,
    }
}

pub(super) fn page_of(limit: Option<u32>) -> Result<u32, Error> {
    let limit = limit.unwrap_or(PAGE);
    if (1..=LONGEST_PAGE).contains(&limit) { Ok(limit) } else { Err(Error::invalid("limit", "Between 1 and 200.")) }
}

/// The `next` of a page, as it was given out.
fn before_of(text: Option<&str>) -> Result<Option<&str>, Error> {
    let is_id = |text: &&str| text.parse::<RotationId>().is_ok() || text.parse::<CaseId>().is_ok();
    match text {
        None => Ok(None),
        Some(text) if is_id(&text) => Ok(Some(text)),
        Some(_) => Err(Error::invalid("before", "This is no next of a page.")),
    }
}

/// The ids of the projects that a list is of.
async fn projects(
    console: &Console,
    db: &mut impl Sql,
    caller: &Caller,
    slug: Option<&str>,
) -> Result<Vec<String>, Error> {
    Ok(match slug {
        Some(slug) => vec![catalog::visible_project(console, db, caller, slug).await?.id],
        None => catalog::visible_projects(console, db, caller).await?.into_iter().map(|project| project.id).collect(),
    })
}

async fn named(program: &Program, name: &str) -> Result<Located, Error> {
    let console = program.console();
    Located::named(console, &mut console.read().await?, &program.caller, name).await
}

/// Rotations, the newest first.
#[utoipa::path(
    get, path = "/api/v1/rotations", tag = "Rotations", operation_id = "listRotations", params(RotationQuery),
    security(("personal" = ["rotations:read"])),
    responses(
        (status = 200, body = Page<Rotation>), (status = 401, response = Refused), (status = 404, response = Refused),
        (status = 422, response = Mistaken),
    )
)]
pub async fn list_rotations(program: Program, Query(query): Query<RotationQuery>) -> Answer<Page<Rotation>> {
    let console = program.console();
    let limit = page_of(query.limit)?;
    let mut db = console.read().await?;
    let secret = match &query.secret {
        Some(name) => Some(Located::named(console, &mut db, &program.caller, name).await?.secret.id),
        None => None,
    };
    let wanted = store::Wanted {
        projects: &projects(console, &mut db, &program.caller, query.project.as_deref()).await?,
        secret: secret.as_deref(),
        ended: query.state.map(|state| state == State::Ended),
        before: before_of(query.before.as_deref())?,
    };
    let rows = store::page(&mut db, &wanted, limit + 1, console.seal_key()).await?;
    let more = rows.len() > limit as usize;
    let mut items = Vec::new();
    for row in rows.iter().take(limit as usize) {
        let located = Located::find(&mut db, &row.secret_id, console.seal_key()).await?;
        items.extend(located.map(|located| rotation_of(row, &located)));
    }
    Ok(Json(Page { next: items.last().filter(|_| more).map(|last| last.id.clone()), items }))
}

/// One rotation, who still uses what, and what the trail says of it.
#[utoipa::path(
    get, path = "/api/v1/rotations/{id}", tag = "Rotations", operation_id = "readRotation",
    params(("id" = String, Path, description = "`rot_…`")),
    security(("personal" = ["rotations:read"])),
    responses((status = 200, body = RotationDetail), (status = 401, response = Refused), (status = 404, response = Refused))
)]
pub async fn read_rotation(program: Program, Path(id): Path<String>) -> Answer<RotationDetail> {
    let console = program.console();
    let (row, located) = operations::visible_rotation(console, &program.caller, &id).await?;
    let (now, key) = (console.now(), console.seal_key());
    let mut db = console.read().await?;
    let mut consumers = Vec::new();
    for consumer in operations::consumers(&mut db, &row.secret_id, now).await? {
        if let Some(workload) = crate::workloads::store::find(&mut db, &consumer.workload, key).await? {
            consumers.push(Consumer { workload: workload.slug, version: consumer.version, fetched_at: consumer.at });
        }
    }
    let cases = case_store::of_version(&mut db, &row.secret_id, row.from_version, key).await?;
    let events = operations::history(&mut db, &row.secret_id, &id, row.started_at).await?;
    Ok(Json(RotationDetail {
        rotation: rotation_of(&row, &located),
        consumers,
        cases: cases.into_iter().map(|case| case.id).collect(),
        events: events.into_iter().map(event_of).collect(),
    }))
}

/// Begins a rotation now, by the secret's plan.
#[utoipa::path(
    post, path = "/api/v1/rotations", tag = "Rotations", operation_id = "startRotation", request_body = OfSecret,
    security(("personal" = ["rotations:write"])),
    responses(
        (status = 200, body = Begun), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 404, response = Refused), (status = 409, response = Conflicting), (status = 422, response = Mistaken),
    )
)]
pub async fn start_rotation(program: Program, Body(body): Body<OfSecret>) -> Answer<Begun> {
    let located = named(&program, &body.secret).await?;
    let (rotation, receipt) =
        operations::start_rotation(program.console(), &program.caller, &located.secret.id).await?;
    Ok(Json(Begun { rotation, event: receipt.seq }))
}

/// Asks the target whether a rotation would work now. Nothing is changed.
#[utoipa::path(
    post, path = "/api/v1/rotations/check", tag = "Rotations", operation_id = "checkRotation", request_body = OfSecret,
    security(("personal" = ["rotations:write"])),
    responses(
        (status = 200, body = Checked), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 404, response = Refused), (status = 422, response = Mistaken),
    )
)]
pub async fn check_rotation(program: Program, Body(body): Body<OfSecret>) -> Answer<Checked> {
    let located = named(&program, &body.secret).await?;
    let (works, _, receipt) =
        operations::check_rotation(program.console(), &program.caller, &located.secret.id).await?;
    let (will_work, said) = match works {
        Ok(said) => (true, said),
        Err(why) => (false, why),
    };
    Ok(Json(Checked { will_work, said, event: receipt.seq }))
}

/// Pauses a secret's schedule for some days.
#[utoipa::path(
    post, path = "/api/v1/rotations/pause", tag = "Rotations", operation_id = "pauseRotation", request_body = Pause,
    security(("personal" = ["rotations:write"])),
    responses(
        (status = 200, body = Done), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 404, response = Refused), (status = 422, response = Mistaken),
    )
)]
pub async fn pause_rotation(program: Program, Body(body): Body<Pause>) -> Answer<Done> {
    let located = named(&program, &body.secret).await?;
    let console = program.console();
    let receipt =
        operations::pause_rotation(console, &program.caller, &located.secret.id, i64::from(body.days), &body.reason)
            .await?;
    Ok(Json(Done { event: receipt.seq }))
}

/// Ends the pause of a secret's schedule.
#[utoipa::path(
    post, path = "/api/v1/rotations/unpause", tag = "Rotations", operation_id = "resumeRotation", request_body = OfSecret,
    security(("personal" = ["rotations:write"])),
    responses(
        (status = 200, body = Done), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 404, response = Refused), (status = 409, response = Conflicting),
    )
)]
pub async fn resume_rotation(program: Program, Body(body): Body<OfSecret>) -> Answer<Done> {
    let located = named(&program, &body.secret).await?;
    let receipt = operations::resume_rotation(program.console(), &program.caller, &located.secret.id).await?;
    Ok(Json(Done { event: receipt.seq }))
}

/// Sends a rotation that needs a person on its way. What the target denies is not accepted.
#[utoipa::path(
    post, path = "/api/v1/rotations/{id}/resolve", tag = "Rotations", operation_id = "resolveRotation",
    params(("id" = String, Path, description = "`rot_…`")), request_body = Resolve,
    security(("personal" = ["rotations:write"])),
    responses(
        (status = 200, body = Done), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 404, response = Refused), (status = 409, response = Conflicting), (status = 422, response = Mistaken),
    )
)]
pub async fn resolve_rotation(program: Program, Path(id): Path<String>, Body(body): Body<Resolve>) -> Answer<Done> {
    let choice = match body.choice {
        Choice::Retry => Chosen::Retry,
        Choice::KeepNew => Chosen::KeepNew,
        Choice::KeepOld => Chosen::KeepOld,
        Choice::Disable => Chosen::Disable,
    };
    let receipt = operations::resolve_rotation(program.console(), &program.caller, &id, choice, &body.comment).await?;
    Ok(Json(Done { event: receipt.seq }))
}

/// Ends a rotation that has not begun at its target.
#[utoipa::path(
    post, path = "/api/v1/rotations/{id}/cancel", tag = "Rotations", operation_id = "cancelRotation",
    params(("id" = String, Path, description = "`rot_…`")), request_body = Cancel,
    security(("personal" = ["rotations:write"])),
    responses(
        (status = 200, body = Done), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 404, response = Refused), (status = 409, response = Conflicting), (status = 422, response = Mistaken),
    )
)]
pub async fn cancel_rotation(program: Program, Path(id): Path<String>, Body(body): Body<Cancel>) -> Answer<Done> {
    let receipt = operations::cancel_rotation(program.console(), &program.caller, &id, &body.comment).await?;
    Ok(Json(Done { event: receipt.seq }))
}

/// Ends the overlap now, whoever still uses the old value.
#[utoipa::path(
    post, path = "/api/v1/rotations/{id}/cut-off", tag = "Rotations", operation_id = "cutOffRotation",
    params(("id" = String, Path, description = "`rot_…`")),
    security(("personal" = ["rotations:write"])),
    responses(
        (status = 200, body = Done), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 404, response = Refused), (status = 409, response = Conflicting),
    )
)]
pub async fn cut_off_rotation(program: Program, Path(id): Path<String>) -> Answer<Done> {
    let receipt = operations::cut_off(program.console(), &program.caller, &id).await?;
    Ok(Json(Done { event: receipt.seq }))
}

/// Goes back to the old value while both work.
#[utoipa::path(
    post, path = "/api/v1/rotations/{id}/roll-back", tag = "Rotations", operation_id = "rollBackRotation",
    params(("id" = String, Path, description = "`rot_…`")), request_body = RollBack,
    security(("personal" = ["rotations:write"])),
    responses(
        (status = 200, body = Done), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 404, response = Refused), (status = 409, response = Conflicting), (status = 422, response = Mistaken),
    )
)]
pub async fn roll_back_rotation(program: Program, Path(id): Path<String>, Body(body): Body<RollBack>) -> Answer<Done> {
    let receipt = operations::roll_back(program.console(), &program.caller, &id, &body.reason).await?;
    Ok(Json(Done { event: receipt.seq }))
}

/// What ran, runs and will begin by itself.
#[utoipa::path(
    get, path = "/api/v1/rotations/calendar", tag = "Rotations", operation_id = "readCalendar", params(CalendarQuery),
    security(("personal" = ["rotations:read"])),
    responses((status = 200, body = Calendar), (status = 401, response = Refused), (status = 422, response = Mistaken))
)]
pub async fn rotation_calendar(program: Program, Query(query): Query<CalendarQuery>) -> Answer<Calendar> {
    let console = program.console();
    let days = query.days.unwrap_or(31);
    let from = query.from.unwrap_or(console.now());
    if !(2000..2200).contains(&from.year()) {
        return Err(Error::invalid("from", "Between the years 2000 and 2200.").into());
    }
    let until = from.checked_add_signed(TimeDelta::days(days.into())).filter(|_| (1..=92).contains(&days));
    let until = until.ok_or_else(|| Error::invalid("days", "Between 1 and 92."))?;
    let (dated, incomplete) =
        operations::calendar(console, &mut console.read().await?, &program.caller, from, until).await?;
    let items = dated.into_iter().map(|dated| {
        let (rotation, state) = match dated.what {
            operations::What::Rotation(row) => (Some(row.id.clone()), row.step().code().to_owned()),
            operations::What::Planned => (None, "planned".into()),
            operations::What::Held => (None, "held".into()),
        };
        Dated { at: dated.at, secret: place(&dated.located), rotation, state }
    });
    Ok(Json(Calendar { from, until, items: items.collect(), incomplete }))
}

/// Cases, the newest first.
#[utoipa::path(
    get, path = "/api/v1/cases", tag = "Cases", operation_id = "listCases", params(CaseQuery),
    security(("personal" = ["rotations:read"])),
    responses(
        (status = 200, body = Page<Case>), (status = 401, response = Refused), (status = 404, response = Refused),
        (status = 422, response = Mistaken),
    )
)]
pub async fn list_cases(program: Program, Query(query): Query<CaseQuery>) -> Answer<Page<Case>> {
    let console = program.console();
    let limit = page_of(query.limit)?;
    let mut db = console.read().await?;
    let projects = projects(console, &mut db, &program.caller, query.project.as_deref()).await?;
    let (ended, key) = (query.state.map(|state| state == State::Ended), console.seal_key());
    let rows = case_store::page(&mut db, &projects, ended, before_of(query.before.as_deref())?, limit + 1, key).await?;
    let more = rows.len() > limit as usize;
    let mut items = Vec::new();
    for row in rows.iter().take(limit as usize) {
        let located = Located::find(&mut db, &row.secret_id, console.seal_key()).await?;
        items.extend(located.map(|located| case_of(console, row, &located)));
    }
    Ok(Json(Page { next: items.last().filter(|_| more).map(|last| last.id.clone()), items }))
}

/// One case and what the trail says of it.
#[utoipa::path(
    get, path = "/api/v1/cases/{id}", tag = "Cases", operation_id = "readCase",
    params(("id" = String, Path, description = "`cas_…`")),
    security(("personal" = ["rotations:read"])),
    responses((status = 200, body = CaseDetail), (status = 401, response = Refused), (status = 404, response = Refused))
)]
pub async fn read_case(program: Program, Path(id): Path<String>) -> Answer<CaseDetail> {
    let console = program.console();
    let (row, located) = operations::visible_case(console, &program.caller, &id).await?;
    let mut db = console.read().await?;
    let events = operations::history(&mut db, &row.secret_id, &id, row.opened_at).await?;
    Ok(Json(CaseDetail { case: case_of(console, &row, &located), events: events.into_iter().map(event_of).collect() }))
}

/// Mean time to rotate and what stands beside it, for each trigger.
#[utoipa::path(
    get, path = "/api/v1/figures/rotations", tag = "Figures", operation_id = "readRotationFigures", params(FiguresQuery),
    security(("personal" = ["rotations:read"])),
    responses(
        (status = 200, body = RotationFigures), (status = 401, response = Refused), (status = 404, response = Refused),
        (status = 422, response = Mistaken),
    )
)]
pub async fn rotation_figures(program: Program, Query(query): Query<FiguresQuery>) -> Answer<RotationFigures> {
    let console = program.console();
    let days = query.days.unwrap_or(90);
    if !(1..=365).contains(&days) {
        return Err(Error::invalid("days", "Between 1 and 365.").into());
    }
    let until = console.now();
    let from = until - TimeDelta::days(days.into());
    let mut db = console.read().await?;
    if let Some(slug) = &query.project {
        catalog::visible_project(console, &mut db, &program.caller, slug).await?;
    }
    let seen = Seen::by(console, &mut db, &program.caller, query.project.as_deref()).await?;
    let seconds = |time: Option<TimeDelta>| time.map(|time| time.num_seconds());
    let parts = seen.parts(console, &mut db, from, until).await?;
    let figures = seen.figures(console, &mut db, from, until).await?;
    let triggers = figures.into_iter().zip(parts).map(|((trigger, figures), (_, parts))| Figures {
        trigger: trigger.code().into(),
        mean: seconds(figures.mean),
        p90: seconds(figures.p90),
        longest: seconds(figures.longest),
        proved: figures.proved as u64,
        ended: figures.ended as u64,
        began: figures.began as u64,
        within_target: figures.within as u64,
        undecided: figures.undecided as u64,
        median: seconds(figures.median),
        open: figures.open as u64,
        open_longest: seconds(figures.open_longest),
        parts: Parts {
            proved: parts.proved as u64,
            cases: parts.cases as u64,
            late: seconds(parts.late),
            queue: seconds(parts.queue),
            cycle: seconds(parts.cycle),
            overlap: seconds(parts.overlap),
            ended: parts.ended as u64,
            first_attempt: parts.first_attempt as u64,
        },
    });
    Ok(Json(RotationFigures { from, until, triggers: triggers.collect() }))
}
