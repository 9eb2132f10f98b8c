//! Deciding: one seat, one person, one digest.
use super::{
    candidates, end, may_decide, may_take, pieces, store, store::Decision, subject, visible_request, void, wanted,
};
use crate::{
    audit::{
        event::Event,
        ledger::{Basis, Receipt, Tx},
    },
    console::Console,
    grants::{self, Holder},
    notifications,
    people::{Caller, delegation},
    policies::Situation,
};
use app::{
    audit::{action::Action, leaf::Subject},
    error::{Conflict, Error, Refusal},
    id::DecisionId,
    requests::model::{Less, Outcome, State},
};
use store::{APPROVED, DENIED, LATE, Request};

/// Signs the next seat. With the last one the access begins.
pub async fn approve_request(
    console: &Console,
    caller: &Caller,
    id: &str,
    digest: &str,
    comment: &str,
) -> Result<Receipt, Error> {
    let sitting = sit_down(console, caller, id, digest, Action::ApproveRequest, comment).await?;
    approve(console, caller, sitting).await
}

/// Approves only a part: fewer secrets, a shorter time. The part is a new revision, signed by this approver alone.
pub async fn approve_less(
    console: &Console,
    caller: &Caller,
    id: &str,
    digest: &str,
    less: Less,
    comment: &str,
) -> Result<Receipt, Error> {
    let mut sitting = sit_down(console, caller, id, digest, Action::ApproveRequest, comment).await?;
    let asked = &sitting.request;
    let less = less.of(&asked.secret_ids(), asked.minutes).map_err(|(field, why)| Error::invalid(field, why))?;
    let located = super::located(console, &mut sitting.tx, asked).await?;
    let kept = located.iter().filter(|located| less.secrets.contains(&located.secret.id));
    let kept: Vec<&crate::catalog::Located> = kept.collect();
    let class = kept.iter().map(|located| located.secret.class()).max().ok_or(Error::NotFound)?;
    let mut part = Request {
        revision: asked.revision + 1,
        class: class.into(),
        secrets: asked
            .secret_ids()
            .into_iter()
            .filter(|id| less.secrets.iter().any(|kept| kept == id))
            .collect::<Vec<_>>()
            .join(" "),
        minutes: less.minutes,
        policy: console.level(asked.tier()).approval_policy(class),
        shown: Some(super::shown(kept.into_iter())),
        ..asked.clone()
    };
    part.digest = part.compute_digest();
    // The signatures of before were for other terms; whoever makes new ones has to be able to sign them first.
    let person = crate::people::store::find(&mut sitting.tx, caller.id(), console.seal_key())
        .await?
        .ok_or(Error::Unauthenticated)?;
    // Whose seat it is may be another one's than of the terms that were asked for.
    sitting.on_behalf_of = match may_decide(console, &mut sitting.tx, &part, &sitting.decisions, &person).await? {
        Ok(place) => place,
        Err(why) => return Err(sitting.tx.refuse(sitting.event, why).await),
    };
    sitting.event = in_place(sitting.event, sitting.on_behalf_of.as_deref());
    store::save_terms(&mut sitting.tx, &part).await?;
    sitting.tx.seal(&part)?;
    sitting.event = sitting
        .event
        .detail("digest", part.digest.clone())
        .detail("revision", part.revision)
        .detail("narrowed_from", asked.digest.clone())
        .detail("minutes", part.minutes as u64)
        .detail("secrets", part.secret_ids().len() as u64)
        .detail("seat", 1);
    notifications::tell(console, &mut sitting.tx, [part.requester_id.as_str()], "request.narrowed", id).await?;
    sitting.request = part;
    approve(console, caller, sitting).await
}

async fn approve(console: &Console, caller: &Caller, mut sitting: Sitting) -> Result<Receipt, Error> {
    let asked = &sitting.request;
    let holder = match &asked.workload_id {
        Some(id) => Holder::Workload(id),
        None => Holder::Person(&asked.requester_id),
    };
    let (ids, tx) = (asked.secret_ids(), &mut sitting.tx);
    let piece = pieces::longest(console, tx, holder, &ids, asked.right(), asked.starts_at, asked.minutes).await?;
    if piece > console.level(asked.tier()).longest_for(asked.workload_id.is_some()) * 2 {
        return Err(sitting.tx.refuse(sitting.event, Refusal::OnePiece).await);
    }
    let (decision, request) = (sitting.sign(console, caller, APPROVED).await?, sitting.request.clone());
    let id = request.id.as_str();
    crate::crash::at("approve.signed");
    let mut events = vec![sitting.event];
    let tx = &mut sitting.tx;
    let mut decisions = sitting.decisions;
    decisions.push(decision);
    match request.state(&decisions, console.now()) {
        State::InReview { taken, seats } if taken >= seats => {
            let (grant, issued) = grants::issue(console, tx, &request).await?;
            crate::crash::at("approve.issued");
            let request = end(console, tx, request.clone(), Outcome::Approved, Some(grant.id)).await?;
            notifications::tell(console, tx, [request.requester_id.as_str()], "request.approved", id).await?;
            events.push(issued);
        }
        _ => {
            let able = candidates(console, tx, &request, &decisions).await?;
            let able: Vec<&str> =
                able.iter().filter(|(_, may)| may.is_ok()).map(|(person, _)| person.id.as_str()).collect();
            notifications::tell(console, tx, able, "request.submitted", id).await?;
            notifications::tell(console, tx, [request.requester_id.as_str()], "request.signed", id).await?;
        }
    }
    sitting.tx.commit(events).await
}

