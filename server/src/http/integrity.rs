//! The log's integrity, and the check of evidence in the reader's browser.
use super::{
    Problem,
    visitor::{Signed, Visitor, shown},
};
use crate::{
    audit::{anchor::Anchor, heads, search::Reading, store},
    policies::Situation,
    reports,
};
use app::{
    audit::{
        action::Action,
        page::{self, AnchorLine, Compared, CopyLine, Integrity, WitnessLine},
        tree::hex,
    },
    error::{Error, Refusal},
    reports::model::Kind,
};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;

type Answer = Result<Response, Problem>;

/// A witness that was not heard of for so long is called silent.
const SILENCE: TimeDelta = TimeDelta::minutes(15);

/// Anybody may check a bundle: nothing of this server is needed for it. Its key is shown to those who are signed in.
pub async fn check(visitor: Visitor) -> Answer {
    let caller = visitor.caller().await?;
    match caller {
        Some(caller) => {
            let key = visitor.site.console.builder.verifier().to_string();
            let signed = Signed { visitor, caller };
            let shell = signed.shell("/log").await?;
            Ok(shown(page::check(&shell, Some(key))))
        }
        None => Ok(axum::response::Html(page::check(&visitor.door(), None)).into_response()),
    }
}

pub async fn integrity(signed: Signed) -> Answer {
    let console = signed.console();
    let Some(reading) = Reading::of_events(console, &signed.caller).await? else {
        return Err(Error::Refused(Refusal::NoRule).into());
    };
    let built = console.builder.build().await.unwrap_or_else(|_| console.builder.signed());
    let key = console.builder.verifier();
    let head = key.open(&built.note).map_err(|_| Error::Unavailable)?;
    let since = heads::since_last_visit(console, &signed.caller, &head).await?;
    let shell = signed.shell("/log").await?;
    let now = console.now();
    let mut db = console.read().await?;
    let mut growth = [("In the last day", 1), ("In the last week", 7), ("In the last 30 days", 30)]
        .map(|(words, days)| (words, days as u64));
    for (_, days) in &mut growth {
        let from = store::first_at(&mut db, now - TimeDelta::days(*days as i64)).await?;
        *days = head.size.saturating_sub(from);
    }
    let copies = store::streams(&mut db).await?;
    let copies = copies.into_iter().map(|copy| CopyLine {
        lag: head.size.saturating_sub(copy.seq as u64),
        name: copy.name,
        moved_at: copy.moved_at,
        trouble: copy.trouble,
    });
    let copies = copies.collect();
    let cosigned = store::cosigned_heads(&mut db).await?;
    let verified = reports::store::latest(&mut db, Kind::Verification).await?;
    drop(db);
    let verified = verified
        .filter(|job| job.owner_id == signed.caller.id())
        .and_then(|job| Some((job.id, job.ended_at?, job.whole?)));
    let anchors = console.builder.anchors().kept().into_iter().map(|(anchor, kept)| AnchorLine {
        kind: match &anchor {
            Anchor::Keys(_) => "Beside the keys",
            Anchor::Folder(_) => "A folder",
            Anchor::Stdout => "The service’s output",
            Anchor::Webhook(_) => "An address",
        },
        beside: matches!(&anchor, Anchor::Folder(folder) | Anchor::Keys(folder) if console.space.shares_volume(folder)),
        size: kept.taken.map(|(size, _)| size),
        at: kept.taken.map(|(_, at)| at),
        trouble: kept.trouble,
    });
    let witnesses = console.witnesses.iter().map(|witness| {
        let head = cosigned.iter().find(|head| head.witness == witness.name());
        WitnessLine {
            name: witness.name().to_owned(),
            size: head.map(|head| head.size as u64),
            at: head.map(|head| head.cosigned_at),
            silent: head.is_none_or(|head| now - head.cosigned_at > SILENCE),
        }
    });
    let found = console.found.borrow().clone();
    let compared = matches!(reading, Reading::All).then_some(Compared {
        at: found.at,
        rows: found.checked.rows,
        count: found.checked.count(),
        wrong: found.checked.wrong.iter().take(page::LISTED).cloned().collect(),
        trouble: found.trouble,
    });
    let refused = match reading {
        Reading::All => {
            console.would(&signed.caller, Action::StartExport, None, Situation::default()).map(|why| why.to_string())
        }
        Reading::Projects(_) | Reading::Period { .. } => {
            Some("Those who may read all of the trail have it verified.".into())
        }
    };
    let view = Integrity {
        origin: key.name().to_owned(),
        key: key.to_string(),
        size: head.size,
        root: hex(&head.root),
        note: built.note,
        forked: built.forked,
        growth,
        since,
        anchors: anchors.collect(),
        witnesses: witnesses.collect(),
        copies,
        verified,
        compared,
        refused,
    };
    Ok(shown(page::integrity(&shell, view)))
}
