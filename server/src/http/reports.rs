//! Asking for exports, bundles and verifications, and taking them.
use super::{
    Problem,
    visitor::{Fields, Signed, done, mistaken, shown},
};
use crate::reports::{self, Download, Wanted, store, store::Job};
use app::{
    audit::action::Action,
    error::Error,
    reports::{
        model::{Format, Kind, State},
        page::{self, Line, One},
    },
    ui::Form,
};
use axum::{
    Json,
    body::Body,
    extract::{Path, Query},
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::Deserialize;

type Answer = Result<Response, Problem>;

/// Rows of a file on one page.
const ROWS: usize = 100;

/// How many are listed.
const LISTED: u32 = 50;

#[derive(Default, Deserialize)]
pub struct Asking {
    #[serde(default)]
    q: String,
    #[serde(default)]
    zone: String,
}

pub async fn list(signed: Signed, Query(asking): Query<Asking>) -> Answer {
    let zone = if asking.zone.is_empty() { "UTC".to_owned() } else { asking.zone };
    let form = Form::default().with("q", asking.q).with("zone", zone);
    Ok(shown(list_page(&signed, &form).await?))
}

async fn list_page(signed: &Signed, form: &Form) -> Result<String, Error> {
    let console = signed.console();
    reports::may_ask(console, &signed.caller).await?;
    let shell = signed.shell("/reports").await?;
    let now = console.now();
    let jobs = store::of_person(&mut console.read().await?, signed.caller.id(), LISTED).await?;
    let lines = jobs
        .into_iter()
        .map(|job| Line {
            kind: job.kind(),
            state: job.state(now),
            id: job.id,
            query: job.query,
            asked_at: job.created_at,
            rows: job.rows_written as u64,
        })
        .collect();
    Ok(page::list(&shell, lines, form))
}

pub async fn start(signed: Signed, fields: Fields) -> Answer {
    reports::may_ask(signed.console(), &signed.caller).await?;
    let started = async {
        let kind = Kind::from_code(fields.get("kind")).ok_or_else(|| Error::invalid("kind", "Choose what to make."))?;
        let wanted = Wanted {
            kind,
            format: Format::from_code(fields.get("format")).unwrap_or(Format::Csv),
            query: fields.get("q"),
            zone: fields.get("zone"),
            redacted: !fields.get("redacted").is_empty(),
            raw: !fields.get("raw").is_empty(),
            sample: if kind == Kind::Sample { fields.get("sample").trim().parse().unwrap_or_default() } else { 0 },
            nonce: fields.get("nonce"),
        };
        reports::start_export(signed.console(), &signed.caller, wanted).await
    };
    match started.await {
        Ok((id, receipt)) => Ok(done(&format!("/reports/{id}"), Action::StartExport, receipt)),
        Err(error) => {
            let form = fields.again(error, &[])?;
            Ok(mistaken(list_page(&signed, &form).await?))
        }
    }
}

pub async fn one(signed: Signed, Path(id): Path<String>) -> Answer {
    let console = signed.console();
    let job = reports::own_job(console, &signed.caller, &id).await?;
    let now = console.now();
    let state = job.state(now);
    if signed.visitor.wants_json {
        let percent = (job.done * 100).checked_div(job.total).unwrap_or(0).min(100);
        let open = matches!(state, State::Waiting | State::Running);
        let words = match open {
            true => format!("{}: {percent} %, {} rows so far", state.words(), job.rows_written),
            false => format!("{}: {} rows", state.words(), job.rows_written),
        };
        return Ok(Json(serde_json::json!({ "open": open, "words": words })).into_response());
    }
    let shell = signed.shell("/reports").await?;
    let text = match (job.kind(), state) {
        (Some(Kind::Verification), State::Done) => {
            let whole = Download::begin(console, &signed.caller, &id).await?.whole().await?;
            Some(String::from_utf8_lossy(&whole).into_owned())
        }
        _ => None,
    };
    Ok(shown(page::one(&shell, view(job, state, text))))
}

fn view(job: Job, state: State, text: Option<String>) -> One {
    One {
        kind: job.kind(),
        format: job.format(),
        state,
        text,
        id: job.id,
        query: job.query,
        zone: job.zone,
        redacted: job.redacted,
        raw: job.raw,
        sample: (job.sample > 0).then(|| (job.sample as u32, job.nonce.clone())),
        as_of: job.as_of as u64,
        asked_at: job.created_at,
        ended_at: job.ended_at,
        expires_at: job.expires_at,
        failure: job.failure,
        done: job.done as u64,
        total: job.total as u64,
        rows: job.rows_written as u64,
        bytes: job.bytes_written as u64,
        digest: job.digest,
    }
}

pub async fn cancel(signed: Signed, Path(id): Path<String>) -> Answer {
    let receipt = reports::cancel_export(signed.console(), &signed.caller, &id).await?;
    Ok(done(&format!("/reports/{id}"), Action::CancelExport, receipt))
}

fn named(id: &str, ending: &str) -> String {
    format!("attachment; filename=\"countersign-{}.{ending}\"", id.trim_start_matches("rep_"))
}

pub async fn file(signed: Signed, Path(id): Path<String>) -> Answer {
    let download = Download::begin(signed.console(), &signed.caller, &id).await?;
    Ok(streamed(&id, download))
}

#[derive(Default, Deserialize)]
pub struct From {
    #[serde(default)]
    from: usize,
}

/// Rows of a file, on a page. Looking at them is taking them, and recorded as such.
pub async fn rows(signed: Signed, Path(id): Path<String>, Query(From { from }): Query<From>) -> Answer {
    let job = reports::own_job(signed.console(), &signed.caller, &id).await?;
    if !reports::shown::is_shown(job.format()) {
        return Err(Error::NotFound.into());
    }
    let download = Download::begin(signed.console(), &signed.caller, &id).await?;
    let from = from.min(reports::shown::MOST - ROWS) / ROWS * ROWS;
    let kind = download.kind;
    let part = reports::shown::rows(download, from, ROWS).await?;
    let next = (part.more && from + ROWS < reports::shown::MOST).then_some(from + ROWS);
    let shell = signed.shell("/reports").await?;
    let view =
        page::Rows { id, kind, columns: part.columns, rows: part.rows, from, next, all: job.rows_written as u64 };
    Ok(shown(page::rows(&shell, view)))
}

/// A file on its way out, a chunk at a time.
pub fn streamed(id: &str, download: Download) -> Response {
    let (ending, media) = (download.format.code(), download.format.media());
    let headers = [
        (header::CONTENT_TYPE, media.to_owned()),
        (header::CONTENT_DISPOSITION, named(id, ending)),
        (header::CONTENT_LENGTH, download.bytes.to_string()),
    ];
    let parts = stream::unfold(Some(download), async |download| {
        let mut download = download?;
        match download.next().await {
            Ok(Some(part)) => Some((Ok(part), Some(download))),
            Ok(None) => None,
            Err(error) => Some((Err(std::io::Error::other(error.to_string())), None)),
        }
    });
    (headers, Body::from_stream(parts)).into_response()
}

pub async fn manifest(signed: Signed, Path(id): Path<String>) -> Answer {
    let note = reports::manifest(signed.console(), &signed.caller, &id).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, named(&id, "manifest.txt")),
    ];
    Ok((headers, note).into_response())
}
