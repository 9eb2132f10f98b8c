//! Deciding: one seat, one person, one digest.
use super::{candidates, end, may_decide, store, store::Decision, subject, visible_request, void, wanted};
use crate::{
    audit::ledger::{Receipt, Tx},
    console::Console,
    grants, notifications,
    people::Caller,
    policies::Situation,
};
use app::{
    audit::{action::Action, leaf::Subject},
    error::{Error, Refusal},
    id::DecisionId,
    people::model,
    requests::model::{Outcome, State},
};
use store::{APPROVED, DENIED, Request};

/// Signs the next seat. With the last one the access begins.
pub async fn approve_request(
    console: &Console,
    caller: &Caller,
    id: &str,
    digest: &str,
    comment: &str,
) -> Result<Receipt, Error> {
    let mut sitting = sit_down(console, caller, id, digest, Action::ApproveRequest, comment).await?;
    let (decision, request) = (sitting.sign(console, caller, APPROVED).await?, sitting.request.clone());
    crate::crash::at("approve.signed");
    let mut events = vec![sitting.event];
    let tx = &mut sitting.tx;
    let mut decisions = sitting.decisions;
    decisions.push(decision);
    match request.state(&decisions, console.now()) {
        State::InReview { taken, seats } if taken >= seats => {
            let (grant, issued) = grants::issue(console, tx, &request).await?;
            crate::crash::at("approve.issued");
            let request = end(console, tx, request, Outcome::Approved, Some(grant.id)).await?;
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
    event: crate::audit::event::Event,
    request: Request,
    decisions: Vec<Decision>,
    comment: String,
    /// The id of the decision to be.
    decision: String,
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
    let comment = model::prose(comment, 1000).map_err(|why| Error::invalid("comment", why))?;
    if super::looks_secret(&comment) {
        return Err(Error::invalid(
            "comment",
            "This looks like it holds a secret. Comments are read by many: take it out.",
        ));
    }
    let (seen, _) = visible_request(console, caller, id).await?;
    let situation = Situation { tier: Some(seen.tier()), class: Some(seen.class()), ..Situation::default() };
    let decision = console.id::<DecisionId>()?.to_string();
    let about = Subject { row: Some(decision.clone()), ..subject(&seen) };
    let (mut tx, event) = console.begin(caller, action, about, situation).await?;
    let request = store::lock(&mut tx, id, console.seal_key()).await?.ok_or(Error::NotFound)?;
    let event = event.detail("digest", request.digest.clone()).detail("revision", request.revision);
    let decisions = store::decisions(&mut tx, id, console.seal_key()).await?;
    if wanted(&request, &decisions, console.now()).is_none() {
        return Err(tx.refuse(event, Refusal::NotOpen).await);
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
    if let Err(why) = may_decide(console, &mut tx, &request, &decisions, &person).await? {
        return Err(tx.refuse(event, why).await);
    }
    let event = if comment.is_empty() { event } else { event.private("comment", comment.clone()) };
    let event = event.detail("seat", decisions.len() as u64 + 1);
    Ok(Sitting { tx, event, request, decisions, comment, decision })
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
        && class == Some(request.class()))
}

impl Sitting {
    async fn sign(&mut self, console: &Console, caller: &Caller, verdict: &str) -> Result<Decision, Error> {
        let decision = Decision {
            id: self.decision.clone(),
            request_id: self.request.id.clone(),
            person_id: caller.id().into(),
            requester_id: self.request.requester_id.clone(),
            verdict: verdict.into(),
            seat: self.decisions.len() as i32 + 1,
            comment: self.comment.clone(),
            digest: self.request.digest.clone(),
            decided_at: console.now(),
            event_seq: 0,
            row_mac: Vec::new(),
        };
        store::insert_decision(&mut self.tx, &decision).await?;
        self.tx.seal(&decision)?;
        Ok(decision)
    }
}
