//! Requests and grants, as far as a token's owner may see them.
use super::{
    bearer::Program,
    model::*,
    reference::{Mistaken, Refused},
    rotations::{page_of, place},
};
use crate::{
    catalog::Located,
    console::Console,
    db::Sql,
    grants::{self, store::Holder},
    http::Problem,
    requests::{self as operations, store},
};
use app::{error::Error, grants::model as given, id::RequestId, requests::model as asked};
use axum::{
    Json,
    extract::{Path, Query},
};

type Answer<T> = Result<Json<T>, Problem>;

async fn places<'a>(
    console: &Console,
    db: &mut impl Sql,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Place>, Error> {
    let mut found = Vec::new();
    for id in ids {
        found.extend(Located::find(db, id, console.seal_key()).await?.as_ref().map(place));
    }
    Ok(found)
}

async fn request_of(
    console: &Console,
    db: &mut impl Sql,
    row: &store::Request,
    decisions: &[store::Decision],
) -> Result<AccessRequest, Error> {
    let state = match row.state(decisions, console.now()) {
        asked::State::InReview { .. } => "in_review",
        asked::State::Ended(outcome) => outcome.code(),
    };
    Ok(AccessRequest {
        id: row.id.clone(),
        requester: row.requester_id.clone(),
        workload: row.workload_id.clone(),
        secrets: places(console, db, row.secret_ids()).await?,
        right: row.right().code().into(),
        minutes: row.minutes,
        reason: row.reason.clone(),
        state: state.into(),
        approvals: row.standing(decisions).count() as u32,
        needed: row.seats().len() as u32,
        submitted_at: row.submitted_at,
        expires_at: row.expires_at,
        ended_at: row.ended_at,
        grant: row.grant_id.clone(),
    })
}

/// One's own requests, the newest first; or what one can decide now.
#[utoipa::path(
    get, path = "/api/v1/requests", tag = "Access", operation_id = "listRequests", params(RequestQuery),
    security(("personal" = ["access:read"])),
    responses(
        (status = 200, body = Page<AccessRequest>), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 422, response = Mistaken),
    )
)]
pub async fn list_requests(program: Program, Query(query): Query<RequestQuery>) -> Answer<Page<AccessRequest>> {
    let console = program.console();
    let limit = page_of(query.limit)?;
    if query.before.as_ref().is_some_and(|text| text.parse::<RequestId>().is_err()) {
        return Err(Error::invalid("before", "This is no next of a page.").into());
    }
    let mut items = Vec::new();
    if query.of == Whose::Inbox {
        let waiting = operations::inbox(console, &program.caller).await?;
        let mut db = console.read().await?;
        for (row, decisions) in &waiting {
            items.push(request_of(console, &mut db, row, decisions).await?);
        }
        return Ok(Json(Page { items, next: None }));
    }
    let (mut db, key) = (console.read().await?, console.seal_key());
    let rows = store::page_of(&mut db, program.caller.id(), query.before.as_deref(), limit + 1, key).await?;
    let more = rows.len() > limit as usize;
    for row in rows.iter().take(limit as usize) {
        let decisions = store::decisions(&mut db, &row.id, key).await?;
        items.push(request_of(console, &mut db, row, &decisions).await?);
    }
    Ok(Json(Page { next: items.last().filter(|_| more).map(|last| last.id.clone()), items }))
}

/// One request, and what was said of it.
#[utoipa::path(
    get, path = "/api/v1/requests/{id}", tag = "Access", operation_id = "readRequest",
    params(("id" = String, Path, description = "`req_…`")),
    security(("personal" = ["access:read"])),
    responses(
        (status = 200, body = RequestDetail), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 404, response = Refused),
    )
)]
pub async fn read_request(program: Program, Path(id): Path<String>) -> Answer<RequestDetail> {
    let console = program.console();
    let (row, decisions) = operations::visible_request(console, &program.caller, &id).await?;
    let mut db = console.read().await?;
    let request = request_of(console, &mut db, &row, &decisions).await?;
    let decisions = decisions
        .into_iter()
        .map(|decision| Decision {
            stands: decision.digest == row.digest,
            person: decision.person_id,
            verdict: decision.verdict,
            comment: decision.comment,
            decided_at: decision.decided_at,
        })
        .collect();
    Ok(Json(RequestDetail { request, decisions }))
}

/// What the token's owner holds: in force, suspended, or beginning later.
#[utoipa::path(
    get, path = "/api/v1/grants", tag = "Access", operation_id = "listGrants", security(("personal" = ["access:read"])),
    responses((status = 200, body = Page<Grant>), (status = 401, response = Refused), (status = 403, response = Refused))
)]
pub async fn list_grants(program: Program) -> Answer<Page<Grant>> {
    let console = program.console();
    let (mut db, now) = (console.read().await?, console.now());
    let rows = grants::store::open_of(&mut db, Holder::Person(program.caller.id()), now, console.seal_key()).await?;
    let mut items = Vec::new();
    for row in rows {
        let state = match row.state(now) {
            given::State::Scheduled => "scheduled",
            given::State::Active => "active",
            given::State::Suspended => "suspended",
            given::State::Ended | given::State::Revoked | given::State::GivenBack => continue,
        };
        items.push(Grant {
            secrets: places(console, &mut db, row.secrets.split(' ')).await?,
            state: state.into(),
            id: row.id,
            request: row.request_id,
            right: row.access_right,
            starts_at: row.starts_at,
            expires_at: row.expires_at,
        });
    }
    Ok(Json(Page { items, next: None }))
}
