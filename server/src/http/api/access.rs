//! Requests and grants, as far as a token's owner may see them.
use super::{
    bearer::{Body, Program},
    model::*,
    reference::{Conflicting, Mistaken, Refused},
    rotations::{page_of, place},
};
use crate::{
    catalog::Located,
    console::Console,
    db::Sql,
    grants::{self, store::Holder},
    http::Problem,
    requests::{self as operations, Ask, store},
};
use app::{
    audit::action::Action,
    error::Error,
    grants::model as given,
    id::{CorrelationId, RequestId},
    policies::model::Right,
    requests::model as asked,
};
use axum::{
    Json,
    extract::{Path, Query},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

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
            right: row.access_right.text(),
            starts_at: row.starts_at,
            expires_at: row.expires_at,
        });
    }
    Ok(Json(Page { items, next: None }))
}

/// The same name of the same person is the same request.
fn once(console: &Console, person: &str, name: Option<&str>) -> Result<String, Error> {
    match name {
        None => Ok(console.id::<CorrelationId>()?.to_string()),
        Some(name) if name.is_empty() || name.chars().count() > 200 => {
            Err(Error::invalid("once", "1 to 200 characters."))
        }
        Some(name) => {
            let digest = Sha256::new().chain_update(person).chain_update([0]).chain_update(name).finalize();
            Ok(format!("once_{}", URL_SAFE_NO_PAD.encode(digest)))
        }
    }
}

/// Asks for access. Where a person has to decide, they do it in the console.
#[utoipa::path(
    post, path = "/api/v1/requests", tag = "Access", operation_id = "submitRequest", request_body = AskFor,
    security(("personal" = ["access:write"])),
    responses(
        (status = 200, body = Asked), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 404, response = Refused), (status = 409, response = Conflicting), (status = 422, response = Mistaken),
    )
)]
pub async fn submit_request(program: Program, Body(body): Body<AskFor>) -> Answer<Asked> {
    let (console, caller) = (program.console(), &program.caller);
    let right = match &body.right {
        None => Right::Read,
        Some(code) => Right::from_code(code).ok_or_else(|| Error::invalid("right", "`read` or `write`."))?,
    };
    if body.secrets.len() > 100 {
        return Err(Error::invalid("secrets", "At most 100 secrets in one request.").into());
    }
    let mut secrets = Vec::new();
    let mut db = console.read().await?;
    for name in &body.secrets {
        secrets.push(Located::named(console, &mut db, caller, name).await?.secret.id);
    }
    drop(db);
    let form = once(console, caller.id(), body.once.as_deref())?;
    let ask = Ask {
        secrets,
        right,
        minutes: body.minutes,
        reason: &body.reason,
        starts_at: body.starts_at,
        workload: body.workload.as_deref(),
        form: &form,
    };
    let (request, action, receipt) = operations::submit_request(console, caller, ask).await?;
    Ok(Json(Asked { request, granted: action == Action::IssueGrant, event: receipt.seq }))
}

/// Withdraws one's own request: nobody is asked any more.
#[utoipa::path(
    post, path = "/api/v1/requests/{id}/withdraw", tag = "Access", operation_id = "withdrawRequest",
    params(("id" = String, Path, description = "`req_…`")),
    security(("personal" = ["access:write"])),
    responses(
        (status = 200, body = Done), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 404, response = Refused),
    )
)]
pub async fn withdraw_request(program: Program, Path(id): Path<String>) -> Answer<Done> {
    let receipt = operations::withdraw_request(program.console(), &program.caller, &id).await?;
    Ok(Json(Done { event: receipt.seq }))
}

/// Gives back access that one holds.
#[utoipa::path(
    post, path = "/api/v1/grants/{id}/give-back", tag = "Access", operation_id = "giveBackGrant",
    params(("id" = String, Path, description = "`grt_…`")),
    security(("personal" = ["access:write"])),
    responses(
        (status = 200, body = Done), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 404, response = Refused), (status = 409, response = Conflicting),
    )
)]
pub async fn give_back_grant(program: Program, Path(id): Path<String>) -> Answer<Done> {
    let receipt = grants::give_back_grant(program.console(), &program.caller, &id).await?;
    Ok(Json(Done { event: receipt.seq }))
}
