//! The trail and what can be made of it, for programs.
use super::{
    bearer::{Body, Program},
    model::*,
    reference::{Conflicting, Mistaken, Refused},
    rotations::page_of,
};
use crate::{
    audit::{
        search,
        store::{self, Stored},
        tiles::Prover,
    },
    http::{
        Problem,
        audit::{lines, reading},
        reports::streamed,
        visitor::Names,
    },
    reports::{self, Download, Wanted},
};
use app::{
    audit::{page::Line, query::Query as TrailQuery},
    error::Error,
    reports::model::{Format, Kind},
};
use axum::{
    Json,
    extract::{Path, Query},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono_tz::Tz;

type Answer<T> = Result<Json<T>, Problem>;

fn event_of(row: Stored, line: Line) -> TrailEvent {
    TrailEvent {
        seq: row.seq as u64,
        at: row.at,
        action: row.action,
        words: line.words,
        outcome: row.outcome,
        reason: row.reason,
        actor_kind: row.actor_kind,
        actor: row.actor_id,
        actor_name: line.actor,
        about: line.about,
        project: row.project_id,
        environment: row.environment_id,
        secret: row.secret_id,
        request: row.request_id,
        grant: row.grant_id,
    }
}

fn zone_of(zone: Option<&str>) -> Result<Tz, Error> {
    zone.unwrap_or("UTC").parse().map_err(|_| Error::invalid("zone", "No time zone has this name."))
}

/// Events that fit a query, the newest first.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "Trail", operation_id = "searchEvents", params(EventQuery),
    security(("personal" = ["trail:read"])),
    responses(
        (status = 200, body = EventPage), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 422, response = Mistaken),
    )
)]
pub async fn search_events(program: Program, Query(asked): Query<EventQuery>) -> Answer<EventPage> {
    let console = program.console();
    let limit = page_of(asked.limit)?;
    let zone = zone_of(asked.zone.as_deref())?;
    let query = TrailQuery::parse(&asked.q).map_err(|mistake| Error::invalid("q", mistake.to_string()))?;
    let (reading, _) = reading(&program.site, &program.caller, &query.to_string()).await?;
    search::refresh(console).await?;
    let mut db = console.read().await?;
    let filter = search::resolve(console, &mut db, &program.caller, &reading, &query, zone).await;
    let page = filter.map_err(Error::from)?.page(&mut db, asked.before, limit.into()).await?;
    let lines = lines::lines(&program.site, &mut db, &mut Names::default(), &page.rows, zone).await?;
    let size = store::size(&mut db).await?;
    let items = page.rows.into_iter().zip(lines).map(|(row, line)| event_of(row, line)).collect();
    Ok(Json(EventPage { items, next: (!page.complete).then_some(page.looked_to), size }))
}

/// One event, its leaf, and the proof that it is in the tree.
#[utoipa::path(
    get, path = "/api/v1/events/{seq}", tag = "Trail", operation_id = "readEvent",
    params(("seq" = u64, Path, description = "The event's number.")),
    security(("personal" = ["trail:read"])),
    responses(
        (status = 200, body = ProvenEvent), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 404, response = Refused), (status = 422, response = Mistaken),
    )
)]
pub async fn read_event(program: Program, Path(seq): Path<u64>) -> Answer<ProvenEvent> {
    let console = program.console();
    let (reading, _) = reading(&program.site, &program.caller, &format!("event:{seq}")).await?;
    let built = console.builder.build().await?;
    let mut db = console.read().await?;
    let row = store::find(&mut db, seq).await?.filter(|row| reading.covers_event(row));
    let row = row.filter(|_| seq < built.size).ok_or(Error::NotFound)?;
    let proof = Prover::new(built.size).inclusion(&mut db, seq).await?;
    let disclosed = store::told(&mut db, [row.numbered()]).await?;
    let line = lines::lines(&program.site, &mut db, &mut Names::default(), std::slice::from_ref(&row), Tz::UTC).await?;
    let line = line.into_iter().next().ok_or(Error::NotFound)?;
    Ok(Json(ProvenEvent {
        leaf: STANDARD.encode(&row.leaf),
        event: event_of(row, line),
        proof: proof.iter().map(|hash| STANDARD.encode(hash)).collect(),
        checkpoint: built.note,
        disclosed: disclosed.into_iter().map(|(_, field, _, value)| (field, value)).collect(),
    }))
}