/// Ends a request with a no. One is enough; it says why.
pub async fn deny_request(
    console: &Console,
    caller: &Caller,
    id: &str,
    digest: &str,
    comment: &str,
) -> Result<Receipt, Error> {
    if comment.trim().is_empty() {
        return Err(Error::invalid("comment", "Say why: the requester reads it."));
    }
    let mut sitting = sit_down(console, caller, id, digest, Action::DenyRequest, comment).await?;
    sitting.sign(console, caller, DENIED).await?;
    let request = end(console, &mut sitting.tx, sitting.request, Outcome::Denied, None).await?;
    notifications::tell(console, &mut sitting.tx, [request.requester_id.as_str()], "request.denied", id).await?;
    sitting.tx.commit(vec![sitting.event]).await
}

struct Sitting {
    tx: Tx,
    event: Event,
    request: Request,
    decisions: Vec<Decision>,
    comment: String,
    /// The id of the decision to be.
    decision: String,
    /// In whose place.
    on_behalf_of: Option<String>,
}

/// Everything before the signature: the request under its lock, policy, the digest, the rules of separation.
async fn sit_down(
    console: &Console,
    caller: &Caller,
    id: &str,
    digest: &str,
    action: Action,
    comment: &str,
) -> Result<Sitting, Error> {
    let comment = crate::vault::prose(console, "comment", comment, 1000).await?;
    let (seen, before) = visible_request(console, caller, id).await?;
    // Policy is asked with the roles of whose seat it is: one's own, or also those of the one who is away. Whoever may take none is
    // asked with all of them, so that the rule which keeps them from it is what they hear.
    let mut db = console.read().await?;
    let place = may_decide(console, &mut db, &seen, &before, &caller.person).await?;
    let asked = match &place {
        Ok(None) => caller.clone(),
        Ok(Some(absent)) => delegation::standing_in_for(console, &mut db, caller, Some(absent)).await?,
        Err(_) => delegation::standing_in_for(console, &mut db, caller, None).await?,
    };
    let standing = delegation::standing(console, &mut db, caller.id()).await?;
    let mut accounts: Vec<String> = standing.into_iter().map(|(_, absent)| absent.id).collect();
    accounts.push(caller.id().into());
    // And whoever asked: two who decide on each other's requests at the same instant come one after the other, and what somebody
    // holds in one piece is added up with everything that was given meanwhile.
    accounts.push(seen.requester_id.clone());
    drop(db);
    let situation = Situation { tier: Some(seen.tier()), class: Some(seen.class()), ..Situation::default() };
    let decision = console.id::<DecisionId>()?.to_string();
    let about = Subject { row: Some(decision.clone()), ..subject(&seen) };
    let (mut tx, event) = console.begin(&asked, action, about, situation).await?;
    // These accounts are kept as they are until this is done: closing one cuts what it signed, before or after.
    accounts.sort_unstable();
    accounts.dedup();
    for account in &accounts {
        crate::people::store::lock(&mut tx, account, console.seal_key()).await?;
    }
    if let Some(workload) = &seen.workload_id {
        crate::workloads::store::lock(&mut tx, workload, console.seal_key()).await?;
    }
    let request = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let event = event.detail("digest", request.digest.clone()).detail("revision", request.revision);
    let decisions = store::decisions(&mut tx, id, console.seal_key()).await?;
    tx.rests_on(decisions.iter().map(Basis::of));
    if wanted(&request, &decisions, console.now()).is_none() {
        return Err(keep_late(console, caller, tx, event, &request, &decisions, comment, decision).await?);
    }
    if request.digest != digest || request.compute_digest() != request.digest {
        return Err(tx.refuse(event, Refusal::WorldChanged).await);
    }
    if !still_stands(console, &mut tx, &request).await? {
        // The secrets are not what they were when this was asked: it has to be asked again.
        if let Some(voided) = void(console, &mut tx, id, "terms_changed").await? {
            tx.commit(vec![voided]).await?;
        }
        return Err(Error::Refused(Refusal::WorldChanged));
    }
    let person =
        crate::people::store::find(&mut tx, caller.id(), console.seal_key()).await?.ok_or(Error::Unauthenticated)?;
    let on_behalf_of = match may_decide(console, &mut tx, &request, &decisions, &person).await? {
        Ok(on_behalf_of) => on_behalf_of,
        Err(why) => return Err(tx.refuse(event, why).await),
    };
    if place.as_ref() != Ok(&on_behalf_of) {
        return Err(tx.refuse(event, Refusal::WorldChanged).await);
    }
    let event = in_place(event, on_behalf_of.as_deref());
    let event = if comment.is_empty() { event } else { event.private("comment", comment.clone()) };
    let event = event.detail("seat", request.standing(&decisions).count() as u64 + 1);
    Ok(Sitting { tx, event, request, decisions, comment, decision, on_behalf_of })
}

