//! The log for those who verify: checkpoint, tiles and proofs, as C2SP lays them out.
use super::{Problem, Site, visitor::Visitor};
use crate::{
    audit::{builder, store, tiles},
    policies::Situation,
};
use app::{
    audit::{
        action::Action,
        tree::{TILE, leaf_hash},
    },
    error::{Error, Refusal},
};
use axum::{
    Json,
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};

/// Size and pace of a log say something about an organisation: a sign-in is needed, but in a demonstration.
async fn reader(visitor: &Visitor) -> Result<(), Error> {
    match visitor.caller().await? {
        Some(_) => Ok(()),
        None if visitor.site.console.demo => Ok(()),
        None => Err(Error::Unauthenticated),
    }
}

async fn signed(site: &Site) -> Result<(u64, String), Error> {
    let built = site.console.builder.build().await?;
    if built.size > 0 {
        return Ok((built.size, built.note));
    }
    builder::latest(&mut site.console.read().await?).await?.ok_or(Error::NotFound)
}

/// The newest signed checkpoint (C2SP tlog-checkpoint).
pub async fn checkpoint(visitor: Visitor) -> Result<Response, Problem> {
    reader(&visitor).await?;
    let (_, note) = signed(&visitor.site).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response())
}

/// `/log/tile/<L>/<N>[.p/<W>]` (C2SP tlog-tiles): the hashes of a tile, full or of width W.
pub async fn tile(visitor: Visitor, Path((level, rest)): Path<(u32, String)>) -> Result<Response, Problem> {
    reader(&visitor).await?;
    let (n, width) = parse_tile(&rest).ok_or(Error::NotFound)?;
    if level > 7 {
        return Err(Error::NotFound.into());
    }
    let (size, _) = signed(&visitor.site).await?;
    let hashes = tiles::tile(&mut visitor.site.console.read().await?, size, level, n).await?;
    if (hashes.len() as u64) < width {
        return Err(Error::NotFound.into());
    }
    let bytes = hashes[..width as usize].concat();
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

/// A tile's number in groups of three digits, `x` before all but the last, and its width.
fn parse_tile(text: &str) -> Option<(u64, u64)> {
    let (number, width) = match text.split_once(".p/") {
        Some((number, width)) => (number, width.parse().ok().filter(|width| (1..TILE).contains(width))?),
        None => (text, TILE),
    };
    let groups: Vec<&str> = number.split('/').collect();
    let (last, before) = groups.split_last()?;
    let mut n: u64 = 0;
    for group in before.iter().map(|group| group.strip_prefix('x')).chain([Some(*last)]) {
        let group = group.filter(|group| group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit()))?;
        n = n.checked_mul(1000)?.checked_add(group.parse().ok()?)?;
    }
    // One spelling: no leading group of zeros.
    (before.is_empty() || !groups[0].eq("x000")).then_some((n, width))
}

/// An inclusion proof of one event against the newest checkpoint.
pub async fn proof(visitor: Visitor, Path(seq): Path<u64>) -> Result<Response, Problem> {
    let console = &visitor.site.console;
    let caller = visitor.caller().await?.ok_or(Error::Unauthenticated)?;
    if console.would(&caller.unlimited(), Action::ReadTrail, None, Situation::default()).is_some() {
        return Err(Error::Refused(Refusal::NoRule).into());
    }
    let (size, note) = signed(&visitor.site).await?;
    if seq >= size {
        return Err(Error::NotFound.into());
    }
    let mut db = console.read().await?;
    let row = store::find(&mut db, seq).await?.ok_or(Error::NotFound)?;
    let path = tiles::Prover::new(size).inclusion(&mut db, seq).await?;
    let body = serde_json::json!({
        "seq": seq,
        "leaf": STANDARD.encode(&row.leaf),
        "leaf_hash": STANDARD.encode(leaf_hash(&row.leaf)),
        "path": path.iter().map(|hash| STANDARD.encode(hash)).collect::<Vec<_>>(),
        "checkpoint": note,
    });
    Ok(Json(body).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_have_one_address() {
        assert_eq!(parse_tile("000"), Some((0, 256)));
        assert_eq!(parse_tile("x001/x234/067"), Some((1_234_067, 256)));
        assert_eq!(parse_tile("067.p/12"), Some((67, 12)));
        for bad in ["", "67", "x000/067", "0067", "x1/067", "067.p/0", "067.p/256", "abc", "067/x001"] {
            assert_eq!(parse_tile(bad), None, "{bad}");
        }
    }
}
