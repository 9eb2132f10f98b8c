//! The log for witnesses: its head, the proof that it continues an earlier one, and what a witness says of it.
use super::{
    bearer::{Body, Program},
    model::*,
    reference::{Mistaken, Refused},
};
use crate::{
    audit::{
        store::{self, CosignedHead},
        tiles::Prover,
    },
    http::Problem,
    policies::Situation,
};
use app::{audit::action::Action, error::Error};
use axum::{Json, extract::Query};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::DateTime;

type Answer<T> = Result<Json<T>, Problem>;

fn may(program: &Program) -> Result<(), Error> {
    let refusal = program.console().would(&program.caller, Action::CosignHead, None, Situation::default());
    refusal.map_or(Ok(()), |why| Err(Error::Refused(why)))
}

/// The newest signed head.
#[utoipa::path(
    get, path = "/api/v1/log/checkpoint", tag = "Log", operation_id = "logCheckpoint",
    security(("personal" = ["log:witness"])),
    responses((status = 200, body = LogHead), (status = 401, response = Refused), (status = 403, response = Refused))
)]
pub async fn log_checkpoint(program: Program) -> Answer<LogHead> {
    may(&program)?;
    let builder = &program.console().builder;
    Ok(Json(LogHead { checkpoint: builder.build().await?.note, key: builder.verifier().to_string() }))
}

/// That the tree of `from` events is the beginning of the tree of `to`.
#[utoipa::path(
    get, path = "/api/v1/log/consistency", tag = "Log", operation_id = "logConsistency", params(Between),
    security(("personal" = ["log:witness"])),
    responses(
        (status = 200, body = ConsistencyProof), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 422, response = Mistaken),
    )
)]
pub async fn log_consistency(program: Program, Query(between): Query<Between>) -> Answer<ConsistencyProof> {
    may(&program)?;
    let console = program.console();
    let size = console.builder.build().await?.size;
    let Between { from, to } = between;
    if from > to || to > size {
        return Err(Error::invalid("to", format!("Between two sizes up to {size}, the smaller one first.")).into());
    }
    let proof = Prover::new(to).consistency(&mut console.read().await?, from).await?;
    Ok(Json(ConsistencyProof { from, to, proof: proof.iter().map(|hash| STANDARD.encode(hash)).collect() }))
}

/// Leaves a witness's cosignature of a head. Only witnesses whose keys this console was started with are heard.
#[utoipa::path(
    post, path = "/api/v1/log/cosignatures", tag = "Log", operation_id = "cosignHead", request_body = Cosignature,
    security(("personal" = ["log:witness"])),
    responses(
        (status = 200, body = Heard), (status = 401, response = Refused), (status = 403, response = Refused),
        (status = 422, response = Mistaken),
    )
)]
pub async fn cosign_head(program: Program, Body(body): Body<Cosignature>) -> Answer<Heard> {
    may(&program)?;
    let console = program.console();
    let wrong = |why: &str| Error::invalid("line", why);
    let name = body.line.strip_prefix("\u{2014} ").and_then(|rest| rest.split(' ').next());
    let witness = console.witnesses.iter().find(|known| Some(known.name()) == name);
    let witness = witness.ok_or_else(|| wrong("No witness of this name is known here (see --witness)."))?;
    let mut db = console.read().await?;
    let note = store::checkpoint_below(&mut db, body.size).await?;
    drop(db);
    let head = note.and_then(|note| console.builder.verifier().open(&note).ok());
    let head = head.filter(|head| head.size == body.size);
    let head = head.ok_or_else(|| Error::invalid("size", "No head of this size was signed."))?;
    let time =
        witness.saw(&head, &body.line).map_err(|why| wrong(&format!("It is no cosignature of this head: {why}.")))?;
    let cosigned_at = i64::try_from(time).ok().and_then(|time| DateTime::from_timestamp(time, 0));
    let row = CosignedHead {
        witness: witness.name().to_owned(),
        size: head.size as i64,
        root: head.root.to_vec(),
        line: body.line,
        cosigned_at: cosigned_at.ok_or_else(|| wrong("Its time cannot be read."))?,
        heard_at: console.now(),
    };
    let mut tx = console.ledger.housekeeping().await?;
    store::note_cosigned_head(&mut tx, &row).await?;
    tx.finish().await?;
    Ok(Json(Heard { witness: row.witness, size: head.size }))
}