/// The event says in whose place, where it is another one's.
fn in_place(mut event: Event, absent: Option<&str>) -> Event {
    event.detail.remove("on_behalf_of");
    match absent {
        Some(absent) => event.detail("on_behalf_of", absent),
        None => event,
    }
}

/// Keeps what an approver said after the request had ended: shown beside it, without effect.
#[allow(clippy::too_many_arguments, reason = "everything that a sitting consists of, which this one does not become")]
async fn keep_late(
    console: &Console,
    caller: &Caller,
    mut tx: Tx,
    event: Event,
    request: &Request,
    decisions: &[Decision],
    comment: String,
    decision: String,
) -> Result<Error, Error> {
    let answered = decisions.iter().any(|decision| decision.person_id == caller.id());
    let mut eligible = None;
    for role in request.seats() {
        let may = may_take(console, &mut tx, request, &[], &caller.person, Some(*role)).await?;
        eligible = eligible.or(may.ok());
    }
    if answered || eligible.is_none() {
        return Ok(tx.refuse(event, Refusal::NotOpen).await);
    }
    let verdict = LATE[usize::from(event.action == Action::DenyRequest)];
    let row = Decision {
        id: decision,
        request_id: request.id.clone(),
        person_id: caller.id().into(),
        requester_id: request.requester_id.clone(),
        verdict: verdict.into(),
        seat: 0,
        comment: comment.clone(),
        digest: request.digest.clone(),
        decided_at: console.now(),
        on_behalf_of: eligible.flatten(),
        voided_at: None,
        event_seq: 0,
        row_mac: Vec::new(),
    };
    store::insert_decision(&mut tx, &row).await?;
    tx.seal(&row)?;
    let event = Event { action: Action::DecideLate, ..event }.detail("answer", verdict).private("comment", comment);
    tx.commit(vec![event]).await?;
    Ok(Error::Conflict(Conflict::TooLate))
}

/// Are level and class of what was asked for still what the terms say?
async fn still_stands(console: &Console, tx: &mut Tx, request: &Request) -> Result<bool, Error> {
    let located = super::located(console, tx, request).await?;
    let class = located.iter().map(|located| located.secret.class()).max();
    let key = console.seal_key();
    let requester = crate::people::store::find(tx, &request.requester_id, key).await?;
    let workload = match &request.workload_id {
        Some(id) => crate::workloads::store::find(tx, id, key).await?.is_some_and(|row| row.disabled_at.is_none()),
        None => true,
    };
    Ok(requester.is_some_and(|person| person.is_active())
        && workload
        && located.len() == request.secret_ids().len()
        && located.iter().all(|located| located.secret.archived_at.is_none())
        && located.iter().all(|located| located.environment.tier() == request.tier())
        && class == Some(request.class())
        // Under the names that were read.
        && request.shown.as_ref().is_none_or(|read| *read == super::shown(located.iter()))
        // Its policy asks for as many signatures as the level does now, and access is no longer than it gives now.
        && request.policy == console.level(request.tier()).approval_policy(request.class())
        && request.minutes <= console.level(request.tier()).longest_for(request.workload_id.is_some()).num_minutes())
}

impl Sitting {
    async fn sign(&mut self, console: &Console, caller: &Caller, verdict: &str) -> Result<Decision, Error> {
        let decision = Decision {
            id: self.decision.clone(),
            request_id: self.request.id.clone(),
            person_id: caller.id().into(),
            requester_id: self.request.requester_id.clone(),
            verdict: verdict.into(),
            seat: self.request.standing(&self.decisions).count() as i32 + 1,
            comment: self.comment.clone(),
            digest: self.request.digest.clone(),
            decided_at: console.now(),
            on_behalf_of: self.on_behalf_of.clone(),
            voided_at: None,
            event_seq: 0,
            row_mac: Vec::new(),
        };
        store::insert_decision(&mut self.tx, &decision).await?;
        self.tx.seal(&decision)?;
        Ok(decision)
    }
}