/// Has something made of the trail. It is made in the background and kept for a day.
#[utoipa::path(
    post, path = "/api/v1/exports", tag = "Trail", operation_id = "startExport", request_body = ExportRequest,
    security(("personal" = ["trail:read"])),
    responses(
        (status = 200, body = ExportBegun), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 422, response = Mistaken),
    )
)]
pub async fn start_export(program: Program, Body(body): Body<ExportRequest>) -> Answer<ExportBegun> {
    let kind = Kind::from_code(&body.kind).ok_or_else(|| Error::invalid("kind", "There is no such kind."))?;
    let zone = body.zone.as_deref().unwrap_or("UTC");
    let format = body.format.as_deref().map_or(Some(Format::Csv), Format::from_code);
    let format = format.ok_or_else(|| Error::invalid("format", "csv, xlsx, jsonl or pdf."))?;
    let wanted = Wanted {
        kind,
        format,
        query: &body.q,
        zone,
        redacted: body.redacted,
        raw: body.raw,
        sample: body.sample.unwrap_or_default(),
        nonce: body.nonce.as_deref().unwrap_or_default(),
    };
    let (export, receipt) = reports::start_export(program.console(), &program.caller, wanted).await?;
    Ok(Json(ExportBegun { export, event: receipt.seq }))
}

fn export_of(job: reports::store::Job, now: app::time::Moment) -> Export {
    Export {
        state: job.state(now).code().into(),
        percent: (job.done * 100).checked_div(job.total).unwrap_or(0).clamp(0, 100) as u64,
        id: job.id,
        kind: job.kind,
        format: job.format,
        q: job.query,
        failure: job.failure,
        as_of: job.as_of as u64,
        rows: job.rows_written as u64,
        bytes: job.bytes_written as u64,
        sha256: job.digest,
        asked_at: job.created_at,
        kept_until: job.expires_at,
    }
}

/// What the token's owner had made lately.
#[utoipa::path(
    get, path = "/api/v1/exports", tag = "Trail", operation_id = "listExports",
    security(("personal" = ["trail:read"])),
    responses((status = 200, body = Page<Export>), (status = 401, response = Refused))
)]
pub async fn list_exports(program: Program) -> Answer<Page<Export>> {
    let console = program.console();
    let jobs = reports::store::of_person(&mut console.read().await?, program.caller.id(), 50).await?;
    Ok(Json(Page { items: jobs.into_iter().map(|job| export_of(job, console.now())).collect(), next: None }))
}

/// How far one is.
#[utoipa::path(
    get, path = "/api/v1/exports/{id}", tag = "Trail", operation_id = "readExport",
    params(("id" = String, Path, description = "`rep_…`")),
    security(("personal" = ["trail:read"])),
    responses((status = 200, body = Export), (status = 401, response = Refused), (status = 404, response = Refused))
)]
pub async fn read_export(program: Program, Path(id): Path<String>) -> Answer<Export> {
    let job = reports::own_job(program.console(), &program.caller, &id).await?;
    Ok(Json(export_of(job, program.console().now())))
}

/// Stops one; what it had made is not kept.
#[utoipa::path(
    post, path = "/api/v1/exports/{id}/cancel", tag = "Trail", operation_id = "cancelExport",
    params(("id" = String, Path, description = "`rep_…`")),
    security(("personal" = ["trail:read"])),
    responses(
        (status = 200, body = Done), (status = 401, response = Refused), (status = 404, response = Refused),
        (status = 409, response = Conflicting),
    )
)]
pub async fn cancel_export(program: Program, Path(id): Path<String>) -> Answer<Done> {
    let receipt = reports::cancel_export(program.console(), &program.caller, &id).await?;
    Ok(Json(Done { event: receipt.seq }))
}

/// Its file.
#[utoipa::path(
    get, path = "/api/v1/exports/{id}/file", tag = "Trail", operation_id = "takeExport",
    params(("id" = String, Path, description = "`rep_…`")),
    security(("personal" = ["trail:read"])),
    responses(
        (status = 200, description = "The file, as what it was made.", content(
            (String = "text/csv"), (String = "application/jsonl"), (String = "text/plain"), (Vec<u8> = "application/pdf"),
            (Vec<u8> = "application/zip"),
            (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        )),
        (status = 401, response = Refused), (status = 403, response = Refused), (status = 404, response = Refused),
        (status = 409, response = Conflicting),
    )
)]
pub async fn take_export(program: Program, Path(id): Path<String>) -> Result<Response, Problem> {
    let download = Download::begin(program.console(), &program.caller, &id).await?;
    Ok(streamed(&id, download))
}
